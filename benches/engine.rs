//! The executor in this process, over steps without effect: what a step costs when nothing but orthid works.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use orthid::journal::{Failure, RunId, RunStatus};
use orthid::model::{Address, OnFailure, Outputs, Step, StepKind, StepSpec};
use orthid::plan::Plan;
use orthid::run::{
    Deps, Job, Observation, Options, Outcome, StepContext, SystemClock, World, start,
};
use orthid::store::{Call, Holder, Intercept, Intercepted, Store, StoreError};
use orthid::text::secret::Redactor;

struct Nothing;

#[async_trait::async_trait]
impl World for Nothing {
    async fn observe(&self, _cx: &StepContext) -> Observation {
        Observation::NotDone
    }

    async fn act(&self, _cx: &StepContext) -> Result<Outputs, Failure> {
        Ok(Outputs::new())
    }

    async fn observe_undo(&self, _cx: &StepContext) -> Observation {
        Observation::NotDone
    }

    async fn undo(&self, _cx: &StepContext) -> Result<(), Failure> {
        Ok(())
    }
}

/// Counts the commits that writing costs; heartbeats come too seldom to matter.
#[derive(Default)]
struct Commits(AtomicU64);

#[async_trait::async_trait]
impl Intercept for Commits {
    async fn around<T: Send>(
        &self,
        call: Call,
        pass: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match call {
            Call::CreateRun | Call::Append | Call::AcquireLease | Call::ReleaseLease => {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
            Call::RenewLease | Call::BreakLease | Call::Read => {}
        }
        pass.await
    }
}

pub struct Measured {
    pub steps: usize,
    pub took: Duration,
    pub commits: u64,
}

impl Measured {
    pub fn seconds_per_step(&self) -> f64 {
        self.took.as_secs_f64() / self.steps as f64
    }

    pub fn commits_per_step(&self) -> f64 {
        self.commits as f64 / self.steps as f64
    }
}

/// Carries out `rows` rows of `length` steps side by side, each step after the one before it in its row.
pub async fn measure(url: &str, rows: usize, length: usize) -> Measured {
    let store = orthid::store::open(url).await.unwrap();
    let counted = Arc::new(Intercepted::new(store, Commits::default()));
    let deps = Deps {
        store: Arc::clone(&counted) as Arc<dyn Store>,
        world: Arc::new(Nothing),
        clock: Arc::new(SystemClock::new()),
        conditions: Arc::new(|_, _| Ok(true)),
        redactor: Redactor::default(),
    };
    let name = format!("{}-{}", std::process::id(), nth());
    let job = Job {
        run: RunId(name.clone()),
        plan: Arc::new(Plan {
            name: "bench".to_owned(),
            steps: steps(rows, length),
            ..Plan::default()
        }),
        plan_digest: name.clone(),
        subject: name,
    };
    let holder = Holder { who: "bench".to_owned(), pid: std::process::id() };
    let options = Options { parallelism: rows, ..Options::new(holder) };
    let started = Instant::now();
    // A task of the runtime, as the program runs it.
    let run = tokio::spawn(async move { start(&deps, options, &job, vec![0]).await });
    let outcome = run.await.unwrap().unwrap();
    let took = started.elapsed();
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded));
    Measured { steps: rows * length, took, commits: counted.between.0.load(Ordering::Relaxed) }
}

fn nth() -> u64 {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn steps(rows: usize, length: usize) -> Vec<Step> {
    let address = |row: usize, n: usize| Address::new(StepKind::Checkpoint, format!("r{row}s{n}"));
    let mut steps = Vec::with_capacity(rows * length);
    for row in 0..rows {
        for n in 0..length {
            steps.push(Step {
                depends_on: n.checked_sub(1).map(|n| address(row, n)).into_iter().collect(),
                on_failure: OnFailure::Stop,
                ..Step::at(address(row, n), StepSpec::Checkpoint)
            });
        }
    }
    steps
}
