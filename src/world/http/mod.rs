//! HTTP requests with expectations, captures, and tokens that must verify.
//!
//! Guarantees: bodies are read up to a bound; captured values count as secrets; a token is verified only by an
//! asymmetric algorithm that its key allows. Must not: repeat a request; that is the executor's to decide.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::{Client, Method};
use serde_json::Value;

use super::env::Resolver;
use super::error::chain;
use super::failure::{permanent, transient};
use crate::journal::Failure;
use crate::model::json::{self, Exact};
use crate::model::{Capture, Expectation, HttpRequest, JwtExpectation};
use crate::text::secret::Redactor;

const BODY_LIMIT: usize = 1 << 20;

/// A request whose arguments are resolved; captures are still to be filled in.
#[derive(Clone)]
pub struct Prepared {
    pub name: String,
    method: Method,
    url: String,
    headers: BTreeMap<String, String>,
    body: Option<String>,
    pub expect: Expectation,
    capture: Vec<Capture>,
    jwks_url: Option<String>,
    timeout: Duration,
}

impl std::fmt::Debug for Prepared {
    /// Without URL, headers and body, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Values taken from earlier answers, by name.
pub type Captures = BTreeMap<String, String>;

/// An answer that was as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub latency: Duration,
}

impl Prepared {
    pub fn new(request: &HttpRequest, resolver: &Resolver<'_>) -> Result<Prepared, Failure> {
        let what = |part: &str| format!("{part} of request `{}`", request.name);
        let method = request.method.to_uppercase().parse().map_err(|_| {
            permanent(format!("request `{}`: `{}` is no method", request.name, request.method))
        })?;
        let mut headers = BTreeMap::new();
        for (name, value) in &request.headers {
            headers.insert(name.clone(), resolver.text(&what(&format!("header `{name}`")), value)?);
        }
        let body =
            request.body.as_ref().map(|b| resolver.text(&what("the body"), b)).transpose()?;
        let jwks = request.expect.jwt.as_ref().map(|jwt| &jwt.jwks_url);
        Ok(Prepared {
            name: request.name.clone(),
            method,
            url: resolver.text(&what("the URL"), &request.url)?,
            headers,
            body,
            expect: request.expect.clone(),
            capture: request.capture.clone(),
            jwks_url: jwks.map(|url| resolver.text(&what("the JWKS URL"), url)).transpose()?,
            timeout: Duration::from_millis(request.timeout_ms.max(1)),
        })
    }

    /// Sends the request once and holds the answer to its expectations.
    ///
    /// # Errors
    /// Transient where a later try may do (no connection, a timeout, 429, 502, 503, 504), else permanent.
    pub async fn send(
        &self,
        client: &Client,
        captures: &mut Captures,
        redactor: &Redactor,
    ) -> Result<Answer, Failure> {
        let started = Instant::now();
        let mut builder =
            client.request(self.method.clone(), fill(&self.url, captures)).timeout(self.timeout);
        for (name, value) in &self.headers {
            builder = builder.header(name, fill(value, captures));
        }
        if let Some(body) = &self.body {
            let has_type =
                self.headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"));
            if !has_type {
                builder = builder.header("content-type", "application/json");
            }
            builder = builder.body(fill(body, captures));
        }
        let answer = builder.send().await.map_err(|e| self.not_answered(e))?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        let body = read_body(answer).await.map_err(|e| self.not_answered(e))?;
        let latency = started.elapsed();
        let json = read_json(&body);
        // Before anything is said of the answer.
        self.register(&json, redactor);
        self.check_status(status, &body, redactor)?;
        self.check_headers(&headers)?;
        self.check_latency(latency)?;
        self.check_json(&json)?;
        if let (Some(expected), Some(url)) = (&self.expect.jwt, &self.jwks_url) {
            self.check_token(client, &json, expected, &fill(url, captures)).await?;
        }
        for capture in &self.capture {
            let value = json.pointer(&capture.pointer).ok_or_else(|| {
                self.wrong(format!("the answer has no `{}` to capture", capture.pointer))
            })?;
            let text = value.as_str().map_or_else(|| Exact(value).to_string(), str::to_owned);
            captures.insert(capture.name.clone(), text);
        }
        Ok(Answer { status, latency })
    }

    /// What the answer holds of what is captured, and the token that is verified.
    fn register(&self, answer: &Value, redactor: &Redactor) {
        let captured = self.capture.iter().map(|capture| &capture.pointer);
        let token = self.expect.jwt.iter().map(|jwt| &jwt.pointer);
        for value in captured.chain(token).filter_map(|pointer| answer.pointer(pointer)) {
            redactor.register_value(value);
            if !value.is_string() {
                redactor.register(&Exact(value).to_string());
            }
        }
    }

    fn not_answered(&self, error: reqwest::Error) -> Failure {
        // The URL may hold a secret; the chain of causes tells what happened without it.
        let passing =
            error.is_connect() || error.is_timeout() || error.is_request() || error.is_body();
        let timeout = error.is_timeout();
        let error = error.without_url();
        let message = match timeout {
            true => {
                format!("request `{}`: no answer in {} ms", self.name, self.timeout.as_millis())
            }
            false => format!("request `{}`: {}", self.name, chain(&error)),
        };
        if passing { transient(message) } else { permanent(message) }
    }

    fn wrong(&self, text: impl std::fmt::Display) -> Failure {
        permanent(format!("request `{}`: {text}", self.name))
    }

