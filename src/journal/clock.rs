//! Time as a run sees it: handed in, so that a simulated world can make it jump and nobody has to wait for it.
//!
//! Must not: be read by anything but the executor, the lease and the simulated world.

use std::time::{Duration, Instant};

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

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[allow(clippy::new_without_default, reason = "a clock that is started is no default")]
    pub fn new() -> SystemClock {
        SystemClock { started: Instant::now() }
    }
}

#[async_trait::async_trait]
impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods, reason = "this is where a run's time comes from")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    async fn sleep(&self, how_long: Duration) {
        tokio::time::sleep(how_long).await;
    }
}
