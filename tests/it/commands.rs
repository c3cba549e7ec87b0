//! Commands that need no cluster, as people and scripts call them.

#![expect(clippy::disallowed_methods, reason = "a test writes the plans that it runs commands on")]

use std::fs;
use std::path::Path;
use std::process::Stdio;

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::{contains, starts_with};

use crate::support::program;

fn orthid(dir: &Path) -> Command {
    Command::from_std(program::orthid(dir))
}

fn folder(plan: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("plan.hcl"), plan).unwrap();
    dir
}

const RUNBOOK: &str = "variable \"who\" {\n  type = string\n}\n\nrun \"hello\" {\n  command = [\"echo\", var.who]\n}\n";

#[test]
fn several_errors_are_told_at_once() {
    let dir = folder(
        "chekpoint \"a\" {}\nrun \"b\" {\n  comand = []\n}\nrun \"c\" {\n  command = [var.x]\n}\n",
    );
    let validate = || {
        let mut command = orthid(dir.path());
        command.arg("validate");
        command
    };
    validate()
        .assert()
        .code(1)
        .stdout("")
        .stderr(contains("unknown_block").and(contains("unknown_attribute")))
        .stderr(contains("unknown_reference").and(contains("did you mean `checkpoint`?")));
    let json = validate().arg("-json").assert().code(1).stderr("").get_output().stdout.clone();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    assert_eq!(json["valid"], false);
    assert!(json["error_count"].as_u64().unwrap() >= 3, "{json}");
    assert_eq!(json["diagnostics"][0]["range"]["filename"], "plan.hcl");
    let sarif = validate().arg("-sarif").assert().code(1).get_output().stdout.clone();
    let sarif: serde_json::Value = serde_json::from_slice(&sarif).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    assert_eq!(
        sarif["runs"][0]["results"].as_array().unwrap().len(),
        json["diagnostics"].as_array().unwrap().len()
    );
}

#[test]
fn what_is_wrong_with_the_order_is_told_beside_other_errors() {
    let dir = folder(
        "variable \"v\" {\n  colour = 1\n}\nrun \"a\" {\n  depends_on = [run.b]\n  command = [\"x\"]\n}\nrun \"b\" {\n  depends_on = [run.a]\n  command = [\"x\"]\n}\n",
    );
    orthid(dir.path())
        .args(["validate", "plan.hcl"])
        .assert()
        .code(1)
        .stderr(contains("unknown_attribute").and(contains("run.a → run.b → run.a")));
}

#[test]
fn text_that_is_no_text_is_a_diagnostic_too() {
    let dir = folder("");
    fs::write(dir.path().join("plan.hcl"), b"a = \"\xff\"").unwrap();
    orthid(dir.path())
        .args(["validate", "-json"])
        .assert()
        .code(1)
        .stdout(contains("orthid::config::not_utf8"));
}

#[test]
fn variables_come_from_flags_files_and_the_environment() {
    let dir = folder(
        "variable \"who\" {\n  type = string\n\n  validation {\n    condition     = var.who == \"flag\"\n    error_message = \"it is ${var.who}\"\n  }\n}\n\nrun \"hello\" {\n  command = [\"echo\", var.who]\n}\n",
    );
    fs::write(dir.path().join("a.vars.hcl"), "who = \"file\"\n").unwrap();
    fs::write(dir.path().join("b.json"), "{\"who\": \"json\"}").unwrap();
    let validate = |args: &[&str]| {
        let mut command = orthid(dir.path());
        command.env("ORTHID_VAR_who", "environment").arg("validate").args(args);
        command.assert()
    };
    validate(&[]).code(1).stderr(contains("it is environment"));
    validate(&["-var-file", "a.vars.hcl"]).code(1).stderr(contains("it is file"));
    validate(&["-var-file=a.vars.hcl", "-var-file=b.json"]).code(1).stderr(contains("it is json"));
    validate(&["-var-file", "b.json", "-var", "who=flag"]).code(0);
    validate(&["-var", "secret"])
        .code(1)
        .stderr(contains("NAME=VALUE").and(contains("secret").not()));
    validate(&["-var-file", "absent.hcl"]).code(1).stderr(contains("absent.hcl"));
}

#[test]
fn a_plan_that_is_not_there_is_named() {
    let dir = tempfile::tempdir().unwrap();
    orthid(dir.path()).arg("validate").assert().code(1).stderr(contains("no .hcl file"));
    orthid(dir.path()).args(["graph", "x.hcl"]).assert().code(1).stderr(contains("x.hcl"));
}

