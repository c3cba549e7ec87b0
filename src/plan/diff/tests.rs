//! Manifests against manifests and against what is live, by example.

use std::sync::LazyLock;

use expect_test::{Expect, expect};
use serde_json::json;

use super::manifest::ManifestProblem;
use super::*;
use crate::model::ValuesPolicy;
use crate::text::secret::{self, Redactor};

/// One for both sides: fingerprints compare within one recording.
static REDACTOR: LazyLock<Redactor> = LazyLock::new(Redactor::default);

const DEPLOYED: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: {name: api, labels: {app: api}, annotations: {checksum/config: aaa}}
spec:
  replicas: 2
  template:
    metadata: {creationTimestamp: null}
    spec:
      containers:
        - name: api
          image: orthid:2.6.3
          args: [serve, --verbose]
          env:
            - {name: LEVEL, value: info}
            - {name: DATABASE_URL, value: "postgres://u:hunter2@db/x"}
            - {name: ADMIN_PASSWORD, value: hunter2}
          resources: {limits: {cpu: 1000m}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: old}
data: {a: b}
---
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: hunter2}
"#;

fn parsed(text: &str) -> Manifest {
    Manifest::parse(&REDACTOR.manifest(text).unwrap(), "orthid").unwrap()
}

fn shown(objects: &[ObjectChange]) -> String {
    let mut out = String::new();
    for ObjectChange { object, action, changes } in objects {
        out.push_str(&format!("{} {object}\n", action.sign()));
        for change in changes {
            let value = |v: &Option<Value>| v.as_ref().map(Value::to_string).unwrap_or_default();
            let values = match change.sensitive {
                true => "(sensitive)".to_owned(),
                false => format!("{} → {}", value(&change.before), value(&change.after)),
            };
            out.push_str(&format!("  {} {}: {values}\n", change.action.sign(), change.path));
        }
    }
    assert!(!out.contains("hunter2") && !out.contains("sha256"), "{out}");
    out
}

fn check(before: &str, after: &str, expected: Expect) {
    expected.assert_eq(&shown(&objects(&parsed(before), &parsed(after))));
}

