//! Environment variables that a run will need.

use crate::cli::shared::error::CommandError;
use crate::plan::Plan;
use crate::world::Environment;

/// A variable that a later step reads and nobody set would fail that step, and roll a good upgrade
/// back. `counts` tells the readers that matter: steps, `database.NAME`, `release`.
pub fn refuse_unset(
    plan: &Plan,
    environment: &Environment,
    counts: impl Fn(&str) -> bool,
) -> Result<(), CommandError> {
    let missing: Vec<String> = plan
        .environment()
        .into_iter()
        .filter(|(_, readers)| readers.iter().any(|reader| counts(reader)))
        .filter(|(name, _)| environment.var(name).is_none())
        .map(|(name, readers)| {
            format!("{name}, read by {}", readers.into_iter().collect::<Vec<_>>().join(", "))
        })
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(CommandError::with_help(
        format!("the plan reads environment variables that are not set: {}", missing.join("; ")),
        "set them and try again; nothing was changed",
    ))
}
