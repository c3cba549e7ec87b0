//! Runs as people start, interrupt and finish them: the built program, real processes and signals, runbooks for plans.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::desk::{Desk, Ended, SLOW, signal};

#[test]
fn a_run_is_carried_out_and_told_of() {
    let desk = Desk::new(SLOW);
    desk.apply().code(0).says("run.slow: succeeded").says("run succeeded");
    assert_eq!(desk.lines(), ["began", "done", "after"]);
    assert_eq!(desk.status()["outcome"], "succeeded");
    let report = desk.run(&["report"]).code(0).stdout;
    assert!(report.contains("hash chain verified") && report.contains("ada@"), "{report}");
    let again = desk.run(&["plan", "plan.hcl"]).code(0).stdout;
    assert!(again.contains("(about "), "the plan knows how long its steps took:\n{again}");
}

#[test]
fn the_first_interrupt_lets_steps_end_and_resume_goes_on() {
    for first in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let desk = Desk::new(SLOW);
        let child = desk.begin();
        desk.wait_for_line("began");
        signal(&child, first);
        Ended::of(child).code(130).says("go on with `orthid resume");
        assert_eq!(desk.lines(), ["began", "done"], "{first}: what ran has ended, nothing began");
        assert_eq!(desk.status()["outcome"], "paused", "{first}");
        desk.run(&["resume"]).code(0).says("run succeeded");
        assert_eq!(desk.lines(), ["began", "done", "after"], "{first}");
        assert_eq!(desk.starts_of("run.slow"), 1, "{first}");
    }
}

#[test]
fn the_second_interrupt_stops_now() {
    let desk = Desk::new(SLOW);
    let child = desk.begin();
    desk.wait_for_line("began");
    let began = Instant::now();
    signal(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(150));
    signal(&child, Signal::SIGINT);
    Ended::of(child).code(130).says("stopping now");
    assert!(began.elapsed() < Duration::from_millis(1400), "it stopped, and did not wait");
    assert_eq!(desk.lines(), ["began"], "the command was ended as a group");
    let explained = desk.run(&["resume", "-explain"]).code(0).stdout;
    assert!(explained.contains("run.slow") && explained.contains("not done"), "{explained}");
    assert_eq!(desk.lines(), ["began"], "explaining does nothing");
    desk.run(&["resume"]).code(0);
    assert_eq!(desk.lines(), ["began", "began", "done", "after"]);
}

#[test]
fn killed_at_once_nothing_is_lost_and_nothing_done_twice() {
    let desk = Desk::new(SLOW);
    let mut child = desk.begin();
    desk.wait_for_line("began");
    child.kill().unwrap();
    child.wait().unwrap();
    // Its command goes on by itself, and the resume waits for that end.
    desk.run(&["resume"]).code(0).says("run.slow: already done, adopted").says("run succeeded");
    assert_eq!(desk.lines(), ["began", "done", "after"]);
}

#[test]
fn what_nothing_can_be_told_of_waits_for_a_person() {
    let plan = r#"
run "mail" {
  command = ["sh", "-c", "echo sent >> lines; test -e quick || sleep 600"]
}
"#;
    for (answer, lines) in [("-happened", vec!["sent"]), ("-not-happened", vec!["sent", "sent"])] {
        let desk = Desk::new(plan);
        let child = desk.begin();
        desk.wait_for_line("sent");
        signal(&child, Signal::SIGINT);
        std::thread::sleep(Duration::from_millis(150));
        signal(&child, Signal::SIGINT);
        Ended::of(child).code(130);
        desk.run(&["resume"]).code(7).says("run.mail").says("-happened");
        assert_eq!(desk.lines(), ["sent"], "it is not repeated by itself");
        fs::write(desk.path("quick"), "").unwrap();
        desk.run(&["resume", answer, "run.mail"]).code(0);
        assert_eq!(desk.lines(), lines, "{answer}");
    }
}

