//! Backups: each holds the schema that it was taken of.

use super::{Simulated, id_output, once};
use crate::model::{Address, BackupSpec, Outputs, Step};
use crate::run::{Observation, StepContext};
use crate::simulate::Model;

impl Simulated for BackupSpec {
    fn observe(&self, step: &Step, model: &Model) -> Observation {
        let id = id(&step.address);
        match model.backups.contains_key(&id) {
            true => Observation::Done(id_output(&id)),
            false => Observation::NotDone,
        }
    }

    fn half(&self, step: &Step, model: &mut Model) {
        model.half.insert(step.address.clone());
    }

    fn complete(&self, cx: &StepContext, model: &mut Model) -> Result<Outputs, String> {
        let id = id(&cx.step.address);
        let taken = model.backups.insert(id.clone(), model.schema.clone());
        once(cx, taken.is_some())?;
        Ok(id_output(&id))
    }
}

fn id(step: &Address) -> String {
    format!("backup-of-{step}")
}
