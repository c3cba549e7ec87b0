//! The changelog entries between two versions: what `releases.yaml` tells machines, with the text
//! that `CHANGELOG.md` and Artifact Hub's annotation tell people.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::releases::{
    Deprecation, MigrationEntry, ReleaseChange, RenamedValue, RequiredConfig, SchemaRange,
};
use super::{ReleaseEntry, Releases};
use crate::facts::ChartFacts;

/// One release on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangelogEntry {
    pub version: Version,
    pub date: Option<String>,
    pub required_stop: bool,
    pub schema: Option<SchemaRange>,
    pub migrations: Vec<MigrationEntry>,
    pub deprecations: Vec<Deprecation>,
    pub required_config: Vec<RequiredConfig>,
    pub renamed_values: Vec<RenamedValue>,
    pub guide: Option<String>,
    /// What people are told; from the first source that tells anything.
    pub changes: Vec<ReleaseChange>,
    /// `releases.yaml` has this release; otherwise only people were told.
    pub machine_readable: bool,
}

/// The entries after `from` up to `to`, oldest first: of every release that `releases.yaml`, the
/// changelogs of the charts or the chart source (`offered`) know. `charts` are those of the path.
pub fn entries(
    from: &Version,
    to: &Version,
    releases: &Releases,
    charts: &BTreeMap<Version, ChartFacts>,
    offered: &[Version],
) -> Vec<ChangelogEntry> {
    let between = |v: &&Version| *v > from && *v <= to && (v.pre.is_empty() || *v == to);
    let mut told: BTreeMap<Version, Vec<ReleaseChange>> = BTreeMap::new();
    for chart in charts.values() {
        if let Some(annotation) = &chart.artifacthub_changes {
            told.insert(chart.version.clone(), artifact_hub(annotation));
        }
    }
    // The newest chart's changelog has the last word.
    for chart in charts.values() {
        for (version, changes) in chart.changelog_md.as_deref().map(sections).unwrap_or_default() {
            told.insert(version, changes);
        }
    }
    let known = releases.iter().map(|entry| &entry.version).chain(told.keys()).chain(offered);
    let mut versions: Vec<&Version> = known.filter(between).collect();
    versions.sort();
    versions.dedup();
    versions
        .into_iter()
        .map(|version| {
            let people = told.get(version).cloned().unwrap_or_default();
            match releases.get(version) {
                Some(entry) => machine_entry(entry.clone(), people),
                None => human_entry(version.clone(), people),
            }
        })
        .collect()
}

fn machine_entry(entry: ReleaseEntry, people: Vec<ReleaseChange>) -> ChangelogEntry {
    let ReleaseEntry {
        version,
        date,
        required_stop,
        schema,
        migrations,
        deprecations,
        required_config,
        renamed_values,
        guide,
        upgrade_from: _,
        changes,
    } = entry;
    ChangelogEntry {
        version,
        date,
        required_stop,
        schema,
        migrations,
        deprecations,
        required_config,
        renamed_values,
        guide,
        changes: if changes.is_empty() { people } else { changes },
        machine_readable: true,
    }
}

fn human_entry(version: Version, changes: Vec<ReleaseChange>) -> ChangelogEntry {
    ChangelogEntry {
        version,
        date: None,
        required_stop: false,
        schema: None,
        migrations: Vec::new(),
        deprecations: Vec::new(),
        required_config: Vec::new(),
        renamed_values: Vec::new(),
        guide: None,
        changes,
        machine_readable: false,
    }
}

/// The sections of a changelog in the form of keepachangelog.com: `## [2.7.0] - 2026-05-04`, `###
/// Added`, list items.
pub(super) fn sections(markdown: &str) -> BTreeMap<Version, Vec<ReleaseChange>> {
    let mut found: BTreeMap<Version, Vec<ReleaseChange>> = BTreeMap::new();
    let mut version: Option<Version> = None;
    let mut kind: Option<String> = None;
    let mut in_item = false;
    for line in markdown.lines() {
        let text = line.trim();
        if let Some(heading) = text.strip_prefix("### ") {
            kind = Some(heading.trim().to_lowercase()).filter(|kind| !kind.is_empty());
            in_item = false;
        } else if let Some(heading) = text.strip_prefix("## ").or(text.strip_prefix("# ")) {
            version = heading_version(heading);
            (kind, in_item) = (None, false);
            if let Some(version) = &version {
                found.entry(version.clone()).or_default();
            }
        } else if let Some(changes) = version.as_ref().and_then(|v| found.get_mut(v)) {
            let item = text.strip_prefix("- ").or(text.strip_prefix("* "));
            match item {
                Some(item) => {
                    let description = item.trim().to_owned();
                    changes.push(ReleaseChange { kind: kind.clone(), description });
                    in_item = true;
                }
                None if text.is_empty() => in_item = false,
                None if in_item => {
                    if let Some(last) = changes.last_mut() {
                        last.description.push(' ');
                        last.description.push_str(text);
                    }
                }
                None => {}
            }
        }
    }
    found
}

/// `[2.7.0] - 2026-05-04`, `v2.7.0`, `2.7.0 (2026-05-04)`
fn heading_version(heading: &str) -> Option<Version> {
    let word = heading.split_whitespace().next()?;
    let word = word.trim_matches(|c| c == '[' || c == ']' || c == ':' || c == '*');
    word.strip_prefix('v').unwrap_or(word).parse().ok()
}

/// `artifacthub.io/changes`: a list of strings, or of maps with `kind` and `description`. Anything
/// else tells nothing.
pub(super) fn artifact_hub(annotation: &str) -> Vec<ReleaseChange> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Item {
        Text(String),
        Change(ReleaseChange),
    }
    let items: Vec<Item> = serde_saphyr::from_str(annotation).unwrap_or_default();
    items
        .into_iter()
        .map(|item| match item {
            Item::Text(description) => ReleaseChange { kind: None, description },
            Item::Change(change) => change,
        })
        .collect()
}
