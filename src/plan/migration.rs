//! Migrations: which are pending, how they are run, and whether the app of before runs on the
//! schema of after.

use std::collections::BTreeSet;

use super::checks::{Check, Report};
use super::situation::Situation;
use super::{Level, PendingMigration};
use crate::facts::MigrationFacts;
use crate::model::{Address, Hop, MigrateSpec, MigrateVia, Step, StepSpec};
use crate::path::{ChangelogEntry, MigrationEntry};

/// Whether the app of a hop's start runs on the schema of its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compatibility {
    /// It may, and this is why.
    Proved(String),
    /// It may not.
    Broken(String),
    /// Nothing says so.
    Unknown(String),
}

/// What one hop does to the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// Migrations that the hop brings and that are not applied before it, in order.
    pub pending: Vec<PendingMigration>,
    /// The pending ones are known by name from the changelog, not only from the running image.
    pub told: bool,
    pub compatibility: Compatibility,
}

/// What every hop does to the schema, in order.
pub fn schema_changes(situation: &Situation<'_>) -> Vec<SchemaChange> {
    let status = situation.facts.release.as_ref().and_then(|release| release.migrations.as_ref());
    let mut applied: BTreeSet<&str> =
        status.iter().flat_map(|status| &status.applied).map(String::as_str).collect();
    let mut changes = Vec::with_capacity(situation.hops.len());
    for view in &situation.hops {
        let entries = situation.entries_of(view.hop);
        let told = entries.iter().any(|e| e.version == view.hop.to && e.machine_readable);
        let brought = entries.iter().flat_map(|e| e.migrations.iter().map(move |m| (e, m)));
        let mut pending: Vec<PendingMigration> = brought
            .filter(|(_, migration)| !applied.contains(migration.name.as_str()))
            .map(|(entry, migration)| told_migration(entry, migration))
            .collect();
        if !told && view.hop.index == 0 {
            let listed = status.iter().flat_map(|status| &status.pending);
            pending.extend(listed.map(|name| untold_migration(name)));
        }
        let names = entries.iter().flat_map(|e| &e.migrations).map(|m| m.name.as_str());
        applied.extend(names.collect::<Vec<_>>());
        let compatibility = compatibility(situation, view.hop, &pending, told);
        changes.push(SchemaChange { pending, told, compatibility });
    }
    changes
}

fn told_migration(entry: &ChangelogEntry, migration: &MigrationEntry) -> PendingMigration {
    PendingMigration {
        name: migration.name.clone(),
        release: Some(entry.version.clone()),
        backward_compatible: migration.backward_compatible,
        description: migration.description.clone(),
        step: None,
    }
}

fn untold_migration(name: &str) -> PendingMigration {
    PendingMigration {
        name: name.to_owned(),
        release: None,
        backward_compatible: None,
        description: None,
        step: None,
    }
}

/// A release's word on one migration weighs less than its schema range, and doubt weighs more than
/// either.
fn compatibility(
    situation: &Situation<'_>,
    hop: &Hop,
    pending: &[PendingMigration],
    told: bool,
) -> Compatibility {
    let Hop { from, to, .. } = hop;
    if let Some(breaking) = pending.iter().find(|m| m.backward_compatible == Some(false)) {
        return Compatibility::Broken(format!("{} is not backward compatible", breaking.name));
    }
    let range = |version| situation.wanted.releases.get(version).and_then(|entry| entry.schema);
    match (range(from), range(to)) {
        (Some(old), Some(new)) if old.max < new.min => Compatibility::Broken(format!(
            "{from} runs on schemas up to {}, and {to} needs {}",
            old.max, new.min
        )),
        (Some(old), Some(new)) => Compatibility::Proved(format!(
            "{from} runs on schemas up to {}, and {to} needs {}",
            old.max, new.min
        )),
        (None, _) | (_, None) if told && pending.is_empty() => {
            Compatibility::Proved(format!("{to} brings no migration"))
        }
        (None, _) | (_, None)
            if told && pending.iter().all(|m| m.backward_compatible == Some(true)) =>
        {
            Compatibility::Proved(format!("every migration of {to} is backward compatible"))
        }
        (None, _) | (_, None) => {
            Compatibility::Unknown(format!("nothing says that {from} runs on the schema of {to}"))
        }
    }
}

