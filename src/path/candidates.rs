//! The versions whose charts planning needs: the one rule for what is fetched.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use super::{Wanted, find};

/// The ends of the path and its stops, as far as they are on offer. Where there is no path, its
/// ends: planning says why.
pub fn candidates(wanted: &Wanted<'_>) -> BTreeSet<Version> {
    let path = find(wanted).unwrap_or_default();
    let stops = path.stops.iter().map(|stop| &stop.version);
    let ends = [wanted.installed, wanted.target];
    stops.chain(ends).filter(|version| wanted.offered.contains(version)).cloned().collect()
}

/// The newest patch of every minor above what is installed, up to the target: for a path that
/// counts by the app's version, which only the fetched charts tell.
pub fn newest_patches(
    installed: &Version,
    target: &Version,
    offered: &[Version],
) -> BTreeSet<Version> {
    let mut newest: BTreeMap<(u64, u64), &Version> = BTreeMap::new();
    for version in offered.iter().filter(|v| v.pre.is_empty() && *v > installed && *v <= target) {
        let minor = newest.entry((version.major, version.minor)).or_insert(version);
        *minor = version.max(minor);
    }
    let own = offered.iter().filter(|version| *version == installed);
    newest.into_values().chain(own).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Releases;

    fn versions(text: &str) -> Vec<Version> {
        text.split_whitespace().map(|v| v.parse().unwrap()).collect()
    }

    const OFFERED: &str = "2.5.0 2.6.0 2.6.3 2.7.0-rc.1 2.7.0 2.7.1 2.8.0 3.0.0";

    #[test]
    fn charts_are_needed_of_the_path_alone() {
        // Installed, target, what releases.yaml tells, what is needed.
        let cases = [
            ("2.6.0", "2.7.1", "", "2.6.0 2.7.1"),
            ("2.6.0", "2.8.0", "", "2.6.0 2.7.1 2.8.0"),
            ("2.5.0", "2.8.0", "", "2.5.0 2.6.3 2.7.1 2.8.0"),
            ("2.6.0", "2.7.1", "- {version: 2.7.0, required_stop: true}", "2.6.0 2.7.0 2.7.1"),
            ("2.6.0", "3.0.0", "- {version: 3.0.0, upgrade_from: '>=2.6.0'}", "2.6.0 3.0.0"),
            ("2.7.0", "2.7.1", "- {version: 2.6.0, required_stop: true}", "2.7.0 2.7.1"),
            ("2.4.0", "2.7.1", "", "2.5.0 2.6.3 2.7.1"),
            ("2.6.0", "2.9.0", "", "2.6.0"),
            ("2.8.0", "2.7.1", "", "2.7.1 2.8.0"),
        ];
        for (installed, target, told, expected) in cases {
            let releases = match told {
                "" => Releases::default(),
                entries => Releases::parse(&format!("format: 1\nreleases:\n  {entries}")).unwrap(),
            };
            let found = candidates(&Wanted {
                installed: &installed.parse().unwrap(),
                target: &target.parse().unwrap(),
                offered: &versions(OFFERED),
                releases: &releases,
            });
            let found: Vec<Version> = found.into_iter().collect();
            assert_eq!(found, versions(expected), "{installed} to {target}, {told}");
        }
    }

    #[test]
    fn a_path_by_app_versions_takes_the_newest_patches() {
        let (installed, target) = (Version::new(2, 6, 0), Version::new(2, 8, 0));
        let found = newest_patches(&installed, &target, &versions(OFFERED));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), versions("2.6.0 2.6.3 2.7.1 2.8.0"));
    }
}