#[test]
fn terminal_escapes_of_a_plan_are_never_printed() {
    let dir =
        folder("run \"\u{1b}[31m\u{9b}31m\u{202e}\" {\n  \u{1b}]0;x\u{7} = 1 # \u{1b}[2J\n}\n");
    for flag in ["-no-color", "-json", "-sarif"] {
        let output = orthid(dir.path()).args(["validate", flag]).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(control) && !text.contains('\u{202e}'), "{flag}: {text:?}");
    }
}

#[test]
fn graphs_are_written_and_printed() {
    let dir = folder(RUNBOOK);
    orthid(dir.path()).arg("graph").assert().code(0).stdout(starts_with("digraph plan {"));
    orthid(dir.path()).args(["graph", "-format=svg", "-out", "g.svg"]).assert().code(0).stdout("");
    assert!(fs::read_to_string(dir.path().join("g.svg")).unwrap().starts_with("<svg"));
    orthid(dir.path())
        .args(["graph", "-format", "mermaid"])
        .assert()
        .code(0)
        .stdout(starts_with("flowchart"));
    let elsewhere = tempfile::tempdir().unwrap();
    let chdir = format!("-chdir={}", dir.path().display());
    orthid(elsewhere.path()).args([&*chdir, "graph"]).assert().code(0);
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let program = env!("CARGO_BIN_EXE_orthid");
    let mut child = std::process::Command::new(program)
        .arg("schema")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()),
        (Some(0), "")
    );
}

#[test]
fn the_schema_describes_every_block() {
    let dir = tempfile::tempdir().unwrap();
    let output = orthid(dir.path()).arg("schema").assert().code(0).get_output().stdout.clone();
    let schema: serde_json::Value = serde_json::from_slice(&output).unwrap();
    for block in orthid::lang::schema::FILE.blocks {
        assert!(schema["properties"][block.name].is_object(), "{}", block.name);
    }
}

#[test]
fn init_names_what_is_missing_and_keeps_what_is_there() {
    let dir = folder(RUNBOOK);
    orthid(dir.path())
        .args(["init", "-out", "plan.hcl"])
        .assert()
        .code(1)
        .stderr(contains("not overwritten"));
    assert_eq!(fs::read_to_string(dir.path().join("plan.hcl")).unwrap(), RUNBOOK);
    // No helm on the PATH, no kubeconfig.
    orthid(dir.path()).arg("init").assert().code(1).stderr(contains("helm"));
    assert!(!dir.path().join("upgrade.hcl").exists());
}

#[test]
fn manual_pages_and_completions_name_every_command() {
    let dir = tempfile::tempdir().unwrap();
    orthid(dir.path()).args(["man", "out"]).assert().code(0);
    assert!(dir.path().join("out/orthid-validate.1").exists());
    orthid(dir.path()).args(["completions", "bash"]).assert().code(0).stdout(contains("validate"));
    orthid(dir.path()).args(["validate", "-nonsense"]).assert().code(1);
    orthid(dir.path()).arg("-version").assert().code(0).stdout(starts_with("orthid "));
}

#[test]
fn what_is_unknown_or_secret_is_followed_through_and_never_told() {
    let dir = folder(
        r#"
variable "token" {
  type      = string
  sensitive = true
}
run "a" {
  command    = ["echo", "{\"value\": \"told\"}"]
  idempotent = true
}
run "b" {
  command    = ["sh", "-c", "echo $TOKEN $MIXED ${run.a.value} >&2"]
  env        = { TOKEN = var.token, MIXED = "Bearer ${env("SECRET")}" }
  idempotent = true
  for_each   = { "<script>alert(1)</script>" = 1 }
}
"#,
    );
    let with_secrets = |args: &[&str]| {
        let mut command = orthid(dir.path());
        command.env("PATH", "/usr/bin:/bin").env("ORTHID_VAR_token", "hunter2");
        command.env("SECRET", "correct-horse").args(args);
        command
    };
    with_secrets(&["plan", "plan.hcl", "-html", "page.html", "-out", "saved.plan"])
        .assert()
        .code(0)
        .stdout(contains("sh -c (known after apply)"));
    let page = fs::read_to_string(dir.path().join("page.html")).unwrap();
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>alert"), "{page}");
    with_secrets(&["apply", "saved.plan"]).assert().code(0);
    let mut pending = vec![dir.path().to_owned()];
    let mut cleaned = false;
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(!text.contains("hunter2") && !text.contains("correct-horse"), "{}", path.display());
        cleaned |= text.contains("(sensitive value) (sensitive value) told");
    }
    assert!(cleaned, "what the command said is kept, without the secrets");
}
