//! Paths by example, and the laws of paths by random sets of releases.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;
use semver::Version;

use super::changelog::{artifact_hub, sections};
use super::*;
use crate::model::HopKind;

const OFFERED: &str = "2.5.0 2.6.0 2.6.3 2.7.0 2.7.1 2.8.0-rc.1 2.8.0 3.0.0";

fn versions(text: &str) -> Vec<Version> {
    text.split_whitespace().map(|v| v.parse().unwrap()).collect()
}

fn releases(yaml: &str) -> Releases {
    Releases::parse(&format!("format: 1\nreleases:\n{yaml}\n")).unwrap()
}

fn path(from: &str, to: &str, offered: &str, yaml: &str) -> Result<Path, PathError> {
    let (installed, target) = (from.parse().unwrap(), to.parse().unwrap());
    let (offered, releases) = (versions(offered), releases(yaml));
    find(&Wanted { installed: &installed, target: &target, offered: &offered, releases: &releases })
}

fn check(from: &str, to: &str, offered: &str, yaml: &str, expected: Expect) {
    let shown = match path(from, to, offered, yaml) {
        Ok(path) => path
            .hops
            .iter()
            .zip(&path.stops)
            .map(|(hop, stop)| {
                format!("{} {} → {}: {}\n", hop.kind, hop.from, hop.to, stop.reason.as_str())
            })
            .collect(),
        Err(error) => format!("{} [{}]\n{}\n", error, error.code(), error.help()),
    };
    expected.assert_eq(&shown);
}

#[test]
fn a_minor_is_one_hop() {
    check("2.6.0", "2.7.1", OFFERED, "", expect!["minor 2.6.0 → 2.7.1: the target\n"]);
    check("2.7.0", "2.7.1", OFFERED, "", expect!["patch 2.7.0 → 2.7.1: the target\n"]);
    check("2.7.1", "2.7.1", OFFERED, "", expect![""]);
}

