//! What the executor may expect of a world, asked of the simulated one and of the real one by the same functions.
//!
//! Of the real world the kinds that need no cluster are asked here: commands, a backup and its verification on a
//! throwaway PostgreSQL; a migration and a roll among the tests on the cluster. Must not: know which of the two worlds
//! answers.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use orthid::journal::{Event, FailureClass, Intent, Record, RunId};
use orthid::model::{Address, Arg, DatabaseSpec, Outputs, Rollback, Step, StepSpec};
use orthid::plan::Plan;
use orthid::run::{Observation, Remarks, StepContext, World};
use orthid::simulate::{Life, SimulatedWorld, Site, VirtualClock};
use orthid::text::secret::Redactor;
use orthid::world::{Environment, RealWorld};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use crate::support::plans::{Command, at, plan, runs, step};
use crate::support::postgres::Server;

const RUN: &str = "01990000-0000-7000-8000-00000000c0de";
/// Longer than anything here takes, shorter than the command that is cancelled.
const SOON: Duration = Duration::from_secs(25);

/// A world, and what an executor would know of a run in it.
pub struct Outside {
    /// The world as one more process sees it.
    open: Box<dyn Fn() -> Arc<dyn World>>,
    plan: Arc<Plan>,
    journal: Arc<Mutex<Vec<Record>>>,
    outputs: BTreeMap<Address, Outputs>,
    folder: Arc<TempDir>,
}

impl Outside {
    fn step(&self, address: &str) -> Step {
        self.plan.steps.iter().find(|step| step.address == at(address)).unwrap().clone()
    }

    fn context(&self, address: &str, attempt: u32) -> StepContext {
        let (progress, _) = tokio::sync::mpsc::channel(1);
        StepContext {
            run: RunId(RUN.to_owned()),
            plan: Arc::clone(&self.plan),
            step: self.step(address),
            attempt,
            outputs: Arc::new(self.outputs.clone()),
            evidence: self.folder.path().join("evidence"),
            base: self.folder.path().to_owned(),
            cancel: CancellationToken::new(),
            finish: CancellationToken::new(),
            progress,
            remarks: Remarks::default(),
            hands_off: false,
        }
    }

    fn record(&self, event: Event) {
        let mut journal = self.journal.lock().unwrap();
        let seq = journal.len() as u64 + 1;
        let at = "2026-01-01T00:00:00.000000Z".to_owned();
        journal.push(Record::new(RunId(RUN.to_owned()), seq, 1, at, event, String::new()));
    }

    /// Looks as a process that has done nothing yet, twice: looking changes nothing.
    async fn observe(&self, address: &str) -> Observation {
        let cx = self.context(address, 2);
        let seen = (self.open)().observe(&cx).await;
        assert_eq!((self.open)().observe(&cx).await, seen, "{address}: a second look");
        seen
    }

    async fn observe_undo(&self, address: &str) -> Observation {
        (self.open)().observe_undo(&self.context(address, 1)).await
    }

    async fn act(&mut self, address: &str) -> Outputs {
        self.record(Event::StepStarted { step: at(address), attempt: 1, intent: Intent::Act });
        let acted = (self.open)().act(&self.context(address, 1)).await;
        let outputs = acted.unwrap_or_else(|failure| panic!("{address}: {failure:?}"));
        self.outputs.insert(at(address), outputs.clone());
        self.record(Event::StepSucceeded {
            step: at(address),
            outputs: outputs.clone(),
            adopted: false,
        });
        outputs
    }

    async fn undo(&self, address: &str) {
        self.record(Event::UndoStarted { step: at(address), attempt: 1 });
        let undone = (self.open)().undo(&self.context(address, 1)).await;
        undone.unwrap_or_else(|failure| panic!("undoing {address}: {failure:?}"));
        self.record(Event::UndoSucceeded { step: at(address) });
    }
}

/// What is asked of every world.
async fn contract(outside: &mut Outside) {
    an_effect_is_seen_by_whoever_looks(outside).await;
    an_undone_effect_is_gone(outside).await;
    what_is_kept_is_undone_already(outside).await;
    what_cannot_be_seen_is_said_to_be_unknown(outside).await;
    an_interrupted_effect_is_unknown(outside).await;
}

