//! Rolls: the version that serves, and the one before.

use super::{Simulated, once};
use crate::model::{Outputs, RollSpec, Step};
use crate::run::{Observation, StepContext};
use crate::simulate::Model;

impl Simulated for RollSpec {
    fn observe(&self, step: &Step, model: &Model) -> Observation {
        match model.rolled.contains_key(&step.address) {
            true => Observation::Done(Outputs::new()),
            false => Observation::NotDone,
        }
    }

    fn observe_undo(&self, step: &Step, model: &Model) -> Observation {
        match model.rolled.contains_key(&step.address) || model.half.contains(&step.address) {
            true => Observation::NotDone,
            false => Observation::Done(Outputs::new()),
        }
    }

    fn half(&self, step: &Step, model: &mut Model) {
        model.half.insert(step.address.clone());
    }

    fn complete(&self, cx: &StepContext, model: &mut Model) -> Result<Outputs, String> {
        let before = model.version.replace(self.version.to_string());
        let rolled = model.rolled.insert(cx.step.address.clone(), before);
        once(cx, rolled.is_some())?;
        Ok(Outputs::new())
    }

    fn undo(&self, cx: &StepContext, model: &mut Model, was_half: bool) -> Result<(), String> {
        let address = &cx.step.address;
        match model.rolled.remove(address) {
            Some(before) => model.version = before,
            None if was_half => {}
            None => return Err(format!("{address} was undone twice")),
        }
        Ok(())
    }
}
