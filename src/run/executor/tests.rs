//! The loop against a small scripted world and the embedded store: forward, retries, unwinding, stuck, resume.

mod approvals;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::*;
use crate::journal::{Event, Failure, FailureClass, Intent};
use crate::model::{Arg, OnFailure, Retry, Rollback, RunSpec, Step, StepKind, StepSpec};
use crate::run::clock::SystemClock;
use crate::run::{Observation, StepContext};
use crate::store::SqliteStore;
use crate::text::secret::Redactor;

/// What the world does to a step, attempt by attempt; success when the script is over.
#[derive(Default)]
struct Scripted {
    acts: Mutex<HashMap<String, Vec<Failure>>>,
    undos: Mutex<HashMap<String, Vec<Failure>>>,
    log: Mutex<Vec<String>>,
}

impl Scripted {
    fn say(&self, what: &str, cx: &StepContext) {
        self.log.lock().unwrap().push(format!("{what} {}", cx.step.address.name));
    }

    fn next(script: &Mutex<HashMap<String, Vec<Failure>>>, cx: &StepContext) -> Option<Failure> {
        let mut script = script.lock().unwrap();
        let left = script.get_mut(&*cx.step.address.name)?;
        (!left.is_empty()).then(|| left.remove(0))
    }
}

#[async_trait::async_trait]
impl World for Scripted {
    async fn observe(&self, cx: &StepContext) -> Observation {
        self.say("observe", cx);
        match &cx.step.address.name {
            name if name.starts_with("unclear") => Observation::Unknown("who knows".into()),
            name if name.starts_with("there") => Observation::Done(Outputs::new()),
            _ => Observation::NotDone,
        }
    }

    async fn act(&self, cx: &StepContext) -> Result<Outputs, Failure> {
        self.say("act", cx);
        let name = &cx.step.address.name;
        if name.ends_with("waiting") {
            tokio::task::yield_now().await;
        }
        assert!(!name.starts_with("buggy"), "a bug");
        match Scripted::next(&self.acts, cx) {
            Some(failure) => Err(failure),
            None => Ok(Outputs::new()),
        }
    }

    async fn observe_undo(&self, cx: &StepContext) -> Observation {
        match cx.step.address.name.starts_with("unclear") {
            true => self.observe(cx).await,
            false => Observation::NotDone,
        }
    }

    async fn undo(&self, cx: &StepContext) -> Result<(), Failure> {
        self.say("undo", cx);
        Scripted::next(&self.undos, cx).map_or(Ok(()), Err)
    }
}

fn step(name: &str, after: &[&str]) -> Step {
    let spec = RunSpec { idempotent: true, ..RunSpec::new(Vec::new()) };
    Step {
        depends_on: after.iter().map(|name| Address::new(StepKind::Run, *name)).collect(),
        retry: Retry { attempts: 3, delay_ms: 1, max_delay_ms: 2 },
        rollback: Some(Rollback::default()),
        ..Step::new(name, StepSpec::Run(spec))
    }
}

struct Stage {
    _dir: tempfile::TempDir,
    deps: Deps,
    world: Arc<Scripted>,
    job: Job,
}

impl Stage {
    async fn new(steps: Vec<Step>) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&dir.path().join("state.db")).await.unwrap();
        let world = Arc::new(Scripted::default());
        let deps = Deps {
            store: Arc::new(store),
            world: Arc::clone(&world) as Arc<dyn World>,
            clock: Arc::new(SystemClock::new()),
            conditions: Arc::new(|_, _| Ok(true)),
            redactor: Redactor::default(),
        };
        let job = Job {
            run: RunId("run".into()),
            plan: Arc::new(Plan { name: "test".into(), steps, ..Plan::default() }),
            plan_digest: "digest".into(),
            subject: "runbook/test".into(),
        };
        Stage { _dir: dir, deps, world, job }
    }

    fn options(&self) -> Options {
        Options::new(Holder { who: "test".into(), pid: 1 })
    }

    async fn start(&self) -> Outcome {
        start(&self.deps, self.options(), &self.job, b"{}".to_vec()).await.unwrap()
    }

    async fn roll_back(&self) -> Result<Outcome, RunError> {
        roll_back(&self.deps, self.options(), &self.job).await
    }

    async fn resume(&self) -> Outcome {
        resume(&self.deps, self.options(), &self.job).await.unwrap()
    }

    fn log(&self) -> String {
        std::mem::take(&mut *self.world.log.lock().unwrap()).join(", ")
    }

    fn act_fails(&self, step: &str, failures: Vec<Failure>) {
        self.world.acts.lock().unwrap().insert(step.into(), failures);
    }
}

