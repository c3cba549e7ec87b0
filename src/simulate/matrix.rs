//! What becomes of a plan: every step made to fail, every moment made the last one, each in a world of its own.
//!
//! Must not: print; the command line draws the tables.

use std::sync::Arc;

use super::judge::wrongs;
use super::play::End;
use super::session::Stage;
use super::{Fault, Phase, VirtualClock};
use crate::journal::{FailureClass, RunStatus};
use crate::model::{Address, Effect, Place, Step};
use crate::plan::Plan;
use crate::store::MemoryStore;

/// More failures of one step than any retry budget that a rehearsal would wait for.
const ALWAYS: usize = 200;

/// How a run of the plan ends when one step fails, or none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The step that fails, for good; none where nothing does.
    pub failing: Option<Address>,
    /// None where the run did not come to an end: it waits for an approval, or `trouble` says why.
    pub status: Option<RunStatus>,
    /// Undo steps that ran, in order.
    pub undone: Vec<Address>,
    /// Finished steps whose effect is left in the world, in the plan's order.
    pub left: Vec<Address>,
    /// Where a person was asked, with the question.
    pub asked: Vec<(Address, String)>,
    /// Broken promises of the executor. A bug of orthid's where there is one.
    pub trouble: Vec<String>,
}

/// What killing orthid at every moment of a run shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kills {
    /// Moments at which it was killed and resumed.
    pub moments: u64,
    /// Those after which the run ended as if it had not been killed.
    pub same: u64,
    /// Those after which a person was asked: the moment, the step, the question.
    pub asked: Vec<(String, Address, String)>,
    /// Those after which it ended otherwise: the moment, and how.
    pub other: Vec<(String, String)>,
}

/// A plan rehearsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rehearsal {
    /// Without a failure.
    pub smooth: Row,
    /// By the plan's order of the failing step.
    pub rows: Vec<Row>,
    /// The first step whose effect is left behind when another fails. Not by itself a point of no return: the old app
    /// runs on a schema that a minor release migrated.
    pub first_that_stays: Option<Address>,
    pub kills: Option<Kills>,
}

/// Rehearses a plan: smoothly, with each of `failing` failing for good, and, where `crash_everywhere`, killed at every
/// moment. Takes seconds, in virtual time, on a thread of its own; nothing outside is touched.
pub fn rehearse(plan: &Arc<Plan>, failing: &[Address], crash_everywhere: bool) -> Rehearsal {
    // A runtime can't be made within another: callers need not care whether they have one.
    std::thread::scope(|scope| {
        let rehearsed = scope.spawn(|| all(plan, failing, crash_everywhere));
        match rehearsed.join() {
            Ok(rehearsal) => rehearsal,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn all(plan: &Arc<Plan>, failing: &[Address], crash_everywhere: bool) -> Rehearsal {
    let (smooth, end) = play(plan, None, None);
    let steps = plan.steps.iter().filter(|step| failing.contains(&step.address));
    let rows: Vec<Row> = steps
        .map(|step| match step.kind().traits().place {
            Place::Waits => not_approved(step),
            Place::Takes | Place::Beside => play(plan, Some(step), None).0,
        })
        .collect();
    let first_that_stays = rows
        .iter()
        .find(|row| match row.status {
            Some(RunStatus::RolledBack | RunStatus::Failed | RunStatus::Stuck) => {
                !row.left.is_empty()
            }
            Some(RunStatus::Succeeded) | None => false,
        })
        .and_then(|row| row.left.first().cloned());
    let kills = crash_everywhere.then(|| kill_everywhere(plan, &smooth, &end));
    Rehearsal { smooth, rows, first_that_stays, kills }
}

fn kill_everywhere(plan: &Arc<Plan>, smooth: &Row, end: &End) -> Kills {
    let moments = end.lives.first().map_or(0, |(crossings, _)| *crossings);
    let mut kills = Kills { moments, ..Kills::default() };
    for moment in 1..=moments {
        let (row, end) = play(plan, None, Some(moment));
        let place = end.lives.first().and_then(|(_, died)| died.clone()).unwrap_or_default();
        for (step, question) in &row.asked {
            kills.asked.push((place.clone(), step.clone(), question.clone()));
        }
        if row.status == smooth.status && row.left == smooth.left && row.trouble.is_empty() {
            kills.same += 1;
        } else {
            let how = match &row.status {
                Some(status) => format!("{} {}", status.text(), row.trouble.join("; ")),
                None => row.trouble.join("; "),
            };
            kills.other.push((place, how.trim().to_owned()));
        }
    }
    kills
}

/// One run in a world of its own.
fn play(plan: &Arc<Plan>, failing: Option<&Step>, kill: Option<u64>) -> (Row, End) {
    let clock = VirtualClock::new();
    let store = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    clock.runtime().block_on(async {
        let stage = Stage::new(plan, "rehearsal", 1, true, clock.clone(), store);
        if let Some(step) = failing {
            stage.site.with_faults(|faults| {
                for _ in 0..ALWAYS {
                    faults.add(Phase::Act, step.address.clone(), worst(step));
                }
            });
        }
        let end = stage.play(&[kill]).await;
        let model = stage.site.model();
        let mut trouble = stage.site.violations();
        trouble.extend(end.trouble.clone());
        match stage.records().await {
            Ok(records) => {
                trouble.extend(wrongs(&stage.job.plan, &stage.job.plan_digest, &records, &model));
            }
            Err(error) => trouble.push(error.to_string()),
        }
        let left = plan.steps.iter().filter(|step| step.changes() && model.is_there(step));
        let row = Row {
            failing: failing.map(|step| step.address.clone()),
            status: end.status,
            undone: stage.site.undone(),
            left: left.map(|step| step.address.clone()).collect(),
            asked: end.asked.clone(),
            trouble,
        };
        (row, end)
    })
}

/// The worst that a failure of this step can leave: a part of its effect, where it has one.
fn worst(step: &Step) -> Fault {
    match step.kind().traits().effect {
        Effect::Kept | Effect::Changes => Fault::Half(FailureClass::Permanent),
        Effect::None => Fault::Error(FailureClass::Permanent),
    }
}

/// An approval that is not given makes the run wait, with everything before it done.
fn not_approved(step: &Step) -> Row {
    Row {
        failing: Some(step.address.clone()),
        status: None,
        undone: Vec::new(),
        left: Vec::new(),
        asked: vec![(step.address.clone(), "the run waits for this approval".to_owned())],
        trouble: Vec::new(),
    }
}
