//! `orthid versions`, from recordings.

use expect_test::{Expect, expect};

use crate::support::program;

fn listed(plan: &str, facts: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let facts = format!("tests/fixtures/facts/{facts}.json");
    let out = program::orthid(std::path::Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["versions", plan, "-facts", &facts])
        .args(more)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

fn check(plan: &str, facts: &str, expect: Expect) {
    let (code, table, error) = listed(plan, facts, &[]);
    assert_eq!(code, Some(0), "{error}");
    expect.assert_eq(&table);
}

#[test]
fn every_version_on_offer_is_listed_with_the_way_to_it() {
    check(
        "plans/orthid-2.7.hcl",
        "orthid-2.6.0",
        expect![[r#"
        version                     way
        3.0.0                       2.7.1 (minor) → 2.8.0 (minor) → 3.0.0 (major)
        2.8.0                       2.7.1 (minor) → 2.8.0 (minor)
        2.7.1    the plan's target  2.7.1 (minor)
        2.7.0                       2.7.0 (minor)
        2.6.3                       2.6.3 (patch)
        2.6.0                       installed
        2.5.0                       older than what is installed
    "#]],
    );
}

#[test]
fn programs_get_the_hops() {
    let (code, json, _) = listed("plans/orthid-2.7.hcl", "orthid-2.6.0", &["-json"]);
    assert_eq!(code, Some(0));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["installed"], "2.6.0");
    let offered = json["offered"].as_array().unwrap();
    let target = offered.iter().find(|offer| offer["version"] == json["target"]).unwrap();
    assert_eq!(target["reach"], "by_hops");
    assert_eq!(target["hops"][0]["kind"], "minor");
}

#[test]
fn a_runbook_has_none() {
    let (code, _, error) = listed("plans/runbook.hcl", "orthid-2.6.0", &[]);
    assert_eq!(code, Some(1));
    assert!(error.contains("upgrades nothing"), "{error}");
}
