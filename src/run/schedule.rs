//! What happens next: pure decisions over the state of a run.
//!
//! Must not: start anything, or wait for anything.

use std::collections::VecDeque;
use std::time::Duration;

use super::state::{RunState, StepProgress, StepState};
use crate::graph::{Frontier, Ready, StepGraph};
use crate::journal::{Failure, FailureClass, Intent};
use crate::model::{Address, OnFailure, Retry, Step};

/// What a failed attempt leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Again, after this long.
    Retry(Duration),
    /// The step has failed for good; its plan says what that does to the run.
    Final(OnFailure),
    /// It can't be told whether the effect happened: a person decides.
    Stuck,
}

/// Judges a step's last failure. `progress` has taken the failure in already.
pub fn verdict(step: &Step, progress: &StepProgress, failure: &Failure) -> Verdict {
    match failure.class {
        FailureClass::Transient if progress.transient_failures < step.retry.attempts => {
            Verdict::Retry(backoff(&step.retry, progress.transient_failures))
        }
        FailureClass::Transient | FailureClass::Permanent => Verdict::Final(step.on_failure),
        FailureClass::Unknown => Verdict::Stuck,
    }
}

/// Exponential from `delay_ms`, bounded by `max_delay_ms`. `failures` counts from 1.
pub fn backoff(retry: &Retry, failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(32);
    let delay = retry.delay_ms.saturating_mul(1u64 << doublings);
    Duration::from_millis(delay.min(retry.max_delay_ms))
}

/// How a run that does not go on forward comes to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ending {
    /// Undo what has a rollback edge.
    Unwind,
    /// Leave everything as it is.
    Stop,
    /// A person decides.
    Stuck,
}

/// A step to be attempted, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next<'g> {
    pub address: &'g Address,
    pub intent: Intent,
}

/// Follows a run over its graph.
#[derive(Debug)]
pub struct Schedule<'g> {
    graph: &'g StepGraph,
    frontier: Frontier<'g>,
    ready: VecDeque<Next<'g>>,
    /// Probes whose steps have all finished, and how many of them were told already.
    over: Vec<&'g Address>,
    told: usize,
    ending: Option<Ending>,
    settled: usize,
}

impl<'g> Schedule<'g> {
    /// Takes up a run where its journal left it. Costs the graph once.
    pub fn new(graph: &'g StepGraph, state: &RunState) -> Schedule<'g> {
        let mut schedule = Schedule {
            graph,
            frontier: Frontier::new(graph),
            ready: VecDeque::new(),
            over: Vec::new(),
            told: 0,
            ending: state.goes_back().then_some(Ending::Unwind),
            settled: 0,
        };
        for step in graph.steps() {
            let progress = state.step(&step.address);
            match &progress.state {
                StepState::Pending => {}
                StepState::Started => schedule.interrupted(&step.address),
                StepState::Succeeded | StepState::Skipped => schedule.settle(&step.address),
                StepState::Failed(failure) => {
                    match verdict(step, progress, failure) {
                        Verdict::Retry(_) => schedule.again(&step.address, Intent::Act),
                        // The person has been asked; now the step looks again.
                        Verdict::Stuck => schedule.interrupted(&step.address),
                        Verdict::Final(on_failure) => {
                            schedule.failed(&step.address, on_failure, state)
                        }
                    }
                }
                StepState::Undoing | StepState::Undone | StepState::UndoFailed(_) => {
                    schedule.end(Ending::Unwind);
                }
            }
        }
        schedule.refill(state);
        schedule
    }

    /// A step that an earlier process began: it is observed before anything else happens to it.
    fn interrupted(&mut self, address: &'g Address) {
        self.again(address, Intent::ObserveFirst);
    }

    fn again(&mut self, address: &'g Address, intent: Intent) {
        self.frontier.started(address);
        self.ready.push_back(Next { address, intent });
    }

    /// The next step to begin. While the run is ending, only steps whose outcome is open are looked at.
    pub fn next(&mut self) -> Option<Next<'g>> {
        if self.ending.is_some() {
            while let Some(next) = self.ready.pop_front() {
                if next.intent == Intent::ObserveFirst {
                    return Some(next);
                }
            }
            return None;
        }
        self.ready.pop_front()
    }

