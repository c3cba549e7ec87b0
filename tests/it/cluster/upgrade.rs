//! Upgrades that nothing disturbs.

use super::running::wait_until;
use super::{HELM_3, HELM_4, installed};

fn upgrades(namespace: &str, helm: &str) {
    let place = installed!(namespace, helm, "2.6.0");
    place.plan("orthid-2.7.hcl", &[]);
    place.upgrade().code(0).says("smoke.sign_in: succeeded").says("run succeeded");
    assert_eq!(place.revisions(), ["superseded orthid-2.6.0", "deployed orthid-2.7.1"]);
    assert_eq!(place.serves(), ("2.7.1".to_owned(), 5));
    let report = place.orthid(&["report"]).code(0).stdout;
    assert!(report.contains("hash chain verified"), "{report}");
    // There is nothing left to do, and the plan that was applied is used up.
    place.orthid(&["apply", "saved.plan"]).code(3);
    let password = place.var("ORTHID_DEMO_PASSWORD");
    let (_, url) = place.var("ORTHID_DATABASE_URL").split_once("://orthid:").unwrap();
    let database_password = url.split_once('@').unwrap().0;
    let evidence = place.evidence();
    assert!(evidence.len() > 3, "{evidence:?}");
    for (path, text) in evidence {
        for secret in [password, database_password] {
            assert!(!text.contains(secret), "{} holds a secret", path.display());
        }
    }
}

#[test]
fn helm_3_drives_the_upgrade() {
    upgrades("orthid-helm3", HELM_3);
}

#[test]
fn helm_4_drives_the_same_upgrade() {
    upgrades("orthid-helm4", HELM_4);
}

#[test]
fn an_upgrade_is_undone_when_asked_and_only_as_it_was_left() {
    let place = installed!("orthid-undo", HELM_4, "2.6.0");
    place.plan("orthid-2.7.hcl", &[]);
    place.upgrade().code(0);
    // What somebody did by hand since is not undone.
    place.helm(&["rollback", "orthid", "1", "--wait"]);
    let by_hand = ["superseded orthid-2.6.0", "superseded orthid-2.7.1", "deployed orthid-2.6.0"];
    assert_eq!(place.revisions(), by_hand);
    place.orthid(&["rollback", "-auto-approve"]).code(1).says("roll.app is not as run");
    assert_eq!(place.revisions(), by_hand);

    place.upgrade().code(0).says("run succeeded");
    // Days later the new release has no pod that is ready; the old one would have.
    place.statement("delete from schema_migrations where name = '0005_sign_in_log'");
    wait_until("no pod is ready", || {
        let ready = "jsonpath={.status.readyReplicas}";
        place.kubectl(&["get", "deployment", "orthid-api", "-o", ready]).is_empty()
    });
    let mut undoing = place.carry(&["rollback", "-auto-approve", "-json"]);
    undoing.wait_for("undo_started", "roll.app");
    wait_until("helm", || undoing.has_child("helm"));
    undoing.kill();
    place.orthid(&["resume"]).code(6).says("run rolled back");
    let undone = ["superseded orthid-2.7.1", "deployed orthid-2.6.0"];
    assert_eq!(place.revisions()[3..], undone);
    assert_eq!(place.serves(), ("2.6.0".to_owned(), 4));
    assert_eq!(place.signs_in(), 200);
}

#[test]
fn two_minors_are_two_hops() {
    let place = installed!("orthid-hops", HELM_3, "2.5.0");
    place.plan("orthid-2.5-to-2.7.hcl", &[]);
    place.upgrade().code(5).says("approve.window");
    place.orthid(&["resume", "-approve", "approve.window[\"2.6.3\"]"]).code(0);
    assert_eq!(
        place.revisions(),
        ["superseded orthid-2.5.0", "superseded orthid-2.6.3", "deployed orthid-2.7.1"]
    );
    assert_eq!(place.serves(), ("2.7.1".to_owned(), 5));
}

#[test]
fn a_first_plan_upgrades_the_release_that_it_was_written_from() {
    let place = installed!("orthid-init", HELM_3, "2.6.0");
    let [namespace, repository] =
        ["namespace", "repository"].map(|name| place.var(&format!("ORTHID_VAR_{name}")));
    let release = ["init", "orthid", "-namespace", namespace, "-repository", repository];
    let wanted = ["-to", "2.7.1", "-out", "plan.hcl"];
    place.orthid(&[&release[..], &wanted[..]].concat()).code(0);
    place.orthid(&["fmt", "-check", "plan.hcl"]).code(0);
    place.upgrade().code(0).says("smoke.serves: succeeded").says("run succeeded");
    assert_eq!(place.serves(), ("2.7.1".to_owned(), 5));
}
