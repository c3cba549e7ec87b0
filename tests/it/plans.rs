//! The plans that people start from: each validates, is laid out canonically, and has the graph that its comments speak of.

#![expect(clippy::disallowed_methods, reason = "a test reads the plans")]

use std::path::{Path, PathBuf};

use assert_cmd::Command;
use expect_test::expect_file;

use crate::support::program;

pub fn plans() -> Vec<PathBuf> {
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
    Command::from_std(program::orthid(Path::new(env!("CARGO_MANIFEST_DIR"))))
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
