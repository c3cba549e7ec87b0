//! What a run's journal can say.

use serde::{Deserialize, Serialize};

use super::Failure;
use crate::model::{Address, Outputs};

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
    /// The process that leaves the run vouches for what it wrote: a signed statement over the records before this one.
    JournalSigned {
        statement: String,
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

/// How a run stands when it is not running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    Succeeded,
    RolledBack,
    Failed,
    Stuck,
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
            | Event::RunFinished { .. }
            | Event::JournalSigned { .. } => None,
        }
    }
}
