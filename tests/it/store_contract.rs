//! The one contract that every store keeps: SQLite, PostgreSQL, and PostgreSQL behind a transaction pooler.

use std::sync::Arc;
use std::time::Duration;

use orthid::journal::RunId;
use orthid::plan::StoredPlan;
use orthid::store::{Holder, Lease, RunSummary, Store, StoreError};

use crate::support::chain::{Chain, new_run};
use crate::support::pooler;
use crate::support::postgres::Server;

const LONG: Duration = Duration::from_secs(600);
const SHORT: Duration = Duration::from_millis(150);

/// A state of its own for one test, which any number of handles may open.
struct Place {
    url: String,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    async fn sqlite() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("state.db").display());
        Place { url, _folder: Some(folder) }
    }

    async fn postgres() -> Place {
        Place { url: Server::shared().database(), _folder: None }
    }

    async fn pooled() -> Place {
        let server = Server::shared();
        let url = server.database();
        let database = url.rsplit('/').next().unwrap().split('?').next().unwrap().to_owned();
        let port = pooler::start(server.port, &database).await;
        Place { url: url.replace(&server.port.to_string(), &port.to_string()), _folder: None }
    }

    /// What another process, or another machine, would hold.
    async fn open(&self) -> Arc<dyn Store> {
        orthid::store::open(&self.url).await.unwrap()
    }
}

fn holder(who: &str) -> Holder {
    Holder { who: who.to_owned(), pid: 4711 }
}

/// A run that was begun, with one record.
async fn begun(store: &dyn Store, id: &str, subject: &str) -> (Lease, Chain) {
    let lease = store.acquire_lease(subject, &holder("ada@one"), LONG).await.unwrap();
    let mut chain = Chain::new(id, lease.epoch);
    store.create_run(&lease, &new_run(id, subject), &[chain.next("created")]).await.unwrap();
    (lease, chain)
}

async fn bodies(store: &dyn Store, run: &RunId) -> Vec<u64> {
    store.records(run, 0).await.unwrap().iter().map(|record| record.seq).collect()
}

macro_rules! assert_err {
    ($result:expr, $pattern:pat) => {{
        let error = $result.unwrap_err();
        assert!(matches!(error, $pattern), "{error:?}");
        error
    }};
}

async fn a_run_reads_back_as_it_was_written(place: Place) {
    let store = place.open().await;
    let (lease, mut chain) = begun(&*store, "run-1", "release/a").await;
    let odd = chain.next("quotes \" ' \\ , newline \n, NUL \u{0}, emoji 🗝, ${} $1 ?1 and 'quoted'");
    store.append(&lease, std::slice::from_ref(&odd)).await.unwrap();
    let rest = chain.many(200);
    store.append(&lease, &rest).await.unwrap();
    begun(&*store, "run-2", "release/b").await;

    let other = place.open().await;
    let read = other.records(&RunId("run-1".into()), 1).await.unwrap();
    assert_eq!(read[0], odd);
    assert_eq!(read[1..], rest);
    assert_eq!(other.records(&RunId("run-1".into()), 202).await.unwrap(), []);
    let plan = other.plan(&RunId("run-1".into())).await.unwrap();
    assert_eq!(plan, StoredPlan::new(new_run("run-1", "").plan));
    let summary = |id: &str, subject: &str| RunSummary {
        id: RunId(id.to_owned()),
        subject: subject.to_owned(),
        plan_digest: format!("sha256:plan-of-{id}"),
        created_at: new_run(id, subject).created_at,
    };
    let listed = [summary("run-2", "release/b"), summary("run-1", "release/a")];
    assert_eq!(other.runs(10).await.unwrap(), listed);
    assert_eq!(other.runs(1).await.unwrap(), listed[..1]);
    let found = other.run_of_plan("sha256:plan-of-run-1").await.unwrap();
    assert_eq!(found, Some(RunId("run-1".to_owned())));
    assert_eq!(other.run_of_plan("sha256:none").await.unwrap(), None);
}

