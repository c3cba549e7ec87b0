//! The main job on a real cluster, through the built program: real Helm, real pods, a real PostgreSQL.
//!
//! They need what `examples/quickstart/world up` starts, and run where `ORTHID_TEST_CLUSTER` is `on` (as `.ci/test` sets
//! it), as many side by side as there are test threads. Those in [`alone`] kill what all of them need.

mod alone;
mod contract;
mod errors;
mod failing;
mod kills;
mod major;
mod place;
mod running;
mod upgrade;

use place::{Place, Turn};

/// An OrthID of this version in a namespace of its own, or the end of the test where no cluster is wanted.
macro_rules! installed {
    (alone: $namespace:expr, $helm:expr, $version:expr) => {
        installed!(@ crate::cluster::Turn::Alone, $namespace, $helm, $version)
    };
    ($namespace:expr, $helm:expr, $version:expr $(, $set:expr)* $(,)?) => {
        installed!(@ crate::cluster::Turn::BesideOthers, $namespace, $helm, $version $(, $set)*)
    };
    (@ $turn:expr, $namespace:expr, $helm:expr, $version:expr $(, $set:expr)*) => {
        match crate::cluster::Place::new($turn, $namespace, $helm, $version, &[$($set),*]) {
            Some(place) => place,
            None => return eprintln!("ORTHID_TEST_CLUSTER is not `on`: not run"),
        }
    };
}
use installed;

const HELM_3: &str = "3.22.0";
const HELM_4: &str = "4.3.1";
