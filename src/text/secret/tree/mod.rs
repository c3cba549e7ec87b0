//! Redaction of values, Kubernetes objects and manifests before they become facts.
//!
//! A secret is replaced by a fingerprint of itself, so that a change still shows as a change.

mod walk;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Redactor;
use super::fingerprint::is_fingerprint;
use walk::Walk;

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

    /// Redacts one Kubernetes object in place, or each of a list, and drops what the API server
    /// keeps for itself (`managedFields`, the last applied configuration), which repeats the whole
    /// object.
    pub fn object(&self, value: &mut Value) {
        self.object_of(value, None);
    }

    /// Redacts a tree of Helm values, or any other JSON, in place: known secrets, whatever stands
    /// under a name that speaks of a secret, and whatever looks like one.
    pub fn values(&self, value: &mut Value) {
        Walk::new(self, "values").values(value);
    }

    /// `kind` is what the items of a typed list (`SecretList`) leave out.
    fn object_of(&self, value: &mut Value, kind: Option<&str>) {
        let Value::Object(map) = value else { return };
        let own = map.get("kind").and_then(Value::as_str).map(str::to_owned);
        let kind = own.or_else(|| kind.map(str::to_owned)).unwrap_or_default();
        if let Some(Value::Array(items)) = map.get_mut("items")
            && let Some(of) = kind.strip_suffix("List")
        {
            let of = Some(of).filter(|of| !of.is_empty());
            items.iter_mut().for_each(|item| self.object_of(item, of));
            return;
        }
        if let Some(Value::Object(metadata)) = map.get_mut("metadata") {
            metadata.remove("managedFields");
            if let Some(Value::Object(annotations)) = metadata.get_mut("annotations") {
                annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
            }
        }
        if kind == "Secret" {
            for field in ["data", "stringData"] {
                if let Some(Value::Object(data)) = map.get_mut(field) {
                    data.values_mut().for_each(|secret| self.hide(secret));
                }
            }
        }
        let name = map.get("metadata").and_then(|metadata| metadata["name"].as_str());
        let mut walk = Walk::new(self, &format!("{kind}/{}", name.unwrap_or_default()));
        // A schema names fields and holds no values.
        walk.by_name = kind != "CustomResourceDefinition";
        walk.values(value);
    }

    /// The value without known secrets in any of its texts. For types that are plain data: names of
    /// fields stay.
    ///
    /// # Errors
    /// Where what is left is no such value any more: a secret stands where the type has a word of
    /// its own.
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
mod tests;
