//! What became of a plan: a view over a run's journal, planned against actual.
//!
//! Must not: decide anything. The state machine is elsewhere; this only lines events up with the plan's steps.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::head::{Vouched, unvouched};
use super::state::{Approved, RunState};
use super::stored::StoredRun;
use crate::journal::{Event, Failure, Record, RunId, RunStatus};
use crate::model::{Address, Outputs, PublicKey, SensitiveOutput};

/// A run as its report shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    pub run: RunId,
    pub plan: String,
    pub plan_digest: String,
    /// `2.6.0 → 2.7.1`; none for a runbook.
    pub versions: Option<String>,
    pub created_at: String,
    pub standing: Standing,
    /// From the first record to the last.
    pub took: Option<Duration>,
    /// Everybody who held the lease while the run went on, with the epoch.
    pub holders: Vec<(String, u64)>,
    pub approvals: Vec<Approval>,
    /// In the plan's order.
    pub steps: Vec<StepReport>,
    pub pauses: Vec<String>,
    pub records: u64,
    /// Records that keys vouch for.
    pub vouched: Vec<Vouched>,
    /// Records whose signature counts for nothing, by number, and why.
    pub refused: BTreeMap<u64, String>,
}

/// How the run stands at its last record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Records end without a pause or an end: it runs now, or its process died.
    Open,
    Paused,
    Finished(RunStatus),
}

impl Standing {
    /// What the last record of a journal says, signatures aside.
    pub fn of(records: &[Record]) -> Standing {
        let mut events = records.iter().rev().map(|record| &record.event);
        let last = events.find(|event| !matches!(event, Event::JournalSigned { .. }));
        match last {
            Some(Event::RunPaused { .. }) => Standing::Paused,
            Some(Event::RunFinished { status }) => Standing::Finished(*status),
            Some(_) | None => Standing::Open,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    pub step: Address,
    /// The name that was given: a claim.
    pub by: String,
    pub at: String,
    pub proof: Proof,
}

/// What stands behind an approval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A good signature by this key, which the step lists.
    Key(PublicKey),
    /// A word: the step lists no keys.
    Word,
    /// Nothing that counts, and why.
    Missing(String),
}

#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    pub address: Address,
    pub outcome: Outcome,
    pub attempts: u32,
    pub started_at: Option<String>,
    /// From the first start to the outcome; waiting between attempts included.
    pub took: Option<Duration>,
    /// From the first start of its undoing to the end of that.
    pub undo_took: Option<Duration>,
    pub outputs: Outputs,
    pub failure: Option<Failure>,
    undo_started_at: Option<String>,
    /// What a person should know besides: what was left at work on purpose, what evidence is missing.
    pub remarks: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    NotStarted,
    Started,
    Succeeded,
    /// Found done when the run was resumed.
    Adopted,
    Skipped(String),
    Failed,
    Undoing,
    Undone,
    UndoFailed,
}

impl Report {
    /// Rows of records that none of these keys vouches for; any key does where none is named.
    pub fn unvouched(&self, keys: &[PublicKey]) -> Vec<(u64, u64)> {
        unvouched(&self.vouched, self.records, keys)
    }

    pub fn new(run: &StoredRun) -> Report {
        let StoredRun { job, records, state, base: _ } = run;
        let plan = &job.plan;
        let versions = plan.upgrade.as_ref().map(|up| format!("{} → {}", up.from, up.to));
        let created_at = records.first().map(|first| first.at.clone()).unwrap_or_default();
        let ended_at = records.last().map(|last| last.at.as_str()).unwrap_or_default();
        let mut report = Report {
            run: job.run.clone(),
            plan: plan.name.clone(),
            plan_digest: job.plan_digest.clone(),
            versions,
            took: between(&created_at, ended_at),
            created_at,
            standing: Standing::of(records),
            holders: Vec::new(),
            approvals: Vec::new(),
            steps: Vec::new(),
            pauses: Vec::new(),
            records: records.len() as u64,
            vouched: state.vouched.clone(),
            refused: state.refused.clone(),
        };
        let mut steps: BTreeMap<&Address, StepReport> = plan
            .steps
            .iter()
            .map(|step| (&step.address, StepReport::not_started(step.address.clone())))
            .collect();
        for record in records {
            report.note(record, state);
            if let Some(step) = record.event.step().and_then(|step| steps.get_mut(step)) {
                step.note(record);
            }
        }
        report.steps = plan.steps.iter().filter_map(|step| steps.remove(&step.address)).collect();
        report
    }

