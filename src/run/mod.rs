//! Carrying a plan out: events, the transition function, recovery, scheduling and the one async loop.
//!
//! `event`, `state` and `schedule` are pure; `executor` is the one module of the crate that joins plan, store and world.

mod event;

pub use event::{Event, Failure, FailureClass, Intent, Record, RunId, RunStatus};
