//! A step's work is its whole process tree: what a command leaves behind, daemonises or hides
//! behind a wrapper is seen, waited for and ended, by the orthid that began it and by one that
//! comes later. The built program and real processes.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::support::desk::{Desk, Ended, signal};

/// Notes `begin`, works for a while whatever it is told, and notes `end`.
const WORKER: &str = r#"#!/bin/sh
trap '' TERM HUP INT
echo $$ >> pids
echo begin >> lines
i=0
while [ $i -lt TENTHS ]; do sleep 0.1; i=$((i+1)); done
echo end >> lines
touch done.flag
"#;

/// Ways to begin the worker, from a child that the shell waits for to a daemon without variables.
const WAYS: [(&str, &str); 5] = [
    ("behind a wrapper", "sh ./worker; echo wrapper is through"),
    ("in the background", "sh ./worker & exit 0"),
    ("in a session of its own", "setsid sh ./worker & exit 0"),
    ("as a daemon", "setsid sh -c 'sh ./worker & exit 0' & exit 0"),
    ("without variables", "env -i PATH=$PATH setsid sh -c 'sh ./worker & exit 0' & exit 0"),
];

fn desk(script: &str, attributes: &str) -> Desk {
    long(script, attributes, 15)
}

/// As [`desk`], where the worker works for so many tenths of a second.
fn long(script: &str, attributes: &str, tenths: u32) -> Desk {
    let plan =
        format!("run \"job\" {{\n  command = [\"sh\", \"-c\", \"{script}\"]\n{attributes}\n}}\n");
    let desk = Desk::new(&plan);
    fs::write(desk.path("worker"), WORKER.replace("TENTHS", &tenths.to_string())).unwrap();
    desk
}

fn pids(desk: &Desk) -> Vec<i32> {
    let text = fs::read_to_string(desk.path("pids")).unwrap_or_default();
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

fn nobody_lives(desk: &Desk, what: &str) {
    for pid in pids(desk) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{what}: {pid} lives: {stat}");
    }
}