    /// A retry's delay is over.
    pub fn retry_due(&mut self, address: &Address) {
        if let Some(step) = self.graph.get(address) {
            self.ready.push_back(Next { address: &step.address, intent: Intent::Act });
        }
    }

    pub fn started(&mut self, address: &Address, state: &RunState) {
        self.frontier.started(address);
        self.refill(state);
    }

    /// The step succeeded, was skipped, or failed where the plan goes on all the same.
    pub fn finished(&mut self, address: &Address, state: &RunState) {
        self.settle(address);
        self.refill(state);
    }

    /// The step failed for good.
    pub fn failed(&mut self, address: &Address, on_failure: OnFailure, state: &RunState) {
        match on_failure {
            OnFailure::Continue => self.finished(address, state),
            // What the plan says of its own failures, a person has overruled.
            OnFailure::Rollback | OnFailure::Stop if state.rollback_requested => {
                self.end(Ending::Unwind);
            }
            OnFailure::Rollback => self.end(Ending::Unwind),
            OnFailure::Stop => self.end(Ending::Stop),
        }
    }

    pub fn stuck(&mut self) {
        self.end(Ending::Stuck);
    }

    /// The most serious outcome wins: stuck over stop over unwind, so that nothing is undone while a person must look first.
    fn end(&mut self, ending: Ending) {
        self.ending = self.ending.max(Some(ending));
    }

    pub fn ending(&self) -> Option<Ending> {
        self.ending
    }

    /// Probes whose steps have all finished, each told once.
    pub fn take_probes_to_end(&mut self) -> Vec<&'g Address> {
        let fresh = self.over[self.told..].to_vec();
        self.told = self.over.len();
        fresh
    }

    /// Have all steps finished that this probe runs beside? Then it ends as soon as it begins.
    pub fn is_over(&self, probe: &Address) -> bool {
        self.over.contains(&probe)
    }

    /// Has every step succeeded, been skipped, or been passed over?
    pub fn is_done(&self) -> bool {
        self.settled == self.graph.len()
    }

    fn settle(&mut self, address: &Address) {
        self.frontier.finished(address);
        self.settled += 1;
    }

    fn refill(&mut self, state: &RunState) {
        for ready in self.frontier.take_ready() {
            match ready {
                Ready::Start(address) => {
                    if state.step(address).state == StepState::Pending {
                        self.ready.push_back(Next { address, intent: Intent::Act });
                    }
                }
                Ready::EndProbe(address) => self.over.push(address),
            }
        }
    }
}

/// Steps to undo, in the order of unwinding: those with a rollback edge whose effect may be there.
///
/// Unwinding ends where the hop began. A hop that has ended is a release that serves, and the app of before it may not
/// run on the schema of after it: the plan proves rollback edges hop by hop, and nothing further.
pub fn undo_order<'g>(graph: &'g StepGraph, state: &RunState) -> Vec<&'g Step> {
    let touched =
        graph.steps().iter().filter(|step| state.step(&step.address).state != StepState::Pending);
    let hop = touched.filter_map(|step| step.hop).max();
    graph
        .unwind_order()
        .filter(|step| step.rollback.is_some() && (step.hop.is_none() || step.hop == hop))
        .filter(|step| match &state.step(&step.address).state {
            StepState::Pending | StepState::Skipped | StepState::Undone => false,
            StepState::Failed(_) => state.step(&step.address).may_have_begun(),
            StepState::Started
            | StepState::Succeeded
            | StepState::Undoing
            | StepState::UndoFailed(_) => true,
        })
        .collect()
}