/// Another process adopts what this one did, with the outputs that it would have reported.
async fn an_effect_is_seen_by_whoever_looks(outside: &mut Outside) {
    for address in ["backup.before", "verify.before", "run.observable"] {
        assert_eq!(outside.observe(address).await, Observation::NotDone, "{address}: before");
        let outputs = outside.act(address).await;
        assert_eq!(outside.observe(address).await, Observation::Done(outputs), "{address}: after");
    }
    let id = |of: &str| outside.outputs[&at(of)]["id"].clone();
    assert_eq!(id("verify.before"), id("backup.before"), "what is verified is the backup");
}

async fn an_undone_effect_is_gone(outside: &mut Outside) {
    let address = "run.observable";
    assert_eq!(outside.observe_undo(address).await, Observation::NotDone);
    outside.undo(address).await;
    assert_eq!(outside.observe_undo(address).await, Observation::Done(Outputs::new()));
    assert_eq!(outside.observe(address).await, Observation::NotDone);
}

/// Unwinding a run takes no backup away.
async fn what_is_kept_is_undone_already(outside: &mut Outside) {
    for address in ["backup.before", "verify.before"] {
        let there = Observation::Done(outside.outputs[&at(address)].clone());
        assert_eq!(outside.observe_undo(address).await, Observation::Done(Outputs::new()));
        outside.undo(address).await;
        assert_eq!(outside.observe(address).await, there, "{address} is kept");
    }
}

async fn what_cannot_be_seen_is_said_to_be_unknown(outside: &mut Outside) {
    for done in [false, true] {
        if done {
            outside.act("run.opaque").await;
            outside.act("run.idempotent").await;
        }
        match outside.observe("run.opaque").await {
            // How it ended may have been taken down where it ran.
            Observation::Done(outputs) if done => {
                assert_eq!(outputs, outside.outputs[&at("run.opaque")])
            }
            Observation::Unknown(question) => {
                assert!(question.contains("run.opaque has no `observe`"), "{question}");
            }
            told => panic!("nobody can know this: {told:?}"),
        }
        // This one may be repeated, so nobody has to know.
        let seen = outside.observe("run.idempotent").await;
        let is_told = done && matches!(seen, Observation::Done(_));
        assert!(seen == Observation::NotDone || is_told, "{seen:?}");
    }
}

async fn an_interrupted_effect_is_unknown(outside: &mut Outside) {
    let address = "run.slow";
    outside.record(Event::StepStarted { step: at(address), attempt: 1, intent: Intent::Act });
    let cx = outside.context(address, 1);
    cx.cancel.cancel();
    let begun = Instant::now();
    let failure = (outside.open)().act(&cx).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Unknown, "{failure:?}");
    assert!(begun.elapsed() < SOON, "it was told to end {:?} ago", begun.elapsed());
    assert_eq!(outside.observe(address).await, Observation::NotDone);
}

/// What is asked of a world that has a release: an upgrade by one minor version, and the release rolled back.
pub async fn upgrade_contract(outside: &mut Outside) {
    for address in ["backup.before", "verify.before", "migrate.schema", "roll.app"] {
        assert_eq!(outside.observe(address).await, Observation::NotDone, "{address}: before");
        outside.act(address).await;
        let seen = outside.observe(address).await;
        assert!(matches!(seen, Observation::Done(_)), "{address}: {seen:?}");
    }
    assert_eq!(outside.observe_undo("roll.app").await, Observation::NotDone);
    outside.undo("roll.app").await;
    assert_eq!(outside.observe_undo("roll.app").await, Observation::Done(Outputs::new()));
    assert_eq!(outside.observe("roll.app").await, Observation::NotDone);
    // The old app runs on the new schema, which therefore stays.
    let kept = "migrate.schema";
    assert_eq!(outside.observe_undo(kept).await, Observation::Done(Outputs::new()));
    outside.undo(kept).await;
    assert!(matches!(outside.observe(kept).await, Observation::Done(_)), "{kept} is kept");
}