#[test]
fn a_failure_is_rolled_back() {
    let desk = Desk::new(&SLOW.replace("echo after >> lines", "exit 3").replace("1.5", "0"));
    desk.apply().code(6).says("the command exited with 3").says("run rolled back");
    assert_eq!(desk.lines(), ["began", "done", "undone"]);
}

#[test]
fn a_failure_that_is_to_stop_is_left_for_a_person() {
    let plan = SLOW.replace("exit 3", "").replace("1.5", "0").replace(
        "command    = [\"sh\", \"-c\", \"echo after >> lines\"]",
        "command    = [\"false\"]\n  on_failure = \"stop\"",
    );
    let desk = Desk::new(&plan);
    desk.apply().code(9);
    assert_eq!(desk.lines(), ["began", "done"]);
}

#[test]
fn an_undo_that_fails_is_stuck_until_it_is_put_right() {
    let plan = SLOW
        .replace("echo after >> lines", "exit 3")
        .replace("1.5", "0")
        .replace("echo undone >> lines", "test -e repaired && sed -i s/done/undone/ lines");
    let desk = Desk::new(&plan);
    desk.apply().code(7).says("orthid resume");
    desk.run(&["resume"]).code(7);
    fs::write(desk.path("repaired"), "").unwrap();
    desk.run(&["resume"]).code(6).says("run rolled back");
    assert_eq!(desk.lines(), ["began", "undone"]);
}

#[test]
fn of_two_applies_one_runs_and_the_other_names_it() {
    let desk = Desk::new(SLOW);
    let child = desk.begin();
    desk.wait_for_line("began");
    let pid = child.id().to_string();
    let second = desk.apply().code(8).says("ada@").says("orthid unlock");
    assert!(second.stderr.contains(&pid), "{}", second.stderr);
    let leases = desk.run(&["unlock"]).code(0).stdout;
    assert!(leases.contains("ada@") && leases.contains(&pid), "{leases}");
    Ended::of(child).code(0);
    assert_eq!(desk.lines(), ["began", "done", "after"]);
}

#[test]
fn a_saved_plan_applies_once_and_unchanged() {
    let desk = Desk::new(&SLOW.replace("1.5", "0"));
    desk.run(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
    let bytes = fs::read(desk.path("saved.plan")).unwrap();
    let text = String::from_utf8(bytes).unwrap();
    fs::write(desk.path("changed.plan"), text.replace("echo after", "echo other")).unwrap();
    desk.run(&["apply", "changed.plan"]).code(3);
    assert_eq!(desk.lines(), [""; 0]);
    desk.run(&["apply", "saved.plan"]).code(0);
    desk.run(&["apply", "saved.plan"]).code(3).says("at most once");
    assert_eq!(desk.lines(), ["began", "done", "after"]);
}

#[test]
fn events_are_one_json_object_a_line() {
    let desk = Desk::new(&SLOW.replace("1.5", "0"));
    let ended = desk.run(&["apply", "plan.hcl", "-auto-approve", "-json"]).code(0);
    let events: Vec<Value> =
        ended.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(types.first(), Some(&"version"));
    assert_eq!(types.last(), Some(&"run_finished"));
    assert!(types.contains(&"step_succeeded"), "{types:?}");
}

#[test]
fn a_secret_is_nowhere_but_in_its_child() {
    let secret = "hunter2-and-a-bit";
    let desk = Desk::new(
        r#"
run "login" {
  command    = ["sh", "-c", "echo \"with $PASSWORD\"; echo \"$PASSWORD\" >&2; test ${"$"}{#PASSWORD} -eq 17"]
  env        = { PASSWORD = env("SECRET") }
  idempotent = true
}

run "fails" {
  depends_on = [run.login]
  command    = ["sh", "-c", "echo \"$PASSWORD\" >&2; exit 1"]
  env        = { PASSWORD = env("SECRET") }
  idempotent = true
}
"#,
    );
    let mut command = desk.command(&["apply", "plan.hcl", "-auto-approve"]);
    let ended = Ended::from(command.env("SECRET", secret).output().unwrap());
    assert_ne!(ended.code, Some(0));
    assert!(ended.stderr.contains("run.login: succeeded"), "{ended:#?}");
    let log = desk.run(&["log"]).code(0).stdout;
    for text in [&ended.stdout, &ended.stderr, &log] {
        assert!(!text.contains(secret), "{text}");
    }
    let mut looked_at = 0;
    for file in files(&desk.path("")) {
        let bytes = fs::read(&file).unwrap();
        let there = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!there, "{} holds the secret", file.display());
        looked_at += 1;
    }
    assert!(looked_at > 3, "the state and the evidence were looked at");
}

