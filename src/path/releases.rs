//! `releases.yaml`: what a chart tells machines about its releases.
//!
//! Format 1 is a map with `format: 1` and `releases`, a list of entries; see [`ReleaseEntry`] for
//! their fields. Fields that are not known are ignored, so that a chart may say more to a later
//! orthid.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::facts::ChartFacts;

/// The newest format that is understood.
const FORMAT: u64 = 1;

/// Every release that a chart tells of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Releases {
    by_version: BTreeMap<Version, ReleaseEntry>,
}

/// One release.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct ReleaseEntry {
    pub version: Version,
    /// As written, usually `2026-05-04`.
    #[serde(default)]
    pub date: Option<String>,
    /// Every path across this release stops at it.
    #[serde(default)]
    pub required_stop: bool,
    /// Schema versions that the app of this release runs on.
    #[serde(default)]
    pub schema: Option<SchemaRange>,
    #[serde(default)]
    pub migrations: Vec<MigrationEntry>,
    #[serde(default)]
    pub deprecations: Vec<Deprecation>,
    #[serde(default)]
    pub required_config: Vec<RequiredConfig>,
    #[serde(default)]
    pub renamed_values: Vec<RenamedValue>,
    /// Name of the upgrade guide that must be read before crossing into this release.
    #[serde(default)]
    pub guide: Option<String>,
    /// Versions from which a major release can be reached, where that is not only the last minor
    /// before it.
    #[serde(default)]
    pub upgrade_from: Option<VersionReq>,
    #[serde(default)]
    pub changes: Vec<ReleaseChange>,
}

/// Both ends are included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchemaRange {
    pub min: u64,
    pub max: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationEntry {
    pub name: String,
    /// The app of the release before runs on the schema after it.
    #[serde(default)]
    pub backward_compatible: Option<bool>,
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deprecation {
    pub what: String,
    #[serde(default)]
    pub since: Option<Version>,
    #[serde(default)]
    pub removed_in: Option<Version>,
    #[serde(default)]
    pub instead: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequiredConfig {
    /// Dotted path of a chart value that must be set.
    pub value: String,
    #[serde(default)]
    pub description: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenamedValue {
    pub from: String,
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReleaseChange {
    /// `added`, `changed`, `fixed`, `removed`, `security`, …
    #[serde(default)]
    pub kind: Option<String>,
    pub description: String,
}

/// Why a `releases.yaml` can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReleasesError {
    #[error("releases.yaml can't be read: {0}")]
    Malformed(String),
    #[error("releases.yaml has format {0}; this orthid knows format {FORMAT}")]
    NewerFormat(u64),
    #[error("releases.yaml lists {0} twice")]
    Duplicate(Version),
}

impl Releases {
    pub fn parse(text: &str) -> Result<Releases, ReleasesError> {
        #[derive(Deserialize)]
        struct Header {
            format: u64,
        }
        #[derive(Deserialize)]
        struct Document {
            #[serde(default)]
            releases: Option<Vec<ReleaseEntry>>,
        }
        let malformed =
            |e: serde_saphyr::Error| ReleasesError::Malformed(e.without_snippet().to_string());
        let header: Header = serde_saphyr::from_str(text).map_err(malformed)?;
        if header.format > FORMAT {
            return Err(ReleasesError::NewerFormat(header.format));
        }
        let document: Document = serde_saphyr::from_str(text).map_err(malformed)?;
        let mut by_version = BTreeMap::new();
        for entry in document.releases.unwrap_or_default() {
            if by_version.contains_key(&entry.version) {
                return Err(ReleasesError::Duplicate(entry.version));
            }
            by_version.insert(entry.version.clone(), entry);
        }
        Ok(Releases { by_version })
    }

    /// What is told of releases: by the text that a plan names in place of the charts', or by the
    /// target's chart, completed from the others, the newest first.
    ///
    /// # Errors
    /// Which text can't be read, and why.
    pub fn told<'a>(
        named: Option<&str>,
        target: Option<&'a ChartFacts>,
        charts: impl DoubleEndedIterator<Item = &'a ChartFacts>,
    ) -> Result<Releases, String> {
        if let Some(text) = named {
            return Releases::parse(text).map_err(|e| format!("the plan's changelog: {e}"));
        }
        let mut all = Releases::default();
        for chart in target.into_iter().chain(charts.rev()) {
            if let Some(text) = &chart.releases_yaml {
                let parsed = Releases::parse(text);
                all.complete_from(parsed.map_err(|e| format!("chart {}: {e}", chart.version))?);
            }
        }
        Ok(all)
    }

    /// Adds what another chart tells of releases that this one does not know: the newer chart has
    /// the last word.
    pub fn complete_from(&mut self, older: Releases) {
        for (version, entry) in older.by_version {
            self.by_version.entry(version).or_insert(entry);
        }
    }

    pub fn get(&self, version: &Version) -> Option<&ReleaseEntry> {
        self.by_version.get(version)
    }

    /// Oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &ReleaseEntry> {
        self.by_version.values()
    }

    pub fn is_empty(&self) -> bool {
        self.by_version.is_empty()
    }
}

impl FromIterator<ReleaseEntry> for Releases {
    fn from_iter<T: IntoIterator<Item = ReleaseEntry>>(entries: T) -> Releases {
        let entries = entries.into_iter().map(|entry| (entry.version.clone(), entry));
        Releases { by_version: entries.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_ignored_and_what_is_newer_is_refused() {
        let text =
            "format: 1\nreleases:\n  - {version: 2.7.0, mood: good, schema: {min: 3, max: 5}}\n";
        let releases = Releases::parse(text).unwrap();
        let entry = releases.get(&Version::new(2, 7, 0)).unwrap();
        assert_eq!(entry.schema, Some(SchemaRange { min: 3, max: 5 }));
        assert!(!entry.required_stop && entry.migrations.is_empty());
        assert_eq!(
            Releases::parse("format: 2\nreleases: 7\n"),
            Err(ReleasesError::NewerFormat(2)),
            "a newer format is not read further"
        );
    }

    #[test]
    fn a_release_is_listed_once() {
        let text = "format: 1\nreleases: [{version: 2.7.0}, {version: 2.7.0}]";
        assert_eq!(Releases::parse(text), Err(ReleasesError::Duplicate(Version::new(2, 7, 0))));
        assert!(matches!(Releases::parse("releases: []"), Err(ReleasesError::Malformed(_))));
    }
}
