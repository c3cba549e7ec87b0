//! Verifications: each remembers the backup that it found good.

use super::{Simulated, id_of, id_output};
use crate::model::{Outputs, Step, VerifySpec};
use crate::run::{Observation, StepContext};
use crate::simulate::Model;

impl Simulated for VerifySpec {
    fn observe(&self, step: &Step, model: &Model) -> Observation {
        match model.verified.get(&step.address) {
            Some(id) => Observation::Done(id_output(id)),
            None => Observation::NotDone,
        }
    }

    fn half(&self, step: &Step, model: &mut Model) {
        model.half.insert(step.address.clone());
    }

    fn complete(&self, cx: &StepContext, model: &mut Model) -> Result<Outputs, String> {
        let address = &cx.step.address;
        let id = id_of(cx, &self.backup)?;
        if !model.backups.contains_key(&id) {
            return Err(format!("{address} verified {id}, which is no backup"));
        }
        model.verified.insert(address.clone(), id.clone());
        Ok(id_output(&id))
    }
}