#[test]
fn minors_are_gone_one_at_a_time_through_the_newest_patch() {
    check(
        "2.5.0",
        "2.8.0",
        OFFERED,
        "",
        expect![[r#"
            minor 2.5.0 → 2.6.3: newest patch of its minor
            minor 2.6.3 → 2.7.1: newest patch of its minor
            minor 2.7.1 → 2.8.0: the target
        "#]],
    );
}

#[test]
fn a_major_starts_from_the_last_minor() {
    check("2.8.0", "3.0.0", OFFERED, "", expect!["major 2.8.0 → 3.0.0: the target\n"]);
    check(
        "2.6.3",
        "4.0.1",
        "2.6.3 2.7.1 2.8.0 3.0.0 3.0.2 3.1.0 4.0.1",
        "",
        expect![[r#"
            minor 2.6.3 → 2.7.1: newest patch of its minor
            minor 2.7.1 → 2.8.0: newest patch of the last minor before the next major
            major 2.8.0 → 3.0.2: newest patch of the major's first minor
            minor 3.0.2 → 3.1.0: newest patch of the last minor before the next major
            major 3.1.0 → 4.0.1: the target
        "#]],
    );
}

#[test]
fn a_major_may_say_where_it_is_reached_from() {
    check(
        "2.7.1",
        "3.0.0",
        OFFERED,
        "- {version: 3.0.0, upgrade_from: '>=2.7.0, <3.0.0'}",
        expect!["major 2.7.1 → 3.0.0: the target\n"],
    );
}

#[test]
fn a_skipped_major_is_refused() {
    check(
        "2.8.0",
        "4.0.0",
        "2.8.0 4.0.0",
        "",
        expect![[r#"
            4.0.0 can't be reached from 2.8.0: a new major starts from the last minor before it [orthid::plan::major_not_from_last_minor]
            upgrade to the newest 2.8 first
        "#]],
    );
}

#[test]
fn required_stops_are_made() {
    check(
        "2.6.0",
        "2.7.1",
        OFFERED,
        "- {version: 2.6.3, required_stop: true}\n- {version: 2.7.0, required_stop: true}",
        expect![[r#"
            patch 2.6.0 → 2.6.3: a required stop
            minor 2.6.3 → 2.7.0: a required stop
            patch 2.7.0 → 2.7.1: the target
        "#]],
    );
    check(
        "2.5.0",
        "2.7.1",
        "2.5.0 2.6.0 2.7.1",
        "- {version: 2.6.5, required_stop: true}",
        expect![[r#"
            the path from 2.5.0 to 2.7.1 stops at 2.6.5, which the chart source does not offer [orthid::plan::stop_not_offered]
            offer 2.6.5 in the chart repository, or upgrade to a version before it
        "#]],
    );
}

#[test]
fn a_minor_that_exists_and_is_not_offered_is_missing() {
    check(
        "2.5.0",
        "2.7.1",
        "2.5.0 2.7.1",
        "- {version: 2.6.0}",
        expect![[r#"
            the path from 2.5.0 to 2.7.1 stops at 2.6.x, which the chart source does not offer [orthid::plan::stop_not_offered]
            offer 2.6.x in the chart repository, or upgrade to a version before it
        "#]],
    );
    check("2.5.0", "2.7.1", "2.5.0 2.7.1", "", expect!["minor 2.5.0 → 2.7.1: the target\n"]);
}

#[test]
fn there_is_no_way_back() {
    check(
        "2.7.1",
        "2.6.3",
        OFFERED,
        "",
        expect![[r#"
            2.7.1 is installed and the plan's target 2.6.3 is older [orthid::plan::downgrade]
            upgrades only go forward; `orthid rollback` undoes the run that brought the newer version, as far as its plan has rollback edges
        "#]],
    );
}

#[test]
fn what_is_not_offered_names_what_is_near() {
    check(
        "2.6.0",
        "2.7.4",
        OFFERED,
        "",
        expect![[r#"
            version 2.7.4 is not offered by the chart source [orthid::plan::version_not_offered]
            nearest on offer: 2.5.0, 2.6.0, 2.6.3, 2.7.0, 2.7.1, 2.8.0; `helm search repo --versions` lists all
        "#]],
    );
    check(
        "2.6.0",
        "2.7.4",
        "",
        "",
        expect![[r#"
            version 2.7.4 is not offered by the chart source [orthid::plan::version_not_offered]
            the chart source offers no version at all; check `chart` and `repository` in the release block
        "#]],
    );
}

#[test]
fn pre_releases_are_used_only_when_named() {
    check("2.7.1", "2.8.0-rc.1", OFFERED, "", expect!["minor 2.7.1 → 2.8.0-rc.1: the target\n"]);
    check("2.8.0-rc.1", "2.8.0", OFFERED, "", expect!["patch 2.8.0-rc.1 → 2.8.0: the target\n"]);
    check(
        "2.5.0",
        "2.8.0-rc.1",
        "2.5.0 2.6.0 2.6.1-rc.1 2.7.0-rc.1 2.8.0-rc.1",
        "",
        expect![[r#"
            minor 2.5.0 → 2.6.0: newest patch of its minor
            minor 2.6.0 → 2.8.0-rc.1: the target
        "#]],
    );
}

#[test]
fn guides_are_acknowledged_by_the_digest_of_their_text() {
    let path = path("2.8.0", "3.0.0", OFFERED, "").unwrap();
    let told = releases("- {version: 3.0.0, guide: guides/3.0.0.md}");
    let v3 = Version::new(3, 0, 0);
    let shipped = Guides(BTreeMap::from([(v3.clone(), "Read me.\n".to_owned())]));
    let sha256 = shipped.sha256(&v3).unwrap();
    let read = |digest: &str| BTreeMap::from([(v3.clone(), digest.to_owned())]);
    assert_eq!(acknowledged(&path, &told, &shipped, &read(&sha256)), Ok(()));

    let missing = acknowledged(&path, &told, &shipped, &BTreeMap::new()).unwrap_err();
    assert_eq!(missing.code(), "orthid::plan::guide_not_acknowledged");
    assert!(missing.help().contains(&sha256) && missing.help().contains("guides/3.0.0.md"));

    let changed = acknowledged(&path, &told, &shipped, &read("00ff")).unwrap_err();
    assert_eq!(changed.code(), "orthid::plan::guide_changed");

    let nothing_shipped =
        acknowledged(&path, &Releases::default(), &Guides::default(), &BTreeMap::new());
    assert!(nothing_shipped.is_err(), "a major always has something to read");
}

#[test]
fn a_changelog_is_read_as_people_write_it() {
    let text = "# Changelog\n\n## [2.7.0] - 2026-05-04\n\n### Added\n\n- Audience claims\n  in tokens.\n* Sign-in log.\n\n## v2.6.3\n\n- Carries 2.7's migrations.\n";
    let shown: Vec<String> = sections(text)
        .into_iter()
        .flat_map(|(version, changes)| {
            changes
                .into_iter()
                .map(move |c| format!("{version} {} {}", c.kind.unwrap_or_default(), c.description))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "2.6.3  Carries 2.7's migrations.",
            "2.7.0 added Audience claims in tokens.",
            "2.7.0 added Sign-in log."
        ]
    );
    let hub = artifact_hub("- Faster\n- kind: fixed\n  description: A leak\n");
    assert_eq!(hub.len(), 2);
    assert_eq!(hub[1].kind.as_deref(), Some("fixed"));
    assert!(artifact_hub("{not: [a list").is_empty());
}

#[test]
fn entries_are_those_between_the_ends() {
    let told =
        releases("- {version: 2.6.3}\n- {version: 2.7.0, required_stop: true}\n- {version: 2.8.0}");
    let found = entries(
        &Version::new(2, 6, 3),
        &Version::new(2, 7, 1),
        &told,
        &BTreeMap::new(),
        &versions(OFFERED),
    );
    let shown: Vec<_> = found.iter().map(|e| (e.version.to_string(), e.machine_readable)).collect();
    assert_eq!(shown, [("2.7.0".to_owned(), true), ("2.7.1".to_owned(), false)]);
}

fn version() -> impl Strategy<Value = Version> {
    let pre = prop_oneof![8 => Just(""), 1 => Just("rc.1")];
    (1u64..4, 0u64..5, 0u64..4, pre).prop_map(|(major, minor, patch, pre)| {
        let mut version = Version::new(major, minor, patch);
        version.pre = semver::Prerelease::new(pre).unwrap();
        version
    })
}

proptest! {
    #[test]
    fn a_path_only_goes_up_by_legal_hops_and_ends_at_the_target(
        offered in prop::collection::vec(version(), 1..40),
        stops in prop::collection::vec(version(), 0..4),
        installed in version(),
        target in any::<prop::sample::Index>(),
    ) {
        let target = target.get(&offered).clone();
        let yaml: String = stops
            .iter()
            .collect::<std::collections::BTreeSet<_>>()
            .iter()
            .map(|v| format!("- {{version: {v}, required_stop: true}}\n"))
            .collect();
        let releases = releases(&yaml);
        let wanted =
            Wanted { installed: &installed, target: &target, offered: &offered, releases: &releases };
        match find(&wanted) {
            Ok(path) => {
                prop_assert_eq!(path.hops.is_empty(), installed == target);
                let mut at = installed.clone();
                for (index, hop) in path.hops.iter().enumerate() {
                    prop_assert_eq!(hop.index, index);
                    prop_assert_eq!(&hop.from, &at);
                    prop_assert!(hop.to > hop.from && offered.contains(&hop.to));
                    prop_assert!(hop.to.pre.is_empty() || hop.to == target);
                    let skipped = offered.iter().any(|v| {
                        v.pre.is_empty()
                            && (v.major, v.minor) > (hop.from.major, hop.from.minor)
                            && (v.major, v.minor) < (hop.to.major, hop.to.minor)
                    });
                    prop_assert!(!skipped, "no offered minor is jumped over");
                    if hop.kind == HopKind::Major {
                        prop_assert_eq!(hop.to.major, hop.from.major + 1);
                    }
                    at = hop.to.clone();
                }
                prop_assert_eq!(at, target.clone());
                for stop in stops.iter().filter(|v| v.pre.is_empty() && **v > installed && **v < target) {
                    prop_assert!(path.stops.iter().any(|s| s.version == *stop));
                }
            }
            Err(PathError::Downgrade { .. }) => prop_assert!(target < installed),
            Err(PathError::StopNotOffered { .. }) => prop_assert!(!stops.is_empty()),
            Err(PathError::MajorNotFromLastMinor { hop, .. }) => {
                prop_assert!(hop.to.major > hop.from.major);
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}
