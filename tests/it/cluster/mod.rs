//! The main job on a real cluster, through the built program: real Helm, real pods, a real PostgreSQL.
//!
//! They need what `examples/quickstart/world up` starts, and run where `ORTHID_TEST_CLUSTER` is `on` (as `.ci/test` sets
//! it), one after the other: a machine of two cores has room for one OrthID at a time.

mod contract;
mod errors;
mod failing;
mod kills;
mod major;
mod place;
mod running;
mod upgrade;

use place::Place;

/// An OrthID of this version in a namespace of its own, or the end of the test where no cluster is wanted.
macro_rules! installed {
    ($namespace:expr, $helm:expr, $version:expr $(, $set:expr)* $(,)?) => {
        match crate::cluster::Place::new($namespace, $helm, $version, &[$($set),*]) {
            Some(place) => place,
            None => return eprintln!("ORTHID_TEST_CLUSTER is not `on`: not run"),
        }
    };
}
use installed;

const HELM_3: &str = "3.22.0";
const HELM_4: &str = "4.3.1";
