//! What becomes of the release's values.

use super::check::Check;
use super::report::{Report, Subject};
use crate::plan::Level;

/// How many names a finding lists.
const LISTED: usize = 6;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    for check in [Check::RenamedValues, Check::DefaultsLost, Check::OrphanedValues] {
        report.checked(check);
    }
    for (view, diff) in subject.situation.hops.iter().zip(subject.diff) {
        let to = &view.hop.to;
        for (from, renamed) in &diff.values.renamed {
            let message = format!("{to} reads {renamed} and no longer {from}, which is set");
            let help = format!("set {renamed} in a values file of the release block");
            report.find(Check::RenamedValues, Level::Warning, message).help(help);
        }
        let lost = &diff.values.defaults_lost;
        if !lost.is_empty() {
            let message =
                format!("reused values hide defaults that the chart of {to} adds: {}", list(lost));
            let help = "with `values { policy = \"reset_then_reuse\" }` they come into force";
            report.find(Check::DefaultsLost, Level::Warning, message).help(help);
        }
        let orphaned = &diff.values.orphaned;
        if !orphaned.is_empty() {
            let message =
                format!("the chart of {to} does not know values that are set: {}", list(orphaned));
            report.find(Check::OrphanedValues, Level::Note, message);
        }
    }
}

fn list(names: &[String]) -> String {
    let shown = names.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(LISTED) {
        Some(more) if more > 0 => format!("{shown} and {more} more"),
        Some(_) | None => shown,
    }
}
