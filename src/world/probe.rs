//! The probe step: requests all through a roll, on a schedule that a stall can't stretch.
//!
//! # Flow
//! The requests of `before` run once (a token is minted). Then the probe's request is sent at fixed times, whatever
//! became of those before it, in turn over kept connections and over new ones, until the steps it runs beside are over.
//!
//! # Guarantees
//! Open loop: a server that stalls does not slow the schedule, so a stall is seen as what its users would see. At most
//! [`LIMIT`] requests are under way; one that finds no place counts as failed.
//!
//! # Assumptions
//! The request may be repeated at any time.
//!
//! # Caveats
//! One machine's view. Latencies include this machine's own.
//!
//! # Errors
//! Over budget is permanent, and says by how much. A first request that fails means that the app does not serve before
//! anything was changed.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Mutex, Semaphore};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::http::{Captures, Prepared};
use super::redactor::Redactor;
use super::site::Site;
use super::smoke;
use crate::model::{Outputs, ProbeBudget, ProbeSpec};
use crate::run::Failure;

/// Requests under way at once.
pub const LIMIT: usize = 256;
/// Failures that are kept word for word.
const KEPT_FAILURES: usize = 200;

/// What the probe has seen so far.
#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    failures: u64,
    latencies_us: Vec<u64>,
    /// When each success was scheduled, from the start.
    successes: Vec<Duration>,
    log: Vec<String>,
}

pub async fn act(site: &Site<'_>, spec: &ProbeSpec) -> Result<Outputs, Failure> {
    let resolver = site.resolver();
    let mut captures = Captures::new();
    let client = smoke::client()?;
    for request in &spec.before {
        Prepared::new(request, &resolver)?.send(&client, &mut captures, site.redactor).await?;
    }
    let request = Arc::new(Prepared::new(&spec.request, &resolver)?);
    let captures = Arc::new(captures);
    let tally = Arc::new(Mutex::new(Tally::default()));
    let places = Arc::new(Semaphore::new(LIMIT));
    let start = Instant::now();
    let every = Duration::from_millis(spec.every_ms.max(1));
    let mut sent = JoinSet::new();
    let mut n = 0_u32;
    loop {
        let due = start + every * n;
        tokio::select! {
            biased;
            () = site.cx.finish.cancelled() => break,
            () = site.cx.cancel.cancelled() => {
                return Err(Failure::transient("the probe was interrupted"));
            }
            () = tokio::time::sleep_until(due) => {}
        }
        while sent.try_join_next().is_some() {}
        let at = due.duration_since(start);
        // Every other request opens its own connection: a client that comes new meets other faults than one that stays.
        let client = if n.is_multiple_of(2) { client.clone() } else { smoke::client()? };
        match Arc::clone(&places).try_acquire_owned() {
            Err(_) => tally.lock().await.failed(at, "256 requests were under way already"),
            Ok(place) => {
                let (request, captures, tally) = (request.clone(), captures.clone(), tally.clone());
                let redactor = site.redactor.clone();
                sent.spawn(async move {
                    let _place = place;
                    one(&request, &client, (*captures).clone(), &redactor, at, due, &tally).await;
                });
            }
        }
        n += 1;
        if n.is_multiple_of(50) {
            let tally = tally.lock().await;
            site.progress(format!("{} requests, {} failures", tally.requests, tally.failures));
        }
    }
    while sent.join_next().await.is_some() {}
    let tally = tally.lock().await;
    let length = start.elapsed();
    let evidence =
        site.keep_if_possible(&format!("failures-{}.txt", site.cx.attempt), &tally.log.join("\n"));
    let outputs = tally.outputs(length);
    match tally.over(&spec.budget, length) {
        None => Ok(outputs),
        Some(reason) => Err(Failure::permanent(reason).with_evidence(evidence)),
    }
}

