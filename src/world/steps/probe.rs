//! The probe step: requests on a fixed schedule while other steps run, so that their users' view of them is known.
//!
//! # Flow
//! The `before` requests run once, to mint a token; then one request is due every interval, by the clock and not by the answer
//! before it, until the steps beside are over.
//!
//! # Guarantees
//! Open-loop: a stall shows as late answers and a long gap, never as fewer requests. New and kept-alive connections take turns.
//!
//! # Assumptions
//! The request may be repeated.
//!
//! # Caveats
//! At most [`MOST_OPEN`] requests are open at once; one that would be over that counts as a failure.
//!
//! # Errors
//! Permanent where the budget of failures or the longest gap is exceeded.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::task::JoinSet;

use super::smoke;
use crate::journal::Failure;
use crate::model::{Outputs, ProbeBudget, ProbeSpec};
use crate::text::secret::Redactor;
use crate::world::error::chain;
use crate::world::failure::{permanent, transient};
use crate::world::http::{Captures, Prepared};
use crate::world::site::Site;

/// Requests that may be open at once.
const MOST_OPEN: usize = 64;
/// Failures that are kept as evidence, with their words.
const MOST_KEPT: usize = 100;

/// What was seen.
#[derive(Debug, Default)]
struct Tally {
    requests: u64,
    failures: u64,
    latencies_ms: Vec<u64>,
    longest_gap: Duration,
    last_success: Option<Instant>,
    words: Vec<String>,
}

pub async fn act(site: &Site<'_>, spec: &ProbeSpec) -> Result<Outputs, Failure> {
    let resolver = site.resolver();
    let kept_alive = smoke::client()?;
    let fresh = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .pool_max_idle_per_host(0)
        .no_proxy()
        .user_agent("orthid")
        .build()
        .map_err(|error| permanent(chain(&error)))?;
    let mut captures = Captures::new();
    for request in &spec.before {
        let prepared = Prepared::new(request, &resolver)?;
        prepared.send(&kept_alive, &mut captures, site.redactor).await?;
    }
    let request = Prepared::new(&spec.request, &resolver)?;
    let mut tally = Tally { last_success: Some(Instant::now()), ..Tally::default() };
    let mut open: JoinSet<Result<Duration, String>> = JoinSet::new();
    let mut due = tokio::time::interval(Duration::from_millis(spec.every_ms.max(1)));
    // A schedule that fell behind is caught up with: every due time counts.
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Burst);
    let mut reported = Instant::now();
    loop {
        tokio::select! {
            biased;
            () = site.cx.finish.cancelled() => break,
            () = site.cx.cancel.cancelled() => return Err(transient("interrupted")),
            Some(ended) = open.join_next() => tally.ended(ended.unwrap_or_else(|e| Err(e.to_string()))),
            _ = due.tick() => {
                if open.len() >= MOST_OPEN {
                    tally.ended(Err(format!("{MOST_OPEN} requests were open already")));
                } else {
                    let client = if tally.requests.is_multiple_of(2) { &fresh } else { &kept_alive };
                    open.spawn(send(
                        client.clone(),
                        request.clone(),
                        captures.clone(),
                        site.redactor.clone(),
                    ));
                }
                tally.requests += 1;
            }
        }
        if reported.elapsed() > Duration::from_secs(1) {
            reported = Instant::now();
            site.progress(format!("{} requests, {} failures", tally.requests, tally.failures));
        }
    }
    while let Some(ended) = open.join_next().await {
        tally.ended(ended.unwrap_or_else(|error| Err(error.to_string())));
    }
    tally.gap();
    site.keep_if_possible("failures.txt", &tally.words.join("\n"));
    tally.judged(&spec.budget)
}

async fn send(
    client: reqwest::Client,
    request: Prepared,
    mut captures: Captures,
    redactor: Redactor,
) -> Result<Duration, String> {
    let sent = request.send(&client, &mut captures, &redactor).await;
    sent.map(|answer| answer.latency).map_err(|failure| redactor.clean(&failure.message))
}

impl Tally {
    fn ended(&mut self, ended: Result<Duration, String>) {
        match ended {
            Ok(latency) => {
                self.gap();
                self.last_success = Some(Instant::now());
                self.latencies_ms.push(u64::try_from(latency.as_millis()).unwrap_or(u64::MAX));
            }
            Err(words) => {
                self.failures += 1;
                if self.words.len() < MOST_KEPT {
                    self.words.push(words);
                }
            }
        }
    }

    /// Takes the time since the last success into the longest gap.
    fn gap(&mut self) {
        if let Some(last) = self.last_success {
            self.longest_gap = self.longest_gap.max(last.elapsed());
        }
    }

    fn judged(mut self, budget: &ProbeBudget) -> Result<Outputs, Failure> {
        self.latencies_ms.sort_unstable();
        let gap_ms = u64::try_from(self.longest_gap.as_millis()).unwrap_or(u64::MAX);
        let seen = format!(
            "{} of {} requests failed, the longest gap was {gap_ms} ms",
            self.failures, self.requests
        );
        let over_gap = budget.gap_ms.is_some_and(|most| gap_ms > most);
        if self.failures > budget.failures || over_gap {
            let first = self.words.first().map(|w| format!("; first: {w}")).unwrap_or_default();
            return Err(permanent(format!("over budget: {seen}{first}")));
        }
        Ok(Outputs::from([
            ("requests".to_owned(), json!(self.requests)),
            ("failures".to_owned(), json!(self.failures)),
            ("longest_gap_ms".to_owned(), json!(gap_ms)),
            ("p50_ms".to_owned(), json!(percentile(&self.latencies_ms, 50))),
            ("p99_ms".to_owned(), json!(percentile(&self.latencies_ms, 99))),
        ]))
    }
}

/// The nearest-rank percentile of sorted values; none where there are none.
fn percentile(sorted: &[u64], percent: usize) -> Option<u64> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_nearest_rank() {
        let sorted: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&sorted, 50), Some(50));
        assert_eq!(percentile(&sorted, 99), Some(99));
        assert_eq!(percentile(&[7], 99), Some(7));
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn a_budget_bounds_failures_and_gaps() {
        let tally = |failures| Tally { requests: 10, failures, ..Tally::default() };
        let budget = ProbeBudget { failures: 1, gap_ms: None };
        assert!(tally(1).judged(&budget).is_ok());
        assert!(tally(2).judged(&budget).is_err());
        let late = Tally { longest_gap: Duration::from_millis(11), ..tally(0) };
        assert!(late.judged(&ProbeBudget { failures: 0, gap_ms: Some(10) }).is_err());
    }
}