#[test]
fn objects_are_compared_field_by_field() {
    let after = DEPLOYED
        .replace("2.6.3", "2.7.1")
        .replace("aaa", "bbb")
        .replace("name: old", "name: new")
        .replace("[serve, --verbose]", "[serve]")
        .replace(
            "- {name: LEVEL, value: info}",
            "- {name: AUDIENCE, value: web}\n            - {name: LEVEL, value: debug}",
        )
        .replace("@db/x", "@db2/x")
        .replace("value: hunter2}", "value: hunter3}")
        .replace("password: hunter2", "password: hunter4");
    check(
        DEPLOYED,
        &after,
        expect![[r#"
            + ConfigMap orthid/new
            - ConfigMap orthid/old
            ~ Deployment orthid/api
              ~ metadata.annotations["checksum/config"]: "aaa" → "bbb"
              ~ spec.template.spec.containers[api].args: ["serve","--verbose"] → ["serve"]
              ~ spec.template.spec.containers[api].env[ADMIN_PASSWORD].value: (sensitive)
              + spec.template.spec.containers[api].env[AUDIENCE].value:  → "web"
              ~ spec.template.spec.containers[api].env[DATABASE_URL].value: "postgres://u:(sensitive value)@db/x" → "postgres://u:(sensitive value)@db2/x"
              ~ spec.template.spec.containers[api].env[LEVEL].value: "info" → "debug"
              ~ spec.template.spec.containers[api].image: "orthid:2.6.3" → "orthid:2.7.1"
            ~ Secret orthid/keys
              ~ stringData.password: (sensitive)
        "#]],
    );
    check(DEPLOYED, DEPLOYED, expect![""]);
}

#[test]
fn an_api_version_alone_is_an_update() {
    check(
        "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n",
        "apiVersion: policy/v1\nkind: PodDisruptionBudget\nmetadata: {name: a}\n",
        expect![[r#"
            ~ PodDisruptionBudget orthid/a
              ~ apiVersion: "policy/v1beta1" → "policy/v1"
        "#]],
    );
}

fn live() -> Vec<Value> {
    let mut objects: Vec<Value> = secret::documents(&REDACTOR.manifest(DEPLOYED).unwrap()).unwrap();
    for object in &mut objects {
        object["metadata"]["namespace"] = json!("orthid");
        object["metadata"]["uid"] = json!("x");
    }
    objects[0]["spec"]["template"]["metadata"].as_object_mut().unwrap().clear();
    objects[0]["spec"]["strategy"] = json!({"type": "RollingUpdate"});
    objects[0]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] =
        json!("1");
    objects[0]["spec"]["template"]["spec"]["containers"][0]["terminationMessagePath"] =
        json!("/dev");
    objects[0]["status"] = json!({"readyReplicas": 2});
    objects[2].as_object_mut().unwrap().remove("stringData");
    objects
}

fn check_drift(live: &[Value], policies: &[Value], expected: Expect) {
    expected.assert_eq(&shown(&drift(&parsed(DEPLOYED), live, policies, "orthid")));
}

#[test]
fn normalisation_is_not_drift() {
    check_drift(&live(), &[], expect![""]);
}

#[test]
fn drift_is_what_somebody_changed() {
    let mut live = live();
    live[0]["spec"]["replicas"] = json!(5);
    live[0]["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"] = json!("trace");
    live[0]["spec"]["template"]["spec"]["containers"][0].as_object_mut().unwrap().remove("args");
    live.remove(1);
    check_drift(
        &live,
        &[],
        expect![[r#"
            - ConfigMap orthid/old
            ~ Deployment orthid/api
              ~ spec.replicas: 2 → 5
              - spec.template.spec.containers[api].args: ["serve","--verbose"] → 
              ~ spec.template.spec.containers[api].env[LEVEL].value: "info" → "trace"
        "#]],
    );
}

#[test]
fn replicas_belong_to_the_autoscaler() {
    let mut live = live();
    live[0]["spec"]["replicas"] = json!(5);
    let hpa = json!({
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "api"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "api"}},
    });
    check_drift(&live, &[hpa], expect![""]);
}

#[test]
fn values_that_are_lost_renamed_or_read_by_nobody_are_told() {
    let old = json!({"session": {"ttl": "15m"}, "replicas": 2, "extra": {}});
    let new = json!({"sessions": {"accessTtl": "15m"}, "replicas": 2, "audience": {"name": "web"}, "extra": {}});
    let set =
        json!({"session": {"ttl": "5m"}, "replicas": 3, "extra": {"any": 1}, "typo": {"x": 1}});
    let entry = crate::path::ReleaseEntry {
        version: semver::Version::new(3, 0, 0),
        renamed_values: vec![crate::path::RenamedValue {
            from: "session.ttl".into(),
            to: "sessions.accessTtl".into(),
        }],
        ..serde_json::from_value(json!({"version": "3.0.0"})).unwrap()
    };
    let releases: crate::path::Releases = [entry].into_iter().collect();
    let entries = crate::path::entries(
        &semver::Version::new(2, 8, 0),
        &semver::Version::new(3, 0, 0),
        &releases,
        &BTreeMap::new(),
        &[],
    );
    let entries: Vec<_> = entries.iter().collect();
    let input = |policy| ValuesInput {
        policy,
        old_defaults: Some(&old),
        new_defaults: &new,
        set: &set,
        entries: &entries,
    };
    let found = values(input(ValuesPolicy::Reuse));
    assert_eq!(found.defaults_lost, ["audience.name", "sessions.accessTtl"]);
    assert_eq!(found.renamed, [("session.ttl".to_owned(), "sessions.accessTtl".to_owned())]);
    assert_eq!(found.orphaned, ["typo.x"]);
    assert!(values(input(ValuesPolicy::ResetThenReuse)).defaults_lost.is_empty());
}

#[test]
fn a_manifest_that_makes_no_sense_is_an_error() {
    let twice = "kind: A\nmetadata: {name: a}\n---\nkind: A\nmetadata: {name: a}\n";
    assert!(matches!(Manifest::parse(twice, "n"), Err(ManifestProblem::Twice(_))));
    assert_eq!(Manifest::parse("kind: A\n", "n"), Err(ManifestProblem::Nameless));
    assert!(matches!(Manifest::parse("a: [", "n"), Err(ManifestProblem::NotYaml(_))));
    let list = "kind: List\nitems: [{kind: A, metadata: {name: a}}]\n";
    assert_eq!(Manifest::parse(list, "n").unwrap().objects.len(), 1);
}
