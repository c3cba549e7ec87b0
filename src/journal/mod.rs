//! A run's vocabulary: one record for each transition, chained by hash, and the time that records carry.
//!
//! Must not: depend on more than `model`, or know what a record does to a run (`run::state` does) or where it is kept
//! (`store` does).

mod clock;
mod event;
mod failure;
mod hash;
mod record;
mod run_id;

pub use clock::Clock;
pub use event::{Event, Intent, RunStatus};
pub use failure::{Failure, FailureClass};
pub use hash::{canonical_bytes, hash_of};
pub use record::Record;
pub use run_id::RunId;
