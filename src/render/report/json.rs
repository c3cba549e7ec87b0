//! A report as one JSON document. Fields are only ever added while the format's version stays.

use serde_json::json;

use super::standing_code;
use crate::run::Report;

/// The document, not yet text: `orthid status` adds to it.
pub fn json(report: &Report) -> serde_json::Value {
    let millis = |took: Option<std::time::Duration>| {
        took.and_then(|took| u64::try_from(took.as_millis()).ok())
    };
    json!({
        "format_version": 1,
        "run": report.run.0,
        "plan": report.plan,
        "plan_digest": report.plan_digest,
        "versions": report.versions,
        "created_at": report.created_at,
        "took_ms": millis(report.took),
        "outcome": standing_code(report.standing),
        "holders": report.holders.iter().map(|(who, epoch)| json!({"holder": who, "epoch": epoch})).collect::<Vec<_>>(),
        "approvals": report.approvals.iter().map(|a| json!({"step": a.step, "by": a.by, "at": a.at})).collect::<Vec<_>>(),
        "journal": { "records": report.records, "verified": true },
        "steps": report.steps.iter().map(|step| json!({
            "address": step.address,
            "outcome": step.outcome.text(),
            "attempts": step.attempts,
            "started_at": step.started_at,
            "took_ms": millis(step.took),
            "outputs": step.outputs,
            "failure": step.failure,
        })).collect::<Vec<_>>(),
    })
}
