//! Releases and migrations that misbehave.

use super::{HELM_3, HELM_4, installed};

fn a_release_that_never_serves_is_rolled_back(namespace: &str, helm: &str, fault: &str) {
    let place = installed!(namespace, helm, "2.6.0");
    let values = "files  = [\"bad.yaml\"]\n    policy = \"reuse\"";
    place.plan(
        "orthid-2.7.hcl",
        &[("policy = \"reuse\"", values), ("timeout     = \"5m\"", "timeout     = \"40s\"")],
    );
    place.write("bad.yaml", &format!("faults:\n  {fault}\n"));
    place.upgrade().code(6).says("roll.app: failed").says("run rolled back");
    let revisions = place.revisions();
    assert_eq!(revisions.last().unwrap(), "deployed orthid-2.6.0", "{revisions:?}");
    assert_eq!(place.serves(), ("2.6.0".to_owned(), 5), "the database stays where it is");
    let kept = place.evidence();
    let told = kept.iter().any(|(path, text)| {
        path.to_string_lossy().contains("pod-")
            && text.contains("== log")
            && text.contains("== events")
    });
    assert!(
        told,
        "what the failing pod said is kept: {:?}",
        kept.iter().map(|k| &k.0).collect::<Vec<_>>()
    );
}

#[test]
fn a_release_that_crashes_is_rolled_back_by_helm_3() {
    a_release_that_never_serves_is_rolled_back("orthid-crash", HELM_3, "crashAfterReadySeconds: 1");
}

#[test]
fn a_release_that_never_gets_ready_is_rolled_back_by_helm_4() {
    a_release_that_never_serves_is_rolled_back("orthid-unready", HELM_4, "neverReady: true");
}

#[test]
fn a_migration_that_fails_half_way_leaves_the_old_app_serving() {
    let place = installed!("orthid-half", HELM_3, "2.6.0");
    // From now on only: the installation itself migrates too.
    let repository = place.var("ORTHID_VAR_repository").to_owned();
    let same = ["upgrade", "orthid", "orthid", "--repo", &repository, "--version", "2.6.0"];
    let faulty = ["--reuse-values", "--set", "faults.migrateFailHalfway=true", "--wait"];
    place.helm(&[&same[..], &faulty[..]].concat());
    place.plan("orthid-2.7.hcl", &[]);
    // There is nothing to roll back: the release was not touched.
    place.upgrade().code(9).says("migrate.schema: failed");
    assert_eq!(place.revisions(), ["superseded orthid-2.6.0", "deployed orthid-2.6.0"]);
    let (version, schema) = place.serves();
    assert_eq!(version, "2.6.0");
    assert!(schema < 5, "{schema}");
}
