//! Reaching the shared store: the pool, the transaction every call runs in, its format, and what its errors mean.
//!
//! Must not: leave anything behind in a session.

use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::postgres::{PgArguments, PgConnectOptions, PgConnection, PgPool, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{ConnectOptions, FromRow, Postgres, Transaction};

use super::super::StoreError;

/// What each format adds; a schema's format is how many of these it has seen.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("../migrations/postgres/0001_journal.sql")];

/// Among the advisory locks of the database, the one that migrations take, for one transaction.
const MIGRATION_LOCK: i64 = 0x6f72_7468_6964;

/// Why an attempt at a transaction failed.
#[derive(Debug)]
pub(super) enum Failure {
    Sql(sqlx::Error),
    Refused(StoreError),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Failure::Sql(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::Refused(error)
    }
}

impl Failure {
    /// Whether another attempt may succeed without anybody doing anything.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Failure::Sql(error) => may_pass(error),
            Failure::Refused(_) => false,
        }
    }

    pub(super) fn into_error(self) -> StoreError {
        match self {
            Failure::Refused(error) => error,
            Failure::Sql(error) if may_pass(&error) => {
                StoreError::Unavailable(format!("PostgreSQL: {error}"))
            }
            Failure::Sql(error) => StoreError::Refused(format!("PostgreSQL: {error}")),
        }
    }
}

fn may_pass(error: &sqlx::Error) -> bool {
    if let Some(database) = error.as_database_error() {
        return database.code().is_some_and(|code| passing_code(&code));
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}

/// Codes from PostgreSQL's Appendix A. Class 08 is also what PgBouncer gives for a server that it can't reach.
fn passing_code(code: &str) -> bool {
    const CODES: [&str; 12] = [
        "23505", // another wrote the same key at the same moment: the next attempt sees it
        "25P03", // idle in transaction for too long: we were stopped
        "25006", // read only: a standby that is about to be promoted
        "40001", // serialization failure
        "40P01", // deadlock
        "55P03", // lock not available in time
        "57014", // statement took too long
        "57P01", // the server is being stopped
        "57P02", // the server crashed
        "57P03", // the server is starting
        "57P05", // idle for too long
        "XX000", // internal error, which a restart in the middle of a statement can be
    ];
    ["08", "53", "58"].contains(&code.get(..2).unwrap_or("")) || CODES.contains(&code)
}

/// A pool that asks nothing of a session. It connects when it is first used.
pub(super) fn pool(options: PgConnectOptions) -> PgPool {
    let options = options
        .application_name("orthid")
        // A pooler refuses parameters that it does not know, and forgets prepared statements.
        .extra_float_digits(None)
        .statement_cache_capacity(0)
        .disable_statement_logging();
    PoolOptions::new()
        // Appends come one at a time; beside them a heartbeat, and whoever reads.
        .max_connections(4)
        .min_connections(0)
        .acquire_timeout(Duration::from_secs(5))
        // Each call is tried again on a broken connection anyway.
        .test_before_acquire(false)
        .connect_lazy_with(options)
}

/// Begins a transaction whose settings do not depend on the session's. The time limits free the rows' locks when this
/// process is stopped in the middle of it, so that another can take the lease over.
pub(super) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, Failure> {
    Ok(pool
        .begin_with(
            "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
             SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = '10s'; \
             SET LOCAL statement_timeout = '60s'; \
             SET LOCAL idle_in_transaction_session_timeout = '5s'",
        )
        .await?)
}

/// Brings the schema from its format to ours.
///
/// # Errors
/// [`StoreError::NewerFormat`] before anything is changed.
pub(super) async fn migrate(
    connection: &mut PgConnection,
    migrations: &[&'static str],
) -> Result<(), Failure> {
    let known = i64::try_from(migrations.len()).expect("few migrations");
    if format(connection).await? == Some(known) {
        return Ok(());
    }
    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")))
        .execute(&mut *connection)
        .await?;
    let found = format(connection).await?;
    if let Some(found) = found
        && found > known
    {
        let (found, known) = (found.unsigned_abs(), known.unsigned_abs());
        return Err(StoreError::NewerFormat { found, known }.into());
    }
    if found.is_none() {
        // Asked first, because `CREATE SCHEMA IF NOT EXISTS` wants the right to create one even where there is one.
        let schema: bool = query_scalar(
            "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_namespace WHERE nspname = 'orthid_state')",
        )
        .fetch_one(&mut *connection)
        .await?;
        if !schema {
            sqlx::raw_sql("CREATE SCHEMA orthid_state").execute(&mut *connection).await?;
        }
        sqlx::raw_sql(
            "CREATE TABLE orthid_state.format (version bigint NOT NULL);
             INSERT INTO orthid_state.format VALUES (0);",
        )
        .execute(&mut *connection)
        .await?;
    }
    let seen = usize::try_from(found.unwrap_or(0)).unwrap_or(usize::MAX);
    for migration in migrations.iter().skip(seen) {
        sqlx::raw_sql(*migration).execute(&mut *connection).await?;
    }
    query("UPDATE orthid_state.format SET version = $1")
        .bind(known)
        .execute(&mut *connection)
        .await?;
    Ok(())
}

async fn format(connection: &mut PgConnection) -> Result<Option<i64>, sqlx::Error> {
    // Read from the catalog: `to_regclass` may answer from before another's commit that was just waited for.
    let there: bool = query_scalar(
        "SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_tables
                        WHERE schemaname = 'orthid_state' AND tablename = 'format')",
    )
    .fetch_one(&mut *connection)
    .await?;
    if !there {
        return Ok(None);
    }
    query_scalar("SELECT version FROM orthid_state.format").fetch_optional(connection).await
}

/// A statement that no session remembers.
pub(super) fn query(sql: &'static str) -> Query<'static, Postgres, PgArguments> {
    sqlx::query(sql).persistent(false)
}

/// A statement that no session remembers.
pub(super) fn query_as<T>(sql: &'static str) -> QueryAs<'static, Postgres, T, PgArguments>
where
    T: for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_as(sql).persistent(false)
}

/// A statement that no session remembers.
pub(super) fn query_scalar<T>(sql: &'static str) -> QueryScalar<'static, Postgres, T, PgArguments>
where
    (T,): for<'r> FromRow<'r, PgRow>,
{
    sqlx::query_scalar(sql).persistent(false)
}
