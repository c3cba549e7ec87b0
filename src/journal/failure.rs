//! A failed attempt, and what it means for the run.

use serde::{Deserialize, Serialize};

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
    /// Nothing of the attempt began: there is nothing to undo.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_begun: bool,
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
        Failure {
            class,
            message: message.into(),
            help: None,
            evidence: Vec::new(),
            not_begun: false,
        }
    }

    /// Adds what a person can do about it.
    pub fn with_help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }
}