fn words(words: &[&str]) -> Vec<Arg> {
    words.iter().map(|word| Arg::Known((*word).to_owned())).collect()
}

/// A command whose effect is a file of the step's name.
fn touching(mut step: Step, command: &[&str]) -> Step {
    let StepSpec::Run(spec) = &mut step.spec else { panic!("{} is no command", step.address) };
    let name = step.address.to_string();
    spec.command = words(command);
    spec.observe = spec.observe.is_some().then(|| words(&["test", "-e", &name]));
    spec.undo = Some(words(&["rm", &name]));
    step
}

fn asked(url: &str) -> Arc<Plan> {
    let command = |name: &str, how| {
        let words = ["touch", name];
        touching(runs(name, &[], how), &words)
    };
    let slow = touching(runs("run.slow", &[], Command::Observable), &["sleep", "60"]);
    let mut plan = Plan::clone(&plan(vec![
        step("backup.before", &[]),
        step("verify.before", &["backup.before"]),
        command("run.observable", Command::Observable),
        command("run.opaque", Command::Opaque),
        command("run.idempotent", Command::Idempotent),
        slow,
    ]));
    let database = DatabaseSpec { name: "main".into(), url: Arg::Known(url.to_owned()) };
    plan.databases.insert("main".into(), database);
    Arc::new(plan)
}

fn outside(
    plan: Arc<Plan>,
    journal: Arc<Mutex<Vec<Record>>>,
    open: impl Fn() -> Arc<dyn World> + 'static,
) -> Outside {
    let folder = Arc::new(tempfile::tempdir().unwrap());
    Outside { open: Box::new(open), plan, journal, outputs: BTreeMap::new(), folder }
}

/// The real world, as an environment finds it.
pub fn real(plan: Arc<Plan>, vars: BTreeMap<String, String>) -> Outside {
    let env = Environment::new(vars);
    let open =
        move || -> Arc<dyn World> { Arc::new(RealWorld::new(env.clone(), Redactor::default())) };
    outside(plan, Arc::default(), open)
}

/// Asks the simulated world, in virtual time.
fn simulated(plan: Arc<Plan>, ask: impl AsyncFnOnce(&mut Outside)) {
    let clock = VirtualClock::new();
    let journal = Arc::new(Mutex::new(Vec::<Record>::new()));
    let read = Arc::clone(&journal);
    let ledger = move |_| -> futures::future::BoxFuture<'static, _> {
        let records = read.lock().unwrap().clone();
        Box::pin(async move { Ok(records) })
    };
    let site = Arc::new(Site::new(&plan, 7, false, clock.clone(), Arc::new(ledger)));
    let shared = Arc::clone(&site);
    let open = move || -> Arc<dyn World> {
        Arc::new(SimulatedWorld::new(Arc::clone(&shared), Life::new(None)))
    };
    clock.runtime().block_on(ask(&mut outside(plan, journal, open)));
    assert_eq!(site.violations(), Vec::<String>::new());
}

#[test]
fn the_simulated_world_keeps_the_contract() {
    simulated(asked("postgres://nobody@127.0.0.1:1/none"), contract);
}

#[test]
fn the_simulated_world_keeps_the_contract_of_an_upgrade() {
    let mut migrate = step("migrate.schema", &["verify.before"]);
    let StepSpec::Migrate(spec) = &mut migrate.spec else { panic!("a migration") };
    spec.breaking = false;
    migrate.rollback = Some(Rollback::default());
    let plan = plan(vec![
        step("backup.before", &[]),
        step("verify.before", &["backup.before"]),
        migrate,
        step("roll.app", &["migrate.schema"]),
    ]);
    simulated(plan, upgrade_contract);
}

#[test]
fn the_real_world_keeps_the_contract() {
    let url = Server::shared().database();
    let name = url.rsplit_once('/').unwrap().1.split('?').next().unwrap();
    let rows = "create table keys as select n from generate_series(1, 1000) n";
    Server::shared().sql(name, rows);
    let mut outside = real(asked(&url), std::env::vars().collect());
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(contract(&mut outside));
    assert_eq!(outside.outputs[&at("backup.before")]["rows"], 1000);
}