async fn a_large_plan_and_a_large_batch_go_in_whole(place: Place) {
    let store = place.open().await;
    let lease = store.acquire_lease("s", &holder("ada@one"), LONG).await.unwrap();
    let mut chain = Chain::new("big", lease.epoch);
    let mut run = new_run("big", "s");
    run.plan = (0..3_000_000u32).map(|n| (n % 251) as u8).collect();
    let records = chain.many(5_000);
    store.create_run(&lease, &run, &records).await.unwrap();
    assert_eq!(store.plan(&run.id).await.unwrap(), StoredPlan::new(run.plan));
    assert_eq!(store.records(&run.id, 0).await.unwrap(), records);
}

async fn a_plan_applies_at_most_once(place: Place) {
    let store = place.open().await;
    begun(&*store, "first", "s").await;
    let other = place.open().await;
    let lease = other.acquire_lease("t", &holder("bob@two"), LONG).await.unwrap();
    let mut again = new_run("second", "t");
    again.plan_digest = new_run("first", "s").plan_digest;
    let mut chain = Chain::new("second", lease.epoch);
    let error = assert_err!(
        other.create_run(&lease, &again, &[chain.next("created")]).await,
        StoreError::PlanConsumed { .. }
    );
    assert!(error.to_string().contains("first"), "{error}");
    assert_err!(other.records(&again.id, 0).await, StoreError::NoSuchRun(_));
    assert_eq!(other.runs(10).await.unwrap().len(), 1);
}

async fn runs_that_are_not_there_are_told(place: Place) {
    let store = place.open().await;
    let none = RunId("none".to_owned());
    assert_err!(store.records(&none, 0).await, StoreError::NoSuchRun(_));
    assert_err!(store.plan(&none).await, StoreError::NoSuchRun(_));
    let lease = store.acquire_lease("s", &holder("ada@one"), LONG).await.unwrap();
    let record = Chain::new("none", lease.epoch).next("x");
    assert_err!(store.append(&lease, &[record]).await, StoreError::NoSuchRun(_));
    assert_eq!(store.runs(10).await.unwrap(), []);
    assert_eq!(store.lease("nobody").await.unwrap(), None);
}

async fn a_journal_only_continues(place: Place) {
    let store = place.open().await;
    let (lease, mut chain) = begun(&*store, "r", "s").await;
    begun(&*store, "other", "t").await;
    store.append(&lease, &chain.many(3)).await.unwrap();

    let mut gap = chain.clone();
    gap.next("left out");
    let mut altered = chain.clone();
    altered.previous = "0".repeat(64);
    let mut torn = chain.clone().many(3);
    torn.remove(1);
    let mut forged = chain.clone().many(2);
    forged[1].previous = "0".repeat(64);
    let mut fork = Chain { seq: 2, ..chain.clone() };
    let mut mixed = chain.clone().many(2);
    mixed[1].run = RunId("other".to_owned());
    let zero = Chain { seq: u64::MAX, ..chain.clone() };
    for (name, records) in [
        ("a number left out", vec![gap.next("x")]),
        ("another predecessor", vec![altered.next("x")]),
        ("a number left out inside", torn),
        ("another predecessor inside", forged),
        ("another record 3", vec![fork.next("x")]),
        ("a second beginning", vec![Chain::new("r", lease.epoch).next("x")]),
        ("two runs at once", mixed),
        ("a number beyond all", {
            let mut record = chain.clone().next("x");
            record.seq = zero.seq;
            vec![record]
        }),
    ] {
        let error = store.append(&lease, &records).await.expect_err(name);
        assert!(matches!(error, StoreError::BrokenJournal { .. }), "{name}: {error:?}");
    }
    assert_err!(store.append(&lease, &[]).await, StoreError::Refused(_));
    let foreign = Chain { run: RunId("other".into()), ..chain.clone() }.next("x");
    assert_err!(store.append(&lease, &[foreign]).await, StoreError::Fenced { .. });
    assert_eq!(bodies(&*store, &chain.run).await, [1, 2, 3, 4]);
    store.append(&lease, &[chain.next("goes on")]).await.unwrap();
}

