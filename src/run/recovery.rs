//! What a resume would find and do, without doing it: `orthid resume --explain`.
//!
//! Must not: take a lease, write, or act; it reads the journal and looks at the world.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::executor::{Deps, Job, RunError, outputs_for};
use super::schedule::{Ending, Schedule, undo_order};
use super::state::{RunPhase, RunState, StepState};
use crate::graph::StepGraph;
use crate::journal::{FailureClass, Intent};
use crate::model::{Address, Place, Step};
use crate::run::{Observation, Remarks, StepContext};

/// One step that a resume would deal with.
#[derive(Clone, Debug, PartialEq)]
pub struct Explained {
    pub address: Address,
    /// Where the journal says it stands, in words.
    pub stood: String,
    /// What looking at the world said now; none for a step that has not begun, and so is not looked at.
    pub found: Option<Observation>,
    /// What a resume would do, in words.
    pub would: String,
}

/// Explains a resume of this run.
///
/// # Errors
/// As [`super::resume`] before it begins anything: a broken journal, or a run that has ended.
pub async fn explain(
    deps: &Deps,
    job: &Job,
    base: PathBuf,
    evidence: PathBuf,
) -> Result<Vec<Explained>, RunError> {
    let graph = StepGraph::from_steps(job.plan.steps.clone())?;
    let records = deps.store.records(&job.run, 0).await?;
    let state = RunState::fold(job.run.clone(), &job.plan, job.plan_digest.clone(), &records)?;
    if let RunPhase::Finished(status) = &state.phase
        && *status != crate::journal::RunStatus::Stuck
    {
        return Err(RunError::Ended { run: job.run.clone(), status: *status });
    }
    let mut findings = BTreeMap::new();
    for step in graph.steps().iter().filter(|step| is_looked_at(step, &state)) {
        let cx = context(job, &graph, &state, step, &base, &evidence);
        let undoing = match &state.step(&step.address).state {
            StepState::Undoing | StepState::UndoFailed(_) => true,
            StepState::Pending
            | StepState::Started
            | StepState::Succeeded
            | StepState::Skipped
            | StepState::Failed(_)
            | StepState::Undone => false,
        };
        let found = match undoing {
            true => deps.world.observe_undo(&cx).await,
            false => deps.world.observe(&cx).await,
        };
        findings.insert(step.address.clone(), found);
    }
    Ok(explanation(&graph, &state, &findings))
}

/// Approvals have nothing to look at; every other step whose outcome is open does.
fn is_looked_at(step: &Step, state: &RunState) -> bool {
    state.step(&step.address).is_open() && step.kind().traits().place != Place::Waits
}

pub(super) fn context(
    job: &Job,
    graph: &StepGraph,
    state: &RunState,
    step: &Step,
    base: &std::path::Path,
    evidence: &std::path::Path,
) -> StepContext {
    // Nobody listens to progress, and nothing is cancelled.
    let (progress, _) = mpsc::channel(1);
    StepContext {
        run: job.run.clone(),
        plan: Arc::clone(&job.plan),
        step: step.clone(),
        attempt: state.step(&step.address).attempts,
        outputs: Arc::new(outputs_for(graph, state, step)),
        evidence: evidence.to_owned(),
        base: base.to_owned(),
        cancel: CancellationToken::new(),
        finish: CancellationToken::new(),
        progress,
        remarks: Remarks::default(),
        hands_off: true,
    }
}

/// The report, pure over what was found: steps whose outcome is open, then what begins next.
fn explanation(
    graph: &StepGraph,
    state: &RunState,
    findings: &BTreeMap<Address, Observation>,
) -> Vec<Explained> {
    let mut schedule = Schedule::new(graph, state);
    let ending = schedule.ending();
    let mut report = Vec::new();
    for step in graph.steps() {
        let Some(found) = findings.get(&step.address) else { continue };
        let stands = &state.step(&step.address).state;
        report.push(Explained {
            address: step.address.clone(),
            stood: stood(stands),
            found: Some(found.clone()),
            would: would(stands, found, ending).to_owned(),
        });
    }
    while let Some(next) = schedule.next() {
        if findings.contains_key(next.address) {
            continue;
        }
        let would = match (next.address.kind.traits().place, next.intent) {
            (Place::Waits, _) => "go on if it is approved, and wait for that otherwise",
            (Place::Takes | Place::Beside, Intent::Act) => "start it",
            (Place::Takes | Place::Beside, Intent::ObserveFirst) => "look at it, then decide",
        };
        let stood = stood(&state.step(next.address).state);
        let address = next.address.clone();
        report.push(Explained { address, stood, found: None, would: would.to_owned() });
    }
    if ending == Some(Ending::Unwind) {
        let undos = undo_order(graph, state).into_iter();
        report.extend(undos.filter(|step| !findings.contains_key(&step.address)).map(|step| {
            Explained {
                address: step.address.clone(),
                stood: stood(&state.step(&step.address).state),
                found: None,
                would: "undo it".to_owned(),
            }
        }));
    }
    report
}

