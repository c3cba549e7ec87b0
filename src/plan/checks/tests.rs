//! Every check by example: one fact is changed, and these findings appear.

use expect_test::{Expect, expect};
use semver::Version;
use serde_json::json;

use crate::facts::{ChartFacts, Facts, ReleaseFacts, recording};
use crate::lang::{self, Inputs, Source};
use crate::plan::plan;

const MINOR: &str = include_str!("../../../plans/orthid-2.7.hcl");
const MAJOR: &str = include_str!("../../../plans/orthid-3.0.hcl");

fn findings(hcl: &str, facts: &Facts) -> Vec<String> {
    let source = Source::new("upgrade.hcl", hcl.to_owned());
    let config = lang::load(&[source], &Inputs::none()).unwrap_or_else(|e| panic!("{e}"));
    let plan = plan(&config, facts).unwrap_or_else(|error| panic!("{error}"));
    let shown = plan.findings.iter().map(|finding| {
        let slug = finding.code.trim_start_matches("orthid::check::");
        format!("{} {slug}: {}\n", finding.level.as_str(), finding.message)
    });
    shown.collect()
}

/// Findings that the change brings.
fn check_plan(hcl: &str, recorded: &[u8], change: impl FnOnce(&mut Facts), expected: Expect) {
    let mut facts = recording::read(recorded).unwrap();
    let usual = findings(hcl, &facts);
    change(&mut facts);
    let found = findings(hcl, &facts);
    let new: String = found.into_iter().filter(|finding| !usual.contains(finding)).collect();
    expected.assert_eq(&new);
}

fn check(change: impl FnOnce(&mut Facts), expected: Expect) {
    let recorded = include_bytes!("../../../tests/fixtures/facts/orthid-2.6.0.json");
    check_plan(MINOR, recorded, change, expected);
}

fn release(facts: &mut Facts) -> &mut ReleaseFacts {
    facts.release.as_mut().unwrap()
}

fn target(facts: &mut Facts) -> &mut ChartFacts {
    release(facts).charts.get_mut(&Version::new(2, 7, 1)).unwrap()
}

/// Replaces text in the target's rendered manifest.
fn rendered(facts: &mut Facts, from: &str, to: &str) {
    for render in target(facts).renders.values_mut() {
        assert!(render.manifest.contains(from), "{from} is not in {}", render.manifest);
        render.manifest = render.manifest.replace(from, to);
    }
}

/// Replaces text in what the target's chart says of releases.
fn told(facts: &mut Facts, from: &str, to: &str) {
    let chart = target(facts);
    let text = chart.releases_yaml.take().unwrap();
    assert!(text.contains(from), "{from} is not in {text}");
    chart.releases_yaml = Some(text.replace(from, to));
}

