//! Finding the stops between two versions.
//!
//! The rules:
//!
//! - Within a minor: one hop, to the target.
//! - To a later minor of the same major: through the newest patch of every minor between, one minor
//!   at a time.
//! - To a later major: through the minors to the last minor before it, or directly from where the
//!   release says that it can be reached (`upgrade_from`), then into the newest patch of the new
//!   major's first minor, and on.
//! - A release that is marked `required_stop` is always a stop.
//! - Pre-releases are never stops; they are ends only when named.
//!
//! A minor that neither the chart source nor `releases.yaml` knows does not exist. One that only
//! `releases.yaml` knows is missing, and the path can't be gone.

use std::collections::BTreeSet;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{PathError, Releases};
use crate::model::{Hop, HopKind};

/// What a path is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    pub installed: &'a Version,
    pub target: &'a Version,
    /// Every version that the chart source offers, in any order.
    pub offered: &'a [Version],
    pub releases: &'a Releases,
}

/// The hops from the installed version to the target; none where they are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    pub hops: Vec<Hop>,
    /// Where each hop ends, and why.
    pub stops: Vec<Stop>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    pub version: Version,
    pub reason: StopReason,
}

/// Why a path stops at a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopReason {
    /// The plan's `to`.
    Target,
    /// The release is marked as a stop that every path makes.
    Required,
    /// The newest patch of a minor on the way.
    NewestPatch,
    /// The last minor before a major.
    LastMinor,
    /// The first minor of a major on the way.
    FirstMinor,
}

impl StopReason {
    pub fn as_str(self) -> &'static str {
        match self {
            StopReason::Target => "the target",
            StopReason::Required => "a required stop",
            StopReason::NewestPatch => "newest patch of its minor",
            StopReason::LastMinor => "newest patch of the last minor before the next major",
            StopReason::FirstMinor => "newest patch of the major's first minor",
        }
    }
}

/// Finds the path.
///
/// # Errors
/// The target is older than what is installed, is not offered, or can't be reached by the rules.
pub fn find(wanted: &Wanted<'_>) -> Result<Path, PathError> {
    let Wanted { installed, target, offered, .. } = wanted;
    if target == installed {
        return Ok(Path::default());
    }
    if same_precedence(target, installed) || target < installed {
        return Err(PathError::Downgrade {
            installed: (*installed).clone(),
            target: (*target).clone(),
        });
    }
    if !offered.contains(target) {
        return Err(PathError::not_offered(target, offered));
    }
    let known = Known::new(wanted);
    let mut stops = known.stops()?;
    stops.push(Stop { version: (*target).clone(), reason: StopReason::Target });
    let mut from = (*installed).clone();
    let mut hops = Vec::with_capacity(stops.len());
    for (index, stop) in stops.iter().enumerate() {
        let hop = Hop::new(index, from, stop.version.clone());
        known.check_major(&hop)?;
        from = stop.version.clone();
        hops.push(hop);
    }
    Ok(Path { hops, stops })
}

/// Versions that differ in build metadata alone have the same precedence; there is no way up
/// between them.
fn same_precedence(a: &Version, b: &Version) -> bool {
    a.cmp_precedence(b).is_eq()
}

/// Everything that is known of the versions between the two ends.
struct Known<'a> {
    wanted: &'a Wanted<'a>,
    /// Releases (not pre-releases) that are offered.
    offered: BTreeSet<&'a Version>,
    /// Minors that exist, offered or not.
    minors: BTreeSet<(u64, u64)>,
}

