//! Migrations: names that are added to the schema, and a backup that takes its place.

use super::{Simulated, id_of, once};
use crate::model::{MigrateSpec, Outputs, Step};
use crate::run::{Observation, StepContext};
use crate::simulate::Model;

impl Simulated for MigrateSpec {
    fn observe(&self, step: &Step, model: &Model) -> Observation {
        match names(self, step).iter().all(|name| model.schema.contains(name)) {
            true => Observation::Done(Outputs::new()),
            false => Observation::NotDone,
        }
    }

    fn observe_undo(&self, step: &Step, model: &Model) -> Observation {
        let stays = step.restores().is_none();
        match stays || !names(self, step).iter().any(|name| model.schema.contains(name)) {
            true => Observation::Done(Outputs::new()),
            false => Observation::NotDone,
        }
    }

    /// Of several migrations the first is applied.
    fn half(&self, step: &Step, model: &mut Model) {
        let wanted = names(self, step);
        if let (Some(first), 2..) = (wanted.first(), wanted.len())
            && !model.schema.contains(first)
        {
            model.schema.push(first.clone());
        }
    }

    fn complete(&self, cx: &StepContext, model: &mut Model) -> Result<Outputs, String> {
        if let Some(backup) = &self.backup {
            id_of(cx, backup)?;
        }
        let wanted = names(self, &cx.step);
        once(cx, wanted.iter().all(|name| model.schema.contains(name)))?;
        let missing: Vec<String> =
            wanted.into_iter().filter(|name| !model.schema.contains(name)).collect();
        model.schema.extend(missing);
        Ok(Outputs::new())
    }

    fn undo(&self, cx: &StepContext, model: &mut Model, _was_half: bool) -> Result<(), String> {
        let Some(verify) = cx.step.restores() else { return Ok(()) };
        let id = id_of(cx, verify)?;
        let schema = model.backups.get(&id);
        model.schema = schema.ok_or_else(|| format!("{id} is no backup"))?.clone();
        Ok(())
    }
}

/// The migrations that a step applies. A plan from facts without a database names none: then one stands for them.
fn names(spec: &MigrateSpec, step: &Step) -> Vec<String> {
    if spec.pending.is_empty() { vec![step.address.to_string()] } else { spec.pending.clone() }
}
