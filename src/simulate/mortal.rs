//! A store as one simulated process sees it: the process may be killed before and after each write, and the disk may refuse.
//!
//! Must not: pretend. What it acknowledges, the store behind it has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{Life, VirtualClock};
use crate::journal::{Record, RunId};
use crate::plan::StoredPlan;
use crate::store::{Holder, Lease, NewRun, RunSummary, Store, StoreError};

/// What can go wrong with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing was written.
    Refused,
    /// It was written, and nothing says so.
    ReplyLost,
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Trouble::Refused => "write refused",
            Trouble::ReplyLost => "write's reply lost",
        }
    }
}

/// Troubles that wait for their write: the n-th from now on, none for those without.
#[derive(Debug, Default)]
pub struct Troubles {
    waiting: Mutex<VecDeque<Option<Trouble>>>,
    fired: Mutex<BTreeMap<&'static str, u64>>,
}

impl Troubles {
    pub fn add(&self, trouble: Option<Trouble>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(trouble);
    }

    pub fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn fired(&self) -> BTreeMap<&'static str, u64> {
        self.fired.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self) -> Option<Trouble> {
        let trouble = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()??;
        let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
        *fired.entry(trouble.name()).or_default() += 1;
        Some(trouble)
    }
}

pub struct MortalStore {
    pub inner: Arc<dyn Store>,
    pub life: Life,
    pub clock: VirtualClock,
    pub troubles: Arc<Troubles>,
}

impl MortalStore {
    async fn write<T>(
        &self,
        what: &str,
        write: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        self.life.cross(|| format!("before {what}")).await;
        let trouble = self.troubles.take();
        let unavailable = || StoreError::Unavailable("no space left on device".to_owned());
        if trouble == Some(Trouble::Refused) {
            return Err(unavailable());
        }
        let written = self.held(write).await;
        self.life.cross(|| format!("after {what}")).await;
        match (trouble, written) {
            (Some(Trouble::ReplyLost), Ok(_)) => Err(unavailable()),
            (_, written) => written,
        }
    }

    /// Time stands still while the store behind works: its disk is not simulated.
    async fn held<T>(&self, work: impl Future<Output = T>) -> T {
        let _held = self.clock.hold();
        work.await
    }
}

impl std::fmt::Debug for MortalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MortalStore").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Store for MortalStore {
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError> {
        self.life.cross(|| "before creating the run".to_owned()).await;
        let created = self.held(self.inner.create_run(lease, run, records)).await;
        self.life.cross(|| "after creating the run".to_owned()).await;
        created
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let seq = records.last().map_or(0, |record| record.seq);
        self.write(&format!("record {seq}"), self.inner.append(lease, records)).await
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        self.held(self.inner.records(run, after)).await
    }

    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError> {
        self.held(self.inner.plan(run)).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        self.held(self.inner.runs(limit)).await
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        self.held(self.inner.run_of_plan(plan_digest)).await
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        self.held(self.inner.acquire_lease(subject, holder, ttl)).await
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.held(self.inner.renew_lease(lease, ttl)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.held(self.inner.release_lease(lease)).await
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        self.held(self.inner.lease(subject)).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.held(self.inner.leases()).await
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        self.held(self.inner.break_lease(lease_id)).await
    }
}
