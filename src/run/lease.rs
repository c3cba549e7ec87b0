//! Keeps a run's lease alive beside it, and knows at any moment whether it may still be trusted.
//!
//! Must not: write to a journal; it only renews.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::store::{Lease, Store, StoreError};

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

/// A held lease with its heartbeat. Dropping it ends the heartbeat, not the lease.
pub struct LeaseKeeper {
    store: Arc<dyn Store>,
    lease: Lease,
    times: LeaseTimes,
    deadline: Arc<watch::Sender<Instant>>,
    /// Cancelled once another has taken the lease.
    lost: CancellationToken,
    heartbeat: JoinHandle<()>,
}

impl std::fmt::Debug for LeaseKeeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseKeeper").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

impl LeaseKeeper {
    /// `taken` is an instant from before the lease was asked for, so that our clock never promises more than the store's.
    pub fn new(
        store: Arc<dyn Store>,
        lease: Lease,
        times: LeaseTimes,
        taken: Instant,
    ) -> LeaseKeeper {
        let (deadline, _) = watch::channel(taken + times.ttl);
        let deadline = Arc::new(deadline);
        let lost = CancellationToken::new();
        let heartbeat = tokio::spawn(beat(
            Arc::clone(&store),
            lease.clone(),
            times,
            Arc::clone(&deadline),
            lost.clone(),
        ));
        LeaseKeeper { store, lease, times, deadline, lost, heartbeat }
    }

    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// Cancelled once the lease is known to be another's.
    pub fn lost(&self) -> &CancellationToken {
        &self.lost
    }

    pub fn guard(&self) -> LeaseGuard {
        LeaseGuard {
            store: Arc::clone(&self.store),
            lease: self.lease.clone(),
            times: self.times,
            deadline: Arc::clone(&self.deadline),
            lost: self.lost.clone(),
        }
    }

    /// Gives the lease back. A store that does not answer is no reason to fail: the lease runs out by itself.
    pub async fn release(self) {
        self.heartbeat.abort();
        drop(self.store.release_lease(&self.lease).await);
    }
}

/// What an effect asks at the last moment before it begins.
#[derive(Clone)]
pub struct LeaseGuard {
    store: Arc<dyn Store>,
    lease: Lease,
    times: LeaseTimes,
    deadline: Arc<watch::Sender<Instant>>,
    lost: CancellationToken,
}

impl std::fmt::Debug for LeaseGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LeaseGuard").field("lease", &self.lease).finish_non_exhaustive()
    }
}

impl LeaseGuard {
    /// May an effect begin now? A process that was stopped past its lease's end wakes up here: it asks the store before it
    /// does anything.
    pub async fn holds(&self) -> bool {
        if self.lost.is_cancelled() {
            return false;
        }
        if Instant::now() < *self.deadline.borrow() {
            return true;
        }
        match renew(&self.store, &self.lease, self.times, &self.deadline).await {
            Ok(()) => true,
            Err(StoreError::Unavailable(_)) => false,
            Err(_) => {
                self.lost.cancel();
                false
            }
        }
    }
}

async fn renew(
    store: &Arc<dyn Store>,
    lease: &Lease,
    times: LeaseTimes,
    deadline: &watch::Sender<Instant>,
) -> Result<(), StoreError> {
    let asked = Instant::now();
    store.renew_lease(lease, times.ttl).await?;
    deadline.send_replace(asked + times.ttl);
    Ok(())
}

async fn beat(
    store: Arc<dyn Store>,
    lease: Lease,
    times: LeaseTimes,
    deadline: Arc<watch::Sender<Instant>>,
    lost: CancellationToken,
) {
    loop {
        tokio::time::sleep(times.heartbeat).await;
        match renew(&store, &lease, times, &deadline).await {
            // A store that does not answer is asked again; effects look at the deadline themselves.
            Ok(()) | Err(StoreError::Unavailable(_)) => {}
            Err(_) => {
                lost.cancel();
                return;
            }
        }
    }
}
