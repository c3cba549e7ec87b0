//! A report for a change ticket.

use super::{details, head};
use crate::render::escape::{code, escaped};
use crate::run::Report;
use crate::text::duration;

/// The report as Markdown. Text from outside is escaped.
pub fn markdown(report: &Report) -> String {
    let title = report.versions.as_deref().unwrap_or("runbook");
    let mut text = format!("## orthid: {} {}\n\n", escaped(&report.plan), escaped(title));
    for (name, value) in head(report) {
        text.push_str(&format!("- **{name}**: {}\n", escaped(&value)));
    }
    text.push_str("\n| step | outcome | attempts | took | details |\n|---|---|---|---|---|\n");
    for step in &report.steps {
        let details: Vec<String> = details(step).lines().map(escaped).collect();
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} |\n",
            code(&step.address.to_string()),
            step.outcome.text(),
            step.attempts,
            step.took.map(duration::print).unwrap_or_default(),
            details.join("<br>"),
        ));
    }
    text
}
