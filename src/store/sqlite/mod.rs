//! The embedded store: one SQLite file beside the plan, for one machine.
//!
//! Must not: be used across machines (its folder's file system is checked for that), or buffer: what returns is on disk.
//!
//! Lease times are this machine's clock. Every write is one transaction and one `fdatasync`.

mod open;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, Params, Row, Transaction, TransactionBehavior, params};
use tokio::sync::{Mutex, MutexGuard};

use crate::journal::{Record, RunId};
use crate::plan::StoredPlan;

use super::rows::{
    Batch, FoundColumns, LeaseColumns, RunColumns, StoredColumns, fenced, lease_columns, micros,
    read_record, run_columns, stored,
};
use super::{Holder, Lease, NewRun, RunSummary, Store, StoreError};
use open::{MIGRATIONS, classify};

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
/// # Performance
/// SQLite works on the thread that asks, which waits for the disk: handing each write to a thread that may block, and
/// waking this one again, takes nearly as long as the `fdatasync` itself, and until it returns the run may begin nothing
/// anyway. Use it on a runtime with a second thread for everything else.
///
/// # Caveats
/// A process that is stopped in the middle of a write holds the file's lock; others get
/// [`StoreError::Unavailable`] until it goes on or dies.
#[derive(Debug)]
pub struct SqliteStore {
    path: PathBuf,
    /// Waiting for the connection leaves the thread free; only whoever has it waits for the disk.
    connection: Mutex<Connection>,
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

    async fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().await
    }

    fn failed(&self, error: rusqlite::Error) -> StoreError {
        classify(&self.path, error)
    }

    async fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send,
    ) -> Result<T, StoreError> {
        work(&*self.connection().await).map_err(|error| self.failed(error))
    }

    /// Writes the batch in the transaction, which is committed if the lease is in force and the journal ends where
    /// the batch begins, and otherwise left as it was.
    fn write(
        &self,
        transaction: Transaction<'_>,
        lease: &Lease,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        match run_that_continues(&transaction, lease, batch).map_err(failed)? {
            Some(run) => {
                insert(&transaction, run, batch).map_err(failed)?;
                transaction.commit().map_err(failed)
            }
            None => self.refusal(&transaction, lease, batch),
        }
    }

    /// Why a batch may not be inserted.
    fn refusal(
        &self,
        connection: &Connection,
        lease: &Lease,
        batch: &Batch,
    ) -> Result<(), StoreError> {
        let failed = |error| self.failed(error);
        if !lease_in_force(connection, lease).map_err(failed)? {
            return Err(fenced(lease));
        }
        let run = "SELECT key, subject FROM runs WHERE id = ?1";
        let run = first(connection, run, [&batch.run.0], |row| <(i64, String)>::try_from(row));
        let (key, subject) =
            run.map_err(failed)?.ok_or_else(|| StoreError::NoSuchRun(batch.run.clone()))?;
        if subject != lease.subject {
            return Err(fenced(lease));
        }
        let found = select(
            connection,
            "SELECT seq, epoch, hash FROM records WHERE run = ?1 AND seq BETWEEN ?2 AND ?3 ORDER BY seq",
            [key, batch.first_seq() - 1, batch.last_seq()],
            |row| FoundColumns::try_from(row),
        );
        batch.explain(&found.map_err(failed)?)
    }
}

/// All rows are fetched: SQLite commits, and may fail to, when a statement has run to its end.
fn select<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Vec<T>> {
    connection.prepare_cached(sql)?.query_map(params, read)?.collect()
}

