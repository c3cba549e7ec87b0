//! The loop itself: choose, write, launch, wait, take in.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::begin::takes_place;
use super::{Deps, Job, Notice, Options, Outcome, RunError};
use crate::graph::StepGraph;
use crate::journal::{Clock, Event, Failure, FailureClass, Record, RunStatus};
use crate::model::Address;
use crate::run::Progress;
use crate::run::attempt::Report;
use crate::run::lease::LeaseKeeper;
use crate::run::schedule::{Ending, Schedule, Verdict, backoff, verdict};
use crate::run::state::{RunState, StepState};
use crate::store::StoreError;

/// Progress messages waiting for the loop; tasks wait when it is full.
const MESSAGES: usize = 1_024;
/// How long tasks are given to end when the run must stop at once.
const HARD_STOP: Duration = Duration::from_secs(5);

/// Why the loop ends before the plan does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Interrupt,
    Timeout,
    /// An effect did not begin because the lease could not be confirmed.
    NoLease,
}

/// How to end what is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Underway {
    /// At once, without a word.
    pub(super) stop: CancellationToken,
    /// A probe: its steps are over, it ends and reports.
    pub(super) finish: CancellationToken,
}

/// What to do again once its delay is over.
enum Retry {
    Step(Address),
    Undo,
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
    pub(super) tasks: JoinSet<Report>,
    /// From attempts that were over at once.
    pub(super) reports: Vec<Report>,
    /// Steps under way that take one of the parallel places.
    pub(super) places: usize,
    pub(super) graph: &'a StepGraph,
    pub(super) running: BTreeMap<Address, Underway>,
    pub(super) waiting_approvals: Vec<Address>,
    /// Steps still to be undone, the next one first; none until unwinding begins.
    pub(super) unwind: Option<VecDeque<Address>>,
    /// The front of `unwind` failed: retried after its delay, or the run is stuck.
    pub(super) undo_failed: bool,
    pub(super) progress: mpsc::Sender<Progress>,
    retries: JoinSet<Retry>,
    inbox: mpsc::Receiver<Progress>,
    stop: Option<Stop>,
}

