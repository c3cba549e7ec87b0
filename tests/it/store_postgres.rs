//! What only the shared store meets: a server that goes away, a pooler that forgets, another orthid's schema.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use orthid::store::{Holder, Lease, PostgresStore, Store, StoreError};
use sqlx::Connection;
use sqlx::postgres::{PgConnectOptions, PgConnection};

use crate::support::chain::{Chain, new_run};
use crate::support::pooler;
use crate::support::postgres::Server;

const LONG: Duration = Duration::from_secs(600);

async fn open(url: &str) -> PostgresStore {
    PostgresStore::open(PgConnectOptions::from_str(url).unwrap()).await.unwrap()
}

fn holder() -> Holder {
    Holder { who: "ada@one".to_owned(), pid: 4711 }
}

async fn begun(store: &dyn Store) -> (Lease, Chain) {
    let lease = store.acquire_lease("s", &holder(), LONG).await.unwrap();
    let mut chain = Chain::new("r", lease.epoch);
    store.create_run(&lease, &new_run("r", "s"), &[chain.next("created")]).await.unwrap();
    (lease, chain)
}

/// Crashes fall on every part of a transaction, the commit included; each append is acknowledged once, and is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_goes_on_through_restarts_of_the_server() {
    let server = Server::start();
    let store = Arc::new(open(&server.database()).await);
    let (lease, mut chain) = begun(&*store).await;
    let run = chain.run.clone();
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(1)));
    let writer = tokio::spawn({
        let (store, stop, written) = (store.clone(), stop.clone(), written.clone());
        async move {
            let mut all = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let records = chain.many(2);
                store.append(&lease, &records).await.unwrap();
                store.renew_lease(&lease, LONG).await.unwrap();
                all.extend(records);
                written.fetch_add(2, Ordering::Relaxed);
            }
            all
        }
    });
    for mode in ["fast", "immediate", "immediate", "fast"] {
        let before = written.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(150)).await;
        tokio::task::block_in_place(|| server.stop(mode));
        // Recovery that begins while the server is away waits for it too.
        let reader = tokio::spawn({
            let (store, run) = (store.clone(), run.clone());
            async move { store.records(&run, 0).await.unwrap().len() as u64 }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        tokio::task::block_in_place(|| server.start_again());
        assert!(reader.await.unwrap() >= before, "a record that was there is gone");
        let resumed = written.load(Ordering::Relaxed);
        while written.load(Ordering::Relaxed) == resumed {
            assert!(!writer.is_finished(), "the writer gave up: {:?}", writer.await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    stop.store(true, Ordering::Relaxed);
    let all = writer.await.unwrap();
    assert_eq!(store.records(&run, 1).await.unwrap(), all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn patience_ends_and_the_store_is_good_again_later() {
    let server = Server::start();
    let store = open(&server.database()).await.with_patience(Duration::from_millis(400));
    let (lease, mut chain) = begun(&store).await;
    tokio::task::block_in_place(|| server.stop("fast"));
    let record = chain.next("while it is away");
    let error = store.append(&lease, std::slice::from_ref(&record)).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    tokio::task::block_in_place(|| server.start_again());
    store.append(&lease, &[record]).await.unwrap();
    assert_eq!(store.records(&chain.run, 0).await.unwrap().len(), 2);
}

/// Another process that is stopped in the middle of a write must not keep the lease's row for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_stands_still_is_ended_by_the_server() {
    let server = Server::shared();
    let url = server.database();
    let store = open(&url).await;
    let lease = store.acquire_lease("s", &holder(), Duration::ZERO).await.unwrap();

    // What the store does up to its commit, with the limit that it sets, shortened.
    let mut stopped = PgConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(
        "BEGIN; SET LOCAL idle_in_transaction_session_timeout = '500ms';
         SELECT 1 FROM orthid_state.leases WHERE subject = 's' FOR SHARE",
    )
    .execute(&mut stopped)
    .await
    .unwrap();
    let started = std::time::Instant::now();
    let next = store.acquire_lease("s", &holder(), LONG).await.unwrap();
    assert_eq!(next.epoch, lease.epoch + 1);
    assert!(started.elapsed() >= Duration::from_millis(300), "it did not wait for the lock");
    assert!(sqlx::raw_sql("COMMIT").execute(&mut stopped).await.is_err(), "it woke up and wrote");
}

#[tokio::test]
async fn another_format_is_refused_or_migrated() {
    let server = Server::shared();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap().split('?').next().unwrap();
    // A schema that an administrator has prepared, empty.
    server.sql(
        database,
        "CREATE SCHEMA orthid_state; CREATE TABLE orthid_state.format (version bigint);
         INSERT INTO orthid_state.format VALUES (0)",
    );
    let (lease, _) = begun(&open(&url).await).await;
    assert_eq!(server.sql(database, "SELECT version FROM orthid_state.format"), "1");
    assert_eq!(open(&url).await.lease("s").await.unwrap(), Some(lease));

    server.sql(database, "UPDATE orthid_state.format SET version = 99");
    let error = orthid::store::open(&url).await.err().unwrap();
    assert!(matches!(error, StoreError::NewerFormat { found: 99, known: 1 }), "{error:?}");
    assert_eq!(server.sql(database, "SELECT version FROM orthid_state.format"), "99");
}

/// With a role that may write but not create: the administrator has made the schema.
#[tokio::test]
async fn errors_tell_what_is_wrong_and_no_password() {
    let server = Server::shared();
    let url = server.database();
    let database = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
    server.sql(&database, "CREATE ROLE nobody_much LOGIN PASSWORD 'hunter2'");
    let limited = url.replace("postgres@", "nobody_much:hunter2@");
    let error = orthid::store::open(&limited).await.err().unwrap();
    assert!(matches!(error, StoreError::Refused(_)), "{error:?}");
    assert!(error.to_string().contains("permission denied"), "{error}");

    begun(&open(&url).await).await;
    server.sql(
        &database,
        "GRANT USAGE ON SCHEMA orthid_state TO nobody_much;
         GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA orthid_state TO nobody_much",
    );
    let store = open(&limited).await;
    store.acquire_lease("t", &holder(), LONG).await.unwrap();
    assert_eq!(store.runs(9).await.unwrap().len(), 1);

    let missing = limited.replace(&database, "no_such_database");
    let closed = limited.replace(&server.port.to_string(), "1");
    let started = std::time::Instant::now();
    for (url, word) in [(&missing, "no_such_database"), (&closed, "did not answer")] {
        let error = orthid::store::open(url).await.err().unwrap().to_string();
        assert!(error.contains(word) && !error.contains("hunter2"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(15), "a wrong address takes long to be told");
}

/// The pooler of these tests really forgets: what other clients rely on breaks behind it.
#[tokio::test]
async fn the_pooler_breaks_those_who_rely_on_a_session() {
    let server = Server::shared();
    let port = pooler::start(server.port, "postgres").await;
    let url = format!("postgres://postgres@127.0.0.1:{port}/postgres?sslmode=disable");
    let options = PgConnectOptions::from_str(&url).unwrap();
    assert!(PgConnection::connect_with(&options).await.is_err(), "extra_float_digits was accepted");

    let options = options.extra_float_digits(None);
    let mut connection = PgConnection::connect_with(&options).await.unwrap();
    let mut broken = false;
    for _ in 0..2 {
        let answer = sqlx::query("SELECT $1::int").bind(1).execute(&mut connection).await;
        broken |= answer.is_err();
    }
    assert!(broken, "a prepared statement was there in another session");
}
