//! The journal's vocabulary: one record for each transition, chained by hash.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{Address, Outputs};

/// Identifies a run: a UUIDv7, so ids sort by creation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub String);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of a run's journal, exactly as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub run: RunId,
    /// From 1, without gaps.
    pub seq: u64,
    /// The lease's epoch that wrote this record.
    pub epoch: u64,
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    pub event: Event,
    /// SHA-256 (hex) of the previous record's canonical bytes; of the plan's digest for the first.
    pub previous: String,
}

/// What happened, or is about to. `*Started` events are durable before their effect begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum Event {
    RunCreated {
        plan_digest: String,
        steps: u64,
    },
    LeaseTaken {
        holder: String,
    },
    /// A person asked for what happened to be undone. Takes the lease as `LeaseTaken` does, and reopens also a run that
    /// had ended.
    RollbackRequested {
        holder: String,
    },
    StepStarted {
        step: Address,
        attempt: u32,
        intent: Intent,
    },
    StepSucceeded {
        step: Address,
        outputs: Outputs,
        adopted: bool,
    },
    StepFailed {
        step: Address,
        failure: Failure,
    },
    StepSkipped {
        step: Address,
        reason: String,
    },
    UndoStarted {
        step: Address,
        attempt: u32,
    },
    UndoSucceeded {
        step: Address,
    },
    UndoFailed {
        step: Address,
        failure: Failure,
    },
    ApprovalGiven {
        step: Address,
        by: String,
        statement: String,
    },
    /// A person told what could not be observed: whether the step's effect, or the undo that is under way, happened.
    AnswerGiven {
        step: Address,
        by: String,
        happened: bool,
    },
    RunPaused {
        reason: String,
    },
    RunFinished {
        status: RunStatus,
    },
}

/// Why an attempt starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// Act at once: nothing was started before.
    Act,
    /// An earlier attempt's outcome is not recorded: observe, then decide.
    ObserveFirst,
}

/// How a step's failure is to be treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// Repeating may help, and nothing was done.
    Transient,
    Permanent,
    /// It can't be told whether the effect happened.
    Unknown,
}

/// A failed attempt, in words fit for a person and free of secrets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    pub class: FailureClass,
    pub message: String,
    /// What a person can do about it.
    pub help: Option<String>,
    /// Paths of what was kept (logs, events, manifests), relative to the run's evidence folder.
    pub evidence: Vec<String>,
}

/// How a run stands when it is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Succeeded,
    RolledBack,
    Failed,
    Stuck,
}

impl Failure {
    /// Repeating may help, and nothing was done.
    pub fn transient(message: impl Into<String>) -> Failure {
        Failure::new(FailureClass::Transient, message)
    }

    pub fn permanent(message: impl Into<String>) -> Failure {
        Failure::new(FailureClass::Permanent, message)
    }

    /// It can't be told whether the effect happened.
    pub fn unknown(message: impl Into<String>) -> Failure {
        Failure::new(FailureClass::Unknown, message)
    }

    fn new(class: FailureClass, message: impl Into<String>) -> Failure {
        Failure { class, message: message.into(), help: None, evidence: Vec::new() }
    }

    /// Adds what a person can do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }
}

impl RunStatus {
    pub fn text(self) -> &'static str {
        match self {
            RunStatus::Succeeded => "succeeded",
            RunStatus::RolledBack => "rolled back",
            RunStatus::Failed => "failed, not rolled back",
            RunStatus::Stuck => "stuck: a person decides",
        }
    }
}

impl Event {
    /// The step that the event is about.
    pub fn step(&self) -> Option<&Address> {
        match self {
            Event::StepStarted { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::UndoStarted { step, .. }
            | Event::UndoSucceeded { step }
            | Event::UndoFailed { step, .. }
            | Event::ApprovalGiven { step, .. }
            | Event::AnswerGiven { step, .. } => Some(step),
            Event::RunCreated { .. }
            | Event::LeaseTaken { .. }
            | Event::RollbackRequested { .. }
            | Event::RunPaused { .. }
            | Event::RunFinished { .. } => None,
        }
    }
}
