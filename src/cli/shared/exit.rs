//! Exit codes: part of the command line's contract, so scripts can tell outcomes apart.

use std::process::ExitCode;

use crate::journal::RunStatus;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to change.
    Done,
    Error,
    /// Changes are present (`plan --detailed-exitcode`).
    Changes,
    /// The plan is stale or was tampered with.
    Stale,
    /// Files are to be formatted (`fmt --check`); the number is Terraform's.
    Unformatted,
    /// A finding blocks the plan.
    Blocked,
    WaitingForApproval,
    /// Failed and rolled back.
    RolledBack,
    Stuck,
    /// Another run holds the lease.
    LeaseHeld,
    /// Failed, and not rolled back.
    Failed,
    /// Interrupted; `orthid resume` goes on.
    Interrupted,
}

impl Exit {
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Error => 1,
            Exit::Changes => 2,
            Exit::Stale | Exit::Unformatted => 3,
            Exit::Blocked => 4,
            Exit::WaitingForApproval => 5,
            Exit::RolledBack => 6,
            Exit::Stuck => 7,
            Exit::LeaseHeld => 8,
            Exit::Failed => 9,
            Exit::Interrupted => 130,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

impl From<RunStatus> for Exit {
    fn from(status: RunStatus) -> Exit {
        match status {
            RunStatus::Succeeded => Exit::Done,
            RunStatus::RolledBack => Exit::RolledBack,
            RunStatus::Failed => Exit::Failed,
            RunStatus::Stuck => Exit::Stuck,
        }
    }
}
