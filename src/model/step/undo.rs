//! What undoing a step means: the one answer for plans, runs, worlds and reports.

use super::{Step, StepSpec, WayBack};
use crate::model::Address;

/// What undoing a step comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undo<'a> {
    /// Nothing: it changes nothing that serves, it has no rollback edge, or what it did suits the app of before.
    Nothing,
    /// The step takes its effect back itself: Helm's rollback, an `undo` command.
    TakesBack,
    /// This verified backup takes the database's place.
    Restores(&'a Address),
    /// It should restore a backup, and its edge names none: nobody can undo it.
    NoBackup,
}

/// What undoing this step means.
///
/// A rollback edge that names a backup restores it. The plan promises such an edge only where the app of before is not
/// known to run on the new schema, and shows the writes that are lost; whoever carries it out must not think again. A
/// breaking migration whose edge names no backup is never taken for undone.
pub fn undo_of(step: &Step) -> Undo<'_> {
    let Some(edge) = &step.rollback else { return Undo::Nothing };
    match step.kind().traits().way_back {
        WayBack::None => Undo::Nothing,
        WayBack::Revision | WayBack::Own { .. } => Undo::TakesBack,
        WayBack::Restore => match (&edge.restore, &step.spec) {
            (Some(backup), _) => Undo::Restores(backup),
            (None, StepSpec::Migrate(spec)) if spec.breaking => Undo::NoBackup,
            (None, _) => Undo::Nothing,
        },
    }
}

impl Step {
    /// The verified backup that undoing this step restores.
    pub fn restores(&self) -> Option<&Address> {
        match undo_of(self) {
            Undo::Restores(backup) => Some(backup),
            Undo::Nothing | Undo::TakesBack | Undo::NoBackup => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{MigrateSpec, Rollback, StepKind};

    #[test]
    fn the_edge_decides() {
        let backup = Address::new(StepKind::Verify, "before");
        let none = || Some(Rollback { restore: None });
        let named = || Some(Rollback { restore: Some(backup.clone()) });
        let migrate =
            |breaking| StepSpec::Migrate(MigrateSpec { breaking, ..MigrateSpec::default() });
        for (spec, rollback, expected) in [
            (migrate(true), named(), Undo::Restores(&backup)),
            (migrate(false), named(), Undo::Restores(&backup)),
            (migrate(true), none(), Undo::NoBackup),
            (migrate(false), none(), Undo::Nothing),
            (migrate(true), None, Undo::Nothing),
            (StepSpec::smallest(StepKind::Roll), none(), Undo::TakesBack),
            (StepSpec::smallest(StepKind::Roll), None, Undo::Nothing),
            (StepSpec::smallest(StepKind::Run), none(), Undo::TakesBack),
            (StepSpec::smallest(StepKind::Smoke), none(), Undo::Nothing),
        ] {
            let step = Step { rollback, ..Step::new("s", spec) };
            assert_eq!(undo_of(&step), expected, "{step:?}");
        }
    }
}
