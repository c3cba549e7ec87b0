//! The loop itself: choose, write, launch, wait, take in.

use std::collections::VecDeque;
use std::time::Duration;

use super::begin::takes_place;
use super::tasks::{Retry, Tasks};
use super::{Deps, Job, Notice, Options, Outcome, RunError};
use crate::graph::StepGraph;
use crate::journal::{Clock, Event, Failure, FailureClass, Record, RunStatus};
use crate::model::Address;
use crate::run::attempt::Report;
use crate::run::lease::LeaseKeeper;
use crate::run::schedule::{Ending, Schedule, Verdict, backoff, verdict};
use crate::run::state::{RunState, StepState};
use crate::store::StoreError;

/// Why the loop ends before the plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Interrupt,
    Timeout,
    /// An effect did not begin because the lease could not be confirmed.
    NoLease,
}

/// What the loop heard while it waited.
enum Heard {
    Reports(Vec<Report>),
    Retry(Retry),
    Stop(Stop),
    Abort,
    Lost,
}

/// One run while this process carries it out.
pub(super) struct Run<'a> {
    pub(super) deps: &'a Deps,
    pub(super) options: Options,
    pub(super) job: &'a Job,
    pub(super) state: RunState,
    /// The first record that this process writes.
    pub(super) first: u64,
    /// Records that the state has taken in and the store has not: nothing of them has been acted on.
    pub(super) unwritten: Vec<Record>,
    pub(super) keeper: LeaseKeeper,
    pub(super) graph: &'a StepGraph,
    pub(super) tasks: Tasks,
    pub(super) unwind: Unwind,
    pub(super) waiting_approvals: Vec<Address>,
    stop: Option<Stop>,
}

