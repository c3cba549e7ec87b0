//! The state of a run: a fold over its journal by one transition function.
//!
//! Must not: decide what happens next (`schedule` does) or know how an effect is made.

mod approvals;
mod progress;
mod terms;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::head::{End, Vouched};
use crate::journal::{Event, FailureClass, Intent, Record, RunId, RunStatus};
use crate::model::{Address, Outputs};
use crate::plan::Plan;
use progress::Kind;
pub use progress::{StepProgress, StepState};
pub use terms::Approved;
use terms::Terms;

/// A record that does not continue its journal: the journal was damaged, or its writer was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal of run {run} is broken at record {seq}: {reason}")]
pub struct BrokenJournal {
    pub run: RunId,
    pub seq: u64,
    pub reason: String,
}

/// Whether the run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunPhase {
    Running,
    Paused(String),
    /// `Stuck` reopens with the next lease; every other status is the end.
    Finished(RunStatus),
}

/// Everything a journal says.
#[derive(Clone, Debug, PartialEq)]
pub struct RunState {
    pub run: RunId,
    pub plan_digest: String,
    /// Number of the plan's steps, as recorded when the run was created.
    pub planned_steps: u64,
    pub phase: RunPhase,
    pub epoch: u64,
    pub seq: u64,
    /// Hash of the last record.
    pub last_hash: String,
    /// The latest time that a record names.
    latest: String,
    /// Unwinding has begun: nothing is acted on any more.
    pub unwinding: bool,
    /// A person asked for it: what is open is looked at, and everything is undone.
    pub rollback_requested: bool,
    pub outputs: BTreeMap<Address, Outputs>,
    /// Gate → every yes that counts for it.
    pub approvals: BTreeMap<Address, Vec<Approved>>,
    /// Records, by number, whose signature counts for nothing: approvals that open no gate, and heads. With the reason.
    pub refused: BTreeMap<u64, String>,
    /// Records that keys vouch for, in the order of signing.
    pub vouched: Vec<Vouched>,
    /// Steps in the order in which they first started.
    pub order: Vec<Address>,
    steps: HashMap<Address, StepProgress>,
    terms: Arc<Terms>,
}

impl RunState {
    /// The state before any record of a run of this plan.
    pub fn new(run: RunId, plan: &Arc<Plan>, plan_digest: String) -> RunState {
        RunState {
            run,
            last_hash: plan_digest.clone(),
            terms: Arc::new(Terms::new(plan, &plan_digest)),
            plan_digest,
            planned_steps: 0,
            phase: RunPhase::Running,
            epoch: 0,
            seq: 0,
            unwinding: false,
            rollback_requested: false,
            outputs: BTreeMap::new(),
            approvals: BTreeMap::new(),
            refused: BTreeMap::new(),
            vouched: Vec::new(),
            latest: String::new(),
            order: Vec::new(),
            steps: HashMap::new(),
        }
    }

    /// Folds a whole journal, verifying every record.
    pub fn fold(
        run: RunId,
        plan: &Arc<Plan>,
        plan_digest: String,
        records: &[Record],
    ) -> Result<RunState, BrokenJournal> {
        let mut state = RunState::new(run, plan, plan_digest);
        for record in records {
            state.apply(record)?;
        }
        Ok(state)
    }

    pub fn step(&self, address: &Address) -> &StepProgress {
        self.steps.get(address).unwrap_or(&StepProgress::PENDING)
    }

    /// Every step that some record names.
    pub fn touched(&self) -> impl Iterator<Item = (&Address, &StepProgress)> {
        self.steps.iter()
    }

    /// The transition function: the only place where a record changes a state.
    ///
    /// # Errors
    /// Where the record does not continue the journal, or the transition is not one that a run can make. The state is
    /// as it was before then.
    pub fn apply(&mut self, record: &Record) -> Result<(), BrokenJournal> {
        self.continues(record).map_err(|reason| self.broken(record, reason))?;
        self.transition(record).map_err(|reason| self.broken(record, reason))?;
        self.seq = record.seq;
        self.epoch = record.epoch;
        self.last_hash = record.hash().to_owned();
        if record.at > self.latest {
            self.latest.clone_from(&record.at);
        }
        Ok(())
    }

