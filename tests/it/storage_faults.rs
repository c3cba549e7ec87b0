//! Write, fsync and disk-full errors, and power loss, at each call that SQLite makes to the disk.
//!
//! Every call is struck with `ORTHID_FAULTS=all`; by default about sixty a kind are, spread over the whole run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use orthid::journal::{Record, RunId};
use orthid::store::{Holder, Lease, SqliteStore, Store, StoreError};

use crate::support::chain::{Chain, new_run};
use crate::support::disk::{self, Fault};

const WORKLOAD: &str = "ORTHID_TEST_WORKLOAD";
const STEPS: usize = 12;
const LONG: Duration = Duration::from_secs(600);

fn holder() -> Holder {
    Holder { who: "ada@one".to_owned(), pid: 4711 }
}

/// What a run leaves in its folder.
struct Traces {
    folder: PathBuf,
}

impl Traces {
    fn state(&self) -> PathBuf {
        self.folder.join("state.db")
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    fn add(&self, name: &str, line: &str) {
        use std::io::Write;
        let path = self.folder.join(name);
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        writeln!(file, "{line}").unwrap();
    }
}

/// Log first, act second, as the executor does; with one repetition of an append that failed.
async fn workload(traces: &Traces) -> Result<(), StoreError> {
    let store = SqliteStore::open(&traces.state()).await?;
    let lease = store.acquire_lease("s", &holder(), LONG).await?;
    let mut chain = Chain::new("r", lease.epoch);
    let created = chain.next("created");
    let mut run = new_run("r", "s");
    run.plan = vec![7; 20_000];
    if store.create_run(&lease, &run, std::slice::from_ref(&created)).await.is_err() {
        store.create_run(&lease, &run, &[created]).await?;
    }
    traces.add("acknowledged", "1");
    let mut result = None;
    for step in 0..STEPS {
        let mut records: Vec<Record> = result.take().into_iter().collect();
        records.push(chain.next(&format!("started {step}")));
        acknowledge(&store, &lease, &records, traces).await?;
        traces.add("effects", &step.to_string());
        result = Some(chain.next(&format!("succeeded {step} {}", "evidence ".repeat(300))));
    }
    acknowledge(&store, &lease, &[result.unwrap()], traces).await?;
    store.release_lease(&lease).await
}

async fn acknowledge(
    store: &SqliteStore,
    lease: &Lease,
    records: &[Record],
    traces: &Traces,
) -> Result<(), StoreError> {
    if store.append(lease, records).await.is_err() {
        store.append(lease, records).await?;
    }
    for record in records {
        traces.add("acknowledged", &record.seq.to_string());
    }
    Ok(())
}

/// What must hold of any folder that the workload has left, however it ended.
async fn examine(traces: &Traces) -> Result<(), String> {
    let check = |holds: bool, what: String| if holds { Ok(()) } else { Err(what) };
    let store = SqliteStore::open(&traces.state()).await.map_err(|e| format!("reopening: {e}"))?;
    let run = RunId("r".to_owned());
    let records = match store.records(&run, 0).await {
        Ok(records) => records,
        Err(StoreError::NoSuchRun(_)) => Vec::new(),
        Err(error) => return Err(format!("reading: {error}")),
    };
    let mut previous = "genesis".to_owned();
    for record in &records {
        check(record.previous == previous, format!("record {} is not chained", record.seq))?;
        previous = record.hash().to_owned();
    }
    for seq in traces.lines("acknowledged") {
        let there = records.iter().any(|record| record.seq.to_string() == seq);
        check(there, format!("record {seq} was acknowledged and is gone"))?;
    }
    let effects = traces.lines("effects");
    let distinct: BTreeSet<_> = effects.iter().collect();
    check(distinct.len() == effects.len(), "an effect happened twice".to_owned())?;
    for step in &effects {
        let said = format!("started {step}");
        let intent = records.iter().any(|record| format!("{:?}", record.event).contains(&said));
        check(intent, format!("step {step} was done without its intent"))?;
    }
    // And whoever comes next can go on.
    if let Ok(Some(lease)) = store.lease("s").await {
        store.break_lease(&lease.id).await.map_err(|e| format!("unlocking: {e}"))?;
    }
    let lease = store
        .acquire_lease("s", &holder(), LONG)
        .await
        .map_err(|e| format!("taking the lease: {e}"))?;
    let Some(last) = records.last() else { return Ok(()) };
    let mut chain = Chain { run, epoch: lease.epoch, seq: last.seq, previous };
    store.append(&lease, &[chain.next("resumed")]).await.map_err(|e| format!("going on: {e}"))
}

/// By itself a test of the workload; with a folder in the environment, the child that the faults strike.
#[tokio::test]
async fn the_workload_ends_well_on_a_good_disk() {
    let Some(folder) = std::env::var_os(WORKLOAD) else {
        let folder = tempfile::tempdir().unwrap();
        let traces = Traces { folder: folder.path().to_owned() };
        workload(&traces).await.unwrap();
        assert_eq!(traces.lines("effects").len(), STEPS);
        assert_eq!(traces.lines("acknowledged").len(), 1 + 2 * STEPS);
        return examine(&traces).await.unwrap();
    };
    let traces = Traces { folder: folder.into() };
    if let Err(error) = workload(&traces).await {
        traces.add("error", &error.to_string());
    }
}

fn child(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "storage_faults::the_workload_ends_well_on_a_good_disk", "-q"])
        .env(WORKLOAD, folder)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    disk::under(&mut command, "state.db", &folder.join("calls"));
    command
}

