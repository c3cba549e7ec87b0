//! The smoke step: does the upgraded app do its work?
//!
//! # Flow
//! The requests are sent in order; values captured from one answer fill the next request; each answer is held to its
//! expectations.
//!
//! # Guarantees
//! Succeeds only if every request was answered as expected, in this very attempt. Redirects are not followed: a
//! redirect is an answer.
//!
//! # Assumptions
//! The requests may be repeated.
//!
//! # Caveats
//! What a sign-in leaves in the app (sessions, audit entries) stays.
//!
//! # Errors
//! The first request that was not answered as expected, by name: transient where a later try may do.

use std::time::Duration;

use serde_json::json;

use crate::journal::Failure;
use crate::model::{Outputs, SmokeSpec};
use crate::world::error::chain;
use crate::world::failure::permanent;
use crate::world::http::{Captures, Prepared};
use crate::world::site::Site;

pub async fn act(site: &Site<'_>, spec: &SmokeSpec) -> Result<Outputs, Failure> {
    let client = client()?;
    let resolver = site.resolver();
    let mut captures = Captures::new();
    let mut log = String::new();
    let mut slowest = Duration::ZERO;
    for request in &spec.requests {
        let prepared = Prepared::new(request, &resolver)?;
        let sent = tokio::select! {
            sent = prepared.send(&client, &mut captures, site.redactor) => sent,
            () = site.cx.cancel.cancelled() => Err(crate::world::failure::transient("interrupted")),
        };
        match sent {
            Ok(answer) => {
                let ms = answer.latency.as_millis();
                log.push_str(&format!("{}: {} in {ms} ms\n", request.name, answer.status));
                slowest = slowest.max(answer.latency);
            }
            Err(failure) => {
                log.push_str(&format!("{}: {}\n", request.name, failure.message));
                let kept =
                    site.keep_if_possible(&format!("requests-{}.txt", site.cx.attempt), &log);
                return Err(failure.with_evidence(kept));
            }
        }
    }
    site.keep_if_possible(&format!("requests-{}.txt", site.cx.attempt), &log);
    Ok(Outputs::from([
        ("requests".to_owned(), json!(spec.requests.len())),
        ("slowest_ms".to_owned(), json!(u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX))),
    ]))
}

pub fn client() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .cookie_store(true)
        .no_proxy()
        .user_agent("orthid")
        .build()
        .map_err(|e| permanent(chain(&e)))
}