async fn a_run_begins_with_its_own_first_record(place: Place) {
    let store = place.open().await;
    let lease = store.acquire_lease("s", &holder("ada@one"), LONG).await.unwrap();
    let mut late = Chain::new("r", lease.epoch);
    late.next("left out");
    let mut other = Chain::new("q", lease.epoch);
    let run = new_run("r", "s");
    for record in [late.next("x"), other.next("x")] {
        assert_err!(
            store.create_run(&lease, &run, &[record]).await,
            StoreError::BrokenJournal { .. }
        );
    }
    assert_err!(store.create_run(&lease, &run, &[]).await, StoreError::Refused(_));
    let elsewhere = new_run("r", "another subject");
    let record = Chain::new("r", lease.epoch).next("x");
    assert_err!(store.create_run(&lease, &elsewhere, &[record]).await, StoreError::Fenced { .. });
    assert_eq!(store.runs(10).await.unwrap(), []);
}

async fn saying_it_again_is_not_doing_it_twice(place: Place) {
    let store = place.open().await;
    let (lease, mut chain) = begun(&*store, "r", "s").await;
    let first = Chain::new("r", lease.epoch).next("created");
    store.create_run(&lease, &new_run("r", "s"), &[first]).await.unwrap();
    let batch = chain.many(3);
    store.append(&lease, &batch).await.unwrap();
    place.open().await.append(&lease, &batch).await.unwrap();
    store.append(&lease, &batch[1..2]).await.unwrap();
    assert_eq!(bodies(&*store, &chain.run).await, [1, 2, 3, 4]);

    // Half of it there and half not is no repetition.
    let mut both = batch.clone();
    both.push(chain.next("new"));
    assert_err!(store.append(&lease, &both).await, StoreError::BrokenJournal { .. });
    assert_eq!(bodies(&*store, &chain.run).await, [1, 2, 3, 4]);

    // What was written is no success for one who has lost the lease.
    store.break_lease(&lease.id).await.unwrap();
    assert_err!(store.append(&lease, &batch).await, StoreError::Fenced { .. });
}

async fn a_lease_has_one_holder_and_names_it(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let lease = one.acquire_lease("s", &holder("ada@one"), LONG).await.unwrap();
    assert_eq!((lease.epoch, lease.subject.as_str()), (1, "s"));
    assert!(lease.expires_at > lease.acquired_at, "{lease:?}");
    let error = assert_err!(
        two.acquire_lease("s", &holder("bob@two"), LONG).await,
        StoreError::LeaseHeld(_)
    );
    for part in ["ada@one", "4711", lease.acquired_at.as_str()] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(two.lease("s").await.unwrap(), Some(lease.clone()));
    two.acquire_lease("t", &holder("bob@two"), LONG).await.unwrap();
    let subjects: Vec<_> =
        one.leases().await.unwrap().into_iter().map(|lease| lease.subject).collect();
    assert_eq!(subjects, ["s", "t"]);

    one.release_lease(&lease).await.unwrap();
    assert_eq!(two.lease("s").await.unwrap(), None);
    let next = two.acquire_lease("s", &holder("bob@two"), LONG).await.unwrap();
    assert_eq!(next.epoch, 2, "an epoch outlives its holder");
    assert_ne!(next.id, lease.id);
    assert_err!(one.release_lease(&lease).await, StoreError::Fenced { .. });
}

async fn an_expired_lease_holds_until_it_is_taken_over(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let lease = one.acquire_lease("s", &holder("ada@one"), SHORT).await.unwrap();
    let mut chain = Chain::new("r", lease.epoch);
    one.create_run(&lease, &new_run("r", "s"), &[chain.next("created")]).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    one.append(&lease, &[chain.next("late")]).await.unwrap();
    assert!(one.lease("s").await.unwrap().is_some(), "still to be seen");
    let renewed = one.renew_lease(&lease, LONG).await.unwrap();
    assert_eq!((renewed.epoch, &renewed.id), (lease.epoch, &lease.id));
    assert!(renewed.expires_at > lease.expires_at);
    assert_err!(two.acquire_lease("s", &holder("bob@two"), LONG).await, StoreError::LeaseHeld(_));
}

