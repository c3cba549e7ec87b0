//! Plans from the files that people start from and from recorded facts, as reviewers see them.

use super::render::{self, Style};
use super::*;
use crate::facts::{Facts, recording};
use crate::lang::{self, Inputs, Source};

const MINOR: &str = include_str!("../../plans/orthid-2.7.hcl");
const PATCH: &str = include_str!("../../plans/orthid-2.7.1.hcl");
const TWO_HOPS: &str = include_str!("../../plans/orthid-2.5-to-2.7.hcl");
const MAJOR: &str = include_str!("../../plans/orthid-3.0.hcl");

macro_rules! recorded {
    ($version:literal) => {
        recording::read(include_bytes!(concat!(
            "../../tests/fixtures/facts/orthid-",
            $version,
            ".json"
        )))
        .unwrap()
    };
}

fn config(hcl: &str) -> lang::Config {
    let source = Source::new("upgrade.hcl", hcl.to_owned());
    lang::load(&[source], &Inputs::none()).unwrap_or_else(|errors| panic!("{errors}"))
}

fn planned(hcl: &str, facts: &Facts) -> Plan {
    plan(&config(hcl), facts).unwrap_or_else(|error| panic!("{error}"))
}

fn saved(hcl: &str, facts: &Facts) -> SavedPlan {
    SavedPlan::new(planned(hcl, facts), facts, "plans")
}

fn text(hcl: &str, facts: &Facts) -> String {
    render::text(&saved(hcl, facts), Style { colour: false, width: 100 })
}

#[test]
fn a_minor_upgrade_as_text() {
    insta::assert_snapshot!(text(MINOR, &recorded!("2.6.0")));
}

#[test]
fn a_patch_as_text() {
    insta::assert_snapshot!(text(PATCH, &recorded!("2.7.0")));
}

#[test]
fn two_hops_as_text() {
    insta::assert_snapshot!(text(TWO_HOPS, &recorded!("2.5.0")));
}

#[test]
fn a_major_as_text() {
    insta::assert_snapshot!(text(MAJOR, &recorded!("2.8.0")));
}

#[test]
fn a_minor_upgrade_as_markdown() {
    let saved = saved(MINOR, &recorded!("2.6.0"));
    insta::assert_snapshot!(render::markdown(&saved).replace(&saved.digest, "DIGEST"));
}

#[test]
fn a_minor_upgrade_as_json() {
    let document: serde_json::Value =
        serde_json::from_str(&render::json(&saved(MINOR, &recorded!("2.6.0")))).unwrap();
    let names: Vec<&String> = document.as_object().unwrap().keys().collect();
    for field in [
        "format_version",
        "upgrade",
        "hops",
        "steps",
        "rollback_edges",
        "diff",
        "findings",
        "failure_map",
        "point_of_no_return",
        "facts",
        "digest",
        "applyable",
    ] {
        assert!(names.iter().any(|name| *name == field), "{field} is promised");
    }
    let mut brief = document.clone();
    for large in ["changelog", "checks", "diff", "facts", "files", "digest"] {
        brief.as_object_mut().unwrap().remove(large);
    }
    insta::assert_snapshot!(format!("{brief:#}"));
}

#[test]
fn a_page_is_whole_and_fetches_nothing() {
    let hostile = MINOR.replace("Dump the database", "<script>alert(1)</script>");
    let page = render::html(&saved(&hostile, &recorded!("2.6.0")));
    assert!(
        page.contains("<svg") && page.contains("roll.app") && page.trim_end().ends_with("</html>")
    );
    for loaded in ["<script", "src=", "href=\"http", "@import"] {
        assert!(!page.contains(loaded), "{loaded}");
    }
    let elsewhere = page.split("url(").skip(1).filter(|rest| !rest.starts_with('#'));
    assert_eq!(elsewhere.count(), 0, "a drawing refers to its own parts only");
}
