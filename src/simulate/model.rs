//! The simulated outside itself: a database schema, a Helm release, backups, and what commands left.
//!
//! Must not: wait, fail on demand, or know processes; [`super::SimulatedWorld`] does that around it. Nor know the kinds
//! of step: `steps` does.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Address;
use crate::plan::Plan;

/// What there is. Two runs of a plan have ended alike when these are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Applied migrations, in order.
    pub(super) schema: Vec<String>,
    /// The version that serves; none without a release.
    pub(super) version: Option<String>,
    /// Rolls whose revision is the deployed one or has been, less those that were rolled back: step → version before.
    pub(super) rolled: BTreeMap<Address, Option<String>>,
    /// Backup id → schema when it was taken.
    pub(super) backups: BTreeMap<String, Vec<String>>,
    /// Verify step → the backup that it found good.
    pub(super) verified: BTreeMap<Address, String>,
    /// Steps with an effect of their own, such as a command's, that is there.
    pub(super) effects: BTreeSet<Address>,
    /// Temporary files, releases that are pending, commands that ended half way.
    pub(super) half: BTreeSet<Address>,
}

impl Model {
    pub fn before(plan: &Plan) -> Model {
        let version = plan.hops.first().map(|hop| hop.from.to_string());
        Model { version, ..Model::default() }
    }

    /// Half-made things that a crash left and nothing cleans up again are no difference that matters.
    pub fn without_debris(mut self) -> Model {
        self.half.clear();
        self
    }
}