async fn who_lost_the_lease_writes_nothing(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let old = one.acquire_lease("s", &holder("ada@one"), SHORT).await.unwrap();
    let mut chain = Chain::new("r", old.epoch);
    one.create_run(&old, &new_run("r", "s"), &[chain.next("created")]).await.unwrap();
    tokio::time::sleep(2 * SHORT).await;
    let new = two.acquire_lease("s", &holder("bob@two"), LONG).await.unwrap();
    assert_eq!(new.epoch, 2);

    let stale = chain.clone().next("stale");
    assert_err!(one.append(&old, &[stale]).await, StoreError::Fenced { epoch: 1, .. });
    // Nor by claiming the new epoch without holding it.
    let forged = Lease { epoch: 2, ..old.clone() };
    let record = Chain { epoch: 2, ..chain.clone() }.next("forged");
    assert_err!(one.append(&forged, &[record]).await, StoreError::Fenced { .. });
    // Nor by sending an old record under the new lease.
    let record = chain.clone().next("old epoch");
    assert_err!(two.append(&new, &[record]).await, StoreError::Fenced { epoch: 1, .. });
    assert_err!(one.renew_lease(&old, LONG).await, StoreError::Fenced { .. });
    assert_err!(one.release_lease(&old).await, StoreError::Fenced { .. });
    let other = Chain::new("q", old.epoch).next("created");
    assert_err!(
        one.create_run(&old, &new_run("q", "s"), &[other]).await,
        StoreError::Fenced { .. }
    );

    assert_eq!(two.lease("s").await.unwrap(), Some(new.clone()), "the new holder is untouched");
    let mut chain = Chain { epoch: new.epoch, ..chain };
    two.append(&new, &[chain.next("taken over")]).await.unwrap();
    assert_eq!(bodies(&*one, &chain.run).await, [1, 2]);
}

async fn a_lease_is_broken_by_its_id_and_names_its_holder(place: Place) {
    let (one, two) = (place.open().await, place.open().await);
    let (lease, mut chain) = begun(&*one, "r", "s").await;
    let broken = two.break_lease(&lease.id).await.unwrap();
    assert_eq!(broken.holder, holder("ada@one"));
    assert_eq!((broken.subject.as_str(), broken.epoch), ("s", lease.epoch));
    assert_err!(two.break_lease(&lease.id).await, StoreError::NoSuchLease(_));
    assert_err!(two.break_lease("no-such-id").await, StoreError::NoSuchLease(_));
    assert_err!(one.append(&lease, &[chain.next("x")]).await, StoreError::Fenced { .. });
    assert_err!(one.renew_lease(&lease, LONG).await, StoreError::Fenced { .. });
    let next = two.acquire_lease("s", &holder("bob@two"), LONG).await.unwrap();
    assert_eq!(next.epoch, lease.epoch + 1);
    assert_err!(one.append(&lease, &[chain.next("x")]).await, StoreError::Fenced { .. });
}

async fn of_many_at_once_one_takes_the_lease(place: Place) {
    for round in 0..5u64 {
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..8 {
            let store = place.open().await;
            tasks.spawn(async move {
                store.acquire_lease("s", &holder(&format!("u{n}@m{n}")), LONG).await
            });
        }
        let results = tasks.join_all().await;
        let taken: Vec<_> = results.iter().flatten().collect();
        assert_eq!(taken.len(), 1, "{results:?}");
        assert_eq!(taken[0].epoch, round + 1, "nobody else used an epoch up");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(error, StoreError::LeaseHeld(_)), "{error:?}");
        }
        place.open().await.release_lease(taken[0]).await.unwrap();
    }
}

async fn of_many_runs_of_one_plan_one_begins(place: Place) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..6 {
        let store = place.open().await;
        tasks.spawn(async move {
            let subject = format!("s{n}");
            let lease = store.acquire_lease(&subject, &holder("ada@one"), LONG).await.unwrap();
            let mut run = new_run(&format!("r{n}"), &subject);
            run.plan_digest = "sha256:the-same".to_owned();
            let record = Chain::new(&run.id.0, lease.epoch).next("created");
            store.create_run(&lease, &run, &[record]).await
        });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().flatten().count(), 1, "{results:?}");
    for error in results.iter().filter_map(|result| result.as_ref().err()) {
        assert!(matches!(error, StoreError::PlanConsumed { .. }), "{error:?}");
    }
}

