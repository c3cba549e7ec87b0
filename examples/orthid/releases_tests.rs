//! The table against what people are told: `releases/<version>/release.yaml`, which every package carries.

use serde::Deserialize;

use super::*;
use crate::migrations::MIGRATIONS;

#[derive(Deserialize)]
struct Told {
    version: String,
    schema: Range,
    #[serde(default)]
    migrations: Vec<ToldMigration>,
}

#[derive(Deserialize)]
struct Range {
    min: usize,
    max: usize,
}

#[derive(Deserialize)]
struct ToldMigration {
    name: String,
    backward_compatible: bool,
}

/// In the order of [`RELEASES`].
fn told() -> Vec<Told> {
    [
        include_str!("releases/2.5.0/release.yaml"),
        include_str!("releases/2.6.0/release.yaml"),
        include_str!("releases/2.6.3/release.yaml"),
        include_str!("releases/2.7.0/release.yaml"),
        include_str!("releases/2.7.1/release.yaml"),
        include_str!("releases/2.8.0/release.yaml"),
        include_str!("releases/3.0.0/release.yaml"),
    ]
    .into_iter()
    .map(|text| serde_saphyr::from_str(text).unwrap())
    .collect()
}

#[test]
fn people_are_told_the_versions_and_ranges_of_the_table() {
    let told: Vec<_> =
        told().into_iter().map(|told| (told.version, told.schema.min, told.schema.max)).collect();
    let table: Vec<_> = RELEASES
        .iter()
        .map(|release| (release.version.to_owned(), release.schema_min, release.schema_max))
        .collect();
    assert_eq!(told, table);
}

#[test]
fn every_migration_is_told_once_by_the_release_that_needs_it_first() {
    let mut names = Vec::new();
    for (told, release) in told().iter().zip(&RELEASES) {
        names.extend(told.migrations.iter().map(|migration| migration.name.clone()));
        assert_eq!(names.len(), release.schema_min, "{} tells what it needs", told.version);
    }
    assert_eq!(names, MIGRATIONS.map(|migration| migration.name));
}

#[test]
fn backward_compatible_means_that_the_release_before_runs_on_it() {
    for (pair, told) in RELEASES.windows(2).zip(told().iter().skip(1)) {
        let [before, after] = pair else { unreachable!("windows of two") };
        let compatible = told.migrations.iter().all(|migration| migration.backward_compatible);
        assert_eq!(
            before.judge(after.schema_min).is_ok(),
            compatible,
            "{} on the schema of {}",
            before.version,
            after.version
        );
    }
}

#[test]
fn an_image_carries_what_its_release_needs() {
    for release in &RELEASES {
        assert!(release.carries >= release.schema_min && release.carries <= release.schema_max);
    }
    let ahead: Vec<_> = RELEASES
        .iter()
        .filter(|release| release.carries > release.schema_min)
        .map(|release| release.version)
        .collect();
    assert_eq!(ahead, ["2.6.3"]);
}

#[test]
fn a_schema_is_too_old_right_or_too_new() {
    let release = Release::find("2.7.1").unwrap();
    assert_eq!(release.judge(3), Err(SchemaMismatch::TooOld { schema: 3, needs: 5 }));
    assert_eq!(release.judge(5), Ok(()));
    assert_eq!(release.judge(6), Ok(()));
    assert_eq!(release.judge(7), Err(SchemaMismatch::TooNew { schema: 7, supports: 6 }));
}

#[test]
fn an_unknown_release_is_answered_with_those_there_are() {
    let error = Release::find("2.9.0").unwrap_err();
    assert!(error.contains("2.9.0") && error.contains("2.8.0, 3.0.0"), "{error}");
}