    fn broken(&self, record: &Record, reason: String) -> BrokenJournal {
        BrokenJournal { run: self.run.clone(), seq: record.seq, reason }
    }

    /// Place in the chain: run, number, hash of the record before, epoch.
    fn continues(&self, record: &Record) -> Result<(), String> {
        if record.run != self.run {
            return Err(format!("it belongs to run {}", record.run));
        }
        if record.seq != self.seq + 1 {
            return Err(format!("record {} was expected", self.seq + 1));
        }
        if record.previous != self.last_hash {
            return Err("the hash of the record before it differs".to_owned());
        }
        let takes_lease =
            matches!(record.event, Event::LeaseTaken { .. } | Event::RollbackRequested { .. });
        let in_order = match (self.seq, takes_lease) {
            (0, _) => true,
            (1.., true) => record.epoch >= self.epoch,
            (1.., false) => record.epoch == self.epoch,
        };
        if !in_order {
            return Err(format!("epoch {} does not follow epoch {}", record.epoch, self.epoch));
        }
        Ok(())
    }

    fn transition(&mut self, record: &Record) -> Result<(), String> {
        match &record.event {
            Event::RunCreated { plan_digest, steps } => self.created(plan_digest, *steps),
            Event::LeaseTaken { holder: _ } => self.reopened(),
            Event::RollbackRequested { holder: _ } => self.rollback_requested(),
            Event::StepStarted { step, attempt, intent } => {
                self.step_started(step, *attempt, *intent, &record.at)
            }
            Event::StepSucceeded { step, outputs, adopted: _ } => {
                self.running()?;
                self.terms.may_succeed(step, &self.approvals)?;
                self.moved(step, &[Kind::Started], StepState::Succeeded)?;
                if !outputs.is_empty() {
                    self.outputs.insert(step.clone(), outputs.clone());
                }
                Ok(())
            }
            Event::StepFailed { step, failure } => {
                self.running()?;
                let progress =
                    self.moved(step, &[Kind::Started], StepState::Failed(failure.clone()))?;
                if failure.class == FailureClass::Transient {
                    progress.transient_failures += 1;
                }
                if failure.not_begun {
                    progress.not_begun += 1;
                }
                Ok(())
            }
            Event::StepRemarked { step, remark: _ } => {
                self.running()?;
                match self.steps.contains_key(step) {
                    true => Ok(()),
                    false => Err(format!("{step} was not started yet")),
                }
            }
            Event::StepSkipped { step, reason: _ } => {
                self.running()?;
                self.terms.may_skip(step, |waited| &self.step(waited).state)?;
                self.moved(step, &[Kind::Pending], StepState::Skipped).map(drop)
            }
            Event::UndoStarted { step, attempt } => self.undo_started(step, *attempt),
            Event::UndoSucceeded { step } => {
                self.running()?;
                self.moved(step, &[Kind::Undoing], StepState::Undone).map(drop)
            }
            Event::UndoFailed { step, failure } => {
                self.running()?;
                self.moved(step, &[Kind::Undoing], StepState::UndoFailed(failure.clone())).map(drop)
            }
            Event::ApprovalGiven { step, by, statement } => {
                self.approval_given(record, step, by, statement);
                Ok(())
            }
            Event::JournalSigned { statement } => self.signed(record.seq, statement),
            Event::AnswerGiven { step, by: _, happened } => self.answered(step, *happened),
            Event::RunPaused { reason } => {
                self.running()?;
                self.phase = RunPhase::Paused(reason.clone());
                Ok(())
            }
            Event::RunFinished { status } => {
                self.running()?;
                self.phase = RunPhase::Finished(*status);
                Ok(())
            }
        }
    }