/// The race that fencing is for: a holder in full flight while another takes over.
async fn no_record_of_an_old_epoch_follows_a_takeover(place: Place) {
    for round in 0..6 {
        let (one, two) = (place.open().await, place.open().await);
        let (id, subject) = (format!("r{round}"), format!("s{round}"));
        let old = one.acquire_lease(&subject, &holder("ada@one"), Duration::ZERO).await.unwrap();
        let mut chain = Chain::new(&id, old.epoch);
        let run = chain.run.clone();
        one.create_run(&old, &new_run(&id, &subject), &[chain.next("created")]).await.unwrap();
        let writer = tokio::spawn(async move {
            let mut acknowledged = 1;
            loop {
                let records = chain.many(2);
                match one.append(&old, &records).await {
                    Ok(()) => acknowledged += 2,
                    Err(StoreError::Fenced { .. }) => return acknowledged,
                    Err(other) => panic!("{other:?}"),
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(3 * round)).await;
        let new = two.acquire_lease(&subject, &holder("bob@two"), LONG).await.unwrap();
        let seen = two.records(&run, 0).await.unwrap();
        let acknowledged = writer.await.unwrap();
        assert_eq!(seen.len(), acknowledged, "the journal stood still from the takeover on");
        let last = seen.last().unwrap();
        let mut chain =
            Chain { run, epoch: new.epoch, seq: last.seq, previous: last.hash().to_owned() };
        two.append(&new, &[chain.next("taken over")]).await.unwrap();
    }
}

async fn many_may_make_the_state_at_once(place: Place) {
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..16 {
        let url = place.url.clone();
        tasks.spawn(async move {
            // Whoever comes a little later sees the file while it is being made.
            tokio::time::sleep(Duration::from_millis(n / 2)).await;
            let store = orthid::store::open(&url).await.unwrap();
            store.runs(1).await.unwrap()
        });
    }
    tasks.join_all().await;
    begun(&*place.open().await, "r", "s").await;
}

async fn what_was_acknowledged_is_there_after_reopening(place: Place) {
    let mut store = place.open().await;
    let (lease, mut chain) = begun(&*store, "r", "s").await;
    let mut written = 1;
    for _ in 0..5 {
        store.append(&lease, &chain.many(2)).await.unwrap();
        written += 2;
        drop(store);
        store = place.open().await;
        assert_eq!(store.records(&chain.run, 0).await.unwrap().len(), written);
        assert_eq!(store.lease("s").await.unwrap(), Some(lease.clone()));
    }
}

macro_rules! contract {
    ($($name:ident),* $(,)?) => {
        contract!(@ sqlite: $($name),*);
        contract!(@ postgres: $($name),*);
        contract!(@ pooled: $($name),*);
    };
    (@ $place:ident: $($name:ident),*) => {
        mod $place {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(super::Place::$place().await).await;
                }
            )*
        }
    };
}

contract![
    a_run_reads_back_as_it_was_written,
    a_large_plan_and_a_large_batch_go_in_whole,
    a_plan_applies_at_most_once,
    runs_that_are_not_there_are_told,
    a_journal_only_continues,
    a_run_begins_with_its_own_first_record,
    saying_it_again_is_not_doing_it_twice,
    a_lease_has_one_holder_and_names_it,
    an_expired_lease_holds_until_it_is_taken_over,
    who_lost_the_lease_writes_nothing,
    a_lease_is_broken_by_its_id_and_names_its_holder,
    of_many_at_once_one_takes_the_lease,
    of_many_runs_of_one_plan_one_begins,
    no_record_of_an_old_epoch_follows_a_takeover,
    many_may_make_the_state_at_once,
    what_was_acknowledged_is_there_after_reopening,
];
