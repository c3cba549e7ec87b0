//! What happens when something fails, as the plan keeps it.

use serde::{Deserialize, Serialize};

use crate::model::Address;

/// A step that is undone on unwinding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackEdge {
    pub step: Address,
    /// The verified backup that undoing restores.
    pub restores: Option<Address>,
    /// What undoing does, in words.
    pub action: String,
    /// Why it can be promised.
    pub proof: String,
}

/// A rollback edge that the file asks for and the plan does not promise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WithheldEdge {
    pub step: Address,
    pub reason: String,
    /// It is not needed, rather than not proved.
    pub needless: bool,
}

/// Where a run stands once it has dealt with a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndsAt {
    /// Everything is as it was before the run.
    Start,
    /// The app is as before; the database keeps migrations that the old app is known to run on.
    OldAppOnNewSchema,
    /// An earlier hop of the path stays, and the run is rolled back to it.
    Hop(semver::Version),
    /// The run goes on: a failure of this step changes nothing else.
    GoesOn,
    /// Nothing is undone: what was done stays.
    AsItIs,
    /// What was done can't be taken back; a person decides.
    NeedsAPerson,
}

/// What a failure of any of these steps leads to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailureEntry {
    /// Consecutive steps in topological order that fail alike.
    pub steps: Vec<Address>,
    /// The undo steps that run, in order.
    pub undo: Vec<Address>,
    /// Undo steps beyond those listed, in plans with very many of them.
    pub undo_more: usize,
    pub ends_at: EndsAt,
    /// Which writes are lost; none where none are.
    pub data_loss: Option<String>,
    /// What stays behind although the run is rolled back.
    pub remains: Vec<String>,
    /// Expected duration of the undo steps in milliseconds, where earlier runs tell.
    pub undo_ms: Option<u64>,
}

/// The step after whose start the run can't return to where it began.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointOfNoReturn {
    pub step: Address,
    pub reason: String,
}