    /// Takes in what an event says of the run as a whole.
    fn note(&mut self, record: &Record, state: &RunState) {
        match &record.event {
            Event::LeaseTaken { holder } | Event::RollbackRequested { holder } => {
                self.holders.push((holder.clone(), record.epoch));
            }
            Event::ApprovalGiven { step, by, statement: _ } => {
                let mut add = |by: &str, proof: Proof| {
                    let (step, by, at) = (step.clone(), by.to_owned(), record.at.clone());
                    self.approvals.push(Approval { step, by, at, proof });
                };
                if let Some(why) = state.refused.get(&record.seq) {
                    add(by, Proof::Missing(why.clone()));
                }
                let there = state.approvals.get(step).into_iter().flatten();
                for Approved { by, key, .. } in there.filter(|it| it.seq == record.seq) {
                    add(by, key.clone().map_or(Proof::Word, Proof::Key));
                }
            }
            Event::RunPaused { reason } => self.pauses.push(reason.clone()),
            Event::RunFinished { .. }
            | Event::JournalSigned { .. }
            | Event::RunCreated { .. }
            | Event::StepStarted { .. }
            | Event::StepSucceeded { .. }
            | Event::StepFailed { .. }
            | Event::StepSkipped { .. }
            | Event::StepRemarked { .. }
            | Event::UndoStarted { .. }
            | Event::UndoSucceeded { .. }
            | Event::UndoFailed { .. }
            | Event::AnswerGiven { .. } => {}
        }
    }
}

impl StepReport {
    pub(super) fn not_started(address: Address) -> StepReport {
        StepReport {
            address,
            outcome: Outcome::NotStarted,
            attempts: 0,
            started_at: None,
            took: None,
            undo_took: None,
            outputs: Outputs::new(),
            failure: None,
            undo_started_at: None,
            remarks: Vec::new(),
        }
    }

    /// Takes in what an event says of this step.
    fn note(&mut self, record: &Record) {
        match &record.event {
            Event::StepStarted { attempt, .. } => {
                self.attempts = *attempt;
                self.outcome = Outcome::Started;
                self.started_at.get_or_insert_with(|| record.at.clone());
            }
            Event::StepSucceeded { outputs, adopted, .. } => {
                self.outcome = if *adopted { Outcome::Adopted } else { Outcome::Succeeded };
                let shown = outputs.iter();
                self.outputs = shown
                    .map(|(name, value)| (name.clone(), SensitiveOutput::shown(value)))
                    .collect();
                self.failure = None;
                self.ended(record);
            }
            Event::StepFailed { failure, .. } => {
                self.outcome = Outcome::Failed;
                self.failure = Some(failure.clone());
                self.ended(record);
            }
            Event::StepRemarked { remark, .. } => self.remarks.push(remark.clone()),
            Event::StepSkipped { reason, .. } => self.outcome = Outcome::Skipped(reason.clone()),
            Event::UndoStarted { .. } => {
                self.outcome = Outcome::Undoing;
                self.undo_started_at.get_or_insert_with(|| record.at.clone());
            }
            Event::UndoSucceeded { .. } => {
                self.outcome = Outcome::Undone;
                let started = self.undo_started_at.as_ref();
                self.undo_took = started.and_then(|start| between(start, &record.at));
            }
            Event::UndoFailed { failure, .. } => {
                self.outcome = Outcome::UndoFailed;
                self.failure = Some(failure.clone());
            }
            Event::RunCreated { .. }
            | Event::LeaseTaken { .. }
            | Event::RollbackRequested { .. }
            | Event::ApprovalGiven { .. }
            | Event::AnswerGiven { .. }
            | Event::RunPaused { .. }
            | Event::RunFinished { .. }
            | Event::JournalSigned { .. } => {}
        }
    }

    fn ended(&mut self, record: &Record) {
        self.took = self.started_at.as_ref().and_then(|start| between(start, &record.at));
    }
}

impl Outcome {
    pub fn text(&self) -> &str {
        match self {
            Outcome::NotStarted => "not started",
            Outcome::Started => "started",
            Outcome::Succeeded => "succeeded",
            Outcome::Adopted => "succeeded (adopted)",
            Outcome::Skipped(_) => "skipped",
            Outcome::Failed => "failed",
            Outcome::Undoing => "undoing",
            Outcome::Undone => "undone",
            Outcome::UndoFailed => "undo failed",
        }
    }
}

/// The time between two RFC 3339 instants; none where one is not an instant or the clock went back.
fn between(start: &str, end: &str) -> Option<Duration> {
    let start: Timestamp = start.parse().ok()?;
    let end: Timestamp = end.parse().ok()?;
    Duration::try_from(end.duration_since(start)).ok()
}