impl<'a> Run<'a> {
    pub(super) fn new(
        deps: &'a Deps,
        options: Options,
        job: &'a Job,
        graph: &'a StepGraph,
        keeper: LeaseKeeper,
    ) -> Run<'a> {
        let (progress, inbox) = mpsc::channel(MESSAGES);
        Run {
            state: RunState::new(job.run.clone(), &job.plan, job.plan_digest.clone()),
            first: 1,
            unwritten: Vec::new(),
            deps,
            options,
            job,
            keeper,
            tasks: JoinSet::new(),
            reports: Vec::new(),
            places: 0,
            graph,
            running: BTreeMap::new(),
            waiting_approvals: Vec::new(),
            unwind: None,
            undo_failed: false,
            progress,
            retries: JoinSet::new(),
            inbox,
            stop: None,
        }
    }

    /// Runs to an end, and gives the lease back where it is still ours.
    pub(super) async fn carry_out(mut self, graph: &StepGraph) -> Result<Outcome, RunError> {
        let result = self.run_loop(graph).await;
        self.stop_tasks().await;
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
        Err(error)
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.is_some()
    }

    async fn run_loop(&mut self, graph: &StepGraph) -> Result<Outcome, RunError> {
        let mut schedule = Schedule::new(graph, &self.state);
        let deadline =
            self.options.timeout.map(|timeout| self.deps.clock.elapsed().saturating_add(timeout));
        loop {
            let begin = self.choose(graph, &mut schedule)?;
            self.flush().await?;
            for launch in begin {
                self.launch(launch).await;
            }
            self.end_probes(&mut schedule);
            if self.tasks.is_empty()
                && self.reports.is_empty()
                && let Some(outcome) = self.settle(&schedule).await?
            {
                return Ok(outcome);
            }
            match self.wait(deadline).await {
                Heard::Reports(reports) => self.take_in(reports, graph, &mut schedule)?,
                Heard::Retry(Retry::Step(step)) => schedule.retry_due(&step),
                Heard::Retry(Retry::Undo) => self.undo_failed = false,
                Heard::Stop(stop) => self.stop = Some(stop),
                Heard::Abort => return Ok(Outcome::Interrupted),
                Heard::Lost => return Ok(Outcome::LeaseLost),
            }
        }
    }

    /// Tells probes to end whose steps are over, and all of them when the run is ending.
    fn end_probes(&self, schedule: &mut Schedule<'_>) {
        for probe in schedule.take_probes_to_end() {
            if let Some(underway) = self.running.get(probe) {
                underway.finish.cancel();
            }
        }
        let is_over = self.is_stopping() || schedule.ending().is_some();
        if !is_over || self.places > 0 {
            return;
        }
        for (address, underway) in &self.running {
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
        graph: &StepGraph,
        schedule: &mut Schedule<'_>,
    ) -> Result<(), RunError> {
        for report in reports {
            let step = report.step().clone();
            let stopped = self.running.remove(&step).is_some_and(|under| under.stop.is_cancelled());
            if stopped && graph.get(&step).is_some_and(|step| !takes_place(step)) {
                // The journal keeps the probe as started, and a later process begins it again.
                continue;
            }
            let undoing = self.state.step(&step).state == StepState::Undoing;
            if !undoing && graph.get(&step).is_some_and(takes_place) {
                self.places -= 1;
            }
            match report {
                Report::Succeeded { step, outputs, adopted } => {
                    self.note(Event::StepSucceeded { step: step.clone(), outputs, adopted })?;
                    schedule.finished(&step, &self.state);
                }
                Report::Failed { step, failure } if undoing => {
                    self.undo_failed(graph, step, failure)?;
                }
                Report::Failed { step, failure } => self.failed(graph, schedule, step, failure)?,
                Report::Undone { step } => {
                    self.note(Event::UndoSucceeded { step })?;
                    self.unwind.as_mut().map(VecDeque::pop_front);
                }
                Report::UndoFailed { step, failure } => self.undo_failed(graph, step, failure)?,
                Report::Abandoned { step: _ } => self.stop = self.stop.or(Some(Stop::NoLease)),
            }
        }
        Ok(())
    }

    fn failed(
        &mut self,
        graph: &StepGraph,
        schedule: &mut Schedule<'_>,
        address: Address,
        failure: Failure,
    ) -> Result<(), RunError> {
        let step = graph.get(&address).expect("a task was launched for a step of the graph");
        self.note(Event::StepFailed { step: address.clone(), failure: failure.clone() })?;
        match verdict(step, self.state.step(&address), &failure) {
            Verdict::Retry(delay) if schedule.ending().is_none() => {
                self.retry(delay, Retry::Step(address));
            }
            // The run is ending: nothing of the step is there, and it is not begun again.
            Verdict::Retry(_) => {}
            Verdict::Stuck => schedule.stuck(),
            Verdict::Final(on_failure) => schedule.failed(&address, on_failure, &self.state),
        }
        Ok(())
    }

    fn undo_failed(
        &mut self,
        graph: &StepGraph,
        address: Address,
        failure: Failure,
    ) -> Result<(), RunError> {
        let step = graph.get(&address).expect("a task was launched for a step of the graph");
        self.undo_failed = true;
        self.note(Event::UndoFailed { step: address.clone(), failure: failure.clone() })?;
        let attempts = self.state.step(&address).undo_attempts;
        if failure.class == FailureClass::Transient && attempts < step.retry.attempts {
            self.retry(backoff(&step.retry, attempts), Retry::Undo);
        }
        Ok(())
    }

    fn retry(&mut self, delay: Duration, what: Retry) {
        let clock = Arc::clone(&self.deps.clock);
        self.retries.spawn(async move {
            clock.sleep(delay).await;
            what
        });
    }

    /// With nothing under way: is the run over, and how?
    async fn settle(&mut self, schedule: &Schedule<'_>) -> Result<Option<Outcome>, RunError> {
        if let Some(stop) = self.stop {
            return self.pause(stop).await.map(Some);
        }
        let status = match schedule.ending() {
            None if !self.retries.is_empty() => return Ok(None),
            None if schedule.is_done() => RunStatus::Succeeded,
            None => return self.wait_for_approvals().await.map(Some),
            Some(Ending::Stop) => RunStatus::Failed,
            Some(Ending::Stuck) => RunStatus::Stuck,
            Some(Ending::Unwind) if self.undo_failed && !self.retries.is_empty() => {
                return Ok(None);
            }
            Some(Ending::Unwind) if self.undo_failed => RunStatus::Stuck,
            Some(Ending::Unwind) if self.unwind.as_ref().is_some_and(|left| !left.is_empty()) => {
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
        loop {
            tokio::select! {
                biased;
                () = self.keeper.lost().cancelled() => return Heard::Lost,
                () = control.abort.cancelled() => return Heard::Abort,
                () = control.interrupt.cancelled(), if !stopping => {
                    return Heard::Stop(Stop::Interrupt);
                }
                Some(progress) = self.inbox.recv() => {
                    if let Some(notices) = &self.options.notices {
                        drop(notices.send(Notice::Progress(progress)));
                    }
                }
                reports = reported(&mut self.reports, &mut self.tasks) => {
                    return Heard::Reports(reports);
                }
                Some(Ok(retry)) = self.retries.join_next(), if !stopping => {
                    return Heard::Retry(retry);
                }
                () = until(&*self.deps.clock, deadline), if !stopping => return Heard::Stop(Stop::Timeout),
            }
        }
    }

    /// Ends what is under way: told to end, given a little time, then dropped.
    async fn stop_tasks(&mut self) {
        for underway in self.running.values() {
            underway.stop.cancel();
        }
        let tasks = &mut self.tasks;
        let ended = async { while tasks.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = ended => {}
            () = self.deps.clock.sleep(HARD_STOP) => self.tasks.abort_all(),
        }
    }
}

/// Whatever has ended by now: it shares the next append. Waits for ever where nothing is under way.
async fn reported(over: &mut Vec<Report>, tasks: &mut JoinSet<Report>) -> Vec<Report> {
    let mut reports = std::mem::take(over);
    if reports.is_empty() {
        match tasks.join_next().await {
            Some(report) => reports.extend(report),
            None => std::future::pending().await,
        }
    }
    while let Some(report) = tasks.try_join_next() {
        reports.extend(report);
    }
    reports
}

/// `deadline` by the stopwatch of the clock.
async fn until(clock: &dyn Clock, deadline: Option<Duration>) {
    match deadline {
        Some(deadline) => clock.sleep(deadline.saturating_sub(clock.elapsed())).await,
        None => std::future::pending().await,
    }
}
