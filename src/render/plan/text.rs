//! Terminal text, for a reviewer with two minutes: what it comes to first, then the details in the
//! order of the questions.

use std::fmt::Write;

use super::changes::grouped;
use crate::plan::{ChangeAction, EndsAt, Finding, HopDiff, Level, ObjectChange, Plan, SavedPlan};
use crate::render::page::{Ink, Page, Style};
use crate::render::words::{self, count, line};
use crate::text::duration;

/// Steps and entries that a text lists; a runbook may have a hundred thousand.
const LISTED: usize = 200;

pub fn text(saved: &SavedPlan, style: Style) -> String {
    let plan = &saved.plan;
    let mut page = Page { out: String::new(), style };
    page.head(plan);
    page.findings(plan);
    page.changelog(plan);
    page.migrations(plan);
    page.diffs(plan);
    page.drift(plan);
    page.steps(plan);
    page.failures(plan);
    page.rests_on(plan);
    page.total(plan);
    page.out
}

impl Page {
    fn head(&mut self, plan: &Plan) {
        let title = match &plan.upgrade {
            Some(upgrade) => {
                format!("Upgrade {} from {} to {}", plan.name, upgrade.from, upgrade.to)
            }
            None => format!("Runbook {}", plan.name),
        };
        let title = self.ink(Ink::Bold, &line(&title));
        self.row(&title);
        let verdict = words::verdict(plan);
        if !verdict.is_empty() {
            let ink = if plan.is_blocked() { Ink::Red } else { Ink::Green };
            let verdict = self.ink(ink, &verdict);
            self.row(&verdict);
        }
        if let (Some(installed), Some(release)) = (&plan.installed, &plan.release) {
            self.out.push('\n');
            self.row(&format!(
                "  release   {} in namespace {}, revision {}, {}",
                release.name, release.namespace, installed.revision, installed.status
            ));
            let context = installed.context.as_deref().map(|c| format!(" (context {})", line(c)));
            let helm = installed.helm_version.as_ref().map(|v| format!(", Helm {v}"));
            self.row(&format!(
                "  cluster   {}{}, Kubernetes {}{}",
                installed.cluster,
                context.unwrap_or_default(),
                installed.server_version,
                helm.unwrap_or_default()
            ));
        }
        for (hop, stop) in plan.hops.iter().zip(&plan.stops) {
            let label = if hop.index == 0 { "path" } else { "" };
            self.row(&format!(
                "  {label:<9} {} → {}  {}, {}",
                hop.from,
                hop.to,
                hop.kind,
                stop.reason.as_str()
            ));
        }
        for rule in &plan.relaxed {
            self.wrapped(
                "  relaxed   ",
                12,
                &line(&format!("the safety rule {} is off: {}", rule.rule, rule.reason)),
                Some(Ink::Yellow),
            );
        }
    }

    fn findings(&mut self, plan: &Plan) {
        if plan.checks.is_empty() {
            return;
        }
        self.title("Checks");
        for finding in &plan.findings {
            self.finding(finding);
        }
        let passed = plan.checks.iter().filter(|check| check.findings == 0).count();
        let sign = self.ink(Ink::Green, "✓");
        self.row(&format!("  {sign} {} passed", count(passed, "check")));
    }

    fn finding(&mut self, finding: &Finding) {
        let Finding { code, level, message, step, help } = finding;
        let (sign, ink) = match level {
            Level::Blocking => ("✗", Ink::Red),
            Level::Warning => ("!", Ink::Yellow),
            Level::Note => ("·", Ink::Dim),
        };
        let lead = format!("  {} ", self.ink(ink, sign));
        let subject = step.as_ref().map(|step| format!("{step}: ")).unwrap_or_default();
        let level = match level {
            Level::Blocking => "blocking: ",
            Level::Warning | Level::Note => "",
        };
        self.wrapped(&lead, 4, &line(&format!("{level}{subject}{message} [{code}]")), None);
        if let Some(help) = help {
            self.wrapped("    ", 4, &line(help), Some(Ink::Dim));
        }
    }

