//! What each kind of step does to the simulated outside: one file a kind, behind one trait whose defaults say "nothing".

mod backup;
mod migrate;
mod roll;
mod run;
mod verify;

use serde_json::Value;

use super::Model;
use crate::model::{Address, ApproveSpec, Outputs, ProbeSpec, SmokeSpec, Step, StepSpec};
use crate::run::{Observation, StepContext};

/// One kind's dealings with the simulated outside.
trait Simulated {
    /// What looking at the step would say if nothing disturbed it.
    fn observe(&self, _step: &Step, _model: &Model) -> Observation {
        Observation::NotDone
    }

    /// What looking at its undo would say.
    fn observe_undo(&self, _step: &Step, _model: &Model) -> Observation {
        Observation::Done(Outputs::new())
    }

    /// The truth, which observing does not always tell.
    fn is_there(&self, step: &Step, model: &Model) -> bool {
        matches!(self.observe(step, model), Observation::Done(_))
    }

    /// The first half of the effect.
    fn half(&self, _step: &Step, _model: &mut Model) {}

    /// The whole effect.
    ///
    /// # Errors
    /// What should never be: an effect that happens twice, or without what it needs.
    fn complete(&self, _cx: &StepContext, _model: &mut Model) -> Result<Outputs, String> {
        Ok(Outputs::new())
    }

    /// Takes the effect, or what there is of it, back. `was_half` says whether only a part of it was there.
    ///
    /// # Errors
    /// What should never be, as for [`Simulated::complete`].
    fn undo(&self, _cx: &StepContext, _model: &mut Model, _was_half: bool) -> Result<(), String> {
        Ok(())
    }
}

/// The one dispatch on the kind.
fn of(spec: &StepSpec) -> &dyn Simulated {
    match spec {
        StepSpec::Approve(spec) => spec,
        StepSpec::Backup(spec) => spec,
        StepSpec::Verify(spec) => spec,
        StepSpec::Migrate(spec) => spec,
        StepSpec::Roll(spec) => spec,
        StepSpec::Smoke(spec) => spec,
        StepSpec::Probe(spec) => &**spec,
        StepSpec::Run(spec) => spec,
        StepSpec::Checkpoint => &Checkpoint,
    }
}

impl Model {
    /// What looking at the step would say if nothing disturbed it.
    pub fn observe(&self, step: &Step) -> Observation {
        of(&step.spec).observe(step, self)
    }

    pub fn observe_undo(&self, step: &Step) -> Observation {
        of(&step.spec).observe_undo(step, self)
    }

    /// The truth, which observing does not always tell.
    pub fn is_there(&self, step: &Step) -> bool {
        of(&step.spec).is_there(step, self)
    }

    /// The first half of an effect.
    pub fn half(&mut self, step: &Step) {
        of(&step.spec).half(step, self);
    }

    /// The whole effect.
    ///
    /// # Errors
    /// What should never be: an effect that happens twice, or without what it needs.
    pub fn complete(&mut self, cx: &StepContext) -> Result<Outputs, String> {
        self.half.remove(&cx.step.address);
        let outputs = of(&cx.step.spec).complete(cx, self)?;
        match cx.step.kind().unpromised(&outputs) {
            Some(name) => {
                Err(format!("{} put out `{name}`, which nobody promised", cx.step.address))
            }
            None => Ok(outputs),
        }
    }

    /// Takes the effect, or what there is of it, back.
    ///
    /// # Errors
    /// What should never be, as for [`Model::complete`].
    pub fn undo(&mut self, cx: &StepContext) -> Result<(), String> {
        let was_half = self.half.remove(&cx.step.address);
        of(&cx.step.spec).undo(cx, self, was_half)
    }
}

struct Checkpoint;

impl Simulated for Checkpoint {}

impl Simulated for ApproveSpec {}

impl Simulated for SmokeSpec {}

impl Simulated for ProbeSpec {}

/// What every step with an effect promises: that it happens once.
fn once(cx: &StepContext, was_there: bool) -> Result<(), String> {
    match was_there {
        true => Err(format!("the effect of {} happened twice", cx.step.address)),
        false => Ok(()),
    }
}

fn id_output(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::from(id))])
}

/// The id among the outputs of a finished step.
fn id_of(cx: &StepContext, step: &Address) -> Result<String, String> {
    let id = cx.outputs.get(step).and_then(|outputs| outputs.get("id")).and_then(Value::as_str);
    id.map(str::to_owned)
        .ok_or_else(|| format!("{} began without the id that {step} puts out", cx.step.address))
}
