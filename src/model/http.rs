//! HTTP requests and what is expected of their answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Arg;

/// One HTTP request with what is expected of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    pub name: String,
    pub method: String,
    pub url: Arg,
    pub headers: BTreeMap<String, Arg>,
    /// Request body, usually JSON.
    pub body: Option<Arg>,
    pub expect: Expectation,
    pub capture: Vec<Capture>,
    pub timeout_ms: u64,
}

impl HttpRequest {
    /// A plain request of which nothing but success is expected.
    pub fn get(name: &str, url: Arg) -> HttpRequest {
        HttpRequest {
            name: name.to_owned(),
            method: "GET".to_owned(),
            url,
            headers: BTreeMap::new(),
            body: None,
            expect: Expectation::default(),
            capture: Vec::new(),
            timeout_ms: 1_000,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Accepted status codes; any 2xx when empty.
    pub status: Vec<u16>,
    pub headers: BTreeMap<String, String>,
    /// JSON pointer (RFC 6901) → expected value.
    pub json: BTreeMap<String, serde_json::Value>,
    /// JSON pointer of a JWT that must verify against the JWKS at this URL.
    pub jwt: Option<JwtExpectation>,
    pub latency_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtExpectation {
    /// JSON pointer of the token in the answer.
    pub pointer: String,
    pub jwks_url: Arg,
}

/// A value of an answer that later requests of the same step use as `capture.NAME`, written `{{NAME}}` in the stored request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    pub name: String,
    /// JSON pointer (RFC 6901) into the answer's body.
    pub pointer: String,
}