/// The calls of an undisturbed workload.
fn calls() -> u64 {
    let folder = tempfile::tempdir().unwrap();
    assert!(child(folder.path()).status().unwrap().success());
    let traces = Traces { folder: folder.path().to_owned() };
    assert_eq!(traces.lines("error"), [""; 0]);
    disk::counted(&folder.path().join("calls"))
}

/// What a sweep saw.
struct Swept {
    wrong: Vec<String>,
    /// Workloads that the fault met.
    struck: usize,
    /// Workloads that it kept from ending well.
    stopped: usize,
    /// Workloads that were done when it met them, while they closed the file.
    done: usize,
}

/// Strikes call after call.
async fn sweep(fault: Fault) -> Swept {
    let total = calls();
    let step = match std::env::var("ORTHID_FAULTS").as_deref() {
        Ok("all") => 1,
        _ => total.div_ceil(60).max(1),
    };
    let mut swept = Swept { wrong: Vec::new(), struck: 0, stopped: 0, done: 0 };
    for at in (1..=total).step_by(usize::try_from(step).unwrap()) {
        let folder = tempfile::tempdir().unwrap();
        let mut command = child(folder.path());
        disk::strike(&mut command, fault, at);
        let status = command.status().unwrap();
        let traces = Traces { folder: folder.path().to_owned() };
        let struck = disk::counted(&folder.path().join("calls")) >= at;
        let stopped = !status.success() || !traces.lines("error").is_empty();
        let done = traces.lines("acknowledged").len() == 1 + 2 * STEPS;
        swept.struck += usize::from(struck);
        swept.stopped += usize::from(stopped);
        swept.done += usize::from(struck && !stopped && done);
        if let Err(what) = examine(&traces).await {
            swept.wrong.push(format!("{fault:?} at call {at}: {what}"));
        }
    }
    assert!(swept.struck > 20, "the faults fired {} times only", swept.struck);
    swept
}

#[tokio::test]
async fn one_failed_call_loses_nothing() {
    for fault in
        [Fault::Eio { stays: false }, Fault::Full { stays: false }, Fault::Torn { stays: false }]
    {
        let Swept { wrong, struck, stopped, .. } = sweep(fault).await;
        assert_eq!(wrong, [""; 0], "{fault:?}");
        assert!(
            stopped * 2 < struck,
            "{fault:?}: a repetition is to settle most of {struck} faults, not {stopped}"
        );
    }
}

#[tokio::test]
async fn a_disk_that_stays_broken_or_full_loses_nothing() {
    for fault in
        [Fault::Eio { stays: true }, Fault::Full { stays: true }, Fault::Torn { stays: true }]
    {
        let Swept { wrong, struck, stopped, .. } = sweep(fault).await;
        assert_eq!(wrong, [""; 0], "{fault:?}");
        assert!(stopped * 10 > struck * 8, "{fault:?}: only {stopped} of {struck} were noticed");
    }
}

#[tokio::test]
async fn power_loss_loses_nothing_that_was_acknowledged() {
    let Swept { wrong, struck, stopped, done } = sweep(Fault::Power).await;
    assert_eq!(wrong, [""; 0]);
    assert_eq!(stopped + done, struck, "the machine went out each time");
    assert!(done * 4 < struck, "{done} of {struck} strikes came after the work");
}

/// The sweep above can fail: on a disk whose fsync does nothing, it does.
#[tokio::test]
async fn a_lying_disk_is_found_out() {
    let Swept { wrong, struck, .. } = sweep(Fault::PowerOnALyingDisk).await;
    assert!(
        wrong.len() * 2 > struck,
        "only {} of {struck} losses were seen: {wrong:?}",
        wrong.len()
    );
}
