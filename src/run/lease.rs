//! Keeps a run's lease alive beside it, and knows at any moment whether it may still be trusted.
//!
//! Must not: write to a journal; it only renews.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::journal::Clock;
use crate::store::{Lease, Store, StoreError};

/// How long giving a lease back may take.
const RELEASE: Duration = Duration::from_secs(5);

/// How long a lease lasts and how often it is renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseTimes {
    pub ttl: Duration,
    pub heartbeat: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        LeaseTimes { ttl: Duration::from_secs(30), heartbeat: Duration::from_secs(10) }
    }
}

/// An instant by both clocks: the stopwatch stands still while a machine sleeps, the wall clock may be set back.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    elapsed: Duration,
    wall: Timestamp,
}

impl Moment {
    pub fn now(clock: &dyn Clock) -> Moment {
        Moment { elapsed: clock.elapsed(), wall: clock.now() }
    }

    fn plus(self, ttl: Duration) -> Moment {
        Moment {
            elapsed: self.elapsed.saturating_add(ttl),
            wall: self.wall.saturating_add(ttl).unwrap_or(Timestamp::MAX),
        }
    }

    /// By neither clock is it `deadline` yet.
    fn is_before(self, deadline: Moment) -> bool {
        self.elapsed < deadline.elapsed && self.wall < deadline.wall
    }
}

/// A held lease with its heartbeat. Dropping it ends the heartbeat, not the lease.
#[derive(Debug)]
pub struct LeaseKeeper {
    guard: LeaseGuard,
    heartbeat: JoinHandle<()>,
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

impl LeaseKeeper {
    /// `asked` is from before the lease was asked for, so that our clock never promises more than the store's.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        lease: Lease,
        times: LeaseTimes,
        asked: Moment,
    ) -> LeaseKeeper {
        let deadline = Arc::new(Mutex::new(asked.plus(times.ttl)));
        let lost = CancellationToken::new();
        let guard = LeaseGuard { store, clock, lease, times, deadline, lost };
        let heartbeat = tokio::spawn(beat(guard.clone()));
        LeaseKeeper { guard, heartbeat }
    }

    pub fn lease(&self) -> &Lease {
        &self.guard.lease
    }

    /// Cancelled once the lease is known to be another's.
    pub fn lost(&self) -> &CancellationToken {
        &self.guard.lost
    }

    pub fn guard(&self) -> LeaseGuard {
        self.guard.clone()
    }

    /// Gives the lease back. A store that does not answer is no reason to fail, nor to wait: the lease runs out by itself.
    pub async fn release(self) {
        self.heartbeat.abort();
        tokio::select! {
            biased;
            _ = self.guard.store.release_lease(&self.guard.lease) => {}
            () = self.guard.clock.sleep(RELEASE) => {}
        }
    }
}

/// What an effect asks at the last moment before it begins.
#[derive(Clone)]
pub struct LeaseGuard {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    lease: Lease,
    times: LeaseTimes,
    deadline: Arc<Mutex<Moment>>,
    lost: CancellationToken,
}

impl std::fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseGuard").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl LeaseGuard {
    /// May an effect begin now? A process that was stopped past its lease's end wakes up here: it asks the store before
    /// it does anything, and goes on asking while the store does not answer.
    pub async fn holds(&self) -> bool {
        while !self.lost.is_cancelled() {
            let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
            if Moment::now(&*self.clock).is_before(deadline) {
                return true;
            }
            match self.renew().await {
                Ok(()) => {}
                Err(StoreError::Unavailable(_)) => self.clock.sleep(self.times.heartbeat).await,
                Err(_) => self.lost.cancel(),
            }
        }
        false
    }

    async fn renew(&self) -> Result<(), StoreError> {
        let asked = Moment::now(&*self.clock);
        self.store.renew_lease(&self.lease, self.times.ttl).await?;
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = asked.plus(self.times.ttl);
        Ok(())
    }
}

async fn beat(guard: LeaseGuard) {
    loop {
        guard.clock.sleep(guard.times.heartbeat).await;
        match guard.renew().await {
            // A store that does not answer is asked again; effects look at the deadline themselves.
            Ok(()) | Err(StoreError::Unavailable(_)) => {}
            Err(_) => {
                guard.lost.cancel();
                return;
            }
        }
    }
}
