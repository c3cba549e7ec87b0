//! The embedded store: one SQLite file beside the plan, for one machine.
//!
//! Must not: be used across machines (its folder's file system is checked for that), or buffer: what returns is on disk.
//!
//! Lease times are this machine's clock. Every write is one transaction and one `fdatasync`.

mod open;

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::TryStreamExt;
use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, MutexGuard};

use crate::run::{Record, RunId};

use super::rows::{Batch, LeaseRow, fenced, micros, read_record, stored};
use super::{Holder, Lease, NewRun, RunSummary, Store, StoreError};
use open::{MIGRATIONS, classify, is_unique_violation};

/// Microseconds since 1970 by the clock of the machine.
macro_rules! now_us {
    () => {
        "CAST(unixepoch('subsec') * 1000000 AS INTEGER)"
    };
}

/// # Flow
/// One connection, one transaction at a time; other processes' transactions are waited for.
///
/// # Guarantees
/// Write-ahead log with `synchronous = FULL`: a write that returned survives a crash of the machine. A write that failed may be
/// found after reopening (the disk may have taken it before it failed) but never in part.
///
/// # Assumptions
/// The disk keeps what `fdatasync` acknowledged, and the folder is on a local file system.
///
/// # Caveats
/// A process that is stopped in the middle of a write holds the file's lock; others get
/// [`StoreError::Unavailable`] until it goes on or dies.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    connection: Mutex<SqliteConnection>,
}

impl SqliteStore {
    /// Opens the file, making or migrating it where needed.
    ///
    /// # Errors
    /// [`StoreError::NewerFormat`] before anything is changed; [`StoreError::Refused`] for a network file system, a file that
    /// is not ours, or a setting that SQLite did not take.
    pub async fn open(path: &Path) -> Result<SqliteStore, StoreError> {
        SqliteStore::open_with(path, MIGRATIONS).await
    }

    async fn open_with(
        path: &Path,
        migrations: &[&'static str],
    ) -> Result<SqliteStore, StoreError> {
        let connection = open::connect(path, migrations).await?;
        Ok(SqliteStore { path: path.to_owned(), connection: Mutex::new(connection) })
    }

    async fn connection(&self) -> MutexGuard<'_, SqliteConnection> {
        self.connection.lock().await
    }

    fn failed(&self, error: sqlx::Error) -> StoreError {
        classify(&self.path, error)
    }

    /// Why a batch was not inserted.
    async fn refusal(
        &self,
        connection: &mut SqliteConnection,
        lease: &Lease,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        if !lease_in_force(connection, lease).await.map_err(|error| self.failed(error))? {
            return Err(fenced(lease));
        }
        let run: Option<(i64, String)> =
            sqlx::query_as("SELECT key, subject FROM runs WHERE id = ?1")
                .bind(&batch.run.0)
                .fetch_optional(&mut *connection)
                .await
                .map_err(|error| self.failed(error))?;
        let (key, subject) = run.ok_or_else(|| StoreError::NoSuchRun(batch.run.clone()))?;
        if subject != lease.subject {
            return Err(fenced(lease));
        }
        let found: Vec<(i64, i64, String)> = sqlx::query_as(
            "SELECT seq, epoch, hash FROM records WHERE run = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
        )
        .bind(key)
        .bind(batch.first_seq() - 1)
        .bind(batch.last_seq())
        .fetch_all(&mut *connection)
        .await
        .map_err(|error| self.failed(error))?;
        batch.explain(&found)
    }
}

async fn lease_in_force(
    connection: &mut SqliteConnection,
    lease: &Lease,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM leases WHERE subject = ?1 AND epoch = ?2 AND id = ?3 AND held)",
    )
    .bind(&lease.subject)
    .bind(stored(lease.epoch))
    .bind(&lease.id)
    .fetch_one(connection)
    .await
}

