//! Markdown for a pull request's comment: the verdict and what reviewers ask first in the open, the
//! rest folded.
//!
//! Text from outside is escaped: a release's changelog must not become markup of the comment, nor
//! call people by `@name`.

use std::fmt::Write;

use super::changes::grouped;
use crate::plan::{ChangeAction, HopDiff, Level, Plan, SavedPlan};
use crate::render::escape::{code, escaped, fence};
use crate::render::words::{self, count};
use crate::text::duration;

/// Rows of a table; hosts cut long comments off in the middle.
const LISTED: usize = 100;

pub fn markdown(saved: &SavedPlan) -> String {
    let plan = &saved.plan;
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write(plan, saved, &mut out);
    out
}

fn write(plan: &Plan, saved: &SavedPlan, out: &mut String) -> std::fmt::Result {
    match &plan.upgrade {
        Some(up) => writeln!(out, "## Upgrade {}: {} → {}\n", escaped(&plan.name), up.from, up.to)?,
        None => writeln!(out, "## Runbook {}\n", escaped(&plan.name))?,
    }
    let verdict = words::verdict(plan);
    if !verdict.is_empty() {
        let sign = if plan.is_blocked() { "⛔" } else { "✅" };
        writeln!(out, "{sign} **{verdict}**\n")?;
    }
    writeln!(out, "{}\n", words::total(plan))?;
    if let (Some(release), Some(installed)) = (&plan.release, &plan.installed) {
        writeln!(
            out,
            "Release {} in namespace {}, revision {} ({}), cluster {}, Kubernetes {}.\n",
            code(&release.name),
            code(&release.namespace),
            installed.revision,
            escaped(&installed.status),
            code(&installed.cluster),
            escaped(&installed.server_version),
        )?;
    }
    path(plan, out)?;
    findings(plan, out)?;
    migrations(plan, out)?;
    steps(plan, out)?;
    failures(plan, out)?;
    changes(plan, out)?;
    changelog(plan, out)?;
    writeln!(
        out,
        "<sub>Digest {}, facts observed {}, orthid {}</sub>",
        code(&saved.digest),
        escaped(&saved.observed_at),
        escaped(&saved.engine)
    )
}

fn path(plan: &Plan, out: &mut String) -> std::fmt::Result {
    if plan.hops.len() > 1 {
        for (hop, stop) in plan.hops.iter().zip(&plan.stops) {
            let reason = stop.reason.as_str();
            writeln!(out, "{}. {} → {} ({}, {reason})", hop.index + 1, hop.from, hop.to, hop.kind)?;
        }
        writeln!(out)?;
    }
    for rule in &plan.relaxed {
        let (name, reason) = (code(&rule.rule), escaped(&rule.reason));
        writeln!(out, "⚠️ The safety rule {name} is off: {reason}\n")?;
    }
    Ok(())
}

fn findings(plan: &Plan, out: &mut String) -> std::fmt::Result {
    if plan.checks.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Checks\n")?;
    for finding in &plan.findings {
        let sign = match finding.level {
            Level::Blocking => "⛔ **blocking**",
            Level::Warning => "⚠️",
            Level::Note => "ℹ️",
        };
        let step = finding.step.as_ref().map(|step| format!("{}: ", code(&step.to_string())));
        let help = finding.help.as_deref().map(|help| format!("<br>{}", escaped(help)));
        writeln!(
            out,
            "- {sign} {}{} ({}){}",
            step.unwrap_or_default(),
            escaped(&finding.message),
            code(&finding.code),
            help.unwrap_or_default()
        )?;
    }
    let passed = plan.checks.iter().filter(|check| check.findings == 0).count();
    writeln!(out, "- ✅ {} passed\n", count(passed, "check"))
}

fn migrations(plan: &Plan, out: &mut String) -> std::fmt::Result {
    if plan.migrations.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Pending migrations\n\n| migration | release | |\n|---|---|---|")?;
    for migration in &plan.migrations {
        let release = migration.release.as_ref().map(ToString::to_string).unwrap_or_default();
        let compatible = match migration.backward_compatible {
            Some(false) => format!("**{}**", words::compatibility(migration)),
            Some(true) | None => words::compatibility(migration).to_owned(),
        };
        let about = migration.description.as_deref().map(|text| format!(": {}", escaped(text)));
        let about = about.unwrap_or_default();
        writeln!(out, "| {} | {release} | {compatible}{about} |", code(&migration.name))?;
    }
    writeln!(out)
}

fn steps(plan: &Plan, out: &mut String) -> std::fmt::Result {
    if plan.steps.is_empty() {
        return Ok(());
    }
    writeln!(out, "### Steps\n\n| step | does | undone by |\n|---|---|---|")?;
    for step in plan.steps.iter().take(LISTED) {
        let edge = plan.rollback_edges.iter().find(|edge| edge.step == step.address);
        let undo = edge.map_or_else(String::new, |edge| escaped(&edge.action));
        let expected = plan.expected_ms.get(&step.address);
        let expected = expected.map(|ms| format!(" (about {})", duration::print_ms(*ms)));
        writeln!(
            out,
            "| {} | {}{} | {undo} |",
            code(&step.address.to_string()),
            escaped(&words::action(step)),
            expected.unwrap_or_default()
        )?;
    }
    more(plan.steps.len(), out)
}

