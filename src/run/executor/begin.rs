//! What begins now: steps, undos, approvals and skips, noted before they are launched.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;

use super::run_loop::Run;
use super::tasks::Underway;
use super::{GivenApproval, RunError};
use crate::graph::StepGraph;
use crate::journal::{Event, Failure, FailureClass, Intent};
use crate::model::{Address, ApproveSpec, Outputs, Place, Step, StepSpec};
use crate::run::StepContext;
use crate::run::attempt::{Attempt, Report, Scope, UndoAfter};
use crate::run::schedule::{Ending, Next, Schedule, undo_order};
use crate::run::state::{RunState, StepState};

/// A task whose record was noted: launched once that is durable.
pub(super) struct Launch<'g> {
    step: &'g Step,
    work: Work,
    /// The steps that this probe runs beside are over already.
    is_over: bool,
    answer: Option<bool>,
}

enum Work {
    Step(Intent, Scope),
    Undo(UndoAfter),
}

impl<'a> Run<'a> {
    /// Decides what begins now, and notes it.
    pub(super) fn choose(
        &mut self,
        schedule: &mut Schedule<'a>,
    ) -> Result<Vec<Launch<'a>>, RunError> {
        let mut begin = Vec::new();
        while !self.is_stopping() && self.tasks.places < self.options.parallelism {
            let Some(Next { address, intent }) = schedule.next() else { break };
            let step = self.graph.get(address).expect("the schedule names steps of its graph");
            if self.passed_over(step, schedule)? {
                continue;
            }
            if let StepSpec::Approve(spec) = &step.spec {
                self.approve(step, spec, schedule)?;
                continue;
            }
            let scope = match schedule.ending() {
                None => Scope::ObserveAndAct,
                Some(Ending::Unwind | Ending::Stop | Ending::Stuck) => Scope::ObserveOnly,
            };
            let answer = self.take_answer(address)?;
            let attempt = self.state.step(address).attempts + 1;
            self.note(Event::StepStarted { step: address.clone(), attempt, intent })?;
            schedule.started(address, &self.state);
            if takes_place(step) {
                self.tasks.places += 1;
            }
            let is_over = schedule.is_over(address);
            begin.push(Launch { step, work: Work::Step(intent, scope), is_over, answer });
        }
        begin.extend(self.next_undo(schedule, begin.is_empty())?);
        Ok(begin)
    }

    /// Skips a step whose `when` turns out to be false.
    fn passed_over(&mut self, step: &Step, schedule: &mut Schedule<'_>) -> Result<bool, RunError> {
        let Some(condition) = &step.when else { return Ok(false) };
        if self.state.step(&step.address).state != StepState::Pending {
            return Ok(false);
        }
        let address = step.address.clone();
        let known = outputs_for(self.graph, &self.state, step);
        match (self.deps.conditions)(condition, &known) {
            Ok(true) => Ok(false),
            Ok(false) => {
                let reason = "its `when` is false".to_owned();
                self.note(Event::StepSkipped { step: address, reason })?;
                schedule.finished(&step.address, &self.state);
                Ok(true)
            }
            Err(reason) => {
                let attempt = self.state.step(&address).attempts + 1;
                let intent = Intent::Act;
                self.note(Event::StepStarted { step: address.clone(), attempt, intent })?;
                let message = format!("its `when` can't be told: {reason}");
                self.note(Event::StepFailed {
                    step: address,
                    failure: Failure::permanent(message),
                })?;
                schedule.failed(&step.address, step.on_failure, &self.state);
                Ok(true)
            }
        }
    }

    /// An approval has no effect: it is there, or the run waits for it.
    fn approve(
        &mut self,
        step: &Step,
        spec: &ApproveSpec,
        schedule: &mut Schedule<'_>,
    ) -> Result<(), RunError> {
        let address = step.address.clone();
        if self.state.step(&address).state == StepState::Pending {
            let intent = Intent::Act;
            self.note(Event::StepStarted { step: address.clone(), attempt: 1, intent })?;
            schedule.started(&address, &self.state);
        }
        let is_overdue = self.is_overdue(step, spec);
        let now = self.deps.clock.now();
        let given = self.options.approvals.get(&address).cloned().unwrap_or_default();
        for GivenApproval { by, statement } in given.iter().filter(|_| !is_overdue) {
            if self.state.opened_by(&address, now).is_none()
                && self.state.would_count(&address, by, statement, now)
            {
                let (by, statement) = (by.clone(), statement.clone());
                self.note(Event::ApprovalGiven { step: address.clone(), by, statement })?;
            }
        }
        if let Some(by) = self.state.opened_by(&address, now) {
            let outputs = Outputs::from([("by".to_owned(), by.into())]);
            self.note(Event::StepSucceeded { step: address.clone(), outputs, adopted: false })?;
            schedule.finished(&address, &self.state);
        } else if is_overdue {
            let failure = Failure::permanent(match given.first() {
                None => "nobody approved it before its deadline".to_owned(),
                Some(given) => format!("the approval by {} came after its deadline", given.by),
            });
            self.note(Event::StepFailed { step: address.clone(), failure })?;
            schedule.failed(&address, step.on_failure, &self.state);
        } else {
            self.waiting_approvals.push(address);
        }
        Ok(())
    }

    fn is_overdue(&self, step: &Step, spec: &ApproveSpec) -> bool {
        let began = self.state.step(&step.address).started_at.as_ref();
        let began = began.and_then(|at| at.parse::<jiff::Timestamp>().ok());
        let (Some(began), Some(deadline_ms)) = (began, spec.deadline_ms) else { return false };
        let waited = Duration::try_from(self.deps.clock.now().duration_since(began));
        waited.is_ok_and(|waited| waited > Duration::from_millis(deadline_ms))
    }

    /// Notes what a person told of a step whose outcome is open, for the one attempt that begins now.
    fn take_answer(&mut self, address: &Address) -> Result<Option<bool>, RunError> {
        if self.state.step(address).is_open()
            && let Some(happened) = self.options.answers.remove(address)
        {
            let by = self.options.holder.who.clone();
            self.note(Event::AnswerGiven { step: address.clone(), by, happened })?;
        }
        Ok(self.state.step(address).answer)
    }

    /// The step to undo now: one at a time, once nothing else is under way.
    fn next_undo(
        &mut self,
        schedule: &Schedule<'a>,
        nothing_begins: bool,
    ) -> Result<Option<Launch<'a>>, RunError> {
        let idle = nothing_begins && self.tasks.running.is_empty();
        if schedule.ending() != Some(Ending::Unwind) || !idle || self.is_stopping() {
            return Ok(None);
        }
        if self.unwind.order.is_none() {
            let order = undo_order(self.graph, &self.state);
            self.unwind.order = Some(order.into_iter().map(|step| step.address.clone()).collect());
        }
        let next = self.unwind.order.as_ref().and_then(|order| order.front());
        let Some(step) = next.and_then(|address| self.graph.get(address)) else { return Ok(None) };
        if self.unwind.failed {
            return Ok(None);
        }
        let answer = self.take_answer(&step.address)?;
        let progress = self.state.step(&step.address);
        let attempt = progress.undo_attempts + 1;
        let after = match &progress.state {
            StepState::Succeeded => UndoAfter::Success,
            StepState::Failed(_) => UndoAfter::Failure,
            StepState::Pending
            | StepState::Started
            | StepState::Skipped
            | StepState::Undoing
            | StepState::Undone
            | StepState::UndoFailed(_) => UndoAfter::Undo,
        };
        self.note(Event::UndoStarted { step: step.address.clone(), attempt })?;
        Ok(Some(Launch { step, work: Work::Undo(after), is_over: false, answer }))
    }

    /// Begins a task. Its record is durable by now.
    pub(super) async fn launch(&mut self, launch: Launch<'_>) {
        let Launch { step, work, is_over, answer } = launch;
        let underway = Underway::default();
        if is_over {
            underway.finish.cancel();
        }
        let progress = self.state.step(&step.address);
        let attempt = match work {
            Work::Step(..) => progress.attempts,
            Work::Undo(_) => progress.undo_attempts,
        };
        let cx = StepContext {
            run: self.job.run.clone(),
            plan: Arc::clone(&self.job.plan),
            step: step.clone(),
            attempt,
            outputs: Arc::new(outputs_for(self.graph, &self.state, step)),
            evidence: self.options.evidence.clone(),
            base: self.options.base.clone(),
            cancel: underway.stop.child_token(),
            finish: underway.finish.clone(),
            progress: self.tasks.progress.clone(),
            remarks: underway.remarks.clone(),
            hands_off: false,
        };
        let attempt = Attempt {
            world: Arc::clone(&self.deps.world),
            clock: Arc::clone(&self.deps.clock),
            cx,
            stop: underway.stop.clone(),
            interrupt: self.options.control.interrupt.clone(),
            guard: self.keeper.guard(),
            answer,
        };
        self.tasks.running.insert(step.address.clone(), underway);
        let address = step.address.clone();
        let work = async move {
            let work = async move {
                match work {
                    Work::Step(intent, scope) => attempt.step(intent, scope).await,
                    Work::Undo(after) => attempt.undo(after).await,
                }
            };
            // A panic is a bug of ours; what it left behind can't be told.
            AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| panicked(address))
        };
        self.tasks.reports.begin(work).await;
    }
}

