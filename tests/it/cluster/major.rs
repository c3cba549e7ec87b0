//! Across a major version: the schema breaks the old app, and the way back is the backup.

use super::place::Place;
use super::running::wait_until;
use super::{HELM_3, HELM_4, installed};

/// 3.0.0 has no such endpoint any more; a smoke test that expects one fails after everything else is done.
const FAILING: (&str, &str) = ("status = 404", "status = 200");

/// Plans, applies up to the approval, and says yes.
fn approved(place: &Place, edits: &[(&str, &str)]) {
    place.plan("orthid-3.0.hcl", edits);
    place.upgrade().code(5).says("approve.go");
}

const GO: &[&str] = &["resume", "-approve", "approve.go"];

/// As before the upgrade: the old app on the old schema, and its users can sign in.
fn returned(place: &Place) {
    let revisions = place.revisions();
    assert_eq!(revisions.last().unwrap(), "deployed orthid-2.8.0", "{revisions:?}");
    assert_eq!(place.serves(), ("2.8.0".to_owned(), 6));
    assert_eq!(place.signs_in(), 200);
    // What the restore replaced stays, for whoever misses something.
    let mut left = place.scratch_databases();
    left.retain(|name| !name.starts_with("orthid_replaced_"));
    assert_eq!(left, [""; 0], "nothing else is left of the restore");
}

#[test]
fn a_major_version_is_entered_with_its_guide_read() {
    let place = installed!("orthid-major", HELM_3, "2.8.0");
    place.plan("orthid-3.0.hcl", &[("94c1fabc54f519fd", "0000000000000000")]);
    let unread = place.orthid(&["plan", "plan.hcl"]).code(1);
    unread.says("is not the one that the plan acknowledges");
    approved(&place, &[]);
    place.orthid(GO).code(0).says("run succeeded");
    assert_eq!(place.revisions(), ["superseded orthid-2.8.0", "deployed orthid-3.0.0"]);
    assert_eq!(place.serves(), ("3.0.0".to_owned(), 7));
    assert_eq!(place.signs_in(), 200);
    // Later somebody finds a fault.
    let undone = place.orthid(&["rollback", "-auto-approve"]).code(0);
    undone.says("what was written since stays behind").says("run rolled back");
    returned(&place);
}

fn restores(namespace: &str, helm: &str) {
    let place = installed!(namespace, helm, "2.8.0");
    approved(&place, &[FAILING]);
    place.orthid(GO).code(6).says("smoke.sign_in: failed").says("run rolled back");
    returned(&place);
}

#[test]
fn a_failure_after_a_breaking_migration_restores_the_backup_with_helm_3() {
    restores("orthid-restore3", HELM_3);
}

#[test]
fn a_failure_after_a_breaking_migration_restores_the_backup_with_helm_4() {
    restores("orthid-restore4", HELM_4);
}

#[test]
fn orthid_killed_while_it_restores() {
    let place = installed!("orthid-kill-restoring", HELM_3, "2.8.0");
    // Enough rows for a restore that takes a moment.
    place.statement(
        "create table filler as select n, md5(n::text) from generate_series(1, 400000) n",
    );
    approved(&place, &[FAILING]);
    let mut run = place.carry(&[GO, &["-json"]].concat());
    run.wait_for("undo_started", "migrate.schema");
    wait_until("the restore", || run.has_child("pg_restore"));
    run.kill();
    place.orthid(&["resume"]).code(6).says("run rolled back");
    returned(&place);
}
