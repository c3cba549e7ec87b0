//! Carrying a plan out: events, the transition function, recovery, scheduling and the one async loop.
//!
//! `event`, `state` and `schedule` are pure; `executor` is the one module of the crate that joins plan, store and world.

mod event;
mod journal;

pub use event::{Event, Failure, FailureClass, Intent, Record, RunId, RunStatus};
pub use journal::{canonical_bytes, record_hash};
