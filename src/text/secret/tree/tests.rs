//! What is hidden in values, objects and manifests, and what stays.

use expect_test::expect;
use serde_json::json;

use super::super::without_fingerprints;
use super::*;

#[test]
fn secrets_leave_a_manifest_and_references_stay() {
    let text = r#"
apiVersion: v1
kind: Secret
metadata: {name: s}
data: {password: aHVudGVyMg==}
---
# only a comment
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: api
  managedFields: [{manager: helm}]
spec:
  template:
    spec:
      containers:
        - name: api
          env:
            - {name: DATABASE_URL, value: "postgres://u:hunter2@db/x"}
            - {name: ADMIN_PASSWORD, value: hunter2}
            - name: TOKEN
              valueFrom: {secretKeyRef: {name: s, key: password}}
            - {name: TOKEN_TTL, value: 15m}
"#;
    let clean = Redactor::default().manifest(text).unwrap();
    assert!(!clean.contains("hunter2") && !clean.contains("aHVudGVyMg"), "{clean}");
    let secret = clean.split("---\n").nth(1).unwrap_or_default();
    let secret = without_fingerprints(&json!(secret));
    expect![[r#"
        apiVersion: v1
        data:
          password: (sensitive value)
        kind: Secret
        metadata:
          name: s
    "#]]
    .assert_eq(secret.as_str().unwrap());
    assert!(clean.contains("15m") && clean.contains("key: password"), "{clean}");
}

#[test]
fn values_are_judged_by_name_and_by_look() {
    let mut v = json!({
        "db": {"password": "x1", "url": "postgres://u:p4ss@h/d", "existingSecret": "my-secret"},
        "tokens": {"ttl": "15m"},
        "signingKey": "abc",
        "replicas": 3,
        "extra": "a=1\napi_key=zzz",
        "pem": "-----BEGIN PRIVATE KEY-----\nAAA",
    });
    Redactor::default().values(&mut v);
    let text = v.to_string();
    for secret in ["x1\"", "p4ss", "\"abc\"", "zzz", "AAA"] {
        assert!(!text.contains(secret), "{secret} stayed in {text}");
    }
    for kept in ["my-secret", "15m", "postgres://u:", "@h/d"] {
        assert!(text.contains(kept), "{kept} left {text}");
    }
}

#[test]
fn known_secrets_leave_any_place_and_their_change_still_shows() {
    let tree = |secret: &str| {
        let redactor = Redactor::default();
        redactor.register(secret);
        let mut v = json!({
            "motd": format!("welcome {secret}!"),
            "pin": secret.parse::<u64>().unwrap_or(0),
            "list": [[secret]],
            (format!("key-of-{secret}")): 1,
            "shown": "welcome",
        });
        redactor.values(&mut v);
        assert!(!v.to_string().contains(secret), "{v}");
        assert_eq!(v["shown"], "welcome");
        v
    };
    assert_ne!(tree("48151623"), tree("48151624"));
    assert_eq!(without_fingerprints(&tree("hunter2"))["motd"], "welcome (sensitive value)!");
}

#[test]
fn typed_values_keep_their_fields() {
    #[derive(Serialize, serde::Deserialize, Debug, PartialEq)]
    struct Fact {
        replicas: u32,
        hunter2: String,
    }
    let redactor = Redactor::default();
    redactor.register("hunter2");
    let clean = redactor.without_known(Fact { replicas: 2, hunter2: "hunter2".into() }).unwrap();
    assert_eq!(clean.replicas, 2);
    assert_eq!(clean.hunter2, "(sensitive value)", "a fingerprint would differ each time");
}

#[test]
fn objects_of_lists_are_redacted_and_whatever_stands_under_a_secrets_name() {
    let mut v = json!({"kind": "List", "items": [
        {"kind": "Secret", "metadata": {"name": "a"}, "data": {"x": "c2VjcmV0LTE="}},
        {"kind": "SecretList", "items": [{"metadata": {"name": "b"}, "stringData": {"y": "secret-2"}}]},
        {"kind": "Pod", "spec": {
            "volumes": [{"name": "v", "secret": {"secretName": "shown-1", "defaultMode": 420}}],
            "tolerations": [{"key": "shown-2", "operator": "Exists"}],
            "containers": [{
                "args": ["--password", "secret-3", "--port", "shown-3", "--token=secret-4"],
                "env": [{"name": "API_PASS", "value": "secret-5"}],
            }],
        }},
        {"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {
            "app.env": "DB_PWD=secret-6\nMODE=shown-4",
            "salt": "secret-7",
        }},
    ]});
    Redactor::default().object(&mut v);
    let mut values = json!({
        "auth": {"basic": {"pin": 90210, "list": ["secret-8"]}, "enabled": true, "url": "shown-5"},
        "password": 90210,
    });
    Redactor::default().values(&mut values);
    let text = format!("{v}{values}");
    assert!(
        !text.contains("secret-") && !text.contains("c2Vjc") && !text.contains("90210"),
        "{text}"
    );
    for shown in ["shown-1", "shown-2", "shown-3", "shown-4", "shown-5", "420", "true"] {
        assert!(text.contains(shown), "{shown} is hidden: {text}");
    }
}

#[test]
fn a_plan_names_more_and_reveals_by_path_what_is_not_known() {
    let redactor = Redactor::default();
    redactor.register("hunter2");
    redactor.look(
        vec!["licence".to_owned()],
        ["values.keys.public", "values.keys.known", "ConfigMap/c.data.salt"]
            .map(str::to_owned)
            .into(),
    );
    let mut v =
        json!({"keys": {"public": "shown", "known": "hunter2", "other": "hid"}, "licence": "hid"});
    redactor.values(&mut v);
    let mut o = json!({"kind": "ConfigMap", "metadata": {"name": "c"}, "data": {"salt": "shown", "pass": "hid"}});
    redactor.object(&mut o);
    let text = format!("{v}{o}");
    assert_eq!(text.matches("\"shown\"").count(), 2, "{text}");
    assert!(!text.contains("hid\"") && !text.contains("hunter2"), "{text}");
    assert_eq!(redactor.clean("licence: abc"), "licence: (sensitive value)");
}

#[test]
fn redaction_is_idempotent_and_tells_changes() {
    let redactor = Redactor::default();
    let mut a = json!({"password": "one"});
    redactor.values(&mut a);
    let once = a.clone();
    redactor.values(&mut a);
    assert_eq!(a, once);
    let mut b = json!({"password": "two"});
    redactor.values(&mut b);
    assert_ne!(a, b);
    let mut elsewhere = json!({"password": "one"});
    Redactor::default().values(&mut elsewhere);
    assert_ne!(a, elsewhere, "a fingerprint tells nothing outside of its recording");
}
