//! A run's report, and how a run stands.

mod html;
mod json;
mod markdown;
mod text;

use serde_json::json;

use super::event::failure;
use crate::model::json::Exact;
use crate::run::{Approval, Proof, Report, Standing, StepOutcome, StepReport, Vouched};
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
    pub records: u64,
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
    head.push(("journal", journal_text(report)));
    head.extend(signatures(report).into_iter().map(|text| ("signed", text)));
    head.push(("outcome", standing_text(report.standing).to_owned()));
    head
}

/// What the chain shows, and no more: whoever can write to the store can compute it.
fn journal_text(report: &Report) -> String {
    let verified = format!("{} records, hash chain verified", report.records);
    match report.vouched.is_empty() {
        true => format!("{verified}; no key signed it, so this finds accidents and not forgery"),
        false => verified,
    }
}

/// Who vouches for which records of the journal.
fn signatures(report: &Report) -> Vec<String> {
    if report.vouched.is_empty() {
        return Vec::new();
    }
    let vouched = report.vouched.iter().map(|Vouched { first, last, key, at }| {
        format!("{} by {key} at {at}: signature verified", records(*first, *last))
    });
    let gaps = report.unvouched(&[]).into_iter().map(|(first, last)| {
        let records = records(first, last);
        format!("{records} by NOBODY: a process was killed, or somebody else wrote them")
    });
    vouched.chain(gaps).collect()
}

/// `records 3 to 6`.
pub(crate) fn records(first: u64, last: u64) -> String {
    match first == last {
        true => format!("record {first}"),
        false => format!("records {first} to {last}"),
    }
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
            format!("{step} by the name of {by}, at {at}: NOT VERIFIED, it is ignored: {why}")
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
            other => format!("{name} = {}", Exact(other)),
        })
        .collect();
    if let StepOutcome::Skipped(reason) = &step.outcome {
        parts.push(reason.clone());
    }
    if let Some(failure) = &step.failure {
        parts.push(self::failure(failure));
    }
    parts.extend(step.remarks.iter().cloned());
    parts.join("\n")
}