fn failures(plan: &Plan, out: &mut String) -> std::fmt::Result {
    if plan.failure_map.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "### If a step fails\n\n| step | undone | ends | stays | lost |\n|---|---|---|---|---|"
    )?;
    for entry in plan.failure_map.iter().take(LISTED) {
        let list = |addresses: &[crate::model::Address]| {
            let shown = addresses.iter().take(12).map(|a| code(&a.to_string()));
            let mut shown: Vec<String> = shown.collect();
            if addresses.len() > shown.len() {
                shown.push(format!("… {} more", addresses.len() - shown.len()));
            }
            shown.join(", ")
        };
        let lost = entry.data_loss.as_deref().map(|lost| format!("**{}**", escaped(lost)));
        writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            list(&entry.steps),
            list(&entry.undo),
            words::ends_at(entry),
            escaped(&entry.remains.join(", ")),
            lost.unwrap_or_default()
        )?;
    }
    more(plan.failure_map.len(), out)?;
    for edge in plan.withheld_edges.iter().filter(|edge| !edge.needless) {
        let (step, reason) = (code(&edge.step.to_string()), escaped(&edge.reason));
        writeln!(out, "⚠️ The rollback of {step} is not promised: {reason}\n")?;
    }
    match &plan.point_of_no_return {
        Some(point) => {
            let (step, reason) = (code(&point.step.to_string()), escaped(&point.reason));
            writeln!(out, "🛑 **Point of no return: {step}.** {reason}\n")
        }
        None if plan.upgrade.is_some() => writeln!(out, "There is no point of no return.\n"),
        None => Ok(()),
    }
}

fn more(rows: usize, out: &mut String) -> std::fmt::Result {
    match rows.checked_sub(LISTED) {
        Some(more) if more > 0 => writeln!(out, "\n… and {more} more\n"),
        Some(_) | None => writeln!(out),
    }
}

fn changes(plan: &Plan, out: &mut String) -> std::fmt::Result {
    for (hop, diff) in plan.hops.iter().zip(&plan.diff) {
        let title = format!("Changes in the cluster, {} → {}", hop.from, hop.to);
        folded(&title, &lines_of(diff), out)?;
    }
    let drift: Vec<String> = plan
        .drift
        .iter()
        .flat_map(|object| {
            let head = format!("{} {}", diff_sign(object.action), object.object);
            let fields = object.changes.iter().map(|change| {
                let path = words::line(&change.path);
                format!("{}     {path}: {}", diff_sign(change.action), words::change(change))
            });
            std::iter::once(head).chain(fields)
        })
        .collect();
    if drift.is_empty() { Ok(()) } else { folded("Drift from the deployed manifest", &drift, out) }
}

fn lines_of(diff: &HopDiff) -> Vec<String> {
    let grouped = grouped(diff);
    let mut lines = Vec::new();
    for shown in &grouped.shown {
        lines.push(format!("{} {}", diff_sign(shown.object.action), shown.object.object));
        for change in &shown.changes {
            let path = words::line(&change.path);
            lines.push(format!(
                "{}     {path}: {}",
                diff_sign(change.action),
                words::change(change)
            ));
        }
    }
    if grouped.labels_only > 0 {
        lines.push(format!(
            "! {} in version labels only",
            count(grouped.labels_only, "more object")
        ));
    }
    for (what, names) in [("hook", &diff.hooks), ("CRD file", &diff.crds)] {
        for change in names {
            lines.push(format!(
                "{} {what} {}",
                diff_sign(change.action),
                words::line(&change.name)
            ));
        }
    }
    lines.push(format!("  {} unchanged", count(diff.unchanged, "object")));
    lines
}

/// What colours a line of a `diff` block: `!` for a change.
fn diff_sign(action: ChangeAction) -> char {
    match action {
        ChangeAction::Create => '+',
        ChangeAction::Update => '!',
        ChangeAction::Delete => '-',
    }
}

fn folded(title: &str, lines: &[String], out: &mut String) -> std::fmt::Result {
    let fence = fence(lines);
    writeln!(out, "<details><summary>{title}</summary>\n\n{fence}diff")?;
    for line in lines.iter().take(LISTED * 5) {
        writeln!(out, "{line}")?;
    }
    writeln!(out, "{fence}\n\n</details>\n")
}

fn changelog(plan: &Plan, out: &mut String) -> std::fmt::Result {
    if plan.changelog.is_empty() {
        return Ok(());
    }
    writeln!(out, "<details><summary>Releases on the way</summary>\n")?;
    for entry in &plan.changelog {
        let date = entry.date.as_deref().map(|date| format!(" ({})", escaped(date)));
        writeln!(out, "**{}**{}\n", entry.version, date.unwrap_or_default())?;
        for change in &entry.changes {
            let kind = change.kind.as_deref().map(|kind| format!("{}: ", escaped(kind)));
            let kind = kind.unwrap_or_default();
            writeln!(out, "- {kind}{}", escaped(&change.description))?;
        }
        for deprecation in &entry.deprecations {
            let gone = deprecation.removed_in.as_ref().map(|v| format!(", removed in {v}"));
            let gone = gone.unwrap_or_default();
            writeln!(out, "- deprecated: {}{gone}", escaped(&deprecation.what))?;
        }
        for config in &entry.required_config {
            writeln!(out, "- requires {}", code(&config.value))?;
        }
        for renamed in &entry.renamed_values {
            writeln!(out, "- renames {} to {}", code(&renamed.from), code(&renamed.to))?;
        }
        writeln!(out)?;
    }
    writeln!(out, "</details>\n")
}
