//! Earlier runs of the same subject, for what a plan's steps are expected to take.

use crate::cli::shared::state::State;
use crate::plan::Plan;
use crate::run;
use crate::run::{Report, StoredRun};

/// Runs that are looked at, newest first: older ones tell of another database.
const RUNS: usize = 10;
/// Among how many runs of all subjects these are looked for.
const LISTED: u32 = 100;

/// Tells a plan what its steps, and undoing them, took before. A run that can't be read tells
/// nothing here; whoever asks for it by name is told why.
pub async fn expect(state: &State, plan: &mut Plan) {
    let subject = plan.subject();
    let runs = state.store.runs(LISTED).await.unwrap_or_default();
    let mut reports = Vec::new();
    for summary in runs.into_iter().filter(|run| run.subject == subject).take(RUNS) {
        let run = StoredRun::load(&*state.store, summary).await;
        reports.extend(run.map(|run| Report::new(&run)));
    }
    let steps = || plan.steps.iter().map(|step| &step.address);
    let (took, undo) = (run::expected(steps(), &reports), run::expected_undo(steps(), &reports));
    plan.expect(took, &undo);
}