fn killed(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_step_is_over_when_its_tree_is() {
    for (way, script) in WAYS {
        let desk = desk(script, "");
        desk.apply().code(0);
        assert_eq!(desk.lines(), ["begin", "end"], "{way}");
    }
}

/// The first attempt is over, whole, before the second begins.
#[test]
fn a_timeout_never_leaves_two_at_work() {
    for (way, script) in WAYS {
        let attributes = "  idempotent = true\n  timeout = \"500ms\"\n  on_failure = \"stop\"\n  retry {\n    attempts = 2\n    delay = \"100ms\"\n  }";
        let desk = desk(script, attributes);
        desk.apply().code(9).says("within its timeout");
        assert_eq!(desk.lines(), ["begin", "end", "begin", "end"], "{way}");
        nobody_lives(&desk, way);
    }
}

#[test]
fn a_resume_waits_for_what_an_interrupted_orthid_left() {
    for (way, script) in WAYS {
        let desk = long(script, "  observe = [\"test\", \"-e\", \"done.flag\"]", 75);
        let child = desk.begin();
        desk.wait_for_line("begin");
        for _ in 0..2 {
            signal(&child, Signal::SIGINT);
            std::thread::sleep(Duration::from_millis(150));
        }
        Ended::of(child).code(130);
        assert_eq!(desk.lines(), ["begin"], "{way}: it is at work");
        desk.run(&["resume"]).code(0).says("waiting for what an earlier orthid started");
        assert_eq!(desk.lines(), ["begin", "end"], "{way}");
    }
}

#[test]
fn a_resume_waits_for_what_a_killed_orthid_left_and_adopts_its_outputs() {
    for observe in ["", "  observe = [\"test\", \"-e\", \"done.flag\"]\n"] {
        for (way, script) in WAYS {
            let script = script.replace("exit 0", "echo '{\\\"n\\\": 4711}'; exit 0");
            let script = script.replace("echo wrapper is through", "echo '{\\\"n\\\": 4711}'");
            let next =
                "\n}\nrun \"next\" {\n  command = [\"sh\", \"-c\", \"echo ${run.job.n} >> lines\"]";
            let desk = desk(&script, &format!("{observe}{next}"));
            let child = desk.begin();
            desk.wait_for_line("begin");
            killed(child);
            let explained = desk.run(&["resume", "-explain"]).code(0).stdout;
            assert!(explained.contains("still at work: process"), "{way}: {explained}");
            desk.run(&["resume"]).code(0).says("run.job: already done, adopted");
            assert_eq!(desk.lines(), ["begin", "end", "4711"], "{way} {observe}");
        }
    }
}

/// Nobody knows any more how it ended: the outputs that nobody can tell are asked for, never made
/// up.
#[test]
fn a_command_that_failed_while_nobody_was_there_is_asked_about() {
    let desk = desk("echo begin >> lines; sleep 1; exit 3", "");
    let child = desk.begin();
    desk.wait_for_line("begin");
    killed(child);
    desk.run(&["resume"]).code(7).says("ended by itself with exit status: 3");
    desk.run(&["resume", "-not-happened", "run.job"]).code(9);
    assert_eq!(desk.lines(), ["begin", "begin"]);
}

#[test]
fn an_orphan_has_the_time_of_its_step() {
    let attributes = "  idempotent = true\n  timeout = \"1s\"\n  on_failure = \"stop\"\n  retry {\n    attempts = 1\n  }";
    let desk = desk("echo $$ >> pids; echo begin >> lines; exec sleep 600", attributes);
    let child = desk.begin();
    desk.wait_for_line("begin");
    killed(child);
    let began = Instant::now();
    desk.run(&["resume"]).code(9).says("the time of what an earlier orthid started is over");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    nobody_lives(&desk, "after the resume");
}

/// The orphan's marker is gone with its evidence: it is known by the variables that it was given.
#[test]
fn an_orphan_without_evidence_is_found() {
    let desk = desk("sh ./worker & exit 0", "  observe = [\"test\", \"-e\", \"done.flag\"]");
    let child = desk.begin();
    desk.wait_for_line("begin");
    killed(child);
    fs::remove_dir_all(desk.path(".orthid/runs")).unwrap();
    desk.run(&["resume"]).code(0).says("adopted");
    assert_eq!(desk.lines(), ["begin", "end"]);
}

#[test]
fn a_wrapper_or_keeper_that_is_killed_alone_leaves_nobody_unseen() {
    for (who, script) in [
        ("wrapper", "echo $$ >> first; sh ./worker; true"),
        ("keeper", "echo $PPID >> first; sh ./worker; true"),
    ] {
        let attributes = "  idempotent = true\n  on_failure = \"stop\"\n  retry {\n    attempts = 2\n    delay = \"100ms\"\n  }";
        let desk = desk(script, attributes);
        let child = desk.begin();
        desk.wait_for_line("begin");
        let pid: i32 = fs::read_to_string(desk.path("first")).unwrap().trim().parse().unwrap();
        kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        Ended::of(child).code(0).says("run.job: attempt 2");
        assert_eq!(desk.lines(), ["begin", "end", "begin", "end"], "{who}");
        nobody_lives(&desk, who);
    }
}

#[test]
fn what_is_left_on_purpose_is_said_and_writes_into_nothing_that_is_kept() {
    let script = "(sleep 0.5; echo later with $T) & echo $! >> pids; echo first with $T";
    let desk = desk(script, "  detached = true\n  env = { T = env(\"TOK\") }");
    let mut command = desk.command(&["apply", "plan.hcl", "-auto-approve"]);
    let ended = command.env("TOK", "glpat-0123456789abcdef").output().unwrap();
    Ended::from(ended).code(0).says("run.job: left at work on purpose: process");
    let report = desk.run(&["report"]).code(0).stdout;
    assert!(report.contains("left at work on purpose"), "{report}");
    std::thread::sleep(Duration::from_millis(900));
    let run = fs::read_dir(desk.path(".orthid/runs")).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read_to_string(run.join("run.job/command-1.out")).unwrap();
    assert_eq!(kept, "first with (sensitive value)\n");
}

#[test]
fn a_stopped_command_is_said() {
    let desk = desk("echo $$ >> pids; echo begin >> lines; kill -STOP $$; echo end >> lines", "");
    let child = desk.begin();
    desk.wait_for_line("begin");
    std::thread::sleep(Duration::from_millis(1_500));
    kill(Pid::from_raw(pids(&desk)[0]), Signal::SIGCONT).unwrap();
    Ended::of(child).code(0).says("stopped by a signal: process").says("kill -CONT");
    assert_eq!(desk.lines(), ["begin", "end"]);
}

#[test]
fn a_command_that_asks_at_a_terminal_is_told_how_not_to() {
    for (script, code) in
        [("read answer < /dev/tty || exit 4", 9), ("read answer < /dev/tty; true", 0)]
    {
        let desk = desk(script, "");
        desk.apply().code(code).says("Make run.job ask nothing").says("sudo -n");
    }
}
