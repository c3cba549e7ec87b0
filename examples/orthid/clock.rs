//! The time: the one place that reads the clock.

/// Seconds since the epoch.
#[expect(clippy::disallowed_methods, reason = "the service's own boundary to the clock")]
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}