impl<'a> Known<'a> {
    fn new(wanted: &'a Wanted<'a>) -> Known<'a> {
        let is_release = |version: &&Version| version.pre.is_empty();
        let offered: BTreeSet<&Version> = wanted.offered.iter().filter(is_release).collect();
        let told = wanted.releases.iter().map(|entry| &entry.version).filter(is_release);
        let known = offered.iter().copied().chain(told);
        let ends = [wanted.installed, wanted.target];
        let minors = known.chain(ends).map(|v| (v.major, v.minor)).collect();
        Known { wanted, offered, minors }
    }

    fn between(&self, version: &Version) -> bool {
        version > self.wanted.installed && version < self.wanted.target
    }

    /// Every stop before the target, oldest first.
    fn stops(&self) -> Result<Vec<Stop>, PathError> {
        let mut stops: Vec<Stop> = Vec::new();
        for (major, minor) in self.minors_to_visit() {
            let version =
                self.newest_patch(major, minor).ok_or_else(|| PathError::StopNotOffered {
                    installed: self.wanted.installed.clone(),
                    target: self.wanted.target.clone(),
                    stop: format!("{major}.{minor}.x"),
                })?;
            stops.push(Stop { version, reason: self.reason(major, minor) });
        }
        for entry in self.wanted.releases.iter() {
            if !entry.required_stop
                || !self.between(&entry.version)
                || !entry.version.pre.is_empty()
            {
                continue;
            }
            if !self.offered.contains(&entry.version) {
                return Err(PathError::StopNotOffered {
                    installed: self.wanted.installed.clone(),
                    target: self.wanted.target.clone(),
                    stop: entry.version.to_string(),
                });
            }
            stops.retain(|stop| stop.version != entry.version);
            stops.push(Stop { version: entry.version.clone(), reason: StopReason::Required });
        }
        stops.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(stops)
    }

    /// Minors strictly between the installed one and the target's.
    fn minors_to_visit(&self) -> Vec<(u64, u64)> {
        let Wanted { installed, target, .. } = self.wanted;
        let (first, last) = ((installed.major, installed.minor), (target.major, target.minor));
        let reached_directly = self.direct_major();
        self.minors
            .iter()
            .copied()
            .filter(|minor| *minor > first && *minor < last)
            .filter(|minor| !reached_directly.contains(&minor.0))
            .collect()
    }

    /// Majors whose remaining minors need not be visited, because the next major can be reached
    /// from where the path is when it enters them: only ever the installed one.
    fn direct_major(&self) -> Vec<u64> {
        let Wanted { installed, target, .. } = self.wanted;
        let next = installed.major + 1;
        if target.major >= next && self.says_reachable(installed, next) {
            vec![installed.major]
        } else {
            Vec::new()
        }
    }

    /// Whether the release that begins a major says that it can be reached from this version.
    fn says_reachable(&self, from: &Version, major: u64) -> bool {
        let mut entries = self.wanted.releases.iter().filter(|e| e.version.major == major);
        entries.any(|e| e.upgrade_from.as_ref().is_some_and(|range| range.matches(from)))
    }

    fn newest_patch(&self, major: u64, minor: u64) -> Option<Version> {
        let same = |v: &&&Version| v.major == major && v.minor == minor;
        self.offered.iter().rev().find(same).map(|v| (*v).clone())
    }

    fn reason(&self, major: u64, minor: u64) -> StopReason {
        let of_major = self.minors.iter().filter(|m| m.0 == major).map(|m| m.1);
        let (target, installed) = (self.wanted.target, self.wanted.installed);
        if major < target.major && of_major.clone().max() == Some(minor) {
            StopReason::LastMinor
        } else if major > installed.major && of_major.min() == Some(minor) {
            StopReason::FirstMinor
        } else {
            StopReason::NewestPatch
        }
    }

    /// A hop into another major starts from the last minor of the one before it.
    fn check_major(&self, hop: &Hop) -> Result<(), PathError> {
        if hop.kind != HopKind::Major {
            return Ok(());
        }
        let minors = self.minors.iter().filter(|m| m.0 == hop.from.major).map(|m| m.1);
        let last = minors.max().unwrap_or(hop.from.minor);
        let is_next = hop.to.major == hop.from.major + 1;
        if is_next && (hop.from.minor == last || self.says_reachable(&hop.from, hop.to.major)) {
            return Ok(());
        }
        Err(PathError::MajorNotFromLastMinor { hop: hop.clone(), last_minor: last })
    }
}
