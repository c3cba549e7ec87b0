//! Plans from the files that people start from and from recorded facts, as reviewers see them.

use expect_test::expect_file;

use super::*;
use crate::facts::{Facts, recording};
use crate::lang::{self, Inputs, Source};
use crate::render::page::Style;
use crate::render::plan as render;

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
    expect_file!["./snapshots/minor.txt"].assert_eq(&text(MINOR, &recorded!("2.6.0")));
}

#[test]
fn a_patch_as_text() {
    expect_file!["./snapshots/patch.txt"].assert_eq(&text(PATCH, &recorded!("2.7.0")));
}

#[test]
fn two_hops_as_text() {
    expect_file!["./snapshots/two_hops.txt"].assert_eq(&text(TWO_HOPS, &recorded!("2.5.0")));
}

#[test]
fn a_major_as_text() {
    expect_file!["./snapshots/major.txt"].assert_eq(&text(MAJOR, &recorded!("2.8.0")));
}

#[test]
fn a_minor_upgrade_as_markdown() {
    let saved = saved(MINOR, &recorded!("2.6.0"));
    let markdown = render::markdown(&saved).replace(&saved.digest, "DIGEST");
    expect_file!["./snapshots/minor.md"].assert_eq(&markdown);
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
    expect_file!["./snapshots/minor.json"].assert_eq(&format!("{brief:#}\n"));
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

#[test]
fn a_plan_reads_back_from_its_file_and_is_fresh() {
    let facts = recorded!("2.6.0");
    let saved = saved(MINOR, &facts);
    assert_eq!(SavedPlan::parse(&saved.to_bytes()).unwrap(), saved);
    assert_eq!(saved.stale(&facts), []);
}

#[test]
fn every_fact_that_a_plan_rests_on_is_compared() {
    let saved = saved(MINOR, &recorded!("2.6.0"));
    let stale = |change: &dyn Fn(&mut Facts)| {
        let mut facts = recorded!("2.6.0");
        change(&mut facts);
        saved.stale(&facts).into_iter().map(|fact| fact.fact).collect::<Vec<_>>().join(" ")
    };
    let release = |facts: &mut Facts| facts.release.take().unwrap();
    assert_eq!(stale(&|f| f.cluster.as_mut().unwrap().uid = "other".into()), "cluster.uid");
    assert_eq!(stale(&|f| f.release.as_mut().unwrap().revision = 4), "release.revision");
    assert_eq!(
        stale(&|f| {
            let migrations = f.release.as_mut().unwrap().migrations.as_mut().unwrap();
            migrations.applied.push("0004_token_audience".into());
        }),
        "migrations.applied"
    );
    assert_eq!(
        stale(&|f| {
            let target = semver::Version::new(2, 7, 1);
            let charts = &mut f.release.as_mut().unwrap().charts;
            charts.get_mut(&target).unwrap().sha256 = "00".into();
        }),
        "chart.2.7.1.sha256"
    );
    assert_eq!(
        stale(&|f| f.databases.get_mut("main").unwrap().identity = "other".into()),
        "database.main.identity"
    );
    assert!(stale(&|f| drop(release(f))).contains("release.revision"));
    assert_eq!(stale(&|f| f.observed_at = "2026-12-24T00:00:00Z".into()), "");
}

/// Manifests and values full of secrets, redacted as observing does, with another secret on the
/// other side.
fn facts_with_secrets() -> Facts {
    use crate::text::secret::{self, Redactor};
    let redactor = Redactor::default();
    let with = |manifest: &str, secret: &str| {
        let objects = format!(
            "{manifest}\n---\napiVersion: v1\nkind: Secret\nmetadata: {{name: keys}}\nstringData: {{password: {secret}}}\n---\n\
             apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: urls}}\ndata: {{url: \"postgres://u:{secret}@db/x\", api_key: {secret}}}\n"
        );
        redactor.manifest(&objects).unwrap()
    };
    let mut facts = recorded!("2.6.0");
    let release = facts.release.as_mut().unwrap();
    release.manifest = with(&release.manifest, "hunter2");
    release.live = secret::documents(&with("", "hunter2-live")).unwrap();
    let mut values = serde_json::json!({"admin": {"password": "hunter2"}, "signingKey": "hunter2"});
    redactor.values(&mut values);
    release.values = values.clone();
    for render in release.charts.values_mut().flat_map(|chart| chart.renders.values_mut()) {
        render.manifest = with(&render.manifest, "hunter2-new");
        render.values = values.clone();
    }
    facts
}

#[test]
fn no_plan_holds_a_secret_or_its_fingerprint() {
    let facts = facts_with_secrets();
    let saved = saved(MINOR, &facts);
    let pages = [
        String::from_utf8(saved.to_bytes()).unwrap(),
        render::json(&saved),
        render::markdown(&saved),
        render::html(&saved),
        text(MINOR, &facts),
    ];
    for page in pages {
        assert!(!page.contains("hunter2"), "a secret is in {page}");
        assert!(!page.contains("sensitive sha256"), "a fingerprint is in {page}");
    }
    assert!(text(MINOR, &facts).contains("stringData.password: (sensitive value changed)"));
}

/// Seconds to plan a runbook of checkpoints in ten-wide layers.
fn cost(steps: usize) -> f64 {
    let mut hcl = String::new();
    for step in 0..steps {
        let before: Vec<String> = match step / 10 {
            0 => Vec::new(),
            layer => (0..10).map(|k| format!("checkpoint.s{}", (layer - 1) * 10 + k)).collect(),
        };
        let line =
            format!("checkpoint \"s{step}\" {{\n depends_on = [{}]\n}}\n", before.join(", "));
        hcl.push_str(&line);
    }
    let config = config(&hcl);
    let mut facts = recorded!("2.6.0");
    (facts.release, facts.cluster) = (None, None);
    let begun = std::time::Instant::now();
    let plan = plan(&config, &facts).unwrap();
    assert_eq!((plan.steps.len(), plan.failure_map.len()), (steps, 1));
    begun.elapsed().as_secs_f64()
}

#[test]
fn cost_grows_with_the_steps_and_no_faster() {
    let (small, large) = (cost(1_000).max(0.001), cost(10_000));
    assert!(large / small < 40.0, "10 times the steps took {:.0} times as long", large / small);
}
