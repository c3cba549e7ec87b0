//! Opening the embedded store's file: whose it is, its format, its settings; and what its errors mean.
//!
//! Must not: change a file before it is known to be ours and not newer than we are.

use std::path::Path;
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use super::super::{StoreError, file};

/// What each format adds; a file's format is how many of these it has seen.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("../migrations/sqlite/0001_journal.sql")];

/// `orth`, in the file's header: tells our files from other people's.
const APPLICATION_ID: i64 = 0x6f72_7468;

/// How long a write waits for another process' write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the file, making or migrating it where needed.
pub(super) async fn connect(
    path: &Path,
    migrations: &[&'static str],
) -> Result<SqliteConnection, StoreError> {
    file::prepare(path)?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        // macOS acknowledges fsync before the disk does, unless asked twice.
        .pragma("fullfsync", "ON")
        .disable_statement_logging();
    let mut connection = options.connect().await.map_err(|error| classify(path, error))?;
    examine(&mut connection, path, migrations.len()).await?;
    write_ahead(&mut connection).await.map_err(|error| classify(path, error))?;
    assert_pragmas(&mut connection, path).await?;
    migrate(&mut connection, path, migrations).await?;
    Ok(connection)
}

/// Refuses files that are not ours, or newer than we are, having changed nothing.
async fn examine(
    connection: &mut SqliteConnection,
    path: &Path,
    known: usize,
) -> Result<(), StoreError> {
    let read = async |connection: &mut SqliteConnection| -> Result<(i64, i64, i64), sqlx::Error> {
        // One transaction sees one file, whoever else is making it just now.
        let mut seen = connection.begin().await?;
        let application = sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *seen).await?;
        let format = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *seen).await?;
        let tables = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema");
        let tables = tables.fetch_one(&mut *seen).await?;
        seen.commit().await?;
        Ok((application, format, tables))
    };
    let (application, format, tables) =
        read(connection).await.map_err(|error| classify(path, error))?;
    let fresh = application == 0 && format == 0 && tables == 0;
    if !fresh && application != APPLICATION_ID {
        return Err(StoreError::Refused(format!(
            "{} is another program's SQLite file: name another with --state",
            path.display()
        )));
    }
    let (found, known) = (u64::try_from(format).unwrap_or(u64::MAX), known as u64);
    if found > known { Err(StoreError::NewerFormat { found, known }) } else { Ok(()) }
}

/// Turns the write-ahead log on. The switch needs the file alone for a moment and SQLite does not always wait for
/// that by itself, so two processes that make the file together try in turn.
async fn write_ahead(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    const PAUSE: Duration = Duration::from_millis(25);
    let mut left = BUSY_TIMEOUT.as_millis() / PAUSE.as_millis();
    loop {
        let switched = sqlx::query("PRAGMA journal_mode = WAL").fetch_all(&mut *connection).await;
        match switched {
            Err(error) if left > 0 && primary_code(&error) == Some(SQLITE_BUSY) => {
                left -= 1;
                tokio::time::sleep(PAUSE).await;
            }
            other => return other.map(|_| ()),
        }
    }
}

/// Settings that are ignored in silence would cost the guarantees: each is read back.
async fn assert_pragmas(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let expected = [
        ("journal_mode", "PRAGMA journal_mode", "wal"),
        ("synchronous", "PRAGMA synchronous", "2"),
        ("foreign_keys", "PRAGMA foreign_keys", "1"),
        ("busy_timeout", "PRAGMA busy_timeout", "5000"),
    ];
    for (name, query, wanted) in expected {
        let row = sqlx::query(query)
            .fetch_one(&mut *connection)
            .await
            .map_err(|error| classify(path, error))?;
        let found = match row.try_get::<String, _>(0) {
            Ok(text) => text,
            Err(_) => row.get::<i64, _>(0).to_string(),
        };
        if found != wanted {
            return Err(StoreError::Refused(format!(
                "SQLite did not take {name} = {wanted} for {} (it stays {found}): use a local disk",
                path.display()
            )));
        }
    }
    Ok(())
}

/// Brings the file from its format to ours, in one transaction; another process may have done so meanwhile.
async fn migrate(
    connection: &mut SqliteConnection,
    path: &Path,
    migrations: &[&'static str],
) -> Result<(), StoreError> {
    let known = i64::try_from(migrations.len()).expect("few migrations");
    let apply = async |connection: &mut SqliteConnection| -> Result<(), sqlx::Error> {
        let format: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *connection).await?;
        if format >= known {
            return Ok(());
        }
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let format: i64 =
            sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        for migration in migrations.iter().skip(usize::try_from(format).unwrap_or(usize::MAX)) {
            sqlx::raw_sql(*migration).execute(&mut *transaction).await?;
        }
        let header = format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}",
            known.max(format)
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(header)).execute(&mut *transaction).await?;
        transaction.commit().await
    };
    apply(connection).await.map_err(|error| classify(path, error))
}

const SQLITE_BUSY: i32 = 5;

/// The result code without its extension.
fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

pub(super) fn is_unique_violation(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// What may pass (locks, disk trouble) is `Unavailable`; what will not, `Refused`.
pub(super) fn classify(path: &Path, error: sqlx::Error) -> StoreError {
    const PERM: i32 = 3;
    const READONLY: i32 = 8;
    const CORRUPT: i32 = 11;
    const CANTOPEN: i32 = 14;
    const NOTADB: i32 = 26;
    let path = path.display();
    match primary_code(&error) {
        Some(SQLITE_BUSY) => {
            StoreError::Unavailable(format!("{path} is locked by another process"))
        }
        Some(PERM | READONLY | CANTOPEN) => {
            StoreError::Refused(format!("{path} can't be opened for writing: {error}"))
        }
        Some(NOTADB) => StoreError::Refused(format!("{path} is not a state file of orthid")),
        Some(CORRUPT) => StoreError::Refused(format!("{path} is damaged: {error}")),
        Some(_) | None => StoreError::Unavailable(format!("{path}: {error}")),
    }
}
