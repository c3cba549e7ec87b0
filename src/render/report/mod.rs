//! A run's report, and how a run stands.

mod html;
mod json;
mod markdown;
mod text;

use serde_json::json;

use super::event::failure;
use crate::run::{Approval, Proof, Report, Standing, StepOutcome, StepReport};
use crate::text::duration;

pub use html::html;
pub use json::{json, unverified as unverified_json};
pub use markdown::markdown;
pub use text::{status, text, unverified};

/// A run whose parts do not fit together, as its row and the end of its journal name it.
#[derive(Clone, Copy, Debug)]
pub struct Unverified<'a> {
    pub run: &'a str,
    pub subject: &'a str,
    pub plan_digest: &'a str,
    pub created_at: &'a str,
    pub standing: Standing,
    pub records: usize,
    pub reason: &'a str,
}

pub(crate) fn standing_text(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "running, or its process died (`orthid resume` finds out)",
        Standing::Paused => "paused (`orthid resume` goes on)",
        Standing::Finished(status) => status.text(),
    }
}

/// The standing as programs read it.
pub(crate) fn standing_code(standing: Standing) -> serde_json::Value {
    match standing {
        Standing::Open => json!("open"),
        Standing::Paused => json!("paused"),
        Standing::Finished(status) => json!(status),
    }
}

fn head(report: &Report) -> Vec<(&'static str, String)> {
    let mut head = vec![
        ("run", report.run.to_string()),
        ("plan", format!("{} ({})", report.plan, report.plan_digest)),
    ];
    if let Some(versions) = &report.versions {
        head.push(("versions", versions.clone()));
    }
    head.push(("began", report.created_at.clone()));
    if let Some(took) = report.took {
        head.push(("took", duration::print(took)));
    }
    let holders: Vec<String> =
        report.holders.iter().map(|(holder, epoch)| format!("{holder} (epoch {epoch})")).collect();
    head.push(("by", holders.join(", ")));
    for approval in &report.approvals {
        head.push(("approved", approval_text(approval)));
    }
    for pause in &report.pauses {
        head.push(("paused", pause.clone()));
    }
    head.push(("journal", format!("{} records, hash chain verified", report.records)));
    head.push(("outcome", standing_text(report.standing).to_owned()));
    head
}

/// An approval with what stands behind it: the key first, the name as the claim that it is.
fn approval_text(approval: &Approval) -> String {
    let Approval { step, by, at, proof } = approval;
    match proof {
        Proof::Key(key) => {
            format!("{step} by {key}, by the name of {by}, at {at}: signature verified")
        }
        Proof::Word => format!("{step} by the name of {by}, at {at}: the step lists no keys"),
        Proof::Missing(why) => {
            format!("{step} by the name of {by}, at {at}: NOT VERIFIED, it opens nothing: {why}")
        }
    }
}

/// What a step handed on, and what it failed with, in one cell.
fn details(step: &StepReport) -> String {
    let mut parts: Vec<String> = step
        .outputs
        .iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name} = {text}"),
            other => format!("{name} = {other}"),
        })
        .collect();
    if let StepOutcome::Skipped(reason) = &step.outcome {
        parts.push(reason.clone());
    }
    if let Some(failure) = &step.failure {
        parts.push(self::failure(failure));
    }
    parts.join("\n")
}
