//! The bytes of a journal record that its hash covers.
//!
//! Must not: read or write anything; stores keep the bytes, `run` reads their meaning.

use serde::Serialize;
use sha2::{Digest, Sha256};

/// The record as canonical JSON: keys sorted, no white space. The same record has the same bytes on every machine.
pub fn canonical_bytes(record: &impl Serialize) -> Vec<u8> {
    // Through `Value`, whose maps are ordered by key: field order in the source has no influence.
    let value = serde_json::to_value(record).expect("a record has string keys only");
    serde_json::to_vec(&value).expect("a JSON value can be written")
}

/// SHA-256 (hex) of a record's bytes.
pub fn hash_of(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
