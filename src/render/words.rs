//! What steps, values and outcomes are called, the same in every rendering.

use serde_json::Value;

use crate::model::{Arg, MigrateVia, Step, StepSpec, WayBack};
use crate::plan::{Change, EndsAt, FailureEntry, Level, PendingMigration, Plan};
use crate::text::duration;
use crate::text::safe::{self, shortened};

/// Characters of a text from outside that a line shows.
const LINE_CHARS: usize = 600;
/// Characters of a value that a line shows.
const VALUE_CHARS: usize = 120;

/// What becomes of a step's effect when the run fails after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reversibility {
    /// It changes nothing that would have to be undone.
    NoEffect,
    /// It is undone.
    Undone,
    /// It stays, and the app of before is known to run with it.
    Stays,
    /// Nothing undoes it.
    NotUndone,
    /// It can't be taken back.
    Irreversible,
}

impl Reversibility {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Reversibility::NoEffect => "no_effect",
            Reversibility::Undone => "undone",
            Reversibility::Stays => "stays",
            Reversibility::NotUndone => "not_undone",
            Reversibility::Irreversible => "irreversible",
        }
    }

    pub(crate) fn of(plan: &Plan, step: &Step) -> Reversibility {
        if step.rollback.is_some() {
            return Reversibility::Undone;
        }
        if !step.changes() {
            return Reversibility::NoEffect;
        }
        match step.kind().traits().way_back {
            WayBack::Restore => {
                let withheld = plan.withheld_edges.iter().find(|edge| edge.step == step.address);
                let point = plan.point_of_no_return.as_ref();
                match (withheld, point) {
                    (_, Some(point)) if point.step == step.address => Reversibility::Irreversible,
                    (Some(edge), _) if !edge.needless => Reversibility::Irreversible,
                    (Some(_) | None, _) => Reversibility::Stays,
                }
            }
            WayBack::None | WayBack::Revision | WayBack::Own { .. } => Reversibility::NotUndone,
        }
    }
}

/// What a step does, in a line.
pub(crate) fn action(step: &Step) -> String {
    let words = match &step.spec {
        StepSpec::Approve(approve) => match approve.keys.len() {
            0 => "wait for a yes at the terminal".to_owned(),
            1 => "wait for an approval signed with the plan's key".to_owned(),
            keys if approve.needed() > 1 => {
                format!("wait for approvals signed with {} of {keys} keys", approve.needed())
            }
            keys => format!("wait for an approval signed with one of {keys} keys"),
        },
        StepSpec::Backup(backup) => format!("pg_dump {} to {}", backup.database, backup.to),
        StepSpec::Verify(verify) => {
            let checks = match verify.checks.len() {
                0 => String::new(),
                1 => " and run 1 check".to_owned(),
                count => format!(" and run {count} checks"),
            };
            format!("restore {} into a scratch database, compare{checks}", verify.backup)
        }
        StepSpec::Migrate(migrate) => {
            let how = match migrate.via {
                MigrateVia::Exec => "in a running pod",
                MigrateVia::Job | MigrateVia::Auto => "in a Job of the target's image",
            };
            let quiesce = if migrate.quiesce { "scale to zero, then " } else { "" };
            let count = match migrate.pending.len() {
                0 => "whatever is pending".to_owned(),
                1 => "1 migration".to_owned(),
                count => format!("{count} migrations"),
            };
            format!("{quiesce}apply {count} {how}: {}", migrate.exec.join(" "))
        }
        StepSpec::Roll(roll) => {
            let atomic = if roll.atomic { ", atomic" } else { "" };
            format!("helm upgrade to {}{atomic}, and wait for the rollout", roll.version)
        }
        StepSpec::Smoke(smoke) => {
            let names: Vec<&str> = smoke.requests.iter().map(|r| r.name.as_str()).collect();
            format!("request {}", names.join(", "))
        }
        StepSpec::Probe(probe) => {
            let during: Vec<String> = probe.during.iter().map(ToString::to_string).collect();
            let runs = if during.len() == 1 { "runs" } else { "run" };
            format!(
                "{} {} every {} while {} {runs}",
                probe.request.method,
                shown(&probe.request.url),
                duration::print_ms(probe.every_ms),
                during.join(", ")
            )
        }
        StepSpec::Run(run) => run.command.iter().map(shown).collect::<Vec<_>>().join(" "),
        StepSpec::Checkpoint => "wait for all steps above".to_owned(),
    };
    line(&words)
}

