use std::os::unix::fs::PermissionsExt;

use super::*;

fn format_of(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

fn set(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

#[tokio::test]
async fn a_newer_file_is_refused_and_left_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(SqliteStore::open(&path).await.unwrap());
    set(&path, "PRAGMA user_version = 99; PRAGMA journal_mode = DELETE");
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();

    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 99, known: 1 }), "{error}");
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
    assert!(!folder.path().join("state.db-wal").exists(), "its journal mode was changed");
}

#[tokio::test]
async fn an_older_file_is_migrated_and_keeps_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let holder = Holder { who: "ada@one".to_owned(), pid: 7 };
    let old = SqliteStore::open(&path).await.unwrap();
    let lease = old.acquire_lease("runbook/a", &holder, Duration::from_secs(60)).await.unwrap();
    drop(old);

    let next = [MIGRATIONS[0], "ALTER TABLE runs ADD COLUMN note TEXT;"];
    let new = SqliteStore::open_with(&path, &next).await.unwrap();
    assert_eq!(new.lease("runbook/a").await.unwrap(), Some(lease));
    assert_eq!(format_of(&path), 2);
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(error, StoreError::NewerFormat { found: 2, known: 1 }), "{error}");
}

#[tokio::test]
async fn files_of_other_programs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let other = folder.path().join("other.db");
    set(&other, "CREATE TABLE songs (name TEXT)");
    let error = SqliteStore::open(&other).await.unwrap_err().to_string();
    assert!(error.contains("another program's"), "{error}");

    let text = folder.path().join("notes.txt");
    std::fs::copy(file!(), &text).unwrap();
    let error = SqliteStore::open(&text).await.unwrap_err().to_string();
    assert!(error.contains("is not a state file"), "{error}");
}

#[tokio::test]
async fn the_file_and_its_log_are_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/state.db");
    let _store = SqliteStore::open(&path).await.unwrap();
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let mode = std::fs::metadata(path.with_file_name(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[tokio::test]
async fn a_changed_record_is_told_when_it_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    drop(SqliteStore::open(&path).await.unwrap());
    set(
        &path,
        r#"INSERT INTO runs VALUES (1, 'r', 's', 'd', 't');
           INSERT INTO records VALUES (1, 1, 1, 'not the hash',
            '{"at":"t","epoch":1,"event":{"type":"run_paused","reason":"x"},"previous":"p","run":"r","seq":1}')"#,
    );
    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.records(&RunId("r".to_owned()), 0).await.unwrap_err().to_string();
    assert!(error.contains("record 1 was changed"), "{error}");
    set(&path, "UPDATE records SET seq = 2");
    let error = store.records(&RunId("r".to_owned()), 0).await.unwrap_err().to_string();
    assert!(error.contains("record 1 is missing"), "{error}");
}
