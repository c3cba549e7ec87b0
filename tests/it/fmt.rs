//! `orthid fmt` as people and commit hooks call it.

#![expect(clippy::disallowed_methods, reason = "a test writes the files that it formats")]

use std::fs;
use std::path::Path;

use assert_cmd::Command;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;

use crate::support::program;

const UGLY: &str = "locals {\n a=1\n   long   =  2\n}\n";
const NEAT: &str = "locals {\n  a    = 1\n  long = 2\n}\n";

fn orthid(dir: &Path) -> Command {
    Command::from_std(program::orthid(dir))
}

fn folder() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("below/.hidden")).unwrap();
    for file in ["a.hcl", "below/b.hcl", "below/.hidden/c.hcl", "below/not.txt"] {
        fs::write(dir.path().join(file), UGLY).unwrap();
    }
    dir
}

#[test]
fn it_rewrites_files_and_lists_them() {
    let dir = folder();
    orthid(dir.path()).arg("fmt").assert().code(0).stdout("a.hcl\n");
    assert_eq!(fs::read_to_string(dir.path().join("a.hcl")).unwrap(), NEAT);
    assert_eq!(fs::read_to_string(dir.path().join("below/b.hcl")).unwrap(), UGLY);
    orthid(dir.path()).args(["fmt", "-recursive"]).assert().code(0).stdout("below/b.hcl\n");
    assert_eq!(fs::read_to_string(dir.path().join("below/.hidden/c.hcl")).unwrap(), UGLY);
    orthid(dir.path()).args(["fmt", "-check", "-recursive"]).assert().code(0).stdout("");
}

#[test]
fn check_writes_nothing_and_exits_with_3() {
    let dir = folder();
    orthid(dir.path())
        .args(["fmt", "-check", "-diff"])
        .assert()
        .code(3)
        .stdout(contains("a.hcl\n--- old/a.hcl\n+++ new/a.hcl\n"))
        .stdout(contains("\n+  a    = 1\n"));
    assert_eq!(fs::read_to_string(dir.path().join("a.hcl")).unwrap(), UGLY);
    orthid(dir.path()).args(["fmt", "-write=false", "-list=false"]).assert().code(0).stdout("");
    assert_eq!(fs::read_to_string(dir.path().join("a.hcl")).unwrap(), UGLY);
}

#[test]
fn standard_input_goes_to_standard_output() {
    let dir = folder();
    orthid(dir.path()).args(["fmt", "-"]).write_stdin(UGLY).assert().code(0).stdout(NEAT);
    orthid(dir.path()).args(["fmt", "-check", "-"]).write_stdin(UGLY).assert().code(3).stdout("");
    orthid(dir.path()).args(["fmt", "-", "a.hcl"]).assert().code(1);
}

#[test]
fn text_that_cannot_be_read_is_left_alone() {
    let dir = folder();
    fs::write(dir.path().join("bad.hcl"), "a = [\n").unwrap();
    orthid(dir.path())
        .arg("fmt")
        .assert()
        .code(1)
        .stdout("a.hcl\n")
        .stderr(contains("bad.hcl").and(contains("orthid::config::syntax")));
    assert_eq!(fs::read_to_string(dir.path().join("bad.hcl")).unwrap(), "a = [\n");
    orthid(dir.path()).args(["fmt", "absent.hcl"]).assert().code(1).stderr(contains("absent.hcl"));
}

#[test]
fn permissions_stay() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    let file = dir.path().join("a.hcl");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    orthid(dir.path()).arg("fmt").assert().code(0);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}
