//! Runs that a person takes back: `orthid rollback` through the built program.

use std::fs;

use nix::sys::signal::Signal;

use crate::support::desk::{Desk, Ended, SLOW, signal};

#[test]
fn a_run_that_ended_well_is_undone_when_asked() {
    let desk = Desk::new(SLOW);
    desk.apply().code(0);
    // Nobody is there to say yes.
    desk.run(&["rollback"]).code(1).says("- run.slow: undone").says("-auto-approve");
    assert_eq!(desk.lines(), ["began", "done", "after"]);
    let undone = desk.run(&["rollback", "-auto-approve"]).code(0);
    undone.says("run.after: stays").says("run.slow: undone").says("run rolled back");
    assert_eq!(desk.lines(), ["began", "done", "after", "undone"]);
    assert_eq!(desk.status()["outcome"], "rolled_back");
    let log = desk.run(&["log"]).code(0).stdout;
    assert!(log.contains("rollback requested by ada@"), "{log}");
    desk.run(&["rollback", "-auto-approve"]).code(1).says("has ended (rolled back)");
    assert_eq!(desk.lines().len(), 4);
}

#[test]
fn what_somebody_changed_since_is_not_undone() {
    let desk = Desk::new(SLOW);
    desk.apply().code(0);
    fs::write(desk.path("lines"), "other\n").unwrap();
    let refused = desk.run(&["rollback", "-auto-approve"]).code(1);
    refused.says("run.slow is not as run").says("nothing was undone");
    assert_eq!(desk.lines(), ["other"]);
    assert_eq!(desk.status()["outcome"], "succeeded");
}

#[test]
fn a_paused_run_can_be_given_up() {
    let desk = Desk::new(SLOW);
    let child = desk.begin();
    desk.wait_for_line("began");
    signal(&child, Signal::SIGINT);
    Ended::of(child).code(130);
    desk.run(&["rollback", "-auto-approve"]).code(0).says("run.slow: undone");
    assert_eq!(desk.lines(), ["began", "done", "undone"]);
    desk.run(&["resume"]).code(1).says("has ended (rolled back)");
}

#[test]
fn a_run_without_rollback_edges_is_left_alone() {
    let desk = Desk::new("run \"a\" {\n  command = [\"true\"]\n}\n");
    desk.apply().code(0);
    desk.run(&["rollback", "-auto-approve"]).code(1).says("there is nothing to undo in run");
}
