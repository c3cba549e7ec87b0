//! Failures in the words of the run: from what libraries say to class, message and help.

use miette::Diagnostic;

use super::error::WorldError;
use super::kubernetes::CallError;
use super::kubernetes::exec::ExecError;
use super::postgres::DbError;
use super::process::NotStarted;
use crate::journal::{Failure, FailureClass};

pub fn permanent(message: impl Into<String>) -> Failure {
    failure(FailureClass::Permanent, message)
}

pub fn transient(message: impl Into<String>) -> Failure {
    failure(FailureClass::Transient, message)
}

pub fn unknown(message: impl Into<String>) -> Failure {
    failure(FailureClass::Unknown, message)
}

fn failure(class: FailureClass, message: impl Into<String>) -> Failure {
    Failure { class, message: message.into(), help: None, evidence: Vec::new(), not_begun: false }
}

impl Failure {
    pub(super) fn help(mut self, help: impl Into<String>) -> Failure {
        self.help = Some(help.into());
        self
    }

    pub(super) fn with_evidence(mut self, evidence: impl IntoIterator<Item = String>) -> Failure {
        self.evidence.extend(evidence);
        self
    }

    /// Nothing of the attempt began.
    pub(super) fn not_begun(mut self) -> Failure {
        self.not_begun = true;
        self
    }

    /// Once an effect may have begun, a failure that would pass says nothing about the effect any more.
    pub(super) fn after_effect(mut self) -> Failure {
        if self.class == FailureClass::Transient {
            self.class = FailureClass::Unknown;
        }
        self
    }
}

impl From<WorldError> for Failure {
    fn from(error: WorldError) -> Failure {
        let passing = matches!(
            error,
            WorldError::ClusterUnreachable { .. } | WorldError::DatabaseUnreachable { .. }
        );
        let help = error.help().map(|help| help.to_string());
        let class = if passing { FailureClass::Transient } else { FailureClass::Permanent };
        Failure { help, ..failure(class, error.to_string()) }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Failure {
        failure(error.class, error.message)
    }
}

/// A child that was not started has done nothing. An attempt may have done something before that.
impl From<NotStarted> for Failure {
    fn from(error: NotStarted) -> Failure {
        failure(error.class(), error.to_string())
    }
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Failure {
        failure(error.class, error.message)
    }
}

impl From<ExecError> for Failure {
    fn from(error: ExecError) -> Failure {
        match error {
            ExecError::NotStarted(error) => error.into(),
            ExecError::Unknown(reason) => unknown(reason),
        }
    }
}

/// The evidence folder could not be written, a file not be read: a full disk may be emptied.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Failure {
        transient(error.to_string())
    }
}
