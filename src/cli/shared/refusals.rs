//! What a store or the engine refuses: with the exit code that scripts know it by, and the way out.

use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::journal::RunId;
use crate::run::RunError;
use crate::store::{Lease, StoreError};

/// The engine's refusal.
pub fn run_error(error: RunError) -> CommandError {
    match error {
        RunError::Store(error) => store_error(error),
        RunError::Plan(error) => CommandError::new(Exit::Stale, miette::Report::new(error)),
        RunError::Journal(broken) => broken_journal(&broken.run, &broken.to_string()),
        RunError::Tampered { run, differing } => {
            let report = miette::miette!(
                code = "orthid::plan::tampered",
                help = format!(
                    "nothing was done. `orthid log {run}` shows the journal; find out who wrote to \
                     the state store, then make the plan again and have it reviewed"
                ),
                "run {run} was changed in the state store:\n  {}",
                differing.join("\n  ")
            );
            CommandError::new(Exit::Stale, report)
        }
        error @ (RunError::Graph(_) | RunError::Ended { .. } | RunError::Stopped) => {
            CommandError::from(miette::miette!("{error}"))
        }
    }
}

/// A store's refusal, with the exit code that scripts know it by and the way out.
pub fn store_error(error: StoreError) -> CommandError {
    let text = error.to_string();
    match error {
        StoreError::LeaseHeld(lease) => {
            let report = miette::miette!(
                code = "orthid::run::lease_held",
                help = held_help(&lease),
                "{text}"
            );
            CommandError::new(Exit::LeaseHeld, report)
        }
        StoreError::Fenced { .. } => {
            let report = miette::miette!(
                code = "orthid::run::fenced",
                help = "another process took the run over, or its lease was ended by `orthid unlock`; \
                        nothing was written since. `orthid status` shows how it stands",
                "{text}"
            );
            CommandError::new(Exit::LeaseHeld, report)
        }
        StoreError::PlanConsumed { digest: _, run } => {
            let report = miette::miette!(
                code = "orthid::plan::consumed",
                help = format!(
                    "a plan applies at most once. See how that run ended with `orthid report {run}`; \
                     to go on, make a new plan"
                ),
                "{text}"
            );
            CommandError::new(Exit::Stale, report)
        }
        StoreError::BrokenJournal { run, reason: _ } => broken_journal(&run, &text),
        StoreError::NoSuchRun(_)
        | StoreError::NoSuchLease(_)
        | StoreError::NewerFormat { .. }
        | StoreError::Refused(_)
        | StoreError::Unavailable(_) => {
            CommandError::from(miette::miette!(code = "orthid::store", "{text}"))
        }
    }
}

/// A journal that was damaged or written by somebody else. Nothing may be built on it.
pub fn broken_journal(run: &RunId, text: &str) -> CommandError {
    let report = miette::miette!(
        code = "orthid::run::journal_broken",
        help = format!(
            "nothing was done. `orthid log {run}` shows what can be read of it; put the state store \
             back from a copy, or undo by hand what the run did"
        ),
        "{text}"
    );
    CommandError::new(Exit::Stale, report)
}

fn held_help(lease: &Lease) -> String {
    format!(
        "wait for it to end. If its process no longer exists, the lease ends by itself at {}; \
         `orthid unlock {}` ends it now",
        lease.expires_at, lease.id
    )
}