#[tokio::test]
async fn steps_run_in_order_and_the_journal_folds() {
    let stage = Stage::new(vec![step("b", &["a"]), step("a", &[]), step("c", &["b"])]).await;
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "act a, act b, act c");
    let records = stage.deps.store.records(&stage.job.run, 0).await.unwrap();
    let state = crate::run::RunState::fold(
        stage.job.run.clone(),
        &stage.job.plan,
        "digest".into(),
        &records,
    )
    .unwrap();
    assert_eq!(state.phase, crate::run::RunPhase::Finished(RunStatus::Succeeded));
    assert!(matches!(records[0].event, Event::RunCreated { steps: 3, .. }));
}

#[tokio::test]
async fn transient_failures_are_retried_within_the_budget() {
    let stage = Stage::new(vec![step("a", &[])]).await;
    stage.act_fails("a", vec![Failure::transient("x"), Failure::transient("x")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "act a, act a, act a");
}

#[tokio::test]
async fn a_permanent_failure_unwinds_in_reverse_order() {
    let stage = Stage::new(vec![step("a", &[]), step("b", &["a"]), step("c", &["b"])]).await;
    stage.act_fails("c", vec![Failure::permanent("no")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "act a, act b, act c, undo c, undo b, undo a");
}

#[tokio::test]
async fn a_run_that_ended_well_is_rolled_back_once() {
    let stage = Stage::new(vec![step("a", &[]), step("b", &["a"]), step("c", &["b"])]).await;
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Succeeded));
    stage.world.undos.lock().unwrap().insert("b".into(), vec![Failure::permanent("locked")]);
    assert_eq!(stage.roll_back().await.unwrap(), Outcome::Finished(RunStatus::Stuck));
    assert_eq!(stage.resume().await, Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "act a, act b, act c, undo c, undo b, undo b, undo a");
    let again = stage.roll_back().await.unwrap_err().to_string();
    assert_eq!(again, "run run has ended (rolled back): there is nothing to go on with");
    assert_eq!(stage.log(), "");
}

#[tokio::test]
async fn a_run_that_stopped_where_it_failed_is_rolled_back_all_the_same() {
    let stops = Step { on_failure: OnFailure::Stop, ..step("b", &["a"]) };
    let stage = Stage::new(vec![step("a", &[]), stops, step("c", &["b"])]).await;
    stage.act_fails("b", vec![Failure::permanent("no")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Failed));
    assert_eq!(stage.roll_back().await.unwrap(), Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "act a, act b, undo b, undo a");
}

#[tokio::test]
async fn what_a_rollback_finds_open_is_looked_at_and_never_begun() {
    let stage =
        Stage::new(vec![step("a", &[]), step("there", &["a"]), step("c", &["there"])]).await;
    let (keeper, graph) = (
        take_lease(&stage.deps, &stage.options(), &stage.job.subject).await.unwrap().unwrap(),
        StepGraph::from_steps(stage.job.plan.steps.clone()).unwrap(),
    );
    // A process that died when the second step had begun.
    let mut died = Run::new(&stage.deps, stage.options(), &stage.job, &graph, keeper);
    died.open(Opening::Start(b"{}".to_vec())).await.unwrap();
    let address = |name: &str| Address::new(StepKind::Run, name);
    let started =
        |name: &str| Event::StepStarted { step: address(name), attempt: 1, intent: Intent::Act };
    died.note(started("a")).unwrap();
    let outputs = Outputs::new();
    died.note(Event::StepSucceeded { step: address("a"), outputs, adopted: false }).unwrap();
    died.note(started("there")).unwrap();
    died.flush().await.unwrap();
    died.keeper.release().await;
    assert_eq!(stage.roll_back().await.unwrap(), Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "observe there, undo there, undo a");
}

