//! A report as one JSON document. Fields are only ever added while the format's version stays.

use serde_json::json;

use super::{Unverified, standing_code};
use crate::run::{Approval, Proof, Report};

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
        "approvals": report.approvals.iter().map(approval).collect::<Vec<_>>(),
        "journal": {
            "records": report.records,
            "verified": report.refused.is_empty(),
            "signed": report.vouched.iter().map(|it| json!({
                "first": it.first, "last": it.last, "key": it.key.to_string(), "at": it.at,
            })).collect::<Vec<_>>(),
            "unsigned": report.unvouched(&[]),
            "refused": report.refused.iter().map(|(seq, why)| json!({"seq": seq, "reason": why})).collect::<Vec<_>>(),
        },
        "steps": report.steps.iter().map(|step| json!({
            "address": step.address,
            "outcome": step.outcome.text(),
            "attempts": step.attempts,
            "started_at": step.started_at,
            "took_ms": millis(step.took),
            "outputs": step.outputs,
            "failure": step.failure,
            "remarks": step.remarks,
        })).collect::<Vec<_>>(),
    })
}

fn approval(approval: &Approval) -> serde_json::Value {
    let Approval { step, by, at, proof } = approval;
    let (key, verified, reason) = match proof {
        Proof::Key(key) => (Some(key.to_string()), true, None),
        Proof::Word => (None, true, None),
        Proof::Missing(why) => (None, false, Some(why)),
    };
    json!({"step": step, "by": by, "at": at, "key": key, "verified": verified, "reason": reason})
}

/// What can be said of a run whose parts do not fit together.
pub fn unverified(run: &Unverified<'_>, held: &[String]) -> serde_json::Value {
    let Unverified { run, subject: _, plan_digest, created_at, standing, records, reason } = run;
    json!({
        "format_version": 1,
        "run": run,
        "plan_digest": plan_digest,
        "created_at": created_at,
        "outcome": standing_code(*standing),
        "journal": { "records": records, "verified": false, "reason": reason },
        "leases": held,
    })
}
