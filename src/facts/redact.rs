//! Takes secrets out of manifests, values and live objects before they are kept anywhere.
//!
//! A secret is replaced by a short fingerprint of itself, so that a change still shows as a change. Must not: be
//! skipped by any path into [`Facts`](super::Facts).

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// What stands for a secret: tells that two differ, not what they are.
pub fn fingerprint(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    format!("(sensitive sha256:{})", hex::encode(&digest[..4]))
}

/// Redacts a multi-document YAML manifest. Text that is not YAML is refused: it could hide anything.
pub fn manifest(text: &str) -> Result<String, ManifestError> {
    let mut out = String::new();
    for mut doc in documents(text)? {
        object(&mut doc);
        let yaml = serde_saphyr::to_string(&doc).map_err(|e| ManifestError(e.to_string()))?;
        out.push_str("---\n");
        out.push_str(&yaml);
        if !yaml.ends_with('\n') {
            out.push('\n');
        }
    }
    Ok(out)
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is not YAML: {0}")]
pub struct ManifestError(String);

/// The non-empty documents of a manifest, unredacted.
pub fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    let docs: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|e| ManifestError(e.without_snippet().to_string()))?;
    Ok(docs.into_iter().filter(Value::is_object).collect())
}

/// Redacts one Kubernetes object in place, and drops what the API server keeps for itself (`managedFields`, the
/// last applied configuration), which repeats the whole object.
pub fn object(value: &mut Value) {
    let Value::Object(map) = value else { return };
    if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
        metadata.remove("managedFields");
        if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
            annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
        }
    }
    if map.get("kind").and_then(Value::as_str) == Some("Secret") {
        for field in ["data", "stringData"] {
            if let Some(Value::Object(data)) = map.get_mut(field) {
                for secret in data.values_mut() {
                    hide(secret);
                }
            }
        }
    }
    values(value);
}

/// Redacts a tree of Helm values, or any other JSON: whatever sits under a name that speaks of a secret, and whatever
/// looks like one wherever it sits.
pub fn values(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => {
            let clean = redact_text(text);
            if clean != *text {
                *text = clean;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(values),
        Value::Object(map) => {
            redact_named_value(map);
            for (key, child) in map.iter_mut() {
                if REFERENCES.contains(&key.as_str()) {
                    continue;
                }
                if is_secret_name(key) { hide_leaves(child) } else { values(child) }
            }
        }
    }
}

/// `{name: DB_PASSWORD, value: …}`, as in a container's `env`.
fn redact_named_value(map: &mut Map<String, Value>) {
    let named = map.get("name").and_then(Value::as_str).is_some_and(is_secret_name);
    if named && let Some(value) = map.get_mut("value") {
        hide(value);
    }
}

/// Fields that name a secret's place and hold none.
const REFERENCES: [&str; 6] = [
    "secretKeyRef",
    "configMapKeyRef",
    "secretRef",
    "configMapRef",
    "imagePullSecrets",
    "secretName",
];

fn hide_leaves(value: &mut Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(_) => hide(value),
        Value::Array(items) => items.iter_mut().for_each(hide_leaves),
        // A section such as `tokens: {ttl: …}` is a subject, not a secret: its leaves are judged by their own names.
        Value::Object(_) => values(value),
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Null => {}
        Value::String(text) if text.is_empty() || text.starts_with("(sensitive sha256:") => {}
        Value::String(text) => *text = fingerprint(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            *value = Value::String(fingerprint(&value.to_string()));
        }
    }
}

/// Does a field or variable of this name hold a secret?
pub fn is_secret_name(name: &str) -> bool {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)passwo?r?d|passphrase|secret|token|credential|dsn$|api[_-]?key|(private|signing|encryption|access|master|client)[_-]?key|connection[_-]?string")
            .expect("the pattern is a constant")
    });
    static PLACES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(name|ref|file|path|ttl|type|kind|enabled|expiry|lifetime|issuer|audience|algorithm|endpoint|mount|automountServiceAccountToken|existingSecret|seconds|minutes)s?$")
            .expect("the pattern is a constant")
    });
    WORDS.is_match(name) && !PLACES.is_match(name)
}

/// Redacts secrets inside text: passwords in URLs, `password=…` assignments, private keys.
pub fn redact_text(text: &str) -> String {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?<head>[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:)(?<secret>[^/\s@]+)@")
            .expect("the pattern is a constant")
    });
    static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)(?<head>(?:password|passwd|secret|api[_-]?key|token)["']?\s*[=:]\s*["']?)(?<secret>[^\s"'&,;(]+)"#)
            .expect("the pattern is a constant")
    });
    if text.contains("PRIVATE KEY-----") {
        return fingerprint(text);
    }
    let hidden = |c: &Captures<'_>| format!("{}{}", &c["head"], fingerprint(&c["secret"]));
    let text = URL.replace_all(text, |c: &Captures<'_>| format!("{}@", hidden(c)));
    ASSIGNMENT.replace_all(&text, hidden).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

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
        let clean = manifest(text).unwrap();
        assert!(!clean.contains("hunter2") && !clean.contains("aHVudGVyMg"), "{clean}");
        let secret = clean.split("---\n").nth(1).unwrap_or_default();
        expect![[r#"
            apiVersion: v1
            data:
              password: (sensitive sha256:b073aefd)
            kind: Secret
            metadata:
              name: s
        "#]]
        .assert_eq(secret);
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
        values(&mut v);
        let text = v.to_string();
        for secret in ["x1\"", "p4ss", "\"abc\"", "zzz", "AAA"] {
            assert!(!text.contains(secret), "{secret} stayed in {text}");
        }
        for kept in ["my-secret", "15m", "postgres://u:", "@h/d"] {
            assert!(text.contains(kept), "{kept} left {text}");
        }
    }

    #[test]
    fn redaction_is_idempotent_and_tells_changes() {
        let mut a = json!({"password": "one"});
        values(&mut a);
        let once = a.clone();
        values(&mut a);
        assert_eq!(a, once);
        let mut b = json!({"password": "two"});
        values(&mut b);
        assert_ne!(a, b);
    }
}
