//! One entry of a run's journal: an event with its place in the chain.

use serde::{Deserialize, Serialize};

use super::{Event, RunId};

/// One entry of a run's journal, exactly as stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub run: RunId,
    /// From 1, without gaps.
    pub seq: u64,
    /// The lease's epoch that wrote this record.
    pub epoch: u64,
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    pub event: Event,
    /// SHA-256 (hex) of the previous record's canonical bytes; of the plan's digest for the first.
    pub previous: String,
}
