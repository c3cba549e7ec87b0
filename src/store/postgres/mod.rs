//! The shared store: one PostgreSQL schema, for as many machines as reach it.
//!
//! Must not: rely on anything that a session keeps (advisory locks, prepared statements, settings), since a transaction pooler
//! gives every transaction another session.
//!
//! Lease times are the server's clock.

mod connect;
mod journal;

use std::time::Duration;

use futures::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Postgres, Transaction};
use tokio::time::Instant;

use crate::journal::{Record, RunId};
use crate::plan::StoredPlan;

use super::rows::{
    Batch, LeaseColumns, RunColumns, StoredColumns, fenced, lease_columns, micros, read_record,
    run_columns, stored,
};
use super::{Holder, Lease, NewRun, RunSummary, Store, StoreError};
use connect::{Failure, query, query_as, query_scalar};
use journal::{create, insert, refusal};

/// Microseconds since 1970 by the server's clock.
macro_rules! now_us {
    () => {
        "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
    };
}

/// # Flow
/// Each call is one transaction on any connection of a small pool. A transaction that the server's restart, a broken connection or a
/// deadlock cut short is tried again until `patience` is over.
///
/// # Guarantees
/// `synchronous_commit` is on for every write, whatever the database's default. Repeating a call whose answer was lost does not do it twice:
/// records that are there already, byte for byte, count as written; a lease taken by an id of ours is ours.
///
/// # Assumptions
/// The role may create the schema `orthid_state`, or it is there. The server has `fsync` on.
///
/// # Errors
/// [`StoreError::Unavailable`] once `patience` is over.
#[derive(Debug)]
pub struct PostgresStore {
    pool: PgPool,
    patience: Duration,
}

impl PostgresStore {
    /// Long enough for a server to restart, short enough for a person to wait.
    const PATIENCE: Duration = Duration::from_secs(30);

    /// Connects, and makes or migrates the schema where needed.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`] before anything is changed; [`StoreError::Unavailable`] at once where the server does not
    /// answer: a wrong address is more likely than a restart.
    pub async fn open(options: PgConnectOptions) -> Result<PostgresStore, StoreError> {
        PostgresStore::open_with(options, connect::MIGRATIONS).await
    }

    async fn open_with(
        options: PgConnectOptions,
        migrations: &[&'static str],
    ) -> Result<PostgresStore, StoreError> {
        let pool = connect::pool(options);
        let mut transaction = connect::begin(&pool).await.map_err(Failure::into_error)?;
        connect::migrate(&mut transaction, migrations).await.map_err(Failure::into_error)?;
        transaction.commit().await.map_err(|error| Failure::Sql(error).into_error())?;
        Ok(PostgresStore { pool, patience: Self::PATIENCE })
    }

    /// The same store, waiting this long for the server to come back.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> PostgresStore {
        self.patience = patience;
        self
    }

    /// Runs `work` in one transaction, again and again while only the connection is at fault. `work` commits, by
    /// [`commit`].
    async fn transact<T, F, W>(&self, work: F) -> Result<T, StoreError>
    where
        F: Fn(Tx) -> W,
        W: Future<Output = Result<T, Failure>>,
    {
        const PAUSE: Duration = Duration::from_millis(50);
        const LONGEST_PAUSE: Duration = Duration::from_secs(1);
        let deadline = Instant::now() + self.patience;
        let mut pause = PAUSE;
        loop {
            let attempt = match connect::begin(&self.pool).await {
                Ok(transaction) => work(transaction).await,
                Err(failure) => Err(failure),
            };
            match attempt {
                Err(failure) if failure.may_pass() && Instant::now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                other => return other.map_err(Failure::into_error),
            }
        }
    }
}

type Tx = Transaction<'static, Postgres>;

async fn commit<T>(transaction: Tx, done: T) -> Result<T, Failure> {
    transaction.commit().await?;
    Ok(done)
}

