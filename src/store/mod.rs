//! Where runs, journals and leases are kept: SQLite (embedded) or PostgreSQL (shared), behind one contract.
//!
//! Must not: interpret a journal (`run` does), or decide anything but whether a write is allowed.

mod file;
mod intercept;
mod location;
mod memory;
mod postgres;
mod rows;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

pub use intercept::{Call, Intercept, Intercepted};
pub use location::Location;
pub use memory::MemoryStore;
pub use postgres::PostgresStore;
pub use sqlite::SqliteStore;

use crate::journal::{Record, RunId};
use crate::plan::StoredPlan;

/// What must be known to begin a run. Written in one transaction with the run's first records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    pub id: RunId,
    /// What the lease protects: `CLUSTER_UID/NAMESPACE/RELEASE`, or `runbook/NAME`.
    pub subject: String,
    /// A plan applies at most once: a second run of the same digest is refused.
    pub plan_digest: String,
    /// The saved plan file's bytes.
    pub plan: Vec<u8>,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// A run as listings show it; its status is a fold over its journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSummary {
    pub id: RunId,
    pub subject: String,
    pub plan_digest: String,
    pub created_at: String,
}

/// Who holds a lease, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// `user@machine`.
    pub who: String,
    pub pid: u32,
}

/// The right to write for one subject, until it expires or another takes it over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Shown to people and given to `orthid unlock`.
    pub id: String,
    pub subject: String,
    /// Grows with every new holder; every write is conditional on it.
    pub epoch: u64,
    pub holder: Holder,
    /// RFC 3339, UTC.
    pub acquired_at: String,
    pub expires_at: String,
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else holds an unexpired lease.
    #[error("another run holds the lease on {}: {} (pid {}), since {}", .0.subject, .0.holder.who, .0.holder.pid, .0.acquired_at)]
    LeaseHeld(Box<Lease>),
    /// This writer's epoch is over: nothing was written, and nothing more may be done.
    #[error("the lease on {subject} was lost (epoch {epoch} is over)")]
    Fenced { subject: String, epoch: u64 },
    #[error("the plan {digest} was already applied by run {run}")]
    PlanConsumed { digest: String, run: RunId },
    /// The lease to be broken is not in force.
    #[error("there is no lease {0}")]
    NoSuchLease(String),
    #[error("there is no run {0}")]
    NoSuchRun(RunId),
    /// Sequence number or hash does not continue the journal.
    #[error("the journal of run {run} does not continue: {reason}")]
    BrokenJournal { run: RunId, reason: String },
    #[error("the state was written by a newer orthid (format {found}; this one knows {known})")]
    NewerFormat { found: u64, known: u64 },
    #[error("{0}")]
    Refused(String),
    /// The database could not be reached or did not answer; it may answer later.
    #[error("the state store did not answer: {0}")]
    Unavailable(String),
}

/// Opens the store that a state URL names: `sqlite:PATH` (made where missing) or `postgres://…`.
pub async fn open(url: &str) -> Result<Arc<dyn Store>, StoreError> {
    match url.parse()? {
        Location::Sqlite(path) => Ok(Arc::new(SqliteStore::open(&path).await?)),
        Location::Postgres(options) => Ok(Arc::new(PostgresStore::open(*options).await?)),
    }
}

/// The contract that both stores keep, and that one test suite holds them to.
#[async_trait::async_trait]
pub trait Store: Send + Sync {
    /// Records the run, its plan and its first records, in one transaction, under the lease.
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError>;

    /// Appends records in one transaction, durable on return; refused unless the lease's epoch is in force and the
    /// records continue the journal (seq and hash).
    ///
    /// After an error of [`StoreError::Unavailable`] the records are all there or none of them is. Appending the same
    /// records again settles it: those that are there already, byte for byte, count as written.
    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError>;

    /// Records with `seq > after`, in order.
    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError>;

    /// The plan's bytes, sealed: [`crate::run::StoredRun`] opens them.
    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError>;

    /// Newest first.
    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError>;

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError>;

    /// Takes the lease if it is free or expired, with the next epoch. The store's clock decides: the server's for
    /// PostgreSQL, this machine's for SQLite.
    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError>;

    /// Extends the lease, which may have expired meanwhile; [`StoreError::Fenced`] where it was taken over or broken.
    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError>;

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError>;

    /// The lease in force on this subject, expired or not.
    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError>;

    /// Every lease in force.
    async fn leases(&self) -> Result<Vec<Lease>, StoreError>;

    /// Ends a lease by its id, whoever holds it, and tells who that was.
    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError>;
}