async fn one(
    request: &Prepared,
    client: &reqwest::Client,
    mut captures: Captures,
    redactor: &Redactor,
    at: Duration,
    due: Instant,
    tally: &Mutex<Tally>,
) {
    let answer = request.send(client, &mut captures, redactor).await;
    // Counted from when it was due: what waited for a place or a connection waited for the server.
    let latency = due.elapsed();
    let mut tally = tally.lock().await;
    match answer {
        Ok(_) => tally.succeeded(at, latency),
        Err(failure) => tally.failed(at, &failure.message),
    }
}

impl Tally {
    fn succeeded(&mut self, at: Duration, latency: Duration) {
        self.requests += 1;
        self.latencies_us.push(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
        self.successes.push(at);
    }

    fn failed(&mut self, at: Duration, reason: &str) {
        self.requests += 1;
        self.failures += 1;
        if self.log.len() < KEPT_FAILURES {
            self.log.push(format!("{} ms: {reason}", at.as_millis()));
        }
    }

    /// The longest time without a success, beginning and end included.
    fn longest_gap(&self, length: Duration) -> Duration {
        let mut times = self.successes.clone();
        times.sort();
        times.push(length);
        let mut last = Duration::ZERO;
        let mut longest = Duration::ZERO;
        for at in times {
            longest = longest.max(at.saturating_sub(last));
            last = last.max(at);
        }
        longest
    }

    fn percentile_ms(&self, percent: u64) -> f64 {
        let mut sorted = self.latencies_us.clone();
        sorted.sort_unstable();
        let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
        let rank = (sorted.len() * usize::try_from(percent).unwrap_or(100)).div_ceil(100);
        let us = sorted[rank.saturating_sub(1).min(last)];
        #[expect(
            clippy::cast_precision_loss,
            reason = "microseconds of a request fit many times over"
        )]
        let ms = us as f64 / 1000.0;
        (ms * 10.0).round() / 10.0
    }

    fn outputs(&self, length: Duration) -> Outputs {
        let gap = u64::try_from(self.longest_gap(length).as_millis()).unwrap_or(u64::MAX);
        Outputs::from([
            ("requests".to_owned(), json!(self.requests)),
            ("failures".to_owned(), json!(self.failures)),
            ("longest_gap_ms".to_owned(), json!(gap)),
            ("p50_ms".to_owned(), json!(self.percentile_ms(50))),
            ("p99_ms".to_owned(), json!(self.percentile_ms(99))),
        ])
    }

    fn over(&self, budget: &ProbeBudget, length: Duration) -> Option<String> {
        let ProbeBudget { failures, gap_ms } = budget;
        if self.failures > *failures {
            let first = self.log.first().map(String::as_str).unwrap_or_default();
            return Some(format!(
                "{} of {} requests failed; the budget is {failures}. The first at {first}",
                self.failures, self.requests
            ));
        }
        let gap = self.longest_gap(length).as_millis();
        let bound = gap_ms.filter(|bound| gap > u128::from(*bound))?;
        Some(format!("{gap} ms went by without a success; the budget is {bound} ms"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn the_longest_gap_counts_to_the_very_end() {
        let mut tally = Tally::default();
        for at in [0, 100, 200] {
            tally.succeeded(ms(at), ms(3));
        }
        tally.failed(ms(300), "refused");
        assert_eq!(tally.longest_gap(ms(900)), ms(700));
        assert_eq!(tally.longest_gap(ms(210)), ms(100));
    }

    #[test]
    fn budgets_are_held() {
        let mut tally = Tally::default();
        tally.succeeded(ms(0), ms(3));
        tally.failed(ms(100), "refused");
        let budget = |failures, gap_ms| ProbeBudget { failures, gap_ms };
        assert!(tally.over(&budget(0, None), ms(150)).unwrap().contains("1 of 2 requests failed"));
        assert_eq!(tally.over(&budget(1, None), ms(150)), None);
        assert!(tally.over(&budget(1, Some(100)), ms(150)).unwrap().contains("150 ms went by"));
    }

    #[test]
    fn percentiles_are_by_nearest_rank() {
        let mut tally = Tally::default();
        for n in 1..=100 {
            tally.succeeded(ms(n), ms(n));
        }
        assert_eq!((tally.percentile_ms(50), tally.percentile_ms(99)), (50.0, 99.0));
    }
}
