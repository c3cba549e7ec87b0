//! Fingerprints of secrets that redaction left in texts: comparing uses them, plans never hold them.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

static FINGERPRINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\(sensitive sha256:[0-9a-f]{8}\)").expect("the pattern is a constant")
});

/// What stands in a plan where a secret was.
pub(super) const HIDDEN: &str = "(sensitive value)";

/// The value without fingerprints.
pub(super) fn without(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(FINGERPRINT.replace_all(text, HIDDEN).into_owned()),
        Value::Array(items) => Value::Array(items.iter().map(without).collect()),
        Value::Object(map) => {
            Value::Object(map.iter().map(|(key, value)| (key.clone(), without(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Does the value hold a fingerprint anywhere?
pub(super) fn holds(value: &Value) -> bool {
    match value {
        Value::String(text) => FINGERPRINT.is_match(text),
        Value::Array(items) => items.iter().any(holds),
        Value::Object(map) => map.values().any(holds),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