fn stood(state: &StepState) -> String {
    match state {
        StepState::Pending => "not started".to_owned(),
        StepState::Started => "started, with no recorded outcome".to_owned(),
        StepState::Succeeded => "succeeded".to_owned(),
        StepState::Skipped => "skipped".to_owned(),
        StepState::Failed(failure) => match failure.class {
            FailureClass::Unknown => format!("its outcome is unknown: {}", failure.message),
            FailureClass::Transient | FailureClass::Permanent => {
                format!("failed: {}", failure.message)
            }
        },
        StepState::Undoing => "its undo was started, with no recorded outcome".to_owned(),
        StepState::Undone => "undone".to_owned(),
        StepState::UndoFailed(failure) => format!("its undo failed: {}", failure.message),
    }
}

fn would(state: &StepState, found: &Observation, ending: Option<Ending>) -> &'static str {
    let undoing = matches!(state, StepState::Undoing | StepState::UndoFailed(_));
    match (found, undoing, ending) {
        (Observation::Done(_), false, Some(Ending::Unwind)) => "adopt it as done, then undo it",
        (Observation::Done(_), false, _) => "adopt it as done, and go on",
        (Observation::NotDone, false, None) => "start it again",
        (Observation::NotDone, false, Some(Ending::Unwind)) => "leave it, and undo what is there",
        (Observation::NotDone, false, Some(Ending::Stop | Ending::Stuck)) => "leave it",
        (Observation::Done(_), true, _) => "take it as undone, and go on",
        (Observation::NotDone, true, _) => "undo it again",
        (Observation::Unknown(_), _, _) => {
            "ask a person: `orthid resume --happened STEP` or `--not-happened STEP` answers"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::journal::{Event, Failure, Record, RunId};
    use crate::model::{Outputs, Rollback, StepKind, StepSpec};
    use crate::plan::Plan;

    fn steps() -> Vec<Step> {
        let step = |name: &str, after: &[&str]| Step {
            depends_on: after
                .iter()
                .map(|name| Address::new(StepKind::Checkpoint, *name))
                .collect(),
            rollback: Some(Rollback::default()),
            ..Step::new(name, StepSpec::Checkpoint)
        };
        vec![step("a", &[]), step("b", &["a"]), step("c", &["b"])]
    }

    fn check(events: &[Event], found: &[(&str, Observation)], expect: Expect) {
        let run = RunId("r".into());
        let plan = Arc::new(Plan { steps: steps(), ..Plan::default() });
        let mut state = RunState::new(run.clone(), &plan, "d".into());
        let created = Event::RunCreated { plan_digest: "d".into(), steps: 3 };
        for event in std::iter::once(&created).chain(events) {
            let (seq, previous) = (state.seq + 1, state.last_hash.clone());
            let at = "2026-01-01T00:00:00.000000Z".into();
            let record = Record::new(run.clone(), seq, 1, at, event.clone(), previous);
            state.apply(&record).unwrap();
            assert_eq!(state.last_hash, record.hash());
        }
        let graph = StepGraph::from_steps(steps()).unwrap();
        let found = found
            .iter()
            .map(|(name, found)| (Address::new(StepKind::Checkpoint, *name), found.clone()));
        let findings: BTreeMap<Address, Observation> = found.collect();
        let lines: String = explanation(&graph, &state, &findings)
            .into_iter()
            .map(|it| format!("{}: {} -> {}\n", it.address, it.stood, it.would))
            .collect();
        expect.assert_eq(&lines);
    }

    fn started(name: &str) -> Event {
        let step = Address::new(StepKind::Checkpoint, name);
        Event::StepStarted { step, attempt: 1, intent: Intent::Act }
    }

    fn succeeded(name: &str) -> Event {
        let step = Address::new(StepKind::Checkpoint, name);
        Event::StepSucceeded { step, outputs: Outputs::new(), adopted: false }
    }

    #[test]
    fn a_step_that_was_under_way_is_adopted_or_started_again() {
        let events = [started("a"), succeeded("a"), started("b")];
        check(
            &events,
            &[("b", Observation::Done(Outputs::new()))],
            expect![[r#"
                checkpoint.b: started, with no recorded outcome -> adopt it as done, and go on
            "#]],
        );
        check(
            &events,
            &[("b", Observation::NotDone)],
            expect![[r#"
                checkpoint.b: started, with no recorded outcome -> start it again
            "#]],
        );
    }

    #[test]
    fn an_unwinding_tells_what_it_would_undo() {
        let step = Address::new(StepKind::Checkpoint, "c");
        let failure = Failure::permanent("no");
        let mut events = vec![started("a"), succeeded("a"), started("b"), succeeded("b")];
        events.push(started("c"));
        events.push(Event::StepFailed { step: step.clone(), failure });
        events.push(Event::UndoStarted { step, attempt: 1 });
        check(
            &events,
            &[("c", Observation::Unknown("who knows".into()))],
            expect![[r#"
                checkpoint.c: its undo was started, with no recorded outcome -> ask a person: `orthid resume --happened STEP` or `--not-happened STEP` answers
                checkpoint.b: succeeded -> undo it
                checkpoint.a: succeeded -> undo it
            "#]],
        );
    }

    #[test]
    fn a_run_that_paused_starts_what_is_ready() {
        check(
            &[started("a"), succeeded("a")],
            &[],
            expect![[r#"
                checkpoint.b: not started -> start it
            "#]],
        );
    }
}