    /// Where the journal ends.
    pub(super) fn end(&self) -> End<'_> {
        let RunState { run, plan_digest, seq, last_hash, .. } = self;
        End { run, plan: plan_digest, last: *seq, hash: last_hash }
    }

    fn created(&mut self, plan_digest: &str, steps: u64) -> Result<(), String> {
        if self.seq != 0 {
            return Err("a run is created once".to_owned());
        }
        if plan_digest != self.plan_digest {
            return Err(format!("it was created from plan {plan_digest}"));
        }
        if steps != self.terms.steps() {
            return Err(format!(
                "it was created from {steps} steps, and the plan has {}",
                self.terms.steps()
            ));
        }
        self.planned_steps = steps;
        Ok(())
    }

    /// A lease was taken: a run that was paused, stuck, or left by a dead process goes on.
    fn reopened(&mut self) -> Result<(), String> {
        match &self.phase {
            RunPhase::Running | RunPhase::Paused(_) | RunPhase::Finished(RunStatus::Stuck) => {
                self.phase = RunPhase::Running;
                Ok(())
            }
            RunPhase::Finished(
                status @ (RunStatus::Succeeded | RunStatus::RolledBack | RunStatus::Failed),
            ) => Err(format!("the run had ended ({status:?})")),
        }
    }

    /// As [`RunState::reopened`], from every end but that of a run that was undone already.
    fn rollback_requested(&mut self) -> Result<(), String> {
        if self.seq == 0 {
            return Err("the run was not created yet".to_owned());
        }
        if self.phase == RunPhase::Finished(RunStatus::RolledBack) {
            return Err("the run was rolled back already".to_owned());
        }
        self.phase = RunPhase::Running;
        self.rollback_requested = true;
        Ok(())
    }

    /// Does the run go back: is nothing acted on any more?
    pub fn goes_back(&self) -> bool {
        self.unwinding || self.rollback_requested
    }

    fn running(&self) -> Result<(), String> {
        if self.seq == 0 {
            return Err("the run was not created yet".to_owned());
        }
        match &self.phase {
            RunPhase::Running => Ok(()),
            RunPhase::Paused(_) | RunPhase::Finished(_) => {
                Err("nobody had taken the lease again".to_owned())
            }
        }
    }

    fn step_started(
        &mut self,
        step: &Address,
        attempt: u32,
        intent: Intent,
        at: &str,
    ) -> Result<(), String> {
        self.running()?;
        if self.unwinding {
            return Err(format!("{step} started although unwinding had begun"));
        }
        if self.rollback_requested && intent == Intent::Act {
            return Err(format!("{step} started although a rollback was asked for"));
        }
        self.terms.may_begin(step, |waited| &self.step(waited).state)?;
        let first = !self.steps.contains_key(step);
        let from = [Kind::Pending, Kind::Started, Kind::Failed];
        let expected = self.step(step).attempts + 1;
        if attempt != expected {
            return Err(format!("{step} started attempt {attempt}, not {expected}"));
        }
        let progress = self.moved(step, &from, StepState::Started)?;
        progress.attempts = attempt;
        progress.started_at.get_or_insert_with(|| at.to_owned());
        if first {
            self.order.push(step.clone());
        }
        Ok(())
    }

    fn undo_started(&mut self, step: &Address, attempt: u32) -> Result<(), String> {
        self.running()?;
        let expected = self.step(step).undo_attempts + 1;
        if attempt != expected {
            return Err(format!("{step} started undo attempt {attempt}, not {expected}"));
        }
        let from = [Kind::Succeeded, Kind::Failed, Kind::Undoing, Kind::UndoFailed];
        let progress = self.moved(step, &from, StepState::Undoing)?;
        progress.undo_attempts = attempt;
        self.unwinding = true;
        Ok(())
    }

    fn answered(&mut self, step: &Address, happened: bool) -> Result<(), String> {
        self.running()?;
        let progress = self.steps.get_mut(step).filter(|progress| progress.is_open());
        let progress = progress.ok_or_else(|| format!("{step} has no open question"))?;
        progress.answer = Some(happened);
        Ok(())
    }

    /// Moves a step to a state that may follow the one it is in.
    fn moved(
        &mut self,
        step: &Address,
        from: &[Kind],
        to: StepState,
    ) -> Result<&mut StepProgress, String> {
        let current = self.step(step).state.kind();
        if !from.contains(&current) {
            return Err(format!("{step} is {current:?} and can't become {:?}", to.kind()));
        }
        let progress = self.steps.entry(step.clone()).or_insert(StepProgress::PENDING);
        // It spoke of the outcome that was open until now; a new attempt opens another.
        progress.answer = None;
        progress.state = to;
        Ok(progress)
    }
}

#[cfg(test)]
mod tests;