/// Outputs that a step may read: its own, those of the steps it depends on, and those of the steps that its arguments
/// name, directly or through another (a migration's verified backup, and the backup that was verified). Never those of
/// the whole plan, whose size no single step should pay for.
pub(in crate::run) fn outputs_for(
    graph: &StepGraph,
    state: &RunState,
    step: &Step,
) -> BTreeMap<Address, Outputs> {
    let mut found = BTreeMap::new();
    let mut pending: Vec<&Address> = vec![&step.address];
    pending.extend(&step.depends_on);
    pending.extend(named(step));
    while let Some(address) = pending.pop() {
        if let Some(outputs) = state.outputs.get(address)
            && found.insert(address.clone(), outputs.clone()).is_none()
        {
            pending.extend(graph.get(address).into_iter().flat_map(named));
        }
    }
    found
}

/// Steps that a step's arguments name, beyond what expressions read.
fn named(step: &Step) -> Vec<&Address> {
    step.restores().into_iter().chain(step.spec.named().after).collect()
}

fn panicked(step: Address) -> Report {
    let failure = Failure {
        class: FailureClass::Unknown,
        message: "orthid failed while it worked on this step; this is a bug".to_owned(),
        help: Some("look at what is there, then `orthid resume`; please report it".to_owned()),
        evidence: Vec::new(),
        not_begun: false,
    };
    Report::Failed { step, failure }
}

/// Whether this step takes one of the parallel places.
pub(super) fn takes_place(step: &Step) -> bool {
    step.kind().traits().place == Place::Takes
}
