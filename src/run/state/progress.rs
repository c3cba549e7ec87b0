//! How far one step has come.
//!
//! Must not: change by itself; [`super::RunState`] moves it from record to record.

use crate::journal::{Failure, FailureClass};

/// Where one step stands. A step that no record names is pending.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    Pending,
    /// Its effect may have begun.
    Started,
    Succeeded,
    Skipped,
    /// Its last attempt ended with this failure.
    Failed(Failure),
    /// Its undo may have begun.
    Undoing,
    Undone,
    UndoFailed(Failure),
}

/// One step's progress, as far as the journal tells.
#[derive(Clone, Debug, PartialEq)]
pub struct StepProgress {
    pub state: StepState,
    /// Attempts begun.
    pub attempts: u32,
    /// Attempts that ended in a transient failure: what the retry budget counts.
    pub transient_failures: u32,
    /// Attempts of which nothing began.
    pub not_begun: u32,
    pub undo_attempts: u32,
    /// When the first attempt began, RFC 3339.
    pub started_at: Option<String>,
    /// What a person told of the outcome that is open; forgotten with it.
    pub answer: Option<bool>,
}

impl StepProgress {
    pub(super) const PENDING: StepProgress = StepProgress {
        state: StepState::Pending,
        attempts: 0,
        transient_failures: 0,
        not_begun: 0,
        undo_attempts: 0,
        started_at: None,
        answer: None,
    };
}

impl StepProgress {
    /// Whether something of it may have happened: an attempt began, as far as anybody knows.
    pub fn may_have_begun(&self) -> bool {
        self.attempts > self.not_begun
    }

    /// Is it not known, or may it not be known, whether an effect or its undo happened?
    pub fn is_open(&self) -> bool {
        match &self.state {
            StepState::Started | StepState::Undoing | StepState::UndoFailed(_) => true,
            StepState::Failed(failure) => failure.class == FailureClass::Unknown,
            StepState::Pending | StepState::Succeeded | StepState::Skipped | StepState::Undone => {
                false
            }
        }
    }
}

/// A step's state without what it carries: what transitions are told apart by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Pending,
    Started,
    Succeeded,
    Skipped,
    Failed,
    Undoing,
    Undone,
    UndoFailed,
}

impl StepState {
    pub(super) fn kind(&self) -> Kind {
        match self {
            StepState::Pending => Kind::Pending,
            StepState::Started => Kind::Started,
            StepState::Succeeded => Kind::Succeeded,
            StepState::Skipped => Kind::Skipped,
            StepState::Failed(_) => Kind::Failed,
            StepState::Undoing => Kind::Undoing,
            StepState::Undone => Kind::Undone,
            StepState::UndoFailed(_) => Kind::UndoFailed,
        }
    }
}
