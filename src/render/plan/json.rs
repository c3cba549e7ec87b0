//! `orthid plan --json`: one document for machines. Fields are only ever added while the format's
//! version stays.

use serde_json::{Value, json};

use crate::plan::{Change, EndsAt, HopDiff, NameChange, ObjectChange, Plan, Rests, SavedPlan};
use crate::render::words::{self, Reversibility};

/// Version of the document's format.
pub const FORMAT_VERSION: u32 = 1;

/// The document, indented, with a line end. The digest is the saved plan's, whether or not it was
/// saved.
pub fn json(saved: &SavedPlan) -> String {
    format!("{:#}\n", document(saved))
}

fn document(saved: &SavedPlan) -> Value {
    let plan = &saved.plan;
    json!({
        "format_version": FORMAT_VERSION,
        "engine": saved.engine,
        "observed_at": saved.observed_at,
        "name": plan.name,
        "upgrade": plan.upgrade.as_ref().map(|upgrade| json!({
            "from": upgrade.from.to_string(),
            "to": upgrade.to.to_string(),
        })),
        "release": plan.release.as_ref().zip(plan.installed.as_ref()).map(|(release, installed)| json!({
            "name": release.name,
            "namespace": release.namespace,
            "revision": installed.revision,
            "status": installed.status,
            "cluster": installed.cluster,
        })),
        "hops": plan.hops.iter().zip(&plan.stops).map(|(hop, stop)| json!({
            "from": hop.from.to_string(),
            "to": hop.to.to_string(),
            "kind": hop.kind.as_str(),
            "reason": stop.reason.as_str(),
        })).collect::<Vec<_>>(),
        "changelog": plan.changelog,
        "migrations": plan.migrations.iter().map(|migration| json!({
            "name": migration.name,
            "release": migration.release.as_ref().map(ToString::to_string),
            "backward_compatible": migration.backward_compatible,
            "description": migration.description,
            "step": migration.step.as_ref().map(ToString::to_string),
        })).collect::<Vec<_>>(),
        "steps": steps(plan),
        "rollback_edges": plan.rollback_edges.iter().map(|edge| json!({
            "step": edge.step.to_string(),
            "restores": edge.restores.as_ref().map(ToString::to_string),
            "action": edge.action,
            "proof": edge.proof,
        })).collect::<Vec<_>>(),
        "withheld_edges": plan.withheld_edges.iter().map(|edge| json!({
            "step": edge.step.to_string(),
            "reason": edge.reason,
            "needless": edge.needless,
        })).collect::<Vec<_>>(),
        "diff": diff(plan),
        "drift": plan.drift.iter().map(|change| object(change, None)).collect::<Vec<_>>(),
        "findings": plan.findings.iter().map(|finding| json!({
            "code": finding.code,
            "level": finding.level.as_str(),
            "message": finding.message,
            "step": finding.step.as_ref().map(ToString::to_string),
            "help": finding.help,
        })).collect::<Vec<_>>(),
        "checks": plan.checks.iter().map(|check| json!({
            "code": check.code,
            "title": check.title,
            "findings": check.findings,
        })).collect::<Vec<_>>(),
        "failure_map": failure_map(plan),
        "point_of_no_return": plan.point_of_no_return.as_ref().map(|point| json!({
            "step": point.step.to_string(),
            "reason": point.reason,
        })),
        "facts": plan.facts.iter().map(|fact| json!({
            "name": fact.name,
            "value": fact.value,
            "rests": match fact.rests {
                Rests::MustMatch => "must_match",
                Rests::Informational => "informational",
            },
        })).collect::<Vec<_>>(),
        "files": plan.files,
        "digest": saved.digest,
        "applyable": plan.is_applyable(),
    })
}

fn steps(plan: &Plan) -> Vec<Value> {
    let shown = plan.steps.iter().map(|step| {
        json!({
            "address": step.address.to_string(),
            "kind": step.kind().as_str(),
            "hop": step.hop,
            "depends_on": step.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "action": words::action(step),
            "reversibility": Reversibility::of(plan, step).as_str(),
            "description": step.description,
            "expected_ms": plan.expected_ms.get(&step.address),
        })
    });
    shown.collect()
}

fn diff(plan: &Plan) -> Value {
    let hops = || plan.diff.iter().enumerate();
    let names = |of: fn(&HopDiff) -> &Vec<NameChange>| -> Vec<Value> {
        let all = hops().flat_map(|(hop, diff)| of(diff).iter().map(move |change| (hop, change)));
        all.map(|(hop, change)| {
            json!({"hop": hop, "name": change.name, "action": change.action.as_str()})
        })
        .collect()
    };
    json!({
        "objects": hops()
            .flat_map(|(hop, diff)| diff.objects.iter().map(move |change| object(change, Some(hop))))
            .collect::<Vec<_>>(),
        "images": hops()
            .flat_map(|(hop, diff)| diff.images.iter().map(move |image| json!({
                "hop": hop,
                "workload": image.workload,
                "container": image.container,
                "before": image.before,
                "after": image.after,
            })))
            .collect::<Vec<_>>(),
        "hooks": names(|diff| &diff.hooks),
        "crds": names(|diff| &diff.crds),
        "values": hops()
            .map(|(hop, diff)| json!({
                "hop": hop,
                "defaults_lost": diff.values.defaults_lost,
                "renamed": diff.values.renamed.iter()
                    .map(|(from, to)| json!({"from": from, "to": to}))
                    .collect::<Vec<_>>(),
                "orphaned": diff.values.orphaned,
            }))
            .collect::<Vec<_>>(),
    })
}

fn object(change: &ObjectChange, hop: Option<usize>) -> Value {
    let ObjectChange { object, action, changes } = change;
    json!({
        "hop": hop,
        "kind": object.kind,
        "namespace": object.namespace,
        "name": object.name,
        "action": action.as_str(),
        "changes": changes.iter().map(field).collect::<Vec<_>>(),
    })
}

fn field(change: &Change) -> Value {
    let Change { path, before, after, action, sensitive } = change;
    json!({
        "path": path,
        "action": action.as_str(),
        "before": before,
        "after": after,
        "sensitive": sensitive,
    })
}

/// One entry a step, although the plan shares them.
fn failure_map(plan: &Plan) -> Vec<Value> {
    let all = plan.failure_map.iter().flat_map(|entry| {
        let undo: Vec<String> = entry.undo.iter().map(ToString::to_string).collect();
        entry.steps.iter().map(move |step| {
            json!({
                "step": step.to_string(),
                "undo": undo,
                "undo_more": entry.undo_more,
                "ends_at": ends_at(&entry.ends_at),
                "data_loss": entry.data_loss,
                "remains": entry.remains,
                "undo_ms": entry.undo_ms,
            })
        })
    });
    all.collect()
}

fn ends_at(ends_at: &EndsAt) -> String {
    words::ends_at_word(ends_at)
}
