//! A runbook whose steps each append one line to a file: effects that can be counted, by whoever did them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use orthid::journal::{Failure, RunId};
use orthid::model::{Address, OnFailure, Outputs, RunSpec, Step, StepKind, StepSpec};
use orthid::plan::Plan;
use orthid::run::{Deps, Job, LeaseTimes, Observation, Options, StepContext, SystemClock, World};
use orthid::store::{Holder, Store};
use orthid::text::secret::Redactor;

pub const RUN: &str = "the-run";
pub const SUBJECT: &str = "runbook/lines";

/// Appends `WHO STEP` to a file as its effect, then takes a while.
#[derive(Debug)]
struct Lines {
    file: PathBuf,
    who: String,
    takes: Duration,
}

#[async_trait::async_trait]
impl World for Lines {
    async fn observe(&self, cx: &StepContext) -> Observation {
        let done = lines(&self.file).iter().any(|(_, step)| **step == *cx.step.address.name);
        if done { Observation::Done(Outputs::new()) } else { Observation::NotDone }
    }

    async fn act(&self, cx: &StepContext) -> Result<Outputs, Failure> {
        let line = format!("{} {}\n", self.who, cx.step.address.name);
        let mut file = std::fs::File::options().create(true).append(true).open(&self.file).unwrap();
        file.write_all(line.as_bytes()).unwrap();
        tokio::time::sleep(self.takes).await;
        Ok(Outputs::new())
    }

    async fn observe_undo(&self, _cx: &StepContext) -> Observation {
        Observation::NotDone
    }

    async fn undo(&self, _cx: &StepContext) -> Result<(), Failure> {
        Ok(())
    }
}

/// The effects so far: who, and which step.
pub fn lines(file: &Path) -> Vec<(String, String)> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let pair = |line: &str| line.split_once(' ').map(|(who, step)| (who.into(), step.into()));
    text.lines().filter_map(pair).collect()
}

/// Steps in one row, each after the one before.
pub fn job(steps: usize) -> Job {
    let address = |n: usize| Address::new(StepKind::Run, format!("s{n}"));
    let spec = RunSpec { idempotent: true, ..RunSpec::new(Vec::new()) };
    let step = |n: usize| Step {
        depends_on: n.checked_sub(1).map(address).into_iter().collect(),
        on_failure: OnFailure::Stop,
        ..Step::at(address(n), StepSpec::Run(spec.clone()))
    };
    let plan =
        Plan { name: "lines".into(), steps: (0..steps).map(step).collect(), ..Plan::default() };
    Job {
        run: RunId(RUN.to_owned()),
        plan: Arc::new(plan),
        plan_digest: "sha256:lines".to_owned(),
        subject: SUBJECT.to_owned(),
    }
}

pub fn deps(store: Arc<dyn Store>, file: &Path, who: &str, takes: Duration) -> Deps {
    Deps {
        store,
        world: Arc::new(Lines { file: file.to_owned(), who: who.to_owned(), takes }),
        clock: Arc::new(SystemClock::new()),
        conditions: Arc::new(|_, _| Ok(true)),
        redactor: Redactor::default(),
    }
}

pub fn options(who: &str, lease: LeaseTimes) -> Options {
    let holder = Holder { who: who.to_owned(), pid: std::process::id() };
    Options { lease, ..Options::new(holder) }
}
