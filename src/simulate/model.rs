//! The simulated outside itself: a database schema, a Helm release, backups, and what commands left.
//!
//! Must not: wait, fail on demand, or know processes; [`super`] does that around it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{Address, MigrateSpec, Outputs, RunSpec, Step, StepSpec};
use crate::plan::Plan;
use crate::run::{Observation, StepContext};

/// What there is. Two runs of a plan have ended alike when these are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// Applied migrations, in order.
    schema: Vec<String>,
    /// The version that serves; none without a release.
    version: Option<String>,
    /// Rolls whose revision is the deployed one or has been, less those that were rolled back: step → version before.
    rolled: BTreeMap<Address, Option<String>>,
    /// Backup id → schema when it was taken.
    backups: BTreeMap<String, Vec<String>>,
    /// Verify step → the backup that it found good.
    verified: BTreeMap<Address, String>,
    /// `run` steps whose effect is there.
    commands: BTreeSet<Address>,
    /// Temporary files, releases that are pending, commands that ended half way.
    half: BTreeSet<Address>,
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

    /// What looking at the step would say if nothing disturbed it.
    pub fn observe(&self, step: &Step) -> Observation {
        match &step.spec {
            StepSpec::Backup(_) if self.backups.contains_key(&backup_id(&step.address)) => {
                Observation::Done(id_output(&backup_id(&step.address)))
            }
            StepSpec::Verify(_) => match self.verified.get(&step.address) {
                Some(id) => Observation::Done(id_output(id)),
                None => Observation::NotDone,
            },
            StepSpec::Migrate(spec) => {
                let wanted = migrations(step, spec);
                if wanted.iter().all(|name| self.schema.contains(name)) {
                    Observation::Done(Outputs::new())
                } else {
                    Observation::NotDone
                }
            }
            StepSpec::Roll(_) if self.rolled.contains_key(&step.address) => {
                Observation::Done(Outputs::new())
            }
            StepSpec::Run(spec) => self.observe_command(step, spec),
            StepSpec::Backup(_)
            | StepSpec::Roll(_)
            | StepSpec::Approve(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => Observation::NotDone,
        }
    }

    fn observe_command(&self, step: &Step, spec: &RunSpec) -> Observation {
        match (&spec.observe, spec.idempotent) {
            (Some(_), _) if self.commands.contains(&step.address) => {
                Observation::Done(Outputs::new())
            }
            (Some(_), _) | (None, true) => Observation::NotDone,
            (None, false) => Observation::Unknown(format!(
                "{} has no `observe` and is not `idempotent`; look whether its effect is there",
                step.address
            )),
        }
    }

    pub fn observe_undo(&self, step: &Step) -> Observation {
        let undone = match &step.spec {
            StepSpec::Migrate(spec) if step.restores().is_some() => {
                !migrations(step, spec).iter().any(|name| self.schema.contains(name))
            }
            StepSpec::Roll(_) => {
                !self.rolled.contains_key(&step.address) && !self.half.contains(&step.address)
            }
            StepSpec::Run(spec) => {
                return match self.observe_command(step, spec) {
                    Observation::NotDone if spec.observe.is_some() => {
                        Observation::Done(Outputs::new())
                    }
                    Observation::NotDone | Observation::Done(_) => Observation::NotDone,
                    Observation::Unknown(question) => Observation::Unknown(question),
                };
            }
            StepSpec::Migrate(_)
            | StepSpec::Backup(_)
            | StepSpec::Verify(_)
            | StepSpec::Approve(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => true,
        };
        if undone { Observation::Done(Outputs::new()) } else { Observation::NotDone }
    }

    /// The truth, which observing does not always tell.
    pub fn is_there(&self, step: &Step) -> bool {
        match &step.spec {
            StepSpec::Run(_) => self.commands.contains(&step.address),
            StepSpec::Approve(_)
            | StepSpec::Backup(_)
            | StepSpec::Verify(_)
            | StepSpec::Migrate(_)
            | StepSpec::Roll(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => matches!(self.observe(step), Observation::Done(_)),
        }
    }

    /// The first half of an effect. Of several migrations the first is applied.
    pub fn half(&mut self, step: &Step) {
        match &step.spec {
            StepSpec::Migrate(spec) => {
                let wanted = migrations(step, spec);
                if let (Some(first), 2..) = (wanted.first(), wanted.len())
                    && !self.schema.contains(first)
                {
                    self.schema.push(first.clone());
                }
            }
            StepSpec::Backup(_) | StepSpec::Verify(_) | StepSpec::Roll(_) | StepSpec::Run(_) => {
                self.half.insert(step.address.clone());
            }
            StepSpec::Approve(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => {}
        }
    }

    /// The whole effect.
    ///
    /// # Errors
    /// What should never be: an effect that happens twice, or without what it needs.
    pub fn complete(&mut self, cx: &StepContext) -> Result<Outputs, String> {
        let address = &cx.step.address;
        self.half.remove(address);
        let twice = |was_there: bool| {
            if was_there { Err(format!("the effect of {address} happened twice")) } else { Ok(()) }
        };
        match &cx.step.spec {
            StepSpec::Backup(_) => {
                let id = backup_id(address);
                twice(self.backups.insert(id.clone(), self.schema.clone()).is_some())?;
                Ok(id_output(&id))
            }
            StepSpec::Verify(spec) => {
                let id = id_of(cx, &spec.backup)?;
                if !self.backups.contains_key(&id) {
                    return Err(format!("{address} verified {id}, which is no backup"));
                }
                self.verified.insert(address.clone(), id.clone());
                Ok(id_output(&id))
            }
            StepSpec::Migrate(spec) => {
                if let Some(backup) = &spec.backup {
                    id_of(cx, backup)?;
                }
                let wanted = migrations(&cx.step, spec);
                twice(wanted.iter().all(|name| self.schema.contains(name)))?;
                for name in wanted {
                    if !self.schema.contains(&name) {
                        self.schema.push(name);
                    }
                }
                Ok(Outputs::new())
            }
            StepSpec::Roll(spec) => {
                let before = self.version.replace(spec.version.to_string());
                twice(self.rolled.insert(address.clone(), before).is_some())?;
                Ok(Outputs::new())
            }
            StepSpec::Run(spec) => {
                let was_there = !self.commands.insert(address.clone());
                twice(was_there && !(spec.idempotent && spec.observe.is_none()))?;
                Ok(Outputs::new())
            }
            StepSpec::Approve(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => Ok(Outputs::new()),
        }
    }

    /// Takes the effect, or what there is of it, back.
    ///
    /// # Errors
    /// What should never be, as for [`Model::complete`].
    pub fn undo(&mut self, cx: &StepContext) -> Result<(), String> {
        let address = &cx.step.address;
        let was_half = self.half.remove(address);
        match &cx.step.spec {
            StepSpec::Migrate(_) if cx.step.restores().is_some() => {
                let verify = cx.step.restores().expect("asked just before");
                let id = id_of(cx, verify)?;
                let schema = self.backups.get(&id);
                self.schema = schema.ok_or_else(|| format!("{id} is no backup"))?.clone();
                Ok(())
            }
            StepSpec::Roll(_) => match self.rolled.remove(address) {
                Some(before) => {
                    self.version = before;
                    Ok(())
                }
                None if was_half => Ok(()),
                None => Err(format!("{address} was undone twice")),
            },
            StepSpec::Run(spec) => {
                let was_there = self.commands.remove(address);
                // Where nothing can be observed, undoing what is not there is what the author asked for.
                if was_there || was_half || spec.observe.is_none() {
                    Ok(())
                } else {
                    Err(format!("{address} was undone twice"))
                }
            }
            StepSpec::Migrate(_)
            | StepSpec::Backup(_)
            | StepSpec::Verify(_)
            | StepSpec::Approve(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => Ok(()),
        }
    }
}

fn backup_id(step: &Address) -> String {
    format!("backup-of-{step}")
}

fn id_output(id: &str) -> Outputs {
    Outputs::from([("id".to_owned(), Value::from(id))])
}

fn id_of(cx: &StepContext, step: &Address) -> Result<String, String> {
    let id = cx.outputs.get(step).and_then(|outputs| outputs.get("id")).and_then(Value::as_str);
    id.map(str::to_owned)
        .ok_or_else(|| format!("{} began without the id that {step} puts out", cx.step.address))
}

/// The migrations that a step applies. A plan from facts without a database names none: then one stands for them.
fn migrations(step: &Step, spec: &MigrateSpec) -> Vec<String> {
    if spec.pending.is_empty() { vec![step.address.to_string()] } else { spec.pending.clone() }
}
