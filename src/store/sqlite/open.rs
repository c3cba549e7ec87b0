//! Opening the embedded store's file: whose it is, its format, its settings; and what its errors mean.
//!
//! Must not: change a file before it is known to be ours and not newer than we are.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};

use super::super::{StoreError, file};

/// What each format adds; a file's format is how many of these it has seen.
pub(super) const MIGRATIONS: &[&str] = &[include_str!("../migrations/sqlite/0001_journal.sql")];

/// `orth`, in the file's header: tells our files from other people's.
const APPLICATION_ID: i64 = 0x6f72_7468;

const FORMAT: &str = "PRAGMA user_version";

/// How long a write waits for another process' write.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens the file, making or migrating it where needed.
pub(super) async fn connect(
    path: &Path,
    migrations: &[&'static str],
) -> Result<Connection, StoreError> {
    file::prepare(path)?;
    let failed = |error| classify(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
    examine(&mut connection, path, migrations.len())?;
    write_ahead(&mut connection).await.map_err(failed)?;
    set_pragmas(&connection).map_err(failed)?;
    // Plans that do not depend on bound values: otherwise each append compiles its statements anew.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(failed)?;
    assert_pragmas(&connection, path)?;
    migrate(&mut connection, migrations).map_err(failed)?;
    Ok(connection)
}

fn number(connection: &Connection, query: &str) -> rusqlite::Result<i64> {
    connection.query_row(query, [], |row| row.get(0))
}

/// Refuses files that are not ours, or newer than we are, having changed nothing.
fn examine(connection: &mut Connection, path: &Path, known: usize) -> Result<(), StoreError> {
    let read = |connection: &mut Connection| -> rusqlite::Result<(i64, i64, i64)> {
        // One transaction sees one file, whoever else is making it just now.
        let seen = connection.transaction()?;
        let application = number(&seen, "PRAGMA application_id")?;
        let format = number(&seen, FORMAT)?;
        let tables = number(&seen, "SELECT count(*) FROM sqlite_schema")?;
        seen.commit()?;
        Ok((application, format, tables))
    };
    let (application, format, tables) = read(connection).map_err(|error| classify(path, error))?;
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
async fn write_ahead(connection: &mut Connection) -> rusqlite::Result<()> {
    const PAUSE: Duration = Duration::from_millis(25);
    let mut left = BUSY_TIMEOUT.as_millis() / PAUSE.as_millis();
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if left > 0 && is_busy(&error) => {
                left -= 1;
                tokio::time::sleep(PAUSE).await;
            }
            other => return other,
        }
    }
}

fn set_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    // macOS acknowledges fsync before the disk does, unless asked twice.
    connection.pragma_update(None, "fullfsync", "ON")?;
    connection.pragma_update(None, "foreign_keys", "ON")
}

/// Settings that are ignored in silence would cost the guarantees: each is read back.
fn assert_pragmas(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let expected = [
        ("journal_mode", "wal"),
        ("synchronous", "2"),
        ("foreign_keys", "1"),
        ("busy_timeout", "5000"),
    ];
    for (name, wanted) in expected {
        let found = connection.pragma_query_value(None, name, |row| match row.get_ref(0)? {
            ValueRef::Integer(number) => Ok(number.to_string()),
            other => Ok(other.as_str()?.to_owned()),
        });
        let found = found.map_err(|error| classify(path, error))?;
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
fn migrate(connection: &mut Connection, migrations: &[&'static str]) -> rusqlite::Result<()> {
    let known = i64::try_from(migrations.len()).expect("few migrations");
    if number(connection, FORMAT)? >= known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let format = number(&transaction, FORMAT)?;
    for migration in migrations.iter().skip(usize::try_from(format).unwrap_or(usize::MAX)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", known.max(format))?;
    transaction.commit()
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// What may pass (locks, disk trouble) is `Unavailable`; what will not, `Refused`.
pub(super) fn classify(path: &Path, error: rusqlite::Error) -> StoreError {
    let path = path.display();
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy) => {
            StoreError::Unavailable(format!("{path} is locked by another process"))
        }
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => {
            StoreError::Refused(format!("{path} can't be opened for writing: {error}"))
        }
        Some(ErrorCode::NotADatabase) => {
            StoreError::Refused(format!("{path} is not a state file of orthid"))
        }
        Some(ErrorCode::DatabaseCorrupt) => {
            StoreError::Refused(format!("{path} is damaged: {error}"))
        }
        Some(_) | None => StoreError::Unavailable(format!("{path}: {error}")),
    }
}