#[async_trait::async_trait]
impl Store for PostgresStore {
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let batch = Batch::first(lease, run, records)?;
        let batch = &batch;
        self.transact(|mut tx| async move {
            create(&mut tx, lease, run, batch).await?;
            commit(tx, ()).await
        })
        .await
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let batch = &Batch::new(lease, records)?;
        self.transact(|mut tx| async move {
            if !insert(&mut tx, lease, batch).await? {
                refusal(&mut tx, lease, batch).await?;
            }
            commit(tx, ()).await
        })
        .await
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        self.transact(|mut tx| async move {
            let key: Option<i64> = query_scalar("SELECT key FROM orthid_state.runs WHERE id = $1")
                .bind(&run.0)
                .fetch_optional(&mut *tx)
                .await?;
            let key = key.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
            let mut rows = query_as::<StoredColumns>(
                "SELECT seq, hash, body FROM orthid_state.records
                     WHERE run = $1 AND seq > $2 ORDER BY seq",
            )
            .bind(key)
            .bind(stored(after))
            .fetch(&mut *tx);
            let mut records = Vec::new();
            while let Some(columns) = rows.try_next().await? {
                records.push(read_record(run, after, records.len(), columns)?);
            }
            drop(rows);
            commit(tx, records).await
        })
        .await
    }

    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError> {
        self.transact(|mut tx| async move {
            let bytes: Option<Vec<u8>> = query_scalar(
                "SELECT p.bytes FROM orthid_state.plans p
                     JOIN orthid_state.runs r ON r.key = p.run WHERE r.id = $1",
            )
            .bind(&run.0)
            .fetch_optional(&mut *tx)
            .await?;
            let bytes = bytes.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
            commit(tx, StoredPlan::new(bytes)).await
        })
        .await
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        self.transact(|mut tx| async move {
            let rows: Vec<RunColumns> = query_as(concat!(
                "SELECT ",
                run_columns!(),
                " FROM orthid_state.runs ORDER BY key DESC LIMIT $1",
            ))
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
            commit(tx, rows.into_iter().map(RunSummary::from).collect()).await
        })
        .await
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        self.transact(|mut tx| async move {
            let id: Option<String> =
                query_scalar("SELECT id FROM orthid_state.runs WHERE plan_digest = $1")
                    .bind(plan_digest)
                    .fetch_optional(&mut *tx)
                    .await?;
            commit(tx, id.map(RunId)).await
        })
        .await
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        // Chosen before the first attempt: a second one knows by it that the first one had been heard.
        let id = &uuid::Uuid::now_v7().to_string();
        self.transact(|mut tx| async move {
                let taken: Option<LeaseColumns> = query_as(concat!(
                    "INSERT INTO orthid_state.leases AS l
                        (subject, epoch, id, who, pid, acquired_us, expires_us, held)
                     VALUES ($1, 1, $2, $3, $4, ", now_us!(), ", ", now_us!(), " + $5, true)
                     ON CONFLICT (subject) DO UPDATE SET
                        epoch = l.epoch + 1, id = excluded.id, who = excluded.who, pid = excluded.pid,
                        acquired_us = ", now_us!(), ", expires_us = ", now_us!(), " + $5, held = true
                     WHERE NOT l.held OR l.expires_us <= ", now_us!(), " OR l.id = excluded.id
                     RETURNING ", lease_columns!()
                ))
                .bind(subject)
                .bind(id)
                .bind(&holder.who)
                .bind(i64::from(holder.pid))
                .bind(micros(ttl))
                .fetch_optional(&mut *tx)
                .await?;
                if let Some(row) = taken {
                    return commit(tx, row.into()).await;
                }
                let holding: LeaseColumns = query_as(concat!(
                    "SELECT ", lease_columns!(), " FROM orthid_state.leases WHERE subject = $1",
                ))
                .bind(subject)
                .fetch_one(&mut *tx)
                .await?;
                Err(StoreError::LeaseHeld(Box::new(holding.into())).into())
        })
        .await
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        self.transact(|mut tx| async move {
            let renewed: Option<LeaseColumns> = query_as(concat!(
                "UPDATE orthid_state.leases SET expires_us = ",
                now_us!(),
                " + $4
                     WHERE subject = $1 AND epoch = $2 AND id = $3 AND held RETURNING ",
                lease_columns!()
            ))
            .bind(&lease.subject)
            .bind(stored(lease.epoch))
            .bind(&lease.id)
            .bind(micros(ttl))
            .fetch_optional(&mut *tx)
            .await?;
            let renewed = renewed.map(Lease::from).ok_or_else(|| fenced(lease))?;
            commit(tx, renewed).await
        })
        .await
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        self.transact(|mut tx| async move {
            let released = query(
                "UPDATE orthid_state.leases SET held = false
                     WHERE subject = $1 AND epoch = $2 AND id = $3",
            )
            .bind(&lease.subject)
            .bind(stored(lease.epoch))
            .bind(&lease.id)
            .execute(&mut *tx)
            .await?;
            if released.rows_affected() != 1 {
                return Err(fenced(lease).into());
            }
            commit(tx, ()).await
        })
        .await
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        self.transact(|mut tx| async move {
            let row: Option<LeaseColumns> = query_as(concat!(
                "SELECT ",
                lease_columns!(),
                " FROM orthid_state.leases WHERE subject = $1 AND held",
            ))
            .bind(subject)
            .fetch_optional(&mut *tx)
            .await?;
            commit(tx, row.map(Lease::from)).await
        })
        .await
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        self.transact(|mut tx| async move {
            let rows: Vec<LeaseColumns> = query_as(concat!(
                "SELECT ",
                lease_columns!(),
                " FROM orthid_state.leases WHERE held ORDER BY subject",
            ))
            .fetch_all(&mut *tx)
            .await?;
            commit(tx, rows.into_iter().map(Lease::from).collect()).await
        })
        .await
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        // Set by an attempt whose answer was lost: then the lease may be found broken by us.
        let tried = &std::sync::atomic::AtomicBool::new(false);
        self.transact(|mut tx| async move {
            let again = tried.swap(true, std::sync::atomic::Ordering::Relaxed);
            let broken: Option<LeaseColumns> = query_as(concat!(
                "UPDATE orthid_state.leases SET held = false WHERE id = $1 AND (held OR $2) RETURNING ",
                lease_columns!(),
            ))
            .bind(lease_id)
            .bind(again)
            .fetch_optional(&mut *tx)
            .await?;
            let missing = || StoreError::NoSuchLease(lease_id.to_owned());
            commit(tx, broken.map(Lease::from).ok_or_else(missing)?).await
        })
        .await
    }
}
