//! A store with something between it and who uses it: a simulated process's death, a disk that lies, a counter.
//!
//! The one place that passes on every call of [`Store`]; whoever stands between says only what differs.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Holder, Lease, NewRun, RunSummary, Store, StoreError};
use crate::journal::{Record, RunId};
use crate::plan::StoredPlan;

/// A call on its way to a store, as far as those between need to tell it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    CreateRun,
    Append,
    AcquireLease,
    RenewLease,
    ReleaseLease,
    BreakLease,
    /// Any that changes nothing.
    Read,
}

/// What stands between. By default it passes everything on.
#[async_trait::async_trait]
pub trait Intercept: Send + Sync {
    /// Does something before or after a call, or keeps its answer back. Awaiting `pass` is the call.
    async fn around<T: Send>(
        &self,
        _call: Call,
        pass: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        pass.await
    }

    /// As [`Intercept::around`] for records, which may also be answered for without the store.
    async fn append(
        &self,
        _lease: &Lease,
        _records: &[Record],
        pass: BoxFuture<'_, Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        self.around(Call::Append, pass).await
    }
}

/// A store behind an [`Intercept`].
pub struct Intercepted<I> {
    pub store: Arc<dyn Store>,
    pub between: I,
}

impl<I> std::fmt::Debug for Intercepted<I> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intercepted").finish_non_exhaustive()
    }
}

impl<I: Intercept> Intercepted<I> {
    pub fn new(store: Arc<dyn Store>, between: I) -> Intercepted<I> {
        Intercepted { store, between }
    }
}

#[async_trait::async_trait]
impl<I: Intercept> Store for Intercepted<I> {
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError> {
        self.between.around(Call::CreateRun, self.store.create_run(lease, run, records)).await
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        self.between.append(lease, records, self.store.append(lease, records)).await
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        self.between.around(Call::Read, self.store.records(run, after)).await
    }

    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError> {
        self.between.around(Call::Read, self.store.plan(run)).await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        self.between.around(Call::Read, self.store.runs(limit)).await
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        self.between.around(Call::Read, self.store.run_of_plan(plan_digest)).await
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        let pass = self.store.acquire_lease(subject, holder, ttl);
        self.between.around(Call::AcquireLease, pass).await
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.between.around(Call::RenewLease, self.store.renew_lease(lease, ttl)).await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.between.around(Call::ReleaseLease, self.store.release_lease(lease)).await
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        self.between.around(Call::Read, self.store.lease(subject)).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.between.around(Call::Read, self.store.leases()).await
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        self.between.around(Call::BreakLease, self.store.break_lease(lease_id)).await
    }
}
