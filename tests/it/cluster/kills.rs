//! What is killed in the middle ends as if nothing had happened.

use super::place::Place;
use super::running::{Ended, Running, wait_until};
use super::{HELM_3, HELM_4, installed};

/// The revisions of an upgrade that nothing disturbed.
const TWO_REVISIONS: &[&str] = &["superseded orthid-2.6.0", "deployed orthid-2.7.1"];

/// The end of an upgrade that nothing disturbed: one migration, and the app of the target.
pub(super) fn upgraded(place: &Place) {
    assert_eq!(place.serves(), ("2.7.1".to_owned(), 5));
    let revisions = place.revisions();
    assert_eq!(revisions.last().unwrap(), "deployed orthid-2.7.1", "{revisions:?}");
    assert_eq!(place.scratch_databases(), [""; 0], "no scratch database is left");
}

/// An upgrade by the plan as people have it, which has come to this step.
pub(super) fn begun(place: &Place, step: &str) -> Running {
    place.plan("orthid-2.7.hcl", &[]);
    let mut run = place.begin();
    run.wait_for("step_started", step);
    run
}

/// Strikes at orthid itself while a step is at work, and resumes.
fn orthid_killed(namespace: &str, step: &str, table: Option<&str>, strike: impl Fn(&Place)) {
    let place = installed!(namespace, HELM_3, "2.6.0");
    let held = table.map(|table| place.hold(table));
    let run = begun(&place, step);
    strike(&place);
    run.kill();
    assert_eq!(place.events("step_succeeded", step), 0, "it was killed too late");
    drop(held);
    place.orthid(&["resume"]).code(0).says("run succeeded");
    once(&place);
}

/// Upgraded, with one migration and one revision.
pub(super) fn once(place: &Place) {
    upgraded(place);
    assert_eq!(place.revisions(), TWO_REVISIONS);
    let jobs = place.kubectl(&["get", "jobs", "--selector", "orthid.dev/run", "-o", "name"]);
    assert_eq!(jobs.lines().count(), 1, "the migration runs once: {jobs}");
}

#[test]
fn orthid_killed_while_it_dumps() {
    orthid_killed("orthid-kill-backup", "backup.before", Some("users"), |_| {});
}

#[test]
fn orthid_killed_while_it_verifies() {
    orthid_killed("orthid-kill-verify", "verify.before", None, |_| {});
}

#[test]
fn orthid_killed_while_it_migrates() {
    orthid_killed("orthid-kill-migrate", "migrate.schema", None, |place| {
        wait_until("the Job", || !place.kubectl(&["get", "jobs", "-o", "name"]).is_empty());
    });
}

/// Helm goes on by itself, and is waited for: no second migration, no second revision.
#[test]
fn orthid_killed_in_the_middle_of_the_roll() {
    orthid_killed("orthid-kill-roll", "roll.app", None, |place| {
        wait_until("revision 2", || place.revisions().len() == 2);
    });
}

#[test]
fn orthid_killed_while_it_smokes() {
    orthid_killed("orthid-kill-smoke", "smoke.sign_in", None, |_| {});
}

/// An upgrade whose Helm has made its revision and waits for the rollout.
fn helm_at_work(place: &Place) -> Running {
    let run = begun(place, "roll.app");
    wait_until("a pending revision", || {
        place.revisions().last().is_some_and(|last| last.starts_with("pending-upgrade"))
    });
    run
}

/// Helm and orthid both: the pending revision is rolled back by number, and the roll begun again.
fn helm_killed_with_orthid(namespace: &str, helm: &str) {
    let place = installed!(namespace, helm, "2.6.0");
    let run = helm_at_work(&place);
    run.kill_child("helm");
    run.kill();
    place.orthid(&["resume"]).code(0).says("run succeeded");
    upgraded(&place);
    assert_eq!(place.events("step_started", "migrate.schema"), 1);
}

#[test]
fn helm_3_killed_with_orthid() {
    helm_killed_with_orthid("orthid-kill-helm3", HELM_3);
}

#[test]
fn helm_4_killed_with_orthid() {
    helm_killed_with_orthid("orthid-kill-helm4", HELM_4);
}