#[test]
fn the_release_is_at_rest_and_is_what_it_says() {
    check(
        |f| release(f).status = "pending-upgrade".into(),
        expect![[r#"
        blocking pending_release: orthid/orthid is pending-upgrade at revision 3
    "#]],
    );
    check(
        |f| release(f).status = "failed".into(),
        expect![[r#"
        warning pending_release: revision 3 of orthid/orthid is failed
    "#]],
    );
    check(
        |f| {
            let image = "docker.io/orthid/orthid:2.5.0".to_owned();
            release(f).workloads[0].images.insert("api".into(), image);
        },
        expect![[r#"
            blocking version_agreement: the release says version 2.6.0, and deployment/orthid-api runs 2.5.0
        "#]],
    );
    check(
        |f| release(f).migrations.as_mut().unwrap().schema = Some(7),
        expect![[r#"
        blocking version_agreement: the database's schema is 7, and 2.6.0 runs on 3 to 5
    "#]],
    );
    check(
        |f| {
            let live = &mut release(f).live;
            live.retain(|object| object["kind"] != "Service");
        },
        expect![[r#"
            warning drift: Service orthid/orthid-api is in the deployed manifest and not in the cluster
        "#]],
    );
}

#[test]
fn permissions_are_asked_for_what_the_plan_uses() {
    let deny = |verb: &'static str, resource: &'static str| {
        move |f: &mut Facts| {
            let permissions = &mut f.cluster.as_mut().unwrap().permissions;
            let wanted =
                |p: &&mut crate::facts::Permission| p.verb == verb && p.resource == resource;
            permissions.iter_mut().find(wanted).unwrap().allowed = false;
        }
    };
    check(
        deny("create", "jobs.batch"),
        expect![[r#"
        blocking permissions: may not create jobs.batch in namespace orthid
    "#]],
    );
    check(
        deny("get", "pods/exec"),
        expect![[r#"
        blocking permissions: may not get pods/exec in namespace orthid
    "#]],
    );
    check(deny("create", "pods/exec"), expect![[r#""#]]);
    check(
        deny("list", "events"),
        expect![[r#"
        warning permissions: may not list events in namespace orthid
    "#]],
    );
}

#[test]
fn backups_have_tools_and_room() {
    check(
        |f| f.databases.get_mut("main").unwrap().pg_dump_version = Some(14),
        expect![[r#"
        blocking pg_dump: pg_dump 14 can't dump main: its server is PostgreSQL 15, which is newer
    "#]],
    );
    check(
        |f| f.databases.get_mut("main").unwrap().pg_dump_version = None,
        expect![[r#"
        blocking pg_dump: there is no pg_dump on the PATH to back main up with
    "#]],
    );
    check(
        |f| {
            f.backup_space.insert("backups".into(), 1 << 20);
        },
        expect![[r#"
        blocking backup_room: backups has 1.0 MiB left, and the databases to back up have 24.0 MiB
    "#]],
    );
    check(
        |f| {
            f.backup_space.insert("backups".into(), 20 << 20);
        },
        expect![[r#"
        warning backup_room: backups has 20.0 MiB left, and the databases to back up have 24.0 MiB
    "#]],
    );
    check(
        |f| {
            f.backup_space.remove("backups");
        },
        expect![[r#"
            note backup_room: the free space in backups is unknown
        "#]],
    );
    check(
        |f| f.databases.get_mut("main").unwrap().can_create_database = false,
        expect![[r#"
        blocking scratch_database: the role may not create the scratch database that main is restored into
    "#]],
    );
}

#[test]
fn releases_say_what_they_bring() {
    check(
        |f| {
            told(
                f,
                "2.7.1\n    date: 2026-07-02\n    required_stop: false\n    schema: { min: 5, max: 6 }\n    migrations: []",
                "2.7.1\n    migrations: [{name: 0099_surprise}]",
            );
        },
        expect![[r#"
            blocking patch_migration: 2.7.1 is a patch release and declares migrations: 0099_surprise
            warning breaking_migration: nothing says that 2.6.0 runs on the schema of 2.7.1
            warning rollback_proved: roll.app is atomic: where it fails, Helm itself brings the old app back, onto a schema that it is not known to run on
            warning rollback_proved: the rollback of roll.app can't be promised: nothing says that 2.6.0 runs on the schema of 2.7.1
        "#]],
    );
    check(
        |f| {
            told(
                f,
                "2.7.1\n    date: 2026-07-02\n    required_stop: false\n    schema: { min: 5, max: 6 }\n    migrations: []\n    deprecations: []\n    required_config: []",
                "2.7.1\n    required_config: [{value: mail.from, description: Who mails are from}]",
            );
        },
        expect![[r#"
            blocking required_config: 2.7.1 requires the value mail.from (Who mails are from), which is not set
        "#]],
    );
    check(
        |f| target(f).releases_yaml = Some("format: 7".into()),
        expect![[r#"
            warning changelog: chart 2.7.1: releases.yaml has format 7; this orthid knows format 1
            warning breaking_migration: nothing says that 2.6.0 runs on the schema of 2.7.1
            warning rollback_proved: roll.app is atomic: where it fails, Helm itself brings the old app back, onto a schema that it is not known to run on
            warning rollback_proved: the rollback of roll.app can't be promised: nothing says that 2.6.0 runs on the schema of 2.7.1
        "#]],
    );
}

#[test]
fn migrations_are_run_as_they_can_be() {
    let forced = MINOR.replace("exec        = [", "via = \"exec\"\n  exec        = [");
    let recorded = include_bytes!("../../../tests/fixtures/facts/orthid-2.6.0.json");
    let found = findings(&forced, &recording::read(recorded).unwrap()).concat();
    expect![[r#"
        blocking migration_way: `via = "exec"` can't work: the running image does not carry 0004_token_audience, 0005_sign_in_log
        warning defaults_lost: reused values hide defaults that the chart of 2.7.1 adds: service.nodePort, signInLog.retentionDays
    "#]].assert_eq(&found);
    check(
        |f| {
            release(f).migrations = None;
            release(f).migrations_error = Some("no pod is ready".into());
        },
        expect![[r#"
            warning migration_way: the app could not be asked for its migrations: no pod is ready
        "#]],
    );
    check(
        |f| told(f, "schema: { min: 5, max: 6 }", "schema: { min: 6, max: 6 }"),
        expect![[r#"
            blocking breaking_migration: the app must not serve while this migration runs: 2.6.0 runs on schemas up to 5, and 2.7.1 needs 6
            warning rollback_proved: roll.app is atomic: where it fails, Helm itself brings the old app back, onto a schema that it is not known to run on
            warning rollback_proved: the rollback of roll.app can't be promised: 2.6.0 runs on schemas up to 5, and 2.7.1 needs 6
        "#]],
    );
}

#[test]
fn a_breaking_migration_needs_the_app_down() {
    let recorded = include_bytes!("../../../tests/fixtures/facts/orthid-2.8.0.json");
    let serving = MAJOR.replace("quiesce = true", "quiesce = false");
    let found = findings(&serving, &recording::read(recorded).unwrap()).concat();
    expect![[r#"
        blocking breaking_migration: the app must not serve while this migration runs: 0007_login_name is not backward compatible
        warning deprecations: GET /v1/userinfo is removed in 3.0.0
        warning deprecations: session.ttl is removed in 3.0.0
    "#]].assert_eq(&found);
    let atomic = MAJOR.replace("atomic = false", "atomic = true");
    let found = findings(&atomic, &recording::read(recorded).unwrap()).concat();
    expect![[r#"
        warning deprecations: GET /v1/userinfo is removed in 3.0.0
        warning deprecations: session.ttl is removed in 3.0.0
        warning breaking_migration: the app is down from this step until the roll: 0007_login_name is not backward compatible
        warning rollback_proved: roll.app is atomic: where it fails, Helm itself brings the old app back, onto a schema that it is not known to run on
    "#]].assert_eq(&found);
}

#[test]
fn charts_fit_the_cluster() {
    check(
        |f| target(f).kube_version = Some(">=1.35.0-0".into()),
        expect![[r#"
        blocking kube_version: the chart of 2.7.1 wants Kubernetes >=1.35.0-0, and the cluster has v1.34.4
    "#]],
    );
    check(
        |f| target(f).kube_version = Some("newest".into()),
        expect![[r#"
        warning kube_version: the chart of 2.7.1 wants Kubernetes newest: `newest` is not a version
    "#]],
    );
    check(
        |f| {
            for render in target(f).renders.values_mut() {
                render.hooks.push("pre-upgrade: Job/orthid-migrate".into());
            }
        },
        expect![[r#"
            blocking migration_hook: the chart of 2.7.1 migrates in its own pre-upgrade hook (Job/orthid-migrate) as well
        "#]],
    );
    check(
        |f| {
            target(f).crds.insert("crds/client.yaml".into(), "00".into());
        },
        expect![[r#"
            warning custom_resources: 2.7.1 has another crds/client.yaml (create), and Helm never upgrades what is under crds/
        "#]],
    );
    check(
        |f| {
            let render = target(f).renders.get_mut("reuse").unwrap();
            render.error = Some("nil pointer evaluating interface {}.url".into());
        },
        expect![[r#"
            blocking render: there is nothing to compare for 2.7.1: nil pointer evaluating interface {}.url
        "#]],
    );
    check(
        |f| {
            let policy = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget";
            rendered(f, "apiVersion: policy/v1\nkind: PodDisruptionBudget", policy);
        },
        expect![[r#"
            blocking api_versions: the manifest of 2.7.1 has PodDisruptionBudget orthid/orthid-api as policy/v1beta1, which this cluster does not serve: gone since Kubernetes 1.25, use policy/v1
        "#]],
    );
    check(
        |f| {
            f.cluster.as_mut().unwrap().api_versions.retain(|version| version != "policy/v1");
        },
        expect![[r#"
            blocking api_versions: the deployed manifest has PodDisruptionBudget orthid/orthid-api as policy/v1, which this cluster does not serve
            blocking api_versions: the manifest of 2.7.1 has PodDisruptionBudget orthid/orthid-api as policy/v1, which this cluster does not serve
        "#]],
    );
}

#[test]
fn values_are_read_by_the_new_chart() {
    check(
        |f| {
            let values = json!({"replicaCount": 3, "typo": {"here": 1}});
            target(f).renders.get_mut("reuse").unwrap().values = values;
        },
        expect![[r#"
            note orphaned_values: the chart of 2.7.1 does not know values that are set: typo.here
        "#]],
    );
    let recorded = include_bytes!("../../../tests/fixtures/facts/orthid-2.8.0.json");
    let old = json!({"session": {"ttl": 300}});
    check_plan(
        MAJOR,
        recorded,
        |f| {
            let chart = release(f).charts.get_mut(&Version::new(3, 0, 0)).unwrap();
            chart.renders.get_mut("reset_then_reuse").unwrap().values = old;
        },
        expect![[r#"
            blocking required_config: 3.0.0 requires the value issuer.url (Issuer of access tokens, the public URL of this service), which is not set
            warning renamed_values: 3.0.0 reads sessions.accessTtl and no longer session.ttl, which is set
        "#]],
    );
}

#[test]
fn pods_are_replaced_without_anyone_noticing() {
    check(
        |f| rendered(f, "replicas: 3", "replicas: 1"),
        expect![[r#"
        warning replicas: Deployment orthid/orthid-api has one replica
    "#]],
    );
    check(
        |f| rendered(f, "maxUnavailable: 0", "maxUnavailable: 1"),
        expect![[r#"
        warning surge: Deployment orthid/orthid-api may lose 1 of 3 replicas before their successors are ready
    "#]],
    );
    check(|f| rendered(f, "maxUnavailable: 0", "maxUnavailable: 25%"), expect![[r#""#]]);
    check(
        |f| rendered(f, "readinessProbe:", "startupProbe:"),
        expect![[r#"
        warning readiness: container api of Deployment orthid/orthid-api has no readiness probe
    "#]],
    );
    check(
        |f| rendered(f, "preStop:", "postStart:"),
        expect![[r#"
        warning graceful_stop: container api of Deployment orthid/orthid-api has no preStop hook
    "#]],
    );
    check(
        |f| rendered(f, "seconds: 2", "seconds: 45"),
        expect![[r#"
        warning graceful_stop: the preStop hook of api sleeps 45 s, and its pod is killed after 30 s
    "#]],
    );
    check(
        |f| {
            rendered(f, "kind: PodDisruptionBudget", "kind: Other");
            release(f).policies.clear();
        },
        expect![[r#"
            warning disruption_budget: no PodDisruptionBudget selects the pods of Deployment orthid/orthid-api
        "#]],
    );
    check(
        |f| {
            release(f).workloads[0].found = false;
        },
        expect![[r#"
            blocking workload_found: deployment/orthid-api is not in namespace orthid
        "#]],
    );
    check(
        |f| release(f).workloads[0].ready = 1,
        expect![[r#"
        warning workload_found: deployment/orthid-api: 1 of 3 replicas are ready before anything is done
    "#]],
    );
}

#[test]
fn an_autoscaler_owns_the_replicas() {
    check(
        |f| {
            release(f).policies.push(json!({
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": "api", "namespace": "orthid"},
                "spec": {"minReplicas": 1, "scaleTargetRef": {"kind": "Deployment", "name": "orthid-api"}},
            }));
        },
        expect![[r#"
            warning field_managers: the manifest sets the replicas of Deployment orthid/orthid-api, which the autoscaler api sets too
            warning replicas: the autoscaler may leave Deployment orthid/orthid-api with 1 replica
        "#]],
    );
}