    fn changelog(&mut self, plan: &Plan) {
        if plan.changelog.is_empty() {
            return;
        }
        self.title("Releases on the way");
        for entry in &plan.changelog {
            let date = entry.date.as_deref().map(|date| format!("  {}", line(date)));
            let stop = if entry.required_stop { ", a required stop" } else { "" };
            let version = self.ink(Ink::Bold, &entry.version.to_string());
            self.row(&format!("  {version}{}{stop}", date.unwrap_or_default()));
            for change in &entry.changes {
                let kind = change.kind.as_deref().map(|kind| format!("{kind}: "));
                let text = format!("{}{}", kind.unwrap_or_default(), change.description);
                self.wrapped("    · ", 6, &line(&text), None);
            }
            for deprecation in &entry.deprecations {
                let gone = deprecation.removed_in.as_ref().map(|v| format!(", removed in {v}"));
                let instead = deprecation.instead.as_ref().map(|i| format!("; use {i}"));
                let text = format!(
                    "deprecated: {}{}{}",
                    deprecation.what,
                    gone.unwrap_or_default(),
                    instead.unwrap_or_default()
                );
                self.wrapped("    · ", 6, &line(&text), Some(Ink::Yellow));
            }
            for config in &entry.required_config {
                let about = config.description.as_deref().map(|d| format!(": {d}"));
                let text = format!("requires {}{}", config.value, about.unwrap_or_default());
                self.wrapped("    · ", 6, &line(&text), Some(Ink::Yellow));
            }
            for renamed in &entry.renamed_values {
                let text = format!("renames the value {} to {}", renamed.from, renamed.to);
                self.wrapped("    · ", 6, &line(&text), Some(Ink::Yellow));
            }
            if let Some(guide) = &entry.guide {
                self.wrapped(
                    "    · ",
                    6,
                    &line(&format!("upgrade guide, acknowledged: {guide}")),
                    None,
                );
            }
        }
    }

    fn migrations(&mut self, plan: &Plan) {
        if plan.upgrade.is_none() || plan.hops.is_empty() {
            return;
        }
        self.title("Pending migrations");
        if plan.migrations.is_empty() {
            self.row("  none");
        }
        for migration in &plan.migrations {
            let release = migration.release.as_ref().map(|v| format!(" ({v})")).unwrap_or_default();
            let ink = match migration.backward_compatible {
                Some(true) => Ink::Green,
                Some(false) => Ink::Red,
                None => Ink::Yellow,
            };
            let compatible = self.ink(ink, words::compatibility(migration));
            self.row(&format!("  + {}{release}: {compatible}", line(&migration.name)));
            if let Some(about) = &migration.description {
                self.wrapped("    ", 4, &line(about), Some(Ink::Dim));
            }
            if migration.step.is_none() {
                self.wrapped("    ", 4, "no step of this plan applies it", Some(Ink::Yellow));
            }
        }
    }

    fn diffs(&mut self, plan: &Plan) {
        for (hop, diff) in plan.hops.iter().zip(&plan.diff) {
            match plan.hops.len() {
                1 => self.title("Changes in the cluster"),
                _ => self.title(&format!("Changes in the cluster, {} → {}", hop.from, hop.to)),
            }
            self.diff(diff);
        }
    }

    fn diff(&mut self, diff: &HopDiff) {
        let grouped = grouped(diff);
        for shown in &grouped.shown {
            let head = format!("  {} {}", self.sign(shown.object.action), shown.object.object);
            self.row(&head);
            for change in &shown.changes {
                self.change_row(change);
            }
        }
        if grouped.labels_only > 0 {
            let text = format!(
                "  {} {} in version labels only",
                self.sign(ChangeAction::Update),
                count(grouped.labels_only, "more object")
            );
            self.row(&text);
        }
        for (what, changes) in [("hook", &diff.hooks), ("CRD file", &diff.crds)] {
            for change in changes {
                let head = format!("  {} {what} {}", self.sign(change.action), line(&change.name));
                self.row(&head);
            }
        }
        for (policy, objects) in &diff.values.other_policies {
            if *objects > 0 {
                let objects = count(*objects, "object");
                let text = format!("With `policy = \"{policy}\"`, {objects} would differ.");
                self.wrapped("  · ", 4, &text, Some(Ink::Dim));
            }
        }
        let unchanged =
            self.ink(Ink::Dim, &format!("  {} unchanged", count(diff.unchanged, "object")));
        self.row(&unchanged);
    }

    fn change_row(&mut self, change: &crate::plan::Change) {
        let lead = format!("      {} ", self.sign(change.action));
        self.wrapped(&lead, 8, &format!("{}: {}", line(&change.path), words::change(change)), None);
    }

    fn drift(&mut self, plan: &Plan) {
        if plan.drift.is_empty() {
            return;
        }
        self.title("Drift: what differs from the deployed manifest already");
        for ObjectChange { object, action, changes } in &plan.drift {
            let missing = if *action == ChangeAction::Delete { " is missing" } else { "" };
            let head = format!("  {} {object}{missing}", self.sign(*action));
            self.row(&head);
            for change in changes {
                self.change_row(change);
            }
        }
    }

