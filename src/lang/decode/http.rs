//! HTTP requests of `smoke` and `probe`.

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::decode::{Reader, attribute, block, needed};
use crate::lang::diagnostic::shown;
use crate::lang::eval::{Eval, Leftover};
use crate::lang::syntax::{Block, Body};
use crate::lang::value::Number;
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::{Arg, Capture, Expectation, HttpRequest, JwtExpectation};

const DEFAULT_TIMEOUT_MS: u64 = 10_000;
const METHODS: [&str; 7] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
/// Headers that carry secrets.
const SECRET_HEADERS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];

impl Reader<'_, '_> {
    /// Requests in the order of the text; each may use what the ones before it captured.
    pub(super) fn requests<'b>(
        &mut self,
        blocks: impl Iterator<Item = &'b Block>,
        captured: &mut BTreeSet<String>,
    ) -> Eval<Vec<HttpRequest>> {
        let requests: Vec<_> = blocks.map(|block| self.request(block, captured)).collect();
        requests.into_iter().collect()
    }

    pub(super) fn request(
        &mut self,
        block: &Block,
        captured: &mut BTreeSet<String>,
    ) -> Eval<HttpRequest> {
        let request = self.with_captures(captured, |reader| reader.read_request(block));
        for attribute in crate::lang::decode::block(&block.body, "capture")
            .into_iter()
            .flat_map(|b| &b.body.attributes)
        {
            captured.insert(attribute.name.to_string());
        }
        request
    }

    /// Runs `read` with these captured values in scope. The set outlives the read, and nothing
    /// else.
    fn with_captures<T>(
        &mut self,
        captured: &BTreeSet<String>,
        read: impl FnOnce(&mut Reader<'_, '_>) -> T,
    ) -> T {
        let on = &mut *self.on;
        let names = crate::lang::scope::Names { captures: Some(captured), ..on.names };
        let mut inner = crate::lang::eval::Evaluator::new(names, on.budget, on.files);
        let mut reader = Reader::new(&mut inner);
        let result = read(&mut reader);
        let rests_on = std::mem::take(&mut reader.rests_on);
        self.rests_on.extend(rests_on);
        self.on.found.append(&mut inner.found);
        result
    }

    fn read_request(&mut self, block: &Block) -> Eval<HttpRequest> {
        let body = &block.body;
        let method = self.method(body);
        let url = self.arg(body, "url");
        let url = url.and_then(|url| self.checked_url(body, url));
        let headers = self.arg_map(body, "headers");
        let headers = headers.and_then(|headers| self.without_secrets(body, headers));
        let payload = self.payload(body);
        let expect = self.expectation(body);
        let capture = self.captures(body);
        let timeout_ms = self.duration(body, "timeout");
        let (mut headers, payload) = (headers?, payload?);
        if payload.is_some()
            && attribute(body, "json").is_some()
            && !headers.keys().any(|name| name.eq_ignore_ascii_case("content-type"))
        {
            headers.insert("Content-Type".to_owned(), Arg::Known("application/json".to_owned()));
        }
        let default = if payload.is_some() { "POST" } else { "GET" };
        Ok(HttpRequest {
            name: block.labels.first().map_or_else(|| "request".to_owned(), |l| l.text.to_string()),
            method: method?.unwrap_or_else(|| default.to_owned()),
            url: needed(url)?,
            headers,
            body: payload,
            expect: expect?,
            capture: capture?,
            timeout_ms: timeout_ms?.unwrap_or(DEFAULT_TIMEOUT_MS),
        })
    }

    fn method(&mut self, body: &Body) -> Eval<Option<String>> {
        let words = METHODS.map(|method| (method, method));
        Ok(self.word(body, "method", &words)?.map(str::to_owned))
    }

    fn checked_url(&mut self, body: &Body, url: Option<Arg>) -> Eval<Option<Arg>> {
        self.no_credentials(body, "url", url.iter().map(Arg::source))?;
        let Some(Arg::Known(text)) = &url else { return Ok(url) };
        let is_http = text.starts_with("http://") || text.starts_with("https://");
        if is_http || text.starts_with("{{") {
            return Ok(url);
        }
        let diagnostic =
            Diagnostic::new(Code::InvalidValue, format!("`{}` is not a URL", shown(text)))
                .label(self.span_of(body, "url"), "here")
                .help("it begins with `https://` or `http://`");
        self.on.fail(diagnostic)
    }

    fn without_secrets(
        &mut self,
        body: &Body,
        headers: BTreeMap<String, Arg>,
    ) -> Eval<BTreeMap<String, Arg>> {
        for (name, value) in &headers {
            let secret = SECRET_HEADERS.contains(&name.to_ascii_lowercase().as_str());
            if secret && value.known().is_some_and(|text| !text.contains("{{")) {
                let message = format!(
                    "the header `{}` carries a secret that stands in the plan",
                    shown(name)
                );
                let diagnostic = Diagnostic::new(Code::SecretInPlan, message)
                    .label_secret(self.span_of(body, "headers"), "here")
                    .help("use `env(\"NAME\")`, a sensitive variable, or a value captured from an earlier request");
                return self.on.fail(diagnostic);
            }
        }
        Ok(headers)
    }

    /// The body: `body` as text, or `json` as a value.
    fn payload(&mut self, body: &Body) -> Eval<Option<Arg>> {
        if let (Some(text), Some(json)) = (attribute(body, "body"), attribute(body, "json")) {
            let message = "`body` and `json` exclude each other";
            let diagnostic = Diagnostic::new(Code::ConflictingAttributes, message)
                .label(json.span, "this one")
                .label(text.span, "or this one");
            return self.on.fail(diagnostic);
        }
        if attribute(body, "json").is_none() {
            return self.arg(body, "body");
        }
        let Some((value, span)) = self.value(body, "json")? else { return Ok(None) };
        self.json_text(&value, span).map(Some)
    }

    fn json_text(&mut self, value: &Value, span: Span) -> Eval<Arg> {
        if let Some(json) = value.to_json() {
            return Ok(Arg::Known(json.to_string()));
        }
        if value.is_known() {
            return self.wrong("json", "a value that JSON can hold", value, span);
        }
        let mut left = Leftover::new();
        let text = format!("jsonencode({})", left.whole(value));
        let deferred = left.finish(self.on, text, true, span)?;
        self.as_arg("json", &deferred, span)
    }

    fn expectation(&mut self, body: &Body) -> Eval<Expectation> {
        let Some(block) = block(body, "expect") else { return Ok(Expectation::default()) };
        let body = &block.body;
        let status = self.statuses(body);
        let headers = self.known_map(body, "headers");
        let json = self.expected_json(body);
        let latency_ms = self.duration(body, "latency");
        let jwt = self.jwt(body);
        Ok(Expectation {
            status: status?,
            headers: headers?,
            json: json?,
            jwt: jwt?,
            latency_ms: latency_ms?,
        })
    }

    fn statuses(&mut self, body: &Body) -> Eval<Vec<u16>> {
        let Some((value, span)) = self.value(body, "status")? else { return Ok(Vec::new()) };
        let items = match &value {
            Value::List(list) => list.items.clone(),
            other => vec![other.clone()],
        };
        let mut statuses = Vec::with_capacity(items.len());
        for item in &items {
            match item.to_number().and_then(Number::as_int) {
                Some(status) if (100..=599).contains(&status) => statuses.push(status as u16),
                Some(status) => {
                    let message = format!("{status} is not an HTTP status");
                    return self.on.error(Code::InvalidValue, message, span);
                }
                None => return self.wrong("status", "a number or a list of numbers", item, span),
            }
        }
        Ok(statuses)
    }

    fn known_map(&mut self, body: &Body, name: &str) -> Eval<BTreeMap<String, String>> {
        let Some((entries, span)) = self.entries(body, name)? else { return Ok(BTreeMap::new()) };
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            match value.to_text() {
                Some(text) => map.insert(key, text.to_string()),
                None => return self.wrong(name, "an object of strings", &value, span),
            };
        }
        Ok(map)
    }

    fn expected_json(&mut self, body: &Body) -> Eval<BTreeMap<String, serde_json::Value>> {
        let Some((entries, span)) = self.entries(body, "json")? else { return Ok(BTreeMap::new()) };
        let mut map = BTreeMap::new();
        for (pointer, value) in entries {
            self.pointer(&pointer, span)?;
            match value.to_json() {
                Some(json) => map.insert(pointer, json),
                None => {
                    return self.wrong("json", "values that are known when planning", &value, span);
                }
            };
        }
        Ok(map)
    }

    /// RFC 6901.
    fn pointer(&mut self, text: &str, span: Span) -> Eval<()> {
        if text.is_empty() || text.starts_with('/') {
            return Ok(());
        }
        let diagnostic =
            Diagnostic::new(Code::InvalidValue, format!("`{}` is not a JSON pointer", shown(text)))
                .label(span, "here")
                .help(format!(
                    "a JSON pointer begins with a slash: \"/{}\"",
                    shown(&text.replace('.', "/"))
                ));
        self.on.fail(diagnostic)
    }

    fn jwt(&mut self, body: &Body) -> Eval<Option<JwtExpectation>> {
        let Some(block) = block(body, "jwt") else { return Ok(None) };
        let pointer = self.text(&block.body, "pointer");
        let jwks_url = self.arg(&block.body, "jwks_url");
        let pointer = needed(pointer)?;
        let span = self.span_of(&block.body, "pointer");
        self.pointer(&pointer, span)?;
        Ok(Some(JwtExpectation { pointer, jwks_url: needed(jwks_url)? }))
    }

    fn captures(&mut self, body: &Body) -> Eval<Vec<Capture>> {
        let Some(block) = block(body, "capture") else { return Ok(Vec::new()) };
        let mut captures = Vec::new();
        for attribute in &block.body.attributes {
            let name = attribute.name.to_string();
            let pointer = needed(self.text(&block.body, &name))?;
            self.pointer(&pointer, attribute.value.span)?;
            captures.push(Capture { name, pointer });
        }
        Ok(captures)
    }
}