/// An argument, or what stands for it until it is known.
fn shown(arg: &Arg) -> String {
    match arg {
        Arg::Known(text) => text.clone(),
        Arg::Later(residual) => residual.placeholder().to_owned(),
    }
}

/// Text from outside on one line, without anything that drives a terminal.
pub(crate) fn line(text: &str) -> String {
    safe::line(&shortened(text, LINE_CHARS))
}

/// A value of a manifest on one line.
pub(crate) fn value(value: &Value) -> String {
    shortened(&line(&value.to_string()), VALUE_CHARS)
}

/// `"a" → "b"`, `"b"`, `(sensitive value changed)`
pub(crate) fn change(change: &Change) -> String {
    if change.sensitive {
        return "(sensitive value changed)".to_owned();
    }
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{} → {}", value(before), value(after)),
        (None, Some(only)) | (Some(only), None) => value(only),
        (None, None) => "(changed)".to_owned(),
    }
}

/// Where a failure leads.
pub(crate) fn ends_at(entry: &FailureEntry) -> String {
    let ends = match &entry.ends_at {
        EndsAt::Start => "as before the run".to_owned(),
        EndsAt::OldAppOnNewSchema => "old app serving, on the newer schema".to_owned(),
        EndsAt::Hop(version) => format!("{version} serving, the hop before"),
        EndsAt::GoesOn => "the run goes on".to_owned(),
        EndsAt::AsItIs => "what was done stays".to_owned(),
        EndsAt::NeedsAPerson => "a person decides".to_owned(),
    };
    match entry.undo_ms {
        Some(ms) => format!("{ends}, after about {} of undoing", duration::print_ms(ms)),
        None => ends,
    }
}

/// The word that `--json` has for it.
pub(crate) fn ends_at_word(ends_at: &EndsAt) -> String {
    match ends_at {
        EndsAt::Start => "start".to_owned(),
        EndsAt::OldAppOnNewSchema => "old_app_on_new_schema".to_owned(),
        EndsAt::Hop(version) => version.to_string(),
        EndsAt::GoesOn => "goes_on".to_owned(),
        EndsAt::AsItIs => "as_it_is".to_owned(),
        EndsAt::NeedsAPerson => "needs_a_person".to_owned(),
    }
}

pub(crate) fn compatibility(migration: &PendingMigration) -> &'static str {
    match migration.backward_compatible {
        Some(true) => "backward compatible",
        Some(false) => "NOT backward compatible",
        None => "compatibility not known",
    }
}

/// `1 step`, `2 steps`
pub(crate) fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

pub(crate) fn level_counts(plan: &Plan) -> Vec<(Level, usize)> {
    let count = |level| plan.findings.iter().filter(|finding| finding.level == level).count();
    [Level::Blocking, Level::Warning, Level::Note]
        .into_iter()
        .map(|level| (level, count(level)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// The last line: what the plan comes to.
pub(crate) fn total(plan: &Plan) -> String {
    if plan.steps.is_empty() {
        return match &plan.upgrade {
            Some(upgrade) => format!("No changes. {} is installed already.", upgrade.to),
            None => "No changes. The plan has no steps.".to_owned(),
        };
    }
    let mut parts = vec![count(plan.steps.len(), "step")];
    if plan.upgrade.is_some() {
        parts.push(count(plan.migrations.len(), "migration"));
        let objects = plan.diff.iter().flat_map(|diff| &diff.objects);
        let of = |action| objects.clone().filter(|o| o.action == action).count();
        use crate::plan::ChangeAction::{Create, Delete, Update};
        parts.push(format!(
            "{} to create, {} to change, {} to delete",
            count(of(Create), "object"),
            of(Update),
            of(Delete)
        ));
    }
    let hops = match plan.hops.len() {
        0 | 1 => String::new(),
        hops => format!(" in {hops} hops"),
    };
    format!("Plan: {}{hops}.", parts.join(", "))
}

/// Whether it can be applied, and what prevents it.
pub(crate) fn verdict(plan: &Plan) -> String {
    let counts = level_counts(plan);
    let of = |level| counts.iter().find(|(l, _)| *l == level).map_or(0, |(_, count)| *count);
    let warnings = match of(Level::Warning) {
        0 => String::new(),
        warnings => format!(", with {}", count(warnings, "warning")),
    };
    if plan.steps.is_empty() {
        return String::new();
    }
    match of(Level::Blocking) {
        0 if plan.point_of_no_return.is_some() => {
            format!("Can be applied past a point of no return{warnings}.")
        }
        0 => format!("Can be applied{warnings}."),
        blocking => format!("Blocked by {}{warnings}.", count(blocking, "finding")),
    }
}