    fn steps(&mut self, plan: &Plan) {
        if plan.steps.is_empty() {
            return;
        }
        self.title("Steps");
        let shown = &plan.steps[..plan.steps.len().min(LISTED)];
        let widest = shown.iter().map(|step| step.address.to_string().chars().count()).max();
        let column = widest.unwrap_or(0).min(36);
        for step in shown {
            let name = format!("{:<column$}", line(&step.address.to_string()));
            let expected = plan.expected_ms.get(&step.address);
            let expected = expected.map(|ms| format!(" (about {})", duration::print_ms(*ms)));
            let text = format!("{}{}", words::action(step), expected.unwrap_or_default());
            let lead = format!("  {}  ", self.ink(Ink::Cyan, &name));
            self.wrapped(&lead, 4 + name.chars().count(), &text, None);
            if let Some(edge) = plan.rollback_edges.iter().find(|edge| edge.step == step.address) {
                let indent = " ".repeat(4 + column);
                let text = format!("↩ {}", line(&edge.action));
                self.wrapped(&indent, 4 + column, &text, Some(Ink::Dim));
            }
        }
        if plan.steps.len() > LISTED {
            self.row(&format!("  … and {} more", plan.steps.len() - LISTED));
        }
    }

    fn failures(&mut self, plan: &Plan) {
        if plan.failure_map.is_empty() {
            return;
        }
        self.title("If a step fails");
        for entry in plan.failure_map.iter().take(LISTED) {
            let names = names(&entry.steps);
            let ink = match entry.ends_at {
                EndsAt::Start | EndsAt::OldAppOnNewSchema | EndsAt::Hop(_) | EndsAt::GoesOn => {
                    Ink::Green
                }
                EndsAt::AsItIs => Ink::Yellow,
                EndsAt::NeedsAPerson => Ink::Red,
            };
            self.wrapped("  ", 2, &line(&names), Some(Ink::Cyan));
            let ends = self.ink(ink, &words::ends_at(entry));
            self.row(&format!("    ends     {ends}"));
            if !entry.undo.is_empty() {
                let more = match entry.undo_more {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let undo: Vec<String> = entry.undo.iter().map(ToString::to_string).collect();
                let text = format!("{}{more}", undo.join(", then "));
                self.wrapped("    undone   ", 13, &line(&text), None);
            }
            if !entry.remains.is_empty() {
                self.wrapped("    stays    ", 13, &line(&entry.remains.join(", ")), None);
            }
            if let Some(lost) = &entry.data_loss {
                self.wrapped("    lost     ", 13, &line(lost), Some(Ink::Red));
            }
        }
        self.promises(plan);
    }

    fn promises(&mut self, plan: &Plan) {
        for edge in &plan.withheld_edges {
            let what = if edge.needless { "not undone" } else { "not promised" };
            let ink = if edge.needless { Ink::Dim } else { Ink::Yellow };
            let text = format!("{} is {what}: {}", edge.step, edge.reason);
            self.wrapped("  · ", 4, &line(&text), Some(ink));
        }
        match &plan.point_of_no_return {
            Some(point) => {
                let text = format!("Point of no return: {}. {}", point.step, point.reason);
                self.wrapped("  ", 2, &line(&text), Some(Ink::Red));
            }
            None if plan.upgrade.is_some() => self.row("  There is no point of no return."),
            None => {}
        }
    }

    fn rests_on(&mut self, plan: &Plan) {
        let must = plan.facts.iter().filter(|fact| fact.rests == crate::plan::Rests::MustMatch);
        let must = must.count();
        if must > 0 && !plan.steps.is_empty() {
            self.out.push('\n');
            let text = format!(
                "Apply refuses this plan if {} has changed.",
                match must {
                    1 => "the fact it depends on".to_owned(),
                    must => format!("any of the {must} facts it depends on"),
                }
            );
            self.wrapped("", 0, &text, Some(Ink::Dim));
        }
    }

    fn total(&mut self, plan: &Plan) {
        self.out.push('\n');
        let total = self.ink(Ink::Bold, &words::total(plan));
        let verdict = words::verdict(plan);
        let _ = writeln!(self.out, "{}", format!("{total} {verdict}").trim_end());
    }
}

/// Names of consecutive steps; the middle of a long list is left out.
fn names(steps: &[crate::model::Address]) -> String {
    match steps {
        [first, second, .., last] if steps.len() > 6 => {
            format!("{first}, {second}, … {} more …, {last}", steps.len() - 3)
        }
        _ => steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    }
}