#[tokio::test]
async fn unwinding_ends_where_the_hop_began() {
    let in_hop = |hop, step: Step| Step { hop: Some(hop), ..step };
    let steps =
        vec![in_hop(0, step("a", &[])), in_hop(1, step("b", &["a"])), in_hop(1, step("c", &["b"]))];
    let stage = Stage::new(steps).await;
    stage.act_fails("c", vec![Failure::permanent("no")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "act a, act b, act c, undo c, undo b");
}

#[tokio::test]
async fn a_failed_undo_is_stuck_and_goes_on_after_the_fix() {
    let stage = Stage::new(vec![step("a", &[]), step("b", &["a"])]).await;
    stage.act_fails("b", vec![Failure::permanent("no")]);
    stage.world.undos.lock().unwrap().insert("b".into(), vec![Failure::permanent("locked")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Stuck));
    assert_eq!(stage.log(), "act a, act b, undo b");
    assert_eq!(stage.resume().await, Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "undo b, undo a");
}

/// A step that has a way to look.
fn observable(name: &str) -> Step {
    let mut step = step(name, &[]);
    let StepSpec::Run(spec) = &mut step.spec else { panic!("a command") };
    spec.observe = Some(vec![Arg::Known("look".into())]);
    step
}

/// Of what never started there is nothing to undo, unless an earlier attempt did start.
#[tokio::test]
async fn what_never_started_is_never_undone() {
    let never = || Failure { not_begun: true, ..Failure::permanent("no such program") };
    let cases = [
        (vec![never()], "act a, act b, undo a"),
        (vec![Failure::transient("busy"), never()], "act a, act b, act b, undo b, undo a"),
    ];
    for (failures, log) in cases {
        let stage = Stage::new(vec![step("a", &[]), step("b", &["a"])]).await;
        stage.act_fails("b", failures);
        assert_eq!(stage.start().await, Outcome::Finished(RunStatus::RolledBack));
        assert_eq!(stage.log(), log);
    }
}

#[tokio::test]
async fn what_failed_and_cannot_be_looked_at_is_not_undone_blindly() {
    let looks = "observe unclear, observe unclear, observe unclear";
    let stage = Stage::new(vec![observable("unclear")]).await;
    stage.act_fails("unclear", vec![Failure::permanent("no")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Stuck));
    assert_eq!(stage.log(), format!("act unclear, {looks}"));
    // Where there is no way to look, undoing after a failure is what the author asked for.
    let stage = Stage::new(vec![step("unclear", &[])]).await;
    stage.act_fails("unclear", vec![Failure::permanent("no")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "act unclear, observe unclear, undo unclear");
}

#[tokio::test]
async fn an_unknown_outcome_is_observed() {
    let stage = Stage::new(vec![step("there", &[]), step("gone", &[])]).await;
    stage.act_fails("there", vec![Failure::unknown("cut")]);
    stage.act_fails("gone", vec![Failure::unknown("cut")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Succeeded));
    let log = stage.log();
    assert_eq!(log.matches("act there").count(), 1, "{log}");
    assert_eq!(log.matches("act gone").count(), 2, "{log}");
}

#[tokio::test]
async fn what_cannot_be_told_is_stuck_until_a_person_answers() {
    let looks = "observe unclear, observe unclear, observe unclear";
    let stage = Stage::new(vec![observable("unclear")]).await;
    stage.act_fails("unclear", vec![Failure::unknown("cut")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Stuck));
    assert_eq!(stage.log(), format!("act unclear, {looks}"));
    assert_eq!(stage.resume().await, Outcome::Finished(RunStatus::Stuck));
    assert_eq!(stage.log(), looks);
    let mut options = stage.options();
    options.answers.insert(Address::new(StepKind::Run, "unclear"), true);
    let outcome = resume(&stage.deps, options, &stage.job).await.unwrap();
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "observe unclear");
    let records = stage.deps.store.records(&stage.job.run, 0).await.unwrap();
    let answered = |record: &Record| matches!(&record.event, Event::AnswerGiven { happened: true, by, .. } if by == "test");
    assert_eq!(records.iter().filter(|record| answered(record)).count(), 1);
}

#[tokio::test]
async fn a_step_that_a_person_says_did_not_happen_is_acted_on_again() {
    let stage = Stage::new(vec![step("unclear", &[])]).await;
    stage.act_fails("unclear", vec![Failure::unknown("cut")]);
    assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Stuck));
    stage.log();
    let mut options = stage.options();
    options.answers.insert(Address::new(StepKind::Run, "unclear"), false);
    let outcome = resume(&stage.deps, options, &stage.job).await.unwrap();
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "observe unclear, act unclear");
}

#[tokio::test]
async fn a_bug_in_one_step_leaves_the_others_their_end() {
    for name in ["buggy", "buggy, after waiting"] {
        let stage = Stage::new(vec![step(name, &[]), step("b", &[])]).await;
        assert_eq!(stage.start().await, Outcome::Finished(RunStatus::Stuck));
        let records = stage.deps.store.records(&stage.job.run, 0).await.unwrap();
        let unknown = |record: &Record| matches!(&record.event, Event::StepFailed { step, failure } if *step.name == *name && failure.class == FailureClass::Unknown);
        assert_eq!(records.iter().filter(|record| unknown(record)).count(), 1);
        let succeeded = |record: &Record| matches!(record.event, Event::StepSucceeded { .. });
        assert_eq!(records.iter().filter(|record| succeeded(record)).count(), 1);
    }
}

#[tokio::test]
async fn an_interrupt_pauses_and_resume_goes_on() {
    let stage = Stage::new(vec![step("a", &[]), step("b", &["a"])]).await;
    let options = stage.options();
    options.control.interrupt.cancel();
    let outcome = start(&stage.deps, options, &stage.job, Vec::new()).await.unwrap();
    assert_eq!(outcome, Outcome::Interrupted);
    assert_eq!(stage.resume().await, Outcome::Finished(RunStatus::Succeeded));
    let ended = resume(&stage.deps, stage.options(), &stage.job).await;
    assert!(matches!(ended, Err(RunError::Ended { .. })));
}