/// Strikes at something else while orthid lives on, which then ends in success, or has to be told to go on.
pub(super) fn survived(place: &Place, run: Running) {
    let Ended { code, stdout, stderr } = run.wait();
    match code {
        Some(0) => {}
        Some(7 | 130) => drop(place.orthid(&["resume"]).code(0)),
        other => panic!("{other:?}\n{stdout}\n{stderr}"),
    }
}

#[test]
fn helm_killed_alone() {
    let place = installed!("orthid-kill-onlyhelm", HELM_3, "2.6.0");
    let run = helm_at_work(&place);
    run.kill_child("helm");
    survived(&place, run);
    upgraded(&place);
    assert_eq!(place.events("step_started", "migrate.schema"), 1);
}

#[test]
fn pg_dump_killed() {
    let place = installed!("orthid-kill-dump", HELM_3, "2.6.0");
    let held = place.hold("users");
    let run = begun(&place, "backup.before");
    run.kill_child("pg_dump");
    drop(held);
    survived(&place, run);
    once(&place);
}

#[test]
fn pg_restore_killed() {
    let place = installed!("orthid-kill-restore", HELM_3, "2.6.0");
    place.plan("orthid-2.7.hcl", &[]);
    // Enough rows for a restore that takes a moment.
    let rows = "create table filler as select n, repeat(md5(n::text), 8) from generate_series(1, 400000) n";
    place.statement(rows);
    let mut run = place.begin();
    run.wait_for("step_started", "verify.before");
    run.kill_child("pg_restore");
    survived(&place, run);
    once(&place);
}

#[test]
fn the_jobs_pod_deleted() {
    let place = installed!("orthid-kill-pod", HELM_3, "2.6.0");
    let run = begun(&place, "migrate.schema");
    let jobs = ["get", "pods", "--selector", "batch.kubernetes.io/job-name", "-o", "name"];
    wait_until("the Job's pod", || !place.kubectl(&jobs).is_empty());
    place.kubectl(&["delete", "pod", "-l", "batch.kubernetes.io/job-name", "--now"]);
    survived(&place, run);
    // The Job whose pod went away is not waited for: a second one finishes what the first may have begun.
    upgraded(&place);
    assert_eq!(place.revisions(), TWO_REVISIONS);
}

#[test]
fn the_exec_stream_cut() {
    let place = installed!("orthid-kill-exec", HELM_3, "2.6.3");
    place.plan("orthid-2.7.hcl", &[]);
    let mut run = place.begin();
    run.wait_for("step_succeeded", "verify.before");
    let held = place.hold("users");
    run.wait_for("step_started", "migrate.schema");
    // The migration waits for the table; the pods that it was started in go away under it.
    std::thread::sleep(std::time::Duration::from_secs(1));
    place.kubectl(&["delete", "pod", "--all", "--grace-period=0", "--force"]);
    drop(held);
    survived(&place, run);
    upgraded(&place);
    assert_eq!(place.revisions(), ["superseded orthid-2.6.3", "deployed orthid-2.7.1"]);
}

/// The smoke expects what is not so; what it undoes is killed on the way.
fn killed_while_it_unwinds(namespace: &str, strike: impl Fn(&Place, &Running)) {
    let place = installed!(namespace, HELM_3, "2.6.0");
    place.plan("orthid-2.7.hcl", &[("\"/version\" = hop.to", "\"/version\" = \"9.9.9\"")]);
    let mut run = place.begin();
    run.wait_for("undo_started", "roll.app");
    strike(&place, &run);
    run.kill();
    place.orthid(&["resume"]).code(6).says("run rolled back");
    assert_eq!(place.serves(), ("2.6.0".to_owned(), 5));
    let revisions = place.revisions();
    assert_eq!(revisions.last().unwrap(), "deployed orthid-2.6.0", "{revisions:?}");
}

#[test]
fn orthid_killed_while_it_unwinds() {
    killed_while_it_unwinds("orthid-kill-unwind", |place, _| {
        wait_until("a rollback", || place.revisions().len() == 3);
    });
}

#[test]
fn helm_killed_while_it_rolls_back() {
    killed_while_it_unwinds("orthid-kill-rollback", |place, run| {
        wait_until("a rollback", || place.revisions().len() == 3);
        run.kill_child("helm");
    });
}
