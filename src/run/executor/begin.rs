//! What begins now: steps, undos, approvals and skips, noted before they are launched.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use tokio_util::sync::CancellationToken;

use super::RunError;
use super::run_loop::{Run, takes_place};
use crate::graph::StepGraph;
use crate::model::{ApproveSpec, Outputs, Step, StepSpec};
use crate::run::attempt::{self, Report, Scope};
use crate::run::event::{Event, Failure, FailureClass, Intent};
use crate::run::schedule::{Ending, Next, Schedule, undo_order};
use crate::run::state::StepState;
use crate::world::StepContext;

/// A task whose record was noted: launched once that is durable.
pub(super) struct Launch<'g> {
    step: &'g Step,
    work: Work,
}

enum Work {
    Step(Intent, Scope),
    Undo { look_first: bool },
}

impl Run<'_> {
    /// Decides what begins now, and notes it.
    pub(super) fn choose<'g>(
        &mut self,
        graph: &'g StepGraph,
        schedule: &mut Schedule<'g>,
    ) -> Result<Vec<Launch<'g>>, RunError> {
        let mut begin = Vec::new();
        while !self.is_stopping() && self.places < self.options.parallelism {
            let Some(Next { address, intent }) = schedule.next() else { break };
            let step = graph.get(address).expect("the schedule names steps of its graph");
            if intent == Intent::Act && self.passed_over(step, schedule)? {
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
            let attempt = self.state.step(address).attempts + 1;
            self.note(Event::StepStarted { step: address.clone(), attempt, intent })?;
            schedule.started(address, &self.state);
            if takes_place(step) {
                self.places += 1;
            }
            begin.push(Launch { step, work: Work::Step(intent, scope) });
        }
        begin.extend(self.next_undo(graph, schedule, begin.is_empty())?);
        Ok(begin)
    }

    /// Skips a step whose `when` turns out to be false.
    fn passed_over(&mut self, step: &Step, schedule: &mut Schedule<'_>) -> Result<bool, RunError> {
        let Some(condition) = &step.when else { return Ok(false) };
        let address = step.address.clone();
        match (self.deps.conditions)(condition, &self.state.outputs) {
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
        if !self.state.approvals.contains_key(&address)
            && let Some(given) = self.options.approvals.get(&address).cloned()
        {
            let (by, statement) = (given.by, given.statement);
            self.note(Event::ApprovalGiven { step: address.clone(), by, statement })?;
        }
        if let Some(by) = self.state.approvals.get(&address) {
            let outputs = Outputs::from([("by".to_owned(), by.clone().into())]);
            self.note(Event::StepSucceeded { step: address.clone(), outputs, adopted: false })?;
            schedule.finished(&address, &self.state);
        } else if self.is_overdue(step, spec) {
            let failure = Failure::permanent("nobody approved it before its deadline");
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
        let waited = Duration::try_from((self.deps.clock)().duration_since(began));
        waited.is_ok_and(|waited| waited > Duration::from_millis(deadline_ms))
    }

    /// The step to undo now: one at a time, once nothing else is under way.
    fn next_undo<'g>(
        &mut self,
        graph: &'g StepGraph,
        schedule: &Schedule<'g>,
        nothing_begins: bool,
    ) -> Result<Option<Launch<'g>>, RunError> {
        let idle = nothing_begins && self.running.is_empty();
        if schedule.ending() != Some(Ending::Unwind) || !idle || self.is_stopping() {
            return Ok(None);
        }
        if self.unwind.is_none() {
            let order = undo_order(graph, &self.state);
            self.unwind = Some(order.into_iter().map(|step| step.address.clone()).collect());
        }
        let next = self.unwind.as_ref().and_then(|order| order.front());
        let Some(step) = next.and_then(|address| graph.get(address)) else { return Ok(None) };
        if self.undo_failed {
            return Ok(None);
        }
        let progress = self.state.step(&step.address);
        let attempt = progress.undo_attempts + 1;
        let look_first = progress.state != StepState::Succeeded;
        self.note(Event::UndoStarted { step: step.address.clone(), attempt })?;
        Ok(Some(Launch { step, work: Work::Undo { look_first } }))
    }

    /// Begins a task. Its record is durable by now.
    pub(super) fn launch(&mut self, launch: Launch<'_>) {
        let Launch { step, work } = launch;
        let cancel = CancellationToken::new();
        let cx = StepContext {
            run: self.job.run.clone(),
            plan: Arc::clone(&self.job.plan),
            step: step.clone(),
            attempt: self.state.step(&step.address).attempts,
            outputs: self.shared_outputs(),
            evidence: self.options.evidence.clone(),
            base: self.options.base.clone(),
            cancel: cancel.clone(),
            progress: self.progress.clone(),
        };
        self.running.insert(step.address.clone(), cancel);
        let world = Arc::clone(&self.deps.world);
        let guard = self.keeper.guard();
        let address = step.address.clone();
        self.tasks.spawn(async move {
            let work = async move {
                match work {
                    Work::Step(intent, scope) => {
                        attempt::step(world, cx, intent, scope, guard).await
                    }
                    Work::Undo { look_first } => attempt::undo(world, cx, look_first, guard).await,
                }
            };
            // A panic is a bug of ours; what it left behind can't be told.
            AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| panicked(address))
        });
    }
}

fn panicked(step: crate::model::Address) -> Report {
    let failure = Failure {
        class: FailureClass::Unknown,
        message: "orthid failed while it worked on this step; this is a bug".to_owned(),
        help: Some("look at what is there, then `orthid resume`; please report it".to_owned()),
        evidence: Vec::new(),
    };
    Report::Failed { step, failure }
}
