//! The plans that people start from: each validates, is laid out canonically, and has the graph that its comments speak of.

#![expect(clippy::disallowed_methods, reason = "a test reads the plans")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use expect_test::expect_file;

use crate::support::json_schema::Schema;

fn plans() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    // Runs leave their backups beside the plans.
    let is_plan = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "hcl");
    let mut plans: Vec<PathBuf> = entries.filter(is_plan).collect();
    plans.sort();
    assert!(plans.len() >= 6, "{plans:?}");
    plans
}

fn orthid() -> Command {
    let mut command = Command::cargo_bin("orthid").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR")).env_clear();
    command
}

#[test]
fn every_plan_validates() {
    for plan in plans() {
        orthid().arg("validate").arg(&plan).assert().code(0).stdout("The plan is valid.\n");
    }
}

#[test]
fn every_plan_is_in_canonical_layout() {
    orthid().args(["fmt", "-check", "-diff", "plans"]).assert().code(0).stdout("");
}

#[test]
fn every_plan_has_the_graph_that_was_reviewed() {
    for plan in plans() {
        let name = plan.file_stem().unwrap().to_string_lossy();
        let graph = orthid().arg("graph").arg(&plan).args(["-format", "mermaid"]).output().unwrap();
        assert!(graph.status.success(), "{}", String::from_utf8_lossy(&graph.stderr));
        let drawn = String::from_utf8(graph.stdout).unwrap();
        expect_file![format!("./snapshots/{name}.mmd")].assert_eq(&drawn);
    }
}

/// A plan in HCL's JSON form, as `orthid schema` describes it.
fn as_json(text: &str) -> serde_json::Value {
    hcl::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn schema() -> Schema {
    let output = orthid().arg("schema").output().unwrap();
    Schema { root: serde_json::from_slice(&output.stdout).unwrap() }
}

#[test]
fn every_plan_keeps_to_the_schema() {
    let schema = schema();
    for plan in plans() {
        let json = as_json(&std::fs::read_to_string(&plan).unwrap());
        assert_eq!(schema.errors(&json), [""; 0], "{}", plan.display());
    }
}

#[test]
fn the_schema_refuses_what_the_language_refuses() {
    let schema = schema();
    let broken = [
        "chekpoint \"a\" {}",
        "run \"a\" {\n  comand = [\"x\"]\n}",
        "run \"a\" {}",
        "run \"not a name\" {\n  command = [\"x\"]\n}",
        "run \"a\" {\n  command = 1\n}",
        "run \"a\" {\n  command = [\"x\"]\n  on_failure = \"explode\"\n}",
        "run \"a\" {\n  command = [\"x\"]\n  retry {\n    attempts = \"many\"\n  }\n}",
        "upgrade \"a\" {\n  from = \"1.0.0\"\n}",
        "verify \"a\" {\n  backup = \"before\"\n}",
        "colour = 1",
    ];
    for text in broken {
        assert!(!schema.errors(&as_json(text)).is_empty(), "{text}");
    }
    let right = "run \"a\" {\n  command = [\"x\"]\n  on_failure = \"stop\"\n}";
    assert_eq!(schema.errors(&as_json(right)), [""; 0]);
}

#[test]
fn the_books_reference_is_made_from_the_schema() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/reference/language.md");
    expect_file![page].assert_eq(&orthid::lang::docs::reference::markdown());
}

#[test]
fn the_guide_that_was_read_is_the_one_that_ships() {
    use sha2::Digest;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let guide = std::fs::read(root.join("examples/orthid/releases/3.0.0/guide.md")).unwrap();
    let digest = hex::encode(sha2::Sha256::digest(&guide));
    let plan = std::fs::read_to_string(root.join("plans/orthid-3.0.hcl")).unwrap();
    assert!(plan.contains(&digest), "the plan must acknowledge {digest}");
}
