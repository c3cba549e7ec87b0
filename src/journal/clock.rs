//! Time as a run sees it: handed in, so that a simulated world can make it jump and nobody has to wait for it.
//!
//! Must not: be read by anything but the executor, the lease and the simulated world.

use std::time::Duration;

use jiff::Timestamp;

/// A clock on the wall, a stopwatch, and a way to wait.
#[async_trait::async_trait]
pub trait Clock: Send + Sync {
    /// The wall clock. It may jump, in both directions.
    fn now(&self) -> Timestamp;

    /// Time since some moment before the run. It never goes back; it may stand still while the machine sleeps.
    fn elapsed(&self) -> Duration;

    async fn sleep(&self, how_long: Duration);
}
