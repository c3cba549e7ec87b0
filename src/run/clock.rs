//! The machine's own clock: where the time of a run comes from outside of tests and rehearsals.

use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::journal::Clock;

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
