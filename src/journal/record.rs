//! One entry of a run's journal: an event with its place in the chain.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::hash::{canonical_bytes, hash_of};
use super::{Event, RunId};

/// One entry of a run's journal, exactly as stored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Record {
    pub run: RunId,
    /// From 1, without gaps.
    pub seq: u64,
    /// The lease's epoch that wrote this record.
    pub epoch: u64,
    /// RFC 3339, UTC, microseconds.
    pub at: String,
    pub event: Event,
    /// SHA-256 (hex) of the previous record's bytes; of the plan's digest for the first.
    pub previous: String,
    /// SHA-256 (hex) of the bytes that this record was made or read as.
    #[serde(skip)]
    hash: String,
}

/// A record's bytes, its event not yet read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored<'a> {
    run: RunId,
    seq: u64,
    epoch: u64,
    at: String,
    #[serde(borrow)]
    event: &'a RawValue,
    previous: String,
}

impl Record {
    /// A new record that follows the one whose hash is `previous`.
    pub fn new(
        run: RunId,
        seq: u64,
        epoch: u64,
        at: String,
        event: Event,
        previous: String,
    ) -> Record {
        let mut record = Record { run, seq, epoch, at, event, previous, hash: String::new() };
        record.hash = hash_of(&canonical_bytes(&record));
        record
    }

    /// The record that these bytes are. Its hash is theirs, whatever a reader makes of them.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn read(bytes: &str) -> Result<Record, String> {
        let read = || {
            let Stored { run, seq, epoch, at, event, previous } = serde_json::from_str(bytes)?;
            let event = Event::read(event.get())?;
            Ok(Record { run, seq, epoch, at, event, previous, hash: hash_of(bytes.as_bytes()) })
        };
        read().map_err(|error: serde_json::Error| error.to_string())
    }

    /// What the next record's `previous` is.
    pub fn hash(&self) -> &str {
        &self.hash
    }
}