    fn check_status(&self, status: u16, body: &[u8], redactor: &Redactor) -> Result<(), Failure> {
        let accepted = match self.expect.status.as_slice() {
            [] => (200..300).contains(&status),
            list => list.contains(&status),
        };
        if accepted {
            return Ok(());
        }
        let wanted = match self.expect.status.as_slice() {
            [] => "2xx".to_owned(),
            list => list.iter().map(u16::to_string).collect::<Vec<_>>().join(" or "),
        };
        // Redacted before it is cut: half of a secret is not known as one.
        let text: String =
            redactor.clean(&String::from_utf8_lossy(body)).chars().take(300).collect();
        let mut failure = self.wrong(format!("status {status}, expected {wanted}: {text}"));
        if matches!(status, 429 | 502 | 503 | 504) {
            failure.class = crate::journal::FailureClass::Transient;
        }
        Err(failure)
    }

    fn check_headers(&self, headers: &reqwest::header::HeaderMap) -> Result<(), Failure> {
        for (name, expected) in &self.expect.headers {
            let found: Vec<&str> =
                headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
            if !found.iter().any(|value| value == expected) {
                let found = if found.is_empty() { "absent".to_owned() } else { found.join(", ") };
                return Err(
                    self.wrong(format!("header `{name}` is {found}, expected `{expected}`"))
                );
            }
        }
        Ok(())
    }

    fn check_latency(&self, latency: Duration) -> Result<(), Failure> {
        match self.expect.latency_ms {
            Some(bound) if latency.as_millis() > u128::from(bound) => {
                let took = latency.as_millis();
                let message =
                    format!("request `{}`: took {took} ms, expected at most {bound}", self.name);
                Err(transient(message))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn check_json(&self, answer: &Value) -> Result<(), Failure> {
        for (pointer, expected) in &self.expect.json {
            match answer.pointer(pointer) {
                Some(found) if json::same(found, expected) => {}
                Some(found) => {
                    let (found, expected) = (Exact(found), Exact(expected));
                    return Err(self.wrong(format!("`{pointer}` is {found}, expected {expected}")));
                }
                None => return Err(self.wrong(format!("the answer has no `{pointer}`"))),
            }
        }
        Ok(())
    }

    async fn check_token(
        &self,
        client: &Client,
        json: &Value,
        expected: &JwtExpectation,
        jwks_url: &str,
    ) -> Result<(), Failure> {
        let token = json.pointer(&expected.pointer).and_then(Value::as_str).ok_or_else(|| {
            self.wrong(format!("the answer has no token at `{}`", expected.pointer))
        })?;
        let jwks =
            fetch_jwks(client, jwks_url, self.timeout).await.map_err(|e| self.not_answered(e))?;
        let jwks = jwks.map_err(|reason| self.wrong(reason))?;
        verify_token(token, &jwks).map_err(|reason| self.wrong(reason))
    }
}

/// An answer's JSON, with its numbers as they are; null where it is none.
fn read_json(body: &[u8]) -> Value {
    let exact = std::str::from_utf8(body).ok().and_then(|text| json::read(text).ok());
    exact.or_else(|| serde_json::from_slice(body).ok()).unwrap_or(Value::Null)
}

/// Replaces each `{{name}}` by the captured value; unknown names stay, and the request then fails visibly.
pub fn fill(text: &str, captures: &Captures) -> String {
    let mut filled = text.to_owned();
    for (name, value) in captures {
        filled = filled.replace(&format!("{{{{{name}}}}}"), value);
    }
    filled
}

async fn read_body(mut answer: reqwest::Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        let room = BODY_LIMIT.saturating_sub(body.len()).min(chunk.len());
        body.extend_from_slice(&chunk[..room]);
        if body.len() == BODY_LIMIT {
            break;
        }
    }
    Ok(body)
}

async fn fetch_jwks(
    client: &Client,
    url: &str,
    timeout: Duration,
) -> Result<Result<JwkSet, String>, reqwest::Error> {
    let answer = client.get(url).timeout(timeout).send().await?.error_for_status()?;
    let body = read_body(answer).await?;
    Ok(serde_json::from_slice(&body).map_err(|e| format!("the JWKS can't be read: {e}")))
}

/// Algorithms a token may be signed by: a shared secret proves nothing to a third party.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Verifies a token's signature and lifetime with the key that its header names.
pub fn verify_token(token: &str, jwks: &JwkSet) -> Result<(), String> {
    let header = decode_header(token).map_err(|e| format!("the token is no JWT: {e}"))?;
    if !ALGORITHMS.contains(&header.alg) {
        return Err(format!("the token is signed by {:?}, which is not accepted", header.alg));
    }
    let jwk = match &header.kid {
        Some(kid) => jwks.find(kid).ok_or_else(|| format!("the JWKS has no key `{kid}`"))?,
        None => match jwks.keys.as_slice() {
            [only] => only,
            _ => return Err("the token names no key and the JWKS has several".to_owned()),
        },
    };
    let key =
        DecodingKey::from_jwk(jwk).map_err(|e| format!("the JWKS' key can't be used: {e}"))?;
    let mut validation = Validation::new(header.alg);
    // For whom a token is made is the app's business; here it must be genuine and in force.
    validation.validate_aud = false;
    validation.validate_nbf = true;
    decode::<Value>(token, &key, &validation)
        .map(|_| ())
        .map_err(|e| format!("the token does not verify: {e}"))
}

#[cfg(test)]
mod tests;
