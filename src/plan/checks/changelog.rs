//! What the releases on the way say about themselves.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::Check;
use super::report::{Report, Subject};
use crate::model::{Hop, HopKind};
use crate::path::{ChangelogEntry, Deprecation};
use crate::plan::Level;
use crate::plan::diff::lookup;
use crate::plan::situation::HopView;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    known(subject, report);
    report.checked(Check::SkippedMinor);
    report.checked(Check::PatchMigration);
    for view in &subject.situation.hops {
        skipped(subject, view.hop, report);
        patches(&subject.situation.entries_of(view.hop), report);
        required(&subject.situation.entries_of(view.hop), view, report);
    }
    deprecations(subject, report);
}

fn known(subject: &Subject<'_>, report: &mut Report) {
    report.checked(Check::Changelog);
    if let Some(problem) = &subject.situation.wanted.releases_problem {
        let help = "migrations, required config and schema ranges of the releases are not known";
        report.find(Check::Changelog, Level::Warning, problem.clone()).help(help);
        return;
    }
    let silent: Vec<String> = subject
        .situation
        .changelog
        .iter()
        .filter(|entry| !entry.machine_readable)
        .map(|entry| entry.version.to_string())
        .collect();
    if !silent.is_empty() {
        let message = format!("the chart's releases.yaml says nothing of {}", silent.join(", "));
        let help = "read their changelog for migrations and required config; rollback edges can't \
                    be proved without";
        report.find(Check::Changelog, Level::Warning, message).help(help);
    }
}

/// The chart source does not offer some minor, and no `releases.yaml` knows it. It may never have
/// existed.
fn skipped(subject: &Subject<'_>, hop: &Hop, report: &mut Report) {
    let jumps = hop.kind == HopKind::Minor && hop.to.minor > hop.from.minor + 1;
    if jumps {
        let level = match subject.situation.wanted.releases.is_empty() {
            true => Level::Warning,
            false => Level::Note,
        };
        let Hop { from, to, .. } = hop;
        let message = format!("the hop from {from} to {to} passes minors that are not on offer");
        let help = "if they were released, offer them in the chart repository and plan again";
        report.find(Check::SkippedMinor, level, message).help(help);
    }
}

/// SemVer: a patch brings backward compatible fixes. One that migrates is mislabelled, and nobody
/// expects it.
fn patches(entries: &[&ChangelogEntry], report: &mut Report) {
    for entry in entries {
        if entry.version.patch > 0 && !entry.migrations.is_empty() {
            let names: Vec<&str> = entry.migrations.iter().map(|m| m.name.as_str()).collect();
            let message = format!(
                "{} is a patch release and declares migrations: {}",
                entry.version,
                names.join(", ")
            );
            let help = "ask the publisher; a patch must not change the schema";
            report.find(Check::PatchMigration, Level::Blocking, message).help(help);
        }
    }
}

fn required(entries: &[&ChangelogEntry], view: &HopView<'_>, report: &mut Report) {
    report.checked(Check::RequiredConfig);
    let renamed: BTreeMap<&str, &str> = entries
        .iter()
        .flat_map(|entry| &entry.renamed_values)
        .map(|renamed| (renamed.to.as_str(), renamed.from.as_str()))
        .collect();
    for entry in entries {
        for config in &entry.required_config {
            if is_set(view, &config.value) {
                continue;
            }
            let about = config.description.as_deref().map(|d| format!(" ({d})"));
            let message = format!(
                "{} requires the value {}{}, which is not set",
                entry.version,
                config.value,
                about.unwrap_or_default()
            );
            let help = match renamed.get(config.value.as_str()) {
                Some(from) if lookup(view.values(), from).is_some() => {
                    format!(
                        "it was called {from}: set it under its new name in a values file of the release block"
                    )
                }
                Some(_) | None => "set it in a values file of the release block".to_owned(),
            };
            report.find(Check::RequiredConfig, Level::Blocking, message).help(help);
        }
    }
}

/// Whether the hop ends with a value here that is not empty: supplied, or the chart's default where
/// defaults are in force.
fn is_set(view: &HopView<'_>, path: &str) -> bool {
    let supplied = lookup(view.values(), path);
    let default = view.chart.and_then(|chart| lookup(&chart.values, path));
    let is_full = |value: &Value| match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    };
    supplied.or(default).is_some_and(is_full)
}

fn deprecations(subject: &Subject<'_>, report: &mut Report) {
    report.checked(Check::Deprecations);
    let Some(upgrade) = &subject.situation.wanted.upgrade else { return };
    // What was deprecated before the path and is removed on it is told by the release that
    // announced it.
    let announced = subject.situation.wanted.releases.iter();
    let mut told: BTreeMap<&str, &Deprecation> = BTreeMap::new();
    for deprecation in announced.filter(|e| e.version <= upgrade.to).flat_map(|e| &e.deprecations) {
        told.insert(&deprecation.what, deprecation);
    }
    for Deprecation { what, since, removed_in, instead } in told.into_values() {
        let instead = instead.as_deref().map(|i| format!("use {i} instead"));
        let removed = removed_in
            .as_ref()
            .filter(|version| **version > upgrade.from && **version <= upgrade.to);
        let is_new = since.as_ref().is_some_and(|version| *version > upgrade.from);
        let found = match (removed, removed_in) {
            (Some(version), _) => {
                let message = format!("{what} is removed in {version}");
                report.find(Check::Deprecations, Level::Warning, message)
            }
            (None, Some(version)) if is_new => {
                let message = format!("{what} is deprecated, and removed in {version}");
                report.find(Check::Deprecations, Level::Note, message)
            }
            (None, None) if is_new => {
                report.find(Check::Deprecations, Level::Note, format!("{what} is deprecated"))
            }
            (None, _) => continue,
        };
        if let Some(instead) = instead {
            found.help(instead);
        }
    }
}
