//! Fingerprints: what stands for a secret where it matters that one differs from another.
//!
//! Facts hold them, so that a changed secret shows as a change; plans never do. They are keyed by a
//! random key of the [`Redactor`](super::Redactor) that made them: they compare within one
//! recording and tell nothing outside of it.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::HIDDEN;

static FINGERPRINT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\(sensitive sha256:[0-9a-f]{8}\)").expect("the pattern is a constant")
});

/// A random key.
#[derive(Clone, Copy)]
pub(super) struct Key([u8; 32]);

impl Default for Key {
    fn default() -> Key {
        // 128 random bits of the operating system decide all of it.
        let random = RandomState::new();
        let seed = [0_u64, 1, 2, 3].map(|part| random.hash_one(part).to_le_bytes());
        Key(Sha256::digest(seed.concat()).into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// What stands for a secret.
    pub(super) fn fingerprint(self, secret: &str) -> String {
        let digest = Sha256::new().chain_update(self.0).chain_update(secret.as_bytes()).finalize();
        format!("(sensitive sha256:{})", hex::encode(&digest[..4]))
    }
}

/// Whether a text is a fingerprint and nothing else.
pub(super) fn is_fingerprint(text: &str) -> bool {
    FINGERPRINT.find(text).is_some_and(|found| found.len() == text.len())
}

/// The value with [`HIDDEN`] instead of fingerprints.
pub fn without_fingerprints(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(FINGERPRINT.replace_all(text, HIDDEN).into_owned()),
        Value::Array(items) => Value::Array(items.iter().map(without_fingerprints).collect()),
        Value::Object(map) => Value::Object(
            map.iter().map(|(key, value)| (key.clone(), without_fingerprints(value))).collect(),
        ),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

/// Whether the value holds a fingerprint anywhere.
pub fn holds_fingerprint(value: &Value) -> bool {
    match value {
        Value::String(text) => FINGERPRINT.is_match(text),
        Value::Array(items) => items.iter().any(holds_fingerprint),
        Value::Object(map) => map.values().any(holds_fingerprint),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
