//! A report and a standing on a terminal.

use super::{Unverified, approval_text, details, head, standing_text};
use crate::journal::RunStatus;
use crate::render::table;
use crate::run::{Proof, Report, Standing, StepOutcome, StepReport};
use crate::text::duration;
use crate::text::safe::masked;

/// The report. Width in columns.
pub fn text(report: &Report, width: usize) -> String {
    let mut text = String::new();
    for (name, value) in head(report) {
        text.push_str(&format!("{name:>9}  {}\n", masked(&value)));
    }
    let mut table = table::ruled(["step", "outcome", "attempts", "took", "details"], width);
    for step in &report.steps {
        table.add_row([
            masked(&step.address.to_string()),
            step.outcome.text().to_owned(),
            step.attempts.to_string(),
            step.took.map(duration::print).unwrap_or_default(),
            masked(&details(step)),
        ]);
    }
    text.push_str(&format!("\n{table}\n"));
    text
}

/// How the run stands, and who holds its lease.
pub fn status(report: &Report, held: &[String]) -> String {
    let done = |step: &&StepReport| {
        matches!(
            step.outcome,
            StepOutcome::Succeeded | StepOutcome::Adopted | StepOutcome::Skipped(_)
        )
    };
    let finished = report.steps.iter().filter(done).count();
    let mut text = format!(
        "run {}  {}{}\n{}: {finished} of {} steps done\n",
        report.run,
        report.plan,
        report.versions.as_ref().map(|v| format!(" {v}")).unwrap_or_default(),
        standing_text(report.standing),
        report.steps.len(),
    );
    for step in &report.steps {
        text.push_str(&format!("  {:<20} {}\n", step.outcome.text(), step.address));
    }
    for approval in report.approvals.iter().filter(|it| matches!(it.proof, Proof::Missing(_))) {
        text.push_str(&format!("approval of {}\n", approval_text(approval)));
    }
    for holder in held {
        text.push_str(&format!("lease held by {holder}\n"));
    }
    let resumable = match report.standing {
        Standing::Open | Standing::Paused => true,
        Standing::Finished(status) => status == RunStatus::Stuck,
    };
    if resumable && held.is_empty() {
        text.push_str(&format!(
            "go on with `orthid resume {0}`, or undo it with `orthid rollback {0}`\n",
            report.run
        ));
    }
    masked(&text)
}

/// What can be said of a run whose parts do not fit together; the reason is the command's error.
pub fn unverified(run: &Unverified<'_>, held: &[String]) -> String {
    let Unverified { run, subject, plan_digest, created_at, standing, .. } = run;
    let mut text = format!("run {run}  not verified\n");
    text.push_str(&format!("created {created_at}, of the plan {plan_digest}, for {subject}\n"));
    text.push_str(&format!("its journal says: {}\n", standing_text(*standing)));
    for holder in held {
        text.push_str(&format!("lease held by {holder}\n"));
    }
    masked(&text)
}
