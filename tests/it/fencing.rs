//! A holder that was stopped past its lease and wakes up writes nothing and starts no effect: with real processes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use orthid::journal::{RunId, RunStatus};
use orthid::run::{LeaseTimes, Outcome, RunError, resume, start};
use orthid::store::StoreError;

use crate::support::postgres::Server;
use crate::support::runbook::{self, RUN, SUBJECT, lines};

const STATE: &str = "ORTHID_TEST_STATE";
const FILE: &str = "ORTHID_TEST_FILE";
const STEPS: usize = 30;
const STEP_TAKES: Duration = Duration::from_millis(15);
const TIMES: LeaseTimes =
    LeaseTimes { ttl: Duration::from_millis(600), heartbeat: Duration::from_millis(150) };

/// By itself a test that the runbook ends; with a state in the environment, the holder that is stopped.
#[tokio::test]
async fn the_holder_ends_when_nobody_stops_it() {
    let state = std::env::var(STATE).ok();
    let folder = tempfile::tempdir().unwrap();
    let (url, file, who) = match &state {
        Some(url) => (url.clone(), std::env::var(FILE).unwrap().into(), "first@one"),
        None => {
            let url = format!("sqlite:{}", folder.path().join("state.db").display());
            (url, folder.path().join("lines"), "alone@one")
        }
    };
    let store = orthid::store::open(&url).await.unwrap();
    let deps = runbook::deps(store, &file, who, STEP_TAKES);
    let ended = start(&deps, runbook::options(who, TIMES), &runbook::job(STEPS), vec![1]).await;
    if state.is_some() {
        std::fs::write(file.with_extension("ended"), format!("{ended:?}")).unwrap();
    } else {
        assert_eq!(ended.unwrap(), Outcome::Finished(RunStatus::Succeeded));
        assert_eq!(lines(&file).len(), STEPS);
    }
}

fn holder(url: &str, file: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "fencing::the_holder_ends_when_nobody_stops_it", "-q"])
        .env(STATE, url)
        .env(FILE, file)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Stops the holder after its step `after`, lets another finish, and wakes the holder up.
async fn stopped_and_woken(url: &str, after: usize) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    let store = orthid::store::open(url).await.unwrap();
    let mut first = holder(url, &file);
    let started = Instant::now();
    while lines(&file).len() < after {
        assert!(started.elapsed() < Duration::from_secs(30), "the holder does not begin");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    signal(&first, Signal::SIGSTOP);
    tokio::time::sleep(TIMES.ttl + Duration::from_millis(100)).await;

    // While it stands still its lease runs out, and another takes the run over and finishes it.
    let deps = runbook::deps(store.clone(), &file, "second@two", STEP_TAKES);
    let job = runbook::job(STEPS);
    let ended = loop {
        match resume(&deps, runbook::options("second@two", TIMES), &job).await {
            // Stopped in the middle of a write to SQLite, it holds the file: let it get out of that and stop it again.
            Err(RunError::Store(StoreError::Unavailable(_))) => {
                signal(&first, Signal::SIGCONT);
                tokio::time::sleep(Duration::from_millis(7)).await;
                signal(&first, Signal::SIGSTOP);
                tokio::time::sleep(TIMES.ttl).await;
            }
            other => break other.unwrap(),
        }
    };
    assert_eq!(ended, Outcome::Finished(RunStatus::Succeeded));
    let effects = lines(&file);
    let records = store.records(&RunId(RUN.to_owned()), 0).await.unwrap();

    signal(&first, Signal::SIGCONT);
    let status = first.wait().unwrap();
    assert!(status.success());
    let told = std::fs::read_to_string(file.with_extension("ended")).unwrap();
    assert!(told == "Ok(LeaseLost)" || told.contains("Fenced"), "the holder says {told}");

    assert_eq!(lines(&file), effects, "it began an effect after it woke up");
    let after = store.records(&RunId(RUN.to_owned()), 0).await.unwrap();
    assert_eq!(after, records, "it wrote after it woke up");
    let epochs: Vec<u64> = records.iter().map(|record| record.epoch).collect();
    assert!(epochs.is_sorted() && epochs.last() == Some(&2), "{epochs:?}");
    let mut steps: Vec<_> = effects.iter().map(|(_, step)| step.clone()).collect();
    steps.sort();
    steps.dedup();
    assert_eq!((steps.len(), effects.len()), (STEPS, STEPS), "each step once: {effects:?}");
    assert!(effects.iter().any(|(who, _)| who == "first@one"));
    assert!(effects.iter().any(|(who, _)| who == "second@two"));
}

#[tokio::test]
async fn a_stopped_holder_is_fenced_on_sqlite() {
    for after in [1, 9, 20] {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("state.db").display());
        stopped_and_woken(&url, after).await;
    }
}

#[tokio::test]
async fn a_stopped_holder_is_fenced_on_postgres() {
    for after in [1, 9, 20] {
        stopped_and_woken(&Server::shared().database(), after).await;
    }
}

async fn only_one_runs(url: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lines");
    // The second one comes while the first is at work, from another process.
    let mut first = holder(url, &file);
    while lines(&file).is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let store = orthid::store::open(url).await.unwrap();
    let deps = runbook::deps(store.clone(), &file, "second@two", STEP_TAKES);
    let (options, job) = (runbook::options("second@two", TIMES), runbook::job(STEPS));
    let error = start(&deps, options, &job, vec![1]).await.unwrap_err();
    let RunError::Store(StoreError::LeaseHeld(lease)) = error else { panic!("{error:?}") };
    assert_eq!((lease.holder.who.as_str(), lease.holder.pid), ("first@one", first.id()));
    assert!(first.wait().unwrap().success());
    let effects = lines(&file);
    assert_eq!(effects.len(), STEPS);
    assert!(effects.iter().all(|(who, _)| who == "first@one"));
    assert_eq!(store.lease(SUBJECT).await.unwrap(), None, "it gave its lease back");
}

#[tokio::test]
async fn of_two_that_start_one_runs_and_the_other_names_it() {
    let folder = tempfile::tempdir().unwrap();
    only_one_runs(&format!("sqlite:{}", folder.path().join("state.db").display())).await;
    only_one_runs(&Server::shared().database()).await;
}
