//! Commands: effects of which some can be looked at, some repeated, and some neither.

use super::{Simulated, once};
use crate::model::{Outputs, RunSpec, Step};
use crate::run::{Observation, StepContext};
use crate::simulate::Model;

impl Simulated for RunSpec {
    fn observe(&self, step: &Step, model: &Model) -> Observation {
        match (&self.observe, self.idempotent) {
            (Some(_), _) if model.effects.contains(&step.address) => {
                Observation::Done(Outputs::new())
            }
            (Some(_), _) | (None, true) => Observation::NotDone,
            (None, false) => Observation::Unknown(format!(
                "{} has no `observe` and is not `idempotent`; look whether its effect is there",
                step.address
            )),
        }
    }

    fn observe_undo(&self, step: &Step, model: &Model) -> Observation {
        match Simulated::observe(self, step, model) {
            Observation::NotDone if self.observe.is_some() => Observation::Done(Outputs::new()),
            Observation::NotDone | Observation::Done(_) => Observation::NotDone,
            Observation::Unknown(question) => Observation::Unknown(question),
        }
    }

    fn is_there(&self, step: &Step, model: &Model) -> bool {
        model.effects.contains(&step.address)
    }

    fn half(&self, step: &Step, model: &mut Model) {
        model.half.insert(step.address.clone());
    }

    fn complete(&self, cx: &StepContext, model: &mut Model) -> Result<Outputs, String> {
        let was_there = !model.effects.insert(cx.step.address.clone());
        once(cx, was_there && !(self.idempotent && self.observe.is_none()))?;
        Ok(Outputs::new())
    }

    fn undo(&self, cx: &StepContext, model: &mut Model, was_half: bool) -> Result<(), String> {
        let was_there = model.effects.remove(&cx.step.address);
        // Where nothing can be observed, undoing what is not there is what the author asked for.
        if was_there || was_half || self.observe.is_none() {
            Ok(())
        } else {
            Err(format!("{} was undone twice", cx.step.address))
        }
    }
}