#[test]
fn a_variable_that_is_not_set_is_found_before_anything_happens() {
    let plan = r#"
run "first" {
  command    = ["sh", "-c", "echo first >> lines"]
  idempotent = true
}

run "last" {
  depends_on = [run.first]
  command    = ["true"]
  env        = { PASSWORD = env("NOT_SET_ANYWHERE") }
  idempotent = true
}
"#;
    let desk = Desk::new(plan);
    desk.apply().code(1).says("NOT_SET_ANYWHERE, read by run.last");
    assert_eq!(desk.lines(), [""; 0]);
}

/// A plan that waits for an approval in the middle, by these keys.
fn gated(keys: &str) -> String {
    let steps = r#"
run "before" {
  command    = ["sh", "-c", "echo before >> lines"]
  idempotent = true
}

approve "go" {
  depends_on = [run.before]
  keys       = KEYS
}

run "after" {
  depends_on = [approve.go]
  command    = ["sh", "-c", "echo after >> lines"]
  idempotent = true
}
"#;
    steps.replace("KEYS", keys)
}

#[test]
fn without_keys_an_approval_is_given_by_name() {
    let desk = Desk::new(&gated("[]"));
    desk.apply().code(5).says("-approve 'approve.go'");
    assert_eq!(desk.lines(), ["before"]);
    desk.run(&["resume"]).code(5);
    desk.run(&["resume", "-approve", "approve.stop"]).code(1).says("it has approve.go");
    desk.run(&["resume", "-approve", "approve.go"]).code(0);
    assert_eq!(desk.lines(), ["before", "after"]);
    assert!(desk.run(&["report"]).code(0).stdout.contains("ada@"));
}

#[test]
fn with_keys_an_approval_is_signed() {
    let desk = Desk::new("");
    for name in ["ada.pem", "eve.pem"] {
        desk.make_key(name);
    }
    let public = desk.run(&["approve", "-key", "ada.pem", "-public-key"]).code(0).stdout;
    fs::write(desk.path("plan.hcl"), gated(&format!("[\"{}\"]", public.trim()))).unwrap();
    desk.run(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
    desk.run(&["plan", "plan.hcl", "-out", "other.plan"]).code(0);
    desk.run(&["apply", "saved.plan"]).code(5).says("orthid approve PLAN -key FILE");
    // By name is not enough, another's key is not, and another plan's approval is not.
    desk.run(&["resume", "-approve", "approve.go"]).code(1).says("a key that it lists");
    desk.run(&["approve", "saved.plan", "-key", "eve.pem"]).code(1).says("lists this key");
    desk.run(&["approve", "other.plan", "-key", "ada.pem", "-out", "other.json"]).code(0);
    desk.run(&["resume", "-approval", "other.json"]).code(3).says("another plan");
    assert_eq!(desk.lines(), ["before"]);
    desk.run(&["approve", "saved.plan", "-key", "ada.pem", "-by", "Ada", "-out", "ok.json"])
        .code(0);
    desk.run(&["resume", "-approval", "ok.json"]).code(0).says("run succeeded");
    assert_eq!(desk.lines(), ["before", "after"]);
    let report = desk.run(&["report"]).code(0).stdout;
    let by = format!("by {}, by the name of Ada, at ", public.trim());
    assert!(report.contains(&by) && report.contains(": signature verified"), "{report}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}