/// Fills in what the file leaves to the planner: how migrations are run, which are expected,
/// whether they break.
pub fn resolve(
    steps: &mut [Step],
    situation: &Situation<'_>,
    changes: &mut [SchemaChange],
    report: &mut Report,
) {
    report.checked(Check::MigrationWay);
    let release = situation.facts.release.as_ref();
    let status = release.and_then(|release| release.migrations.as_ref());
    let mut asked = false;
    for step in steps {
        let Some(change) = step.hop.and_then(|hop| changes.get_mut(hop)) else { continue };
        let index = step.hop.unwrap_or_default();
        let restores = step.restores().is_some();
        let StepSpec::Migrate(spec) = &mut step.spec else { continue };
        asked |= !spec.status.is_empty();
        let wish = spec.via;
        // Only the image that runs now can be asked; what a later hop starts from is not there yet.
        let status = status.filter(|_| index == 0);
        spec.via = way(wish, change, status);
        for migration in &mut change.pending {
            migration.step.get_or_insert_with(|| step.address.clone());
        }
        spec.pending = change.pending.iter().map(|m| m.name.clone()).collect();
        spec.breaking = match &change.compatibility {
            Compatibility::Proved(_) => false,
            Compatibility::Broken(_) => true,
            Compatibility::Unknown(_) => restores && !(change.told && change.pending.is_empty()),
        };
        let address = step.address.clone();
        if wish == MigrateVia::Exec {
            judge_exec(&address, change, status, report);
        }
        judge_breaking(&address, spec, change, report);
        let to = &situation.hops[index].hop.to;
        judge_surplus(&address, spec, change, status, to, report);
    }
    let error = release.and_then(|release| release.migrations_error.as_deref());
    if let Some(error) = error.filter(|_| asked) {
        let message = format!("the app could not be asked for its migrations: {error}");
        let help = "the run asks again before and after it migrates";
        report.find(Check::MigrationWay, Level::Warning, message).help(help);
    }
}

/// Exec where the running image lists everything that the hop brings; a Job of the target's image
/// where it does not.
fn way(wish: MigrateVia, change: &SchemaChange, status: Option<&MigrationFacts>) -> MigrateVia {
    match wish {
        MigrateVia::Job | MigrateVia::Exec => wish,
        MigrateVia::Auto => match status {
            Some(status) if change.told && missing(change, status).is_empty() => MigrateVia::Exec,
            Some(_) | None => MigrateVia::Job,
        },
    }
}

/// Pending migrations that the running image does not list.
fn missing<'a>(change: &'a SchemaChange, status: &MigrationFacts) -> Vec<&'a str> {
    let names = change.pending.iter().map(|migration| migration.name.as_str());
    names.filter(|name| !status.pending.iter().any(|listed| listed == name)).collect()
}

fn judge_exec(
    step: &Address,
    change: &SchemaChange,
    status: Option<&MigrationFacts>,
    report: &mut Report,
) {
    let Some(status) = status else {
        let message = "it is not known whether the running image carries the migrations";
        let help = "leave `via` out: then a Job of the target's image runs them where needed";
        report.find(Check::MigrationWay, Level::Warning, message).step(step).help(help);
        return;
    };
    let missing = missing(change, status);
    if !missing.is_empty() {
        let message = format!(
            "`via = \"exec\"` can't work: the running image does not carry {}",
            missing.join(", ")
        );
        let help =
            "leave `via` out, or set it to \"job\": a Job of the target's image carries them";
        report.find(Check::MigrationWay, Level::Blocking, message).step(step).help(help);
    }
}

fn judge_breaking(step: &Address, spec: &MigrateSpec, change: &SchemaChange, report: &mut Report) {
    report.checked(Check::BreakingMigration);
    if change.pending.is_empty() && change.told {
        return;
    }
    match &change.compatibility {
        Compatibility::Proved(_) => {}
        Compatibility::Broken(reason) if !spec.quiesce => {
            let message = format!("the app must not serve while this migration runs: {reason}");
            let help = "set `quiesce = true` in the migrate block, and plan for the downtime";
            report.find(Check::BreakingMigration, Level::Blocking, message).step(step).help(help);
        }
        Compatibility::Broken(reason) => {
            let message = format!("the app is down from this step until the roll: {reason}");
            report.find(Check::BreakingMigration, Level::Warning, message).step(step);
        }
        Compatibility::Unknown(reason) => {
            let help = "schema ranges in the chart's releases.yaml would prove or disprove it";
            report
                .find(Check::BreakingMigration, Level::Warning, reason.clone())
                .step(step)
                .help(help);
        }
    }
}

/// A running image may carry more than the target asks for; exec applies all of it.
fn judge_surplus(
    step: &Address,
    spec: &MigrateSpec,
    change: &SchemaChange,
    status: Option<&MigrationFacts>,
    to: &semver::Version,
    report: &mut Report,
) {
    let Some(status) = status.filter(|_| spec.via == MigrateVia::Exec && change.told) else {
        return;
    };
    let surplus: Vec<&str> = status
        .pending
        .iter()
        .filter(|name| !spec.pending.contains(name))
        .map(String::as_str)
        .collect();
    if !surplus.is_empty() {
        let message = format!(
            "the running image would also apply {}, which {to} does not bring",
            surplus.join(", ")
        );
        let help = "set `via = \"job\"` to apply what the target's image carries and no more";
        report.find(Check::MigrationWay, Level::Warning, message).step(step).help(help);
    }
}
