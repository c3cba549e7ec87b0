//! What a rollback that a person asks for would undo, before it begins.
//!
//! Must not: take a lease, write, or act; it reads the journal and looks at the world.

use std::path::PathBuf;

use super::executor::{Deps, Job, RunError};
use super::recovery::context;
use super::schedule::undo_order;
use super::state::{RunPhase, RunState, StepState};
use crate::graph::StepGraph;
use crate::journal::RunStatus;
use crate::model::{self, Address, Step, undo_of};
use crate::run::Observation;

/// Everything that a rollback of a run would do, and what it would leave.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollback {
    /// In the order of undoing.
    pub undo: Vec<Undo>,
    /// Steps that changed something and have no rollback edge, or are of a hop that had ended before.
    pub stays: Vec<Address>,
}

/// A step that would be undone.
#[derive(Clone, Debug, PartialEq)]
pub struct Undo {
    pub address: Address,
    /// The backup that undoing it restores.
    pub restores: Option<Address>,
    /// Is a step that had succeeded undone already, by what looking at the world said? None where nothing can be looked
    /// at, or where the rollback itself will look first.
    pub undone: Option<Observation>,
    /// What looking for that backup said.
    pub backup: Option<Observation>,
}

/// Tells what a rollback of this run would do.
///
/// # Errors
/// As [`super::roll_back`] before it begins anything: a broken journal, or a run that was rolled back already.
pub async fn rollback(
    deps: &Deps,
    job: &Job,
    base: PathBuf,
    evidence: PathBuf,
) -> Result<Rollback, RunError> {
    let graph = StepGraph::from_steps(job.plan.steps.clone())?;
    let records = deps.store.records(&job.run, 0).await?;
    let state = RunState::fold(job.run.clone(), &job.plan, job.plan_digest.clone(), &records)?;
    if let RunPhase::Finished(status @ RunStatus::RolledBack) = state.phase {
        return Err(RunError::Ended { run: job.run.clone(), status });
    }
    let mut undo = Vec::new();
    for step in undo_order(&graph, &state) {
        let context = |step: &Step| context(job, &graph, &state, step, &base, &evidence);
        let undone = match can_be_looked_at(step, &state) {
            true => Some(deps.world.observe_undo(&context(step)).await),
            false => None,
        };
        let restores = step.restores().cloned();
        let backup = match restores.as_ref().and_then(|backup| graph.get(backup)) {
            Some(backup) => Some(deps.world.observe(&context(backup)).await),
            None => None,
        };
        undo.push(Undo { address: step.address.clone(), restores, undone, backup });
    }
    let stays = graph.steps().iter().filter(|step| {
        let is_there = state.step(&step.address).state == StepState::Succeeded;
        step.changes() && is_there && !undo.iter().any(|undo| undo.address == step.address)
    });
    let stays = stays.map(|step| step.address.clone()).collect();
    Ok(Rollback { undo, stays })
}

/// A step that had succeeded must still be there, or undoing it would undo somebody else's work; that it is well is not
/// asked for. The trace of a migration is gone after a day, and the roll that came with it tells as much.
fn can_be_looked_at(step: &Step, state: &RunState) -> bool {
    let observable = undo_of(step) == model::Undo::TakesBack && step.is_observable();
    observable && state.step(&step.address).state == StepState::Succeeded
}