/// Inserts the batch if the lease is in force and the journal ends where the batch begins; tells how many rows
/// went in. One statement, so one transaction, which SQLite begins as a writing one.
async fn insert(
    connection: &mut SqliteConnection,
    lease: &Lease,
    batch: &Batch,
) -> Result<bool, sqlx::Error> {
    let rows: Vec<_> =
        batch.rows.iter().map(|row| (row.seq, row.epoch, &row.hash, &row.body)).collect();
    let rows = serde_json::to_string(&rows).expect("numbers and strings can be written");
    let inserted = sqlx::query(
        "INSERT INTO records (run, seq, epoch, hash, body)
         SELECT r.key, j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3
         FROM runs r, json_each(?1) j
         WHERE r.id = ?2 AND r.subject = ?3
           AND EXISTS (SELECT 1 FROM leases l WHERE l.subject = ?3 AND l.epoch = ?4 AND l.id = ?5 AND l.held)
           AND (?6 = 1 OR EXISTS (
                SELECT 1 FROM records p WHERE p.run = r.key AND p.seq = ?6 - 1 AND p.hash = ?7))",
    )
    .bind(rows)
    .bind(&batch.run.0)
    .bind(&lease.subject)
    .bind(stored(lease.epoch))
    .bind(&lease.id)
    .bind(batch.first_seq())
    .bind(&batch.previous)
    .execute(connection)
    .await;
    match inserted {
        Ok(done) => Ok(done.rows_affected() == batch.rows.len() as u64),
        // A record with this number is there: nothing was inserted, and the caller looks why.
        Err(error) if is_unique_violation(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

#[async_trait::async_trait]
impl Store for SqliteStore {
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let batch = Batch::first(lease, run, records)?;
        let mut connection = self.connection().await;
        let failed = |error| self.failed(error);
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        if !lease_in_force(&mut transaction, lease).await.map_err(failed)? {
            return Err(fenced(lease));
        }
        let there: Option<String> =
            sqlx::query_scalar("SELECT id FROM runs WHERE plan_digest = ?1 OR id = ?2")
                .bind(&run.plan_digest)
                .bind(&run.id.0)
                .fetch_optional(&mut *transaction)
                .await
                .map_err(failed)?;
        if let Some(id) = there {
            if id == run.id.0 {
                return self.refusal(&mut transaction, lease, &batch).await;
            }
            return Err(StoreError::PlanConsumed {
                digest: run.plan_digest.clone(),
                run: RunId(id),
            });
        }
        let key = sqlx::query(
            "INSERT INTO runs (id, subject, plan_digest, created_at) VALUES (?1, ?2, ?3, ?4)",
        )
        .bind(&run.id.0)
        .bind(&run.subject)
        .bind(&run.plan_digest)
        .bind(&run.created_at)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?
        .last_insert_rowid();
        sqlx::query("INSERT INTO plans (run, bytes) VALUES (?1, ?2)")
            .bind(key)
            .bind(&run.plan)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        if !insert(&mut transaction, lease, &batch).await.map_err(failed)? {
            return self.refusal(&mut transaction, lease, &batch).await;
        }
        transaction.commit().await.map_err(failed)
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let batch = Batch::new(lease, records)?;
        let mut connection = self.connection().await;
        if insert(&mut connection, lease, &batch).await.map_err(|error| self.failed(error))? {
            return Ok(());
        }
        self.refusal(&mut connection, lease, &batch).await
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let mut connection = self.connection().await;
        let key: Option<i64> = sqlx::query_scalar("SELECT key FROM runs WHERE id = ?1")
            .bind(&run.0)
            .fetch_optional(&mut *connection)
            .await
            .map_err(|error| self.failed(error))?;
        let key = key.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
        let mut rows = sqlx::query_as::<_, (i64, String, String)>(
            "SELECT seq, hash, body FROM records WHERE run = ?1 AND seq > ?2 ORDER BY seq",
        )
        .bind(key)
        .bind(stored(after))
        .fetch(&mut *connection);
        let mut records = Vec::new();
        while let Some((seq, hash, body)) =
            rows.try_next().await.map_err(|error| self.failed(error))?
        {
            records.push(read_record(run, after, records.len(), (seq, &hash, &body))?);
        }
        Ok(records)
    }

    async fn plan(&self, run: &RunId) -> Result<Vec<u8>, StoreError> {
        sqlx::query_scalar(
            "SELECT p.bytes FROM plans p JOIN runs r ON r.key = p.run WHERE r.id = ?1",
        )
        .bind(&run.0)
        .fetch_optional(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?
        .ok_or_else(|| StoreError::NoSuchRun(run.clone()))
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        let rows: Vec<(String, String, String, String)> = sqlx::query_as(
            "SELECT id, subject, plan_digest, created_at FROM runs ORDER BY key DESC LIMIT ?1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(RunSummary::from).collect())
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM runs WHERE plan_digest = ?1")
            .bind(plan_digest)
            .fetch_optional(&mut *self.connection().await)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(id.map(RunId))
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let mut connection = self.connection().await;
        let mut transaction =
            connection.begin_with("BEGIN IMMEDIATE").await.map_err(|error| self.failed(error))?;
        // All rows are fetched, here and below: SQLite commits, and may fail to, when a statement has run to its end.
        let taken: Vec<LeaseRow> = sqlx::query_as(concat!(
            "INSERT INTO leases (subject, epoch, id, who, pid, acquired_us, expires_us, held)
             VALUES (?1, 1, ?2, ?3, ?4, ",
            now_us!(),
            ", ",
            now_us!(),
            " + ?5, 1)
             ON CONFLICT (subject) DO UPDATE SET
                epoch = epoch + 1, id = excluded.id, who = excluded.who, pid = excluded.pid,
                acquired_us = excluded.acquired_us, expires_us = excluded.expires_us, held = 1
             WHERE NOT held OR leases.expires_us <= excluded.acquired_us
             RETURNING subject, epoch, id, who, pid, acquired_us, expires_us"
        ))
        .bind(subject)
        .bind(id)
        .bind(&holder.who)
        .bind(i64::from(holder.pid))
        .bind(micros(ttl))
        .fetch_all(&mut *transaction)
        .await
        .map_err(|error| self.failed(error))?;
        if let Some(row) = taken.into_iter().next() {
            transaction.commit().await.map_err(|error| self.failed(error))?;
            return Ok(row.into_lease());
        }
        let holding: LeaseRow = sqlx::query_as(
            "SELECT subject, epoch, id, who, pid, acquired_us, expires_us FROM leases WHERE subject = ?1",
        )
        .bind(subject)
        .fetch_one(&mut *transaction)
        .await
        .map_err(|error| self.failed(error))?;
        Err(StoreError::LeaseHeld(Box::new(holding.into_lease())))
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let renewed: Vec<LeaseRow> = sqlx::query_as(concat!(
            "UPDATE leases SET expires_us = ",
            now_us!(),
            " + ?4
             WHERE subject = ?1 AND epoch = ?2 AND id = ?3 AND held
             RETURNING subject, epoch, id, who, pid, acquired_us, expires_us"
        ))
        .bind(&lease.subject)
        .bind(stored(lease.epoch))
        .bind(&lease.id)
        .bind(micros(ttl))
        .fetch_all(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        renewed.into_iter().next().map(LeaseRow::into_lease).ok_or_else(|| fenced(lease))
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let released =
            sqlx::query("UPDATE leases SET held = 0 WHERE subject = ?1 AND epoch = ?2 AND id = ?3")
                .bind(&lease.subject)
                .bind(stored(lease.epoch))
                .bind(&lease.id)
                .execute(&mut *self.connection().await)
                .await
                .map_err(|error| self.failed(error))?;
        if released.rows_affected() == 1 { Ok(()) } else { Err(fenced(lease)) }
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        let row: Option<LeaseRow> = sqlx::query_as(
            "SELECT subject, epoch, id, who, pid, acquired_us, expires_us FROM leases
             WHERE subject = ?1 AND held",
        )
        .bind(subject)
        .fetch_optional(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(row.map(LeaseRow::into_lease))
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let rows: Vec<LeaseRow> = sqlx::query_as(
            "SELECT subject, epoch, id, who, pid, acquired_us, expires_us FROM leases
             WHERE held ORDER BY subject",
        )
        .fetch_all(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(rows.into_iter().map(LeaseRow::into_lease).collect())
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        let broken: Vec<LeaseRow> = sqlx::query_as(
            "UPDATE leases SET held = 0 WHERE id = ?1 AND held
             RETURNING subject, epoch, id, who, pid, acquired_us, expires_us",
        )
        .bind(lease_id)
        .fetch_all(&mut *self.connection().await)
        .await
        .map_err(|error| self.failed(error))?;
        broken
            .into_iter()
            .next()
            .map(LeaseRow::into_lease)
            .ok_or_else(|| StoreError::NoSuchLease(lease_id.to_owned()))
    }
}

#[cfg(test)]
mod tests;