/// How far unwinding has come.
#[derive(Default)]
pub(super) struct Unwind {
    /// Steps still to be undone, the next one first; None until unwinding begins.
    pub(super) order: Option<VecDeque<Address>>,
    /// The undo of the first one failed: retried after its delay, or the run is stuck.
    pub(super) failed: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        deps: &'a Deps,
        options: Options,
        job: &'a Job,
        graph: &'a StepGraph,
        keeper: LeaseKeeper,
    ) -> Run<'a> {
        Run {
            state: RunState::new(job.run.clone(), &job.plan, job.plan_digest.clone()),
            first: 1,
            unwritten: Vec::new(),
            deps,
            options,
            job,
            keeper,
            graph,
            tasks: Tasks::new(),
            unwind: Unwind::default(),
            waiting_approvals: Vec::new(),
            stop: None,
        }
    }

    /// Runs to an end, and gives the lease back where it is still ours.
    pub(super) async fn carry_out(mut self) -> Result<Outcome, RunError> {
        let result = self.run_loop().await;
        self.tasks.end(&*self.deps.clock).await;
        match result {
            Err(RunError::Store(StoreError::Fenced { .. })) | Ok(Outcome::LeaseLost) => {
                Ok(Outcome::LeaseLost)
            }
            Ok(outcome) => {
                self.keeper.release().await;
                Ok(outcome)
            }
            Err(error) => self.give_up(error).await,
        }
    }

    pub(super) async fn give_up(self, error: RunError) -> Result<Outcome, RunError> {
        self.keeper.release().await;
        match error {
            RunError::Stopped => Ok(Outcome::Interrupted),
            error => Err(error),
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    async fn run_loop(&mut self) -> Result<Outcome, RunError> {
        let mut schedule = Schedule::new(self.graph, &self.state);
        let deadline =
            self.options.timeout.map(|timeout| self.deps.clock.elapsed().saturating_add(timeout));
        loop {
            let begin = self.choose(&mut schedule)?;
            self.flush().await?;
            for launch in begin {
                self.launch(launch).await;
            }
            self.end_probes(&mut schedule);
            if self.tasks.reports.are_all_heard()
                && let Some(outcome) = self.settle(&schedule).await?
            {
                return Ok(outcome);
            }
            match self.wait(deadline).await {
                Heard::Reports(reports) => self.take_in(reports, &mut schedule)?,
                Heard::Retry(Retry::Step(step)) => schedule.retry_due(&step),
                Heard::Retry(Retry::Undo) => self.unwind.failed = false,
                Heard::Stop(stop) => self.stop = Some(stop),
                Heard::Abort => return Ok(Outcome::Interrupted),
                Heard::Lost => return Ok(Outcome::LeaseLost),
            }
        }
    }

    /// Tells probes to end whose steps are over, and all of them when the run is ending.
    fn end_probes(&self, schedule: &mut Schedule<'_>) {
        for probe in schedule.take_probes_to_end() {
            if let Some(underway) = self.tasks.running.get(probe) {
                underway.finish.cancel();
            }
        }
        let is_over = self.is_stopping() || schedule.ending().is_some();
        if !is_over || self.tasks.places > 0 {
            return;
        }
        for (address, underway) in &self.tasks.running {
            if self.graph.get(address).is_some_and(|step| !takes_place(step)) {
                // A run that pauses will probe again; one that ends hears what was probed.
                if self.is_stopping() { underway.stop.cancel() } else { underway.finish.cancel() }
            }
        }
    }

    /// Takes what tasks reported into the state, and tells the schedule what follows.
    fn take_in(
        &mut self,
        reports: Vec<Report>,
        schedule: &mut Schedule<'_>,
    ) -> Result<(), RunError> {
        for report in reports {
            let step = report.step().clone();
            let underway = self.tasks.running.remove(&step);
            for remark in underway.iter().flat_map(|underway| underway.remarks.take()) {
                self.note(Event::StepRemarked { step: step.clone(), remark })?;
            }
            let stopped = underway.is_some_and(|underway| underway.stop.is_cancelled());
            if stopped && self.graph.get(&step).is_some_and(|step| !takes_place(step)) {
                // The journal keeps the probe as started, and a later process begins it again.
                continue;
            }
            let undoing = self.state.step(&step).state == StepState::Undoing;
            if !undoing && self.graph.get(&step).is_some_and(takes_place) {
                self.tasks.places -= 1;
            }
            match report {
                Report::Succeeded { step, outputs, adopted } => {
                    self.note(Event::StepSucceeded { step: step.clone(), outputs, adopted })?;
                    schedule.finished(&step, &self.state);
                }
                Report::Failed { step, failure } if undoing => {
                    self.undo_failed(step, failure)?;
                }
                Report::Failed { step, failure } => self.failed(schedule, step, failure)?,
                Report::Undone { step } => {
                    self.note(Event::UndoSucceeded { step })?;
                    self.unwind.order.as_mut().map(VecDeque::pop_front);
                }
                Report::UndoFailed { step, failure } => self.undo_failed(step, failure)?,
                Report::Abandoned { step: _ } => self.stop = self.stop.or(Some(Stop::NoLease)),
            }
        }
        Ok(())
    }

    fn failed(
        &mut self,
        schedule: &mut Schedule<'_>,
        address: Address,
        failure: Failure,
    ) -> Result<(), RunError> {
        let step = self.graph.get(&address).expect("a task was launched for a step of the graph");
        self.note(Event::StepFailed { step: address.clone(), failure: failure.clone() })?;
        match verdict(step, self.state.step(&address), &failure) {
            Verdict::Retry(delay) if schedule.ending().is_none() => {
                self.tasks.retry(&self.deps.clock, delay, Retry::Step(address));
            }
            // The run is ending: nothing of the step is there, and it is not begun again.
            Verdict::Retry(_) => {}
            Verdict::Stuck => schedule.stuck(),
            Verdict::Final(on_failure) => schedule.failed(&address, on_failure, &self.state),
        }
        Ok(())
    }

    fn undo_failed(&mut self, address: Address, failure: Failure) -> Result<(), RunError> {
        let step = self.graph.get(&address).expect("a task was launched for a step of the graph");
        self.unwind.failed = true;
        self.note(Event::UndoFailed { step: address.clone(), failure: failure.clone() })?;
        let attempts = self.state.step(&address).undo_attempts;
        if failure.class == FailureClass::Transient && attempts < step.retry.attempts {
            let delay = backoff(&step.retry, attempts);
            self.tasks.retry(&self.deps.clock, delay, Retry::Undo);
        }
        Ok(())
    }

    /// With nothing under way: is the run over, and how?
    async fn settle(&mut self, schedule: &Schedule<'_>) -> Result<Option<Outcome>, RunError> {
        if let Some(stop) = self.stop {
            return self.pause(stop).await.map(Some);
        }
        let status = match schedule.ending() {
            None if !self.tasks.retries.is_empty() => return Ok(None),
            None if schedule.is_done() => RunStatus::Succeeded,
            None => return self.wait_for_approvals().await.map(Some),
            Some(Ending::Stop) => RunStatus::Failed,
            Some(Ending::Stuck) => RunStatus::Stuck,
            Some(Ending::Unwind) if self.unwind.failed && !self.tasks.retries.is_empty() => {
                return Ok(None);
            }
            Some(Ending::Unwind) if self.unwind.failed => RunStatus::Stuck,
            Some(Ending::Unwind)
                if self.unwind.order.as_ref().is_some_and(|left| !left.is_empty()) =>
            {
                return Ok(None);
            }
            Some(Ending::Unwind) if self.state.goes_back() => RunStatus::RolledBack,
            Some(Ending::Unwind) => RunStatus::Failed,
        };
        self.leave(Event::RunFinished { status }).await?;
        Ok(Some(Outcome::Finished(status)))
    }

    async fn pause(&mut self, stop: Stop) -> Result<Outcome, RunError> {
        if self.keeper.lost().is_cancelled() {
            return Ok(Outcome::LeaseLost);
        }
        let reason = match stop {
            Stop::Interrupt => "interrupted",
            Stop::Timeout => "the run's timeout is over",
            Stop::NoLease => "the lease could not be confirmed",
        };
        self.leave(Event::RunPaused { reason: reason.to_owned() }).await?;
        Ok(Outcome::Interrupted)
    }

    async fn wait_for_approvals(&mut self) -> Result<Outcome, RunError> {
        let waiting = std::mem::take(&mut self.waiting_approvals);
        assert!(!waiting.is_empty(), "invariant: a graph without cycles always has a next step");
        let names: Vec<String> = waiting.iter().map(Address::to_string).collect();
        let reason = format!("waiting for approval: {}", names.join(", "));
        self.leave(Event::RunPaused { reason }).await?;
        Ok(Outcome::WaitingForApproval(waiting))
    }

    async fn wait(&mut self, deadline: Option<Duration>) -> Heard {
        let control = self.options.control.clone();
        let stopping = self.is_stopping();
        let Tasks { inbox, retries, reports, .. } = &mut self.tasks;
        loop {
            tokio::select! {
                biased;
                () = self.keeper.lost().cancelled() => return Heard::Lost,
                () = control.abort.cancelled() => return Heard::Abort,
                () = control.interrupt.cancelled(), if !stopping => {
                    return Heard::Stop(Stop::Interrupt);
                }
                Some(progress) = inbox.recv() => {
                    if let Some(notices) = &self.options.notices {
                        drop(notices.send(Notice::Progress(progress)));
                    }
                }
                reports = reports.next() => return Heard::Reports(reports),
                Some(Ok(retry)) = retries.join_next(), if !stopping => {
                    return Heard::Retry(retry);
                }
                () = until(&*self.deps.clock, deadline), if !stopping => return Heard::Stop(Stop::Timeout),
            }
        }
    }
}

/// `deadline` by the stopwatch of the clock.
async fn until(clock: &dyn Clock, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => clock.sleep(deadline.saturating_sub(clock.elapsed())).await,
        None => std::future::pending().await,
    }
}
