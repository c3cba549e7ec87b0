//! One self-contained page: no script, nothing fetched, readable in light and dark, with the step
//! graph drawn.
//!
//! The template escapes every text; the drawing is the one piece of markup that goes in as it is,
//! and the graph module escapes what it writes into it.

use askama::Template;

use super::changes::grouped;
use crate::graph::StepGraph;
use crate::model::Address;
use crate::plan::{ChangeAction, HopDiff, Level, ObjectChange, Plan, Rests, SavedPlan};
use crate::render::graph::{self, Format};
use crate::render::words::{self, count};
use crate::text::duration;

/// A drawing of more steps than this helps nobody.
const DRAWN: usize = 300;
/// Rows of a table.
const LISTED: usize = 500;

pub fn html(saved: &SavedPlan) -> String {
    let page = Page::of(saved);
    page.render().expect("the template writes to a String, which does not fail")
}

#[derive(Template)]
#[template(path = "plan.html")]
struct Page<'a> {
    plan: &'a Plan,
    saved: &'a SavedPlan,
    title: String,
    verdict: String,
    verdict_class: &'static str,
    total: String,
    findings: Vec<FindingRow<'a>>,
    passed: Vec<&'a str>,
    drawing: Option<String>,
    steps: Vec<StepRow>,
    more_steps: usize,
    failures: Vec<FailureRow>,
    withheld: Vec<(String, &'a str, &'static str)>,
    diffs: Vec<DiffRows>,
    drift: Vec<ObjectRow>,
    facts: Vec<(&'a str, &'a str, &'static str)>,
}

struct FindingRow<'a> {
    class: &'static str,
    level: &'static str,
    step: String,
    message: &'a str,
    code: &'a str,
    help: &'a str,
}

struct StepRow {
    address: String,
    action: String,
    description: String,
    undo: String,
    expected: String,
}

struct FailureRow {
    steps: String,
    undo: String,
    ends: String,
    stays: String,
    lost: String,
}

struct DiffRows {
    title: String,
    objects: Vec<ObjectRow>,
    notes: Vec<String>,
}

struct ObjectRow {
    class: &'static str,
    sign: char,
    name: String,
    fields: Vec<(&'static str, char, String, String)>,
}

impl<'a> Page<'a> {
    fn of(saved: &'a SavedPlan) -> Page<'a> {
        let plan = &saved.plan;
        let title = match &plan.upgrade {
            Some(upgrade) => format!("Upgrade {}: {} → {}", plan.name, upgrade.from, upgrade.to),
            None => format!("Runbook {}", plan.name),
        };
        Page {
            plan,
            saved,
            title,
            verdict: words::verdict(plan),
            verdict_class: if plan.is_blocked() { "blocked" } else { "good" },
            total: words::total(plan),
            findings: plan.findings.iter().map(finding).collect(),
            passed: plan
                .checks
                .iter()
                .filter(|check| check.findings == 0)
                .map(|check| check.title.as_str())
                .collect(),
            drawing: drawing(plan),
            steps: plan.steps.iter().take(LISTED).map(|step| step_row(plan, step)).collect(),
            more_steps: plan.steps.len().saturating_sub(LISTED),
            failures: plan.failure_map.iter().take(LISTED).map(failure).collect(),
            withheld: plan
                .withheld_edges
                .iter()
                .map(|edge| {
                    let what = if edge.needless { "is not needed" } else { "is not promised" };
                    (edge.step.to_string(), edge.reason.as_str(), what)
                })
                .collect(),
            diffs: plan.hops.iter().zip(&plan.diff).map(diff_rows).collect(),
            drift: plan.drift.iter().map(|object| object_row(object, &object.changes)).collect(),
            facts: plan
                .facts
                .iter()
                .map(|fact| {
                    let rests = match fact.rests {
                        Rests::MustMatch => "must match",
                        Rests::Informational => "",
                    };
                    (fact.name.as_str(), fact.value.as_str(), rests)
                })
                .collect(),
        }
    }
}

fn finding(finding: &crate::plan::Finding) -> FindingRow<'_> {
    let (class, level) = match finding.level {
        Level::Blocking => ("blocked", "Blocking"),
        Level::Warning => ("warn", "Warning"),
        Level::Note => ("note", "Note"),
    };
    FindingRow {
        class,
        level,
        step: finding.step.as_ref().map(ToString::to_string).unwrap_or_default(),
        message: &finding.message,
        code: &finding.code,
        help: finding.help.as_deref().unwrap_or_default(),
    }
}

fn drawing(plan: &Plan) -> Option<String> {
    if plan.steps.is_empty() || plan.steps.len() > DRAWN {
        return None;
    }
    let graph = StepGraph::from_steps(plan.steps.clone()).ok()?;
    Some(graph::draw(&graph, &plan.hops, Format::Svg))
}

fn step_row(plan: &Plan, step: &crate::model::Step) -> StepRow {
    let edge = plan.rollback_edges.iter().find(|edge| edge.step == step.address);
    let expected = plan.expected_ms.get(&step.address);
    StepRow {
        address: step.address.to_string(),
        action: words::action(step),
        description: step.description.clone().unwrap_or_default(),
        undo: edge.map(|edge| edge.action.clone()).unwrap_or_default(),
        expected: expected.map(|ms| duration::print_ms(*ms)).unwrap_or_default(),
    }
}

fn failure(entry: &crate::plan::FailureEntry) -> FailureRow {
    let list = |addresses: &[Address], between: &str| {
        let shown: Vec<String> = addresses.iter().take(12).map(ToString::to_string).collect();
        let more = match addresses.len().saturating_sub(shown.len()) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        format!("{}{more}", shown.join(between))
    };
    FailureRow {
        steps: list(&entry.steps, ", "),
        undo: list(&entry.undo, ", then "),
        ends: words::ends_at(entry),
        stays: entry.remains.join(", "),
        lost: entry.data_loss.clone().unwrap_or_default(),
    }
}

fn diff_rows((hop, diff): (&crate::model::Hop, &HopDiff)) -> DiffRows {
    let grouped = grouped(diff);
    let mut notes = Vec::new();
    if grouped.labels_only > 0 {
        notes.push(format!("{} in version labels only", count(grouped.labels_only, "more object")));
    }
    for (what, names) in [("hook", &diff.hooks), ("CRD file", &diff.crds)] {
        let named = names.iter().map(|c| format!("{} {what} {}", c.action.sign(), c.name));
        notes.extend(named);
    }
    notes.push(format!("{} unchanged", count(diff.unchanged, "object")));
    DiffRows {
        title: format!("{} → {}", hop.from, hop.to),
        objects: grouped
            .shown
            .iter()
            .map(|s| object_row(s.object, s.changes.iter().copied()))
            .collect(),
        notes,
    }
}

fn object_row<'a>(
    object: &ObjectChange,
    changes: impl IntoIterator<Item = &'a crate::plan::Change>,
) -> ObjectRow {
    let fields = changes.into_iter().map(|change| {
        let (class, sign) = (class(change.action), change.action.sign());
        (class, sign, change.path.clone(), words::change(change))
    });
    ObjectRow {
        class: class(object.action),
        sign: object.action.sign(),
        name: object.object.to_string(),
        fields: fields.collect(),
    }
}

fn class(action: ChangeAction) -> &'static str {
    match action {
        ChangeAction::Create => "create",
        ChangeAction::Update => "update",
        ChangeAction::Delete => "delete",
    }
}
