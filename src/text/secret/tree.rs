//! Redaction of values, Kubernetes objects and manifests before they become facts.
//!
//! A secret is replaced by a fingerprint of itself, so that a change still shows as a change.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Redactor;
use super::fingerprint::is_fingerprint;
use super::look::{is_secret_name, without_lookalikes};

/// A key is replaced only where a secret of at least this many bytes stands in it: it is a name,
/// and others look for it.
const LONG: usize = 12;

/// Fields that name a secret's place and hold none.
const REFERENCES: [&str; 6] = [
    "secretKeyRef",
    "configMapKeyRef",
    "secretRef",
    "configMapRef",
    "imagePullSecrets",
    "secretName",
];

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the manifest is not YAML: {0}")]
pub struct ManifestError(String);

/// The non-empty documents of a manifest, as they are.
///
/// # Errors
/// Text that is not YAML.
pub fn documents(text: &str) -> Result<Vec<Value>, ManifestError> {
    let docs: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|e| ManifestError(e.without_snippet().to_string()))?;
    Ok(docs.into_iter().filter(Value::is_object).collect())
}

impl Redactor {
    /// Redacts a multi-document YAML manifest.
    ///
    /// # Errors
    /// Text that is not YAML: it could hide anything.
    pub fn manifest(&self, text: &str) -> Result<String, ManifestError> {
        let mut out = String::new();
        for mut doc in documents(text)? {
            self.object(&mut doc);
            let yaml = serde_saphyr::to_string(&doc).map_err(|e| ManifestError(e.to_string()))?;
            out.push_str("---\n");
            out.push_str(&yaml);
            if !yaml.ends_with('\n') {
                out.push('\n');
            }
        }
        Ok(out)
    }

    /// Redacts one Kubernetes object in place, and drops what the API server keeps for itself
    /// (`managedFields`, the last applied configuration), which repeats the whole object.
    pub fn object(&self, value: &mut Value) {
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
                    data.values_mut().for_each(|secret| self.hide(secret));
                }
            }
        }
        self.values(value);
    }

    /// Redacts a tree of Helm values, or any other JSON, in place: known secrets, whatever stands
    /// under a name that speaks of a secret, and whatever looks like one.
    pub fn values(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if self.holds(&number.to_string()) {
                    self.hide(value);
                }
            }
            Value::String(text) => {
                let known = self.fingerprinted(text);
                let clean = without_lookalikes(&known, &|secret| self.fingerprint(secret));
                if clean != *text {
                    *text = clean;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.values(item)),
            Value::Object(map) => {
                self.keys(map);
                self.named_value(map);
                for (key, child) in map.iter_mut() {
                    if REFERENCES.contains(&key.as_str()) {
                        continue;
                    }
                    if is_secret_name(key) { self.hide_leaves(child) } else { self.values(child) }
                }
            }
        }
    }

    /// The value without known secrets in any of its texts. For types that are plain data: names of
    /// fields stay.
    ///
    /// # Errors
    /// Where what is left is no such value any more: a secret stands where the type has a word of its own.
    pub fn without_known<T: Serialize + DeserializeOwned>(
        &self,
        value: T,
    ) -> Result<T, serde_json::Error> {
        if self.is_empty() {
            return Ok(value);
        }
        let mut tree = serde_json::to_value(&value)?;
        if !self.strip(&mut tree) {
            return Ok(value);
        }
        serde_json::from_value(tree)
    }

    /// Replaces known secrets in every text of a tree; true where there was one.
    fn strip(&self, value: &mut Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
            Value::String(text) => {
                let clean = self.without_secrets(text);
                let changed = clean != *text;
                if changed {
                    *text = clean;
                }
                changed
            }
            Value::Array(items) => items.iter_mut().fold(false, |any, item| self.strip(item) | any),
            Value::Object(map) => {
                map.values_mut().fold(false, |any, child| self.strip(child) | any)
            }
        }
    }

    fn keys(&self, map: &mut Map<String, Value>) {
        let holds = |key: &str| key.len() >= LONG && self.holds(key);
        if map.keys().any(|key| holds(key)) {
            let entries = std::mem::take(map).into_iter();
            *map = entries.map(|(key, value)| (self.fingerprinted(&key), value)).collect();
        }
    }

    /// `{name: DB_PASSWORD, value: …}`, as in a container's `env`.
    fn named_value(&self, map: &mut Map<String, Value>) {
        let named = map.get("name").and_then(Value::as_str).is_some_and(is_secret_name);
        if named && let Some(value) = map.get_mut("value") {
            self.hide(value);
        }
    }

    fn hide_leaves(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(_) => self.hide(value),
            Value::Array(items) => items.iter_mut().for_each(|item| self.hide_leaves(item)),
            // A section such as `tokens: {ttl: …}` is a subject, not a secret: its leaves are
            // judged by their own names.
            Value::Object(_) => self.values(value),
        }
    }

    fn hide(&self, value: &mut Value) {
        match value {
            Value::Null => {}
            Value::String(text) if text.is_empty() || is_fingerprint(text) => {}
            Value::String(text) => *text = self.fingerprint(text),
            Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                *value = Value::String(self.fingerprint(&value.to_string()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::without_fingerprints;
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
        let clean =
            redactor.without_known(Fact { replicas: 2, hunter2: "hunter2".into() }).unwrap();
        assert_eq!(clean.replicas, 2);
        assert_eq!(clean.hunter2, "(sensitive value)", "a fingerprint would differ each time");
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
}