fn first<T>(
    connection: &Connection,
    sql: &str,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Option<T>> {
    Ok(select(connection, sql, params, read)?.into_iter().next())
}

fn begin(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

fn read_lease(row: &Row<'_>) -> rusqlite::Result<Lease> {
    LeaseColumns::try_from(row).map(Lease::from)
}

fn lease_in_force(connection: &Connection, lease: &Lease) -> rusqlite::Result<bool> {
    let found = first(
        connection,
        "SELECT 1 FROM leases WHERE subject = ?1 AND epoch = ?2 AND id = ?3 AND held",
        params![lease.subject, stored(lease.epoch), lease.id],
        |_| Ok(()),
    );
    Ok(found?.is_some())
}

/// The key of the batch's run, if the lease is in force and the run's journal ends where the batch begins.
fn run_that_continues(
    connection: &Connection,
    lease: &Lease,
    batch: &Batch,
) -> rusqlite::Result<Option<i64>> {
    first(
        connection,
        "SELECT r.key FROM runs r
         WHERE r.id = ?1 AND r.subject = ?2
           AND EXISTS (SELECT 1 FROM leases l WHERE l.subject = ?2 AND l.epoch = ?3 AND l.id = ?4 AND l.held)
           AND CASE ?5 WHEN 1
               THEN NOT EXISTS (SELECT 1 FROM records p WHERE p.run = r.key)
               ELSE (?5 - 1, ?6) = (
                   SELECT seq, hash FROM records p WHERE p.run = r.key ORDER BY seq DESC LIMIT 1)
               END",
        params![
            batch.run.0,
            lease.subject,
            stored(lease.epoch),
            lease.id,
            batch.first_seq(),
            batch.previous
        ],
        |row| row.get(0),
    )
}

fn insert(connection: &Connection, run: i64, batch: &Batch) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO records (run, seq, epoch, hash, body) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for row in &batch.rows {
        statement.execute(params![run, row.seq, row.epoch, row.hash, row.body])?;
    }
    Ok(())
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
        let failed = |error| self.failed(error);
        let mut connection = self.connection().await;
        let transaction = begin(&mut connection).map_err(failed)?;
        if !lease_in_force(&transaction, lease).map_err(failed)? {
            return Err(fenced(lease));
        }
        let there = "SELECT id FROM runs WHERE plan_digest = ?1 OR id = ?2";
        let there = first(&transaction, there, [&run.plan_digest, &run.id.0], |row| row.get(0));
        if let Some(id) = there.map_err(failed)? {
            if id == run.id.0 {
                return self.refusal(&transaction, lease, &batch);
            }
            let digest = run.plan_digest.clone();
            return Err(StoreError::PlanConsumed { digest, run: RunId(id) });
        }
        transaction
            .execute(
                "INSERT INTO runs (id, subject, plan_digest, created_at) VALUES (?1, ?2, ?3, ?4)",
                [&run.id.0, &run.subject, &run.plan_digest, &run.created_at],
            )
            .map_err(failed)?;
        let key = transaction.last_insert_rowid();
        transaction
            .execute("INSERT INTO plans (run, bytes) VALUES (?1, ?2)", params![key, run.plan])
            .map_err(failed)?;
        self.write(transaction, lease, &batch)
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let batch = Batch::new(lease, records)?;
        let mut connection = self.connection().await;
        let transaction = begin(&mut connection).map_err(|error| self.failed(error))?;
        self.write(transaction, lease, &batch)
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let connection = self.connection().await;
        let failed = |error| self.failed(error);
        let key = first(&connection, "SELECT key FROM runs WHERE id = ?1", [&run.0], |row| {
            row.get::<_, i64>(0)
        });
        let key = key.map_err(failed)?.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
        let mut statement = connection
            .prepare_cached(
                "SELECT seq, hash, body FROM records WHERE run = ?1 AND seq > ?2 ORDER BY seq",
            )
            .map_err(failed)?;
        let mut rows = statement.query([key, stored(after)]).map_err(failed)?;
        let mut records = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let columns = StoredColumns::try_from(row).map_err(failed)?;
            records.push(read_record(run, after, records.len(), columns)?);
        }
        Ok(records)
    }

    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError> {
        let sql = "SELECT p.bytes FROM plans p JOIN runs r ON r.key = p.run WHERE r.id = ?1";
        let plan = self.with(|connection| first(connection, sql, [&run.0], |row| row.get(0)));
        let bytes = plan.await?.ok_or_else(|| StoreError::NoSuchRun(run.clone()))?;
        Ok(StoredPlan::new(bytes))
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        let sql = concat!("SELECT ", run_columns!(), " FROM runs ORDER BY key DESC LIMIT ?1");
        let read = |row: &Row<'_>| RunColumns::try_from(row).map(RunSummary::from);
        self.with(|connection| select(connection, sql, [limit], read)).await
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        let sql = "SELECT id FROM runs WHERE plan_digest = ?1";
        let read = |row: &Row<'_>| row.get(0).map(RunId);
        self.with(|connection| first(connection, sql, [plan_digest], read)).await
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        let id = uuid::Uuid::now_v7().to_string();
        let failed = |error| self.failed(error);
        let mut connection = self.connection().await;
        let transaction = begin(&mut connection).map_err(failed)?;
        let taken = first(
            &transaction,
            concat!(
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
                 RETURNING ",
                lease_columns!()
            ),
            params![subject, id, holder.who, holder.pid, micros(ttl)],
            read_lease,
        );
        if let Some(lease) = taken.map_err(failed)? {
            transaction.commit().map_err(failed)?;
            return Ok(lease);
        }
        let holding = transaction.query_row(
            concat!("SELECT ", lease_columns!(), " FROM leases WHERE subject = ?1"),
            [subject],
            read_lease,
        );
        Err(StoreError::LeaseHeld(Box::new(holding.map_err(failed)?)))
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let sql = concat!(
            "UPDATE leases SET expires_us = ",
            now_us!(),
            " + ?4
             WHERE subject = ?1 AND epoch = ?2 AND id = ?3 AND held RETURNING ",
            lease_columns!()
        );
        let renewed = self.with(|connection| {
            let params = params![lease.subject, stored(lease.epoch), lease.id, micros(ttl)];
            first(connection, sql, params, read_lease)
        });
        renewed.await?.ok_or_else(|| fenced(lease))
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET held = 0 WHERE subject = ?1 AND epoch = ?2 AND id = ?3";
        let released = self.with(|connection| {
            connection.execute(sql, params![lease.subject, stored(lease.epoch), lease.id])
        });
        if released.await? == 1 { Ok(()) } else { Err(fenced(lease)) }
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        let sql = concat!("SELECT ", lease_columns!(), " FROM leases WHERE subject = ?1 AND held");
        self.with(|connection| first(connection, sql, [subject], read_lease)).await
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let sql = concat!("SELECT ", lease_columns!(), " FROM leases WHERE held ORDER BY subject");
        self.with(|connection| select(connection, sql, [], read_lease)).await
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        let sql = concat!(
            "UPDATE leases SET held = 0 WHERE id = ?1 AND held RETURNING ",
            lease_columns!()
        );
        let broken = self.with(|connection| first(connection, sql, [lease_id], read_lease));
        broken.await?.ok_or_else(|| StoreError::NoSuchLease(lease_id.to_owned()))
    }
}

#[cfg(test)]
mod tests;
