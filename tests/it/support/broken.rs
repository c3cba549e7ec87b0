//! A store that does not keep its promises: what tests of tests need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use orthid::journal::{Record, RunId};
use orthid::plan::StoredPlan;
use orthid::store::{Holder, Lease, NewRun, RunSummary, Store, StoreError};
use tokio::sync::Mutex;

/// How promises are broken.
#[derive(Clone, Copy, Debug)]
pub enum Breach {
    /// The n-th write is acknowledged and not made.
    LiesAt(u64),
    /// Records are written when the next ones come: what a disk without `fsync` may do to a process that is killed.
    Forgets,
}

pub struct BrokenStore {
    inner: Arc<dyn Store>,
    breach: Breach,
    writes: AtomicU64,
    cached: Mutex<Option<(Lease, Vec<Record>)>>,
}

impl BrokenStore {
    pub fn new(inner: Arc<dyn Store>, breach: Breach) -> BrokenStore {
        BrokenStore { inner, breach, writes: AtomicU64::new(0), cached: Mutex::new(None) }
    }

    async fn write_back(&self) -> Result<(), StoreError> {
        match self.cached.lock().await.take() {
            Some((lease, records)) => self.inner.append(&lease, &records).await,
            None => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Store for BrokenStore {
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError> {
        self.inner.create_run(lease, run, records).await
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        match self.breach {
            Breach::LiesAt(n) if self.writes.fetch_add(1, Ordering::Relaxed) + 1 == n => Ok(()),
            Breach::LiesAt(_) => self.inner.append(lease, records).await,
            Breach::Forgets => {
                self.write_back().await?;
                *self.cached.lock().await = Some((lease.clone(), records.to_vec()));
                Ok(())
            }
        }
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        self.inner.records(run, after).await
    }

    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError> {
        self.inner.plan(run).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        self.inner.runs(limit).await
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        self.inner.run_of_plan(plan_digest).await
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        // A new process: what the old one's disk had not written is gone.
        *self.cached.lock().await = None;
        self.inner.acquire_lease(subject, holder, ttl).await
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.inner.renew_lease(lease, ttl).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.write_back().await?;
        self.inner.release_lease(lease).await
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        self.inner.lease(subject).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.inner.leases().await
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        self.inner.break_lease(lease_id).await
    }
}
