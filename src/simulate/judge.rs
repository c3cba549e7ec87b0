//! Judges what a rehearsed run left: the journal against the plan, and both against the world.
//!
//! Must not: change anything, or know which faults were scripted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Model;
use crate::journal::{Event, Record, RunStatus};
use crate::model::{Address, Effect, Step, Undo, undo_of};
use crate::plan::Plan;
use crate::run::{BrokenJournal, RunPhase, RunState, StepState};

/// Everything that is wrong, in words; nothing where all is as promised.
pub fn wrongs(plan: &Arc<Plan>, digest: &str, records: &[Record], model: &Model) -> Vec<String> {
    let Some(first) = records.first() else {
        return vec!["there is no journal".to_owned()];
    };
    let state = match RunState::fold(first.run.clone(), plan, digest.to_owned(), records) {
        Ok(state) => state,
        Err(BrokenJournal { seq, reason, .. }) => {
            return vec![format!("the journal is broken at record {seq}: {reason}")];
        }
    };
    let mut wrong = order(plan, records);
    wrong.extend(twice(records));
    match &state.phase {
        RunPhase::Finished(RunStatus::Succeeded) => {
            for step in plan.steps.iter().filter(|step| leaves_something(step)) {
                let stands = &state.step(&step.address).state;
                if *stands == StepState::Succeeded && !model.is_there(step) {
                    wrong.push(format!("{} succeeded and its effect is not there", step.address));
                }
            }
            for step in &plan.steps {
                match &state.step(&step.address).state {
                    StepState::Succeeded | StepState::Skipped | StepState::Failed(_) => {}
                    StepState::Pending
                    | StepState::Started
                    | StepState::Undoing
                    | StepState::Undone
                    | StepState::UndoFailed(_) => {
                        wrong.push(format!("the run succeeded without {}", step.address));
                    }
                }
            }
        }
        RunPhase::Finished(RunStatus::RolledBack) => {
            for step in plan.steps.iter().filter(|step| step.rollback.is_some()) {
                match &state.step(&step.address).state {
                    StepState::Pending | StepState::Skipped | StepState::Undone => {}
                    StepState::Started
                    | StepState::Succeeded
                    | StepState::Failed(_)
                    | StepState::Undoing
                    | StepState::UndoFailed(_) => {
                        wrong.push(format!("the run was rolled back without {}", step.address));
                    }
                }
                if model.is_there(step) && takes_back(step) {
                    wrong.push(format!("{} was rolled back and is still there", step.address));
                }
            }
        }
        RunPhase::Finished(RunStatus::Failed | RunStatus::Stuck)
        | RunPhase::Running
        | RunPhase::Paused(_) => {}
    }
    wrong
}

fn leaves_something(step: &Step) -> bool {
    step.kind().traits().effect != Effect::None
}

/// Whether undoing this step takes its effect away. Migrations that the old app runs on stay.
fn takes_back(step: &Step) -> bool {
    match undo_of(step) {
        Undo::TakesBack | Undo::Restores(_) => true,
        Undo::Nothing | Undo::NoBackup => false,
    }
}

/// No step starts before what it waits for is over, and none is undone before those that waited for it.
fn order(plan: &Plan, records: &[Record]) -> Vec<String> {
    let waits: BTreeMap<&Address, &[Address]> =
        plan.steps.iter().map(|step| (&step.address, &step.depends_on[..])).collect();
    let mut over: BTreeSet<&Address> = BTreeSet::new();
    let mut standing: BTreeSet<&Address> = BTreeSet::new();
    let undoable: BTreeSet<&Address> = plan
        .steps
        .iter()
        .filter(|step| step.rollback.is_some())
        .map(|step| &step.address)
        .collect();
    let mut wrong = Vec::new();
    for record in records {
        match &record.event {
            Event::StepStarted { step, .. } => {
                for waited in waits.get(step).copied().unwrap_or_default() {
                    if !over.contains(waited) {
                        wrong.push(format!("{step} started before {waited} was over"));
                    }
                }
            }
            Event::StepSucceeded { step, .. } => {
                over.insert(step);
                standing.insert(step);
            }
            Event::StepFailed { step, .. } | Event::StepSkipped { step, .. } => {
                over.insert(step);
            }
            Event::UndoStarted { step, .. } => {
                for later in standing.iter().filter(|later| undoable.contains(*later)) {
                    let waited = waits.get(*later).copied().unwrap_or_default();
                    if waited.contains(step) {
                        wrong.push(format!("{step} was undone before {later}, which stood on it"));
                    }
                }
            }
            Event::UndoSucceeded { step } => {
                standing.remove(step);
            }
            Event::RunCreated { .. }
            | Event::LeaseTaken { .. }
            | Event::RollbackRequested { .. }
            | Event::UndoFailed { .. }
            | Event::StepRemarked { .. }
            | Event::ApprovalGiven { .. }
            | Event::AnswerGiven { .. }
            | Event::RunPaused { .. }
            | Event::RunFinished { .. }
            | Event::JournalSigned { .. } => {}
        }
    }
    wrong
}

/// No step succeeds twice or is undone twice.
fn twice(records: &[Record]) -> Vec<String> {
    let mut done = BTreeSet::new();
    let mut wrong = Vec::new();
    for record in records {
        let key = match &record.event {
            Event::StepSucceeded { step, .. } => ("succeeded", step),
            Event::UndoSucceeded { step } => ("was undone", step),
            Event::RunCreated { .. }
            | Event::LeaseTaken { .. }
            | Event::RollbackRequested { .. }
            | Event::StepStarted { .. }
            | Event::StepFailed { .. }
            | Event::StepSkipped { .. }
            | Event::UndoStarted { .. }
            | Event::UndoFailed { .. }
            | Event::StepRemarked { .. }
            | Event::ApprovalGiven { .. }
            | Event::AnswerGiven { .. }
            | Event::RunPaused { .. }
            | Event::RunFinished { .. }
            | Event::JournalSigned { .. } => continue,
        };
        if !done.insert(key) {
            wrong.push(format!("{} {} twice", key.1, key.0));
        }
    }
    wrong
}
