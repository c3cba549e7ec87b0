//! What a run's journal can say.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::Failure;
use crate::model::{Address, Outputs, json};

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
        // Of any depth, which a tagged enum's reader does not take: `Event::read` puts them in.
        #[serde(skip_deserializing)]
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
    /// What a person should know of a step besides its outcome: what it left at work on purpose, what evidence is missing.
    StepRemarked {
        step: Address,
        remark: String,
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

impl Failure {
    fn each_text(&mut self, edit: &mut dyn FnMut(&mut String)) {
        let Failure { class: _, message, help, evidence, not_begun: _ } = self;
        edit(message);
        help.iter_mut().chain(evidence).for_each(edit);
    }
}

impl Event {
    /// Edits every text that came from outside: words of people, commands and servers.
    pub fn each_text(&mut self, edit: &mut dyn FnMut(&mut String)) {
        match self {
            Event::StepSucceeded { outputs, .. } => {
                outputs.values_mut().for_each(|value| each_string(value, edit));
            }
            Event::StepFailed { failure, .. } | Event::UndoFailed { failure, .. } => {
                failure.each_text(edit);
            }
            Event::LeaseTaken { holder } | Event::RollbackRequested { holder } => edit(holder),
            Event::StepSkipped { reason, .. } | Event::RunPaused { reason } => edit(reason),
            Event::StepRemarked { remark, .. } => edit(remark),
            Event::ApprovalGiven { by, .. } | Event::AnswerGiven { by, .. } => edit(by),
            Event::RunCreated { .. }
            | Event::StepStarted { .. }
            | Event::UndoStarted { .. }
            | Event::UndoSucceeded { .. }
            | Event::RunFinished { .. }
            | Event::JournalSigned { .. } => {}
        }
    }

    /// The event that stands in a record.
    pub(super) fn read(text: &str) -> Result<Event, serde_json::Error> {
        const OUTPUTS: &str = "outputs";
        if !text.contains(OUTPUTS) {
            return serde_json::from_str(text);
        }
        let mut fields: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
        let read = fields.remove(OUTPUTS).map(|raw| json::read_back(raw.get()));
        let read = read.transpose().map_err(serde_json::Error::custom)?;
        let mut event: Event = serde_json::from_str(&serde_json::to_string(&fields)?)?;
        match (&mut event, read) {
            (_, None) => {}
            (Event::StepSucceeded { outputs, .. }, Some(Value::Object(read))) => {
                *outputs = read.into_iter().collect();
            }
            (_, Some(_)) => return Err(serde_json::Error::custom("outputs where none belong")),
        }
        Ok(event)
    }

    /// The step that the event is about.
    pub fn step(&self) -> Option<&Address> {
        match self {
            Event::StepStarted { step, .. }
            | Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepRemarked { step, .. }
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

fn each_string(value: &mut serde_json::Value, edit: &mut dyn FnMut(&mut String)) {
    match value {
        serde_json::Value::String(text) => edit(text),
        serde_json::Value::Array(items) => {
            items.iter_mut().for_each(|item| each_string(item, edit))
        }
        serde_json::Value::Object(map) => map.values_mut().for_each(|item| each_string(item, edit)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}
