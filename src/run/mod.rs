//! Carrying a plan out: events, the transition function, recovery, scheduling and the one async loop.
//!
//! Reading order: `event` (what is written), `state` (what it means), `schedule` (what happens next), `attempt` (one step),
//! `executor` (the loop), `report` (what became of it). `event`, `state`, `schedule` and `report` are pure; `executor` is
//! the one module of the crate that joins plan, store and world.

pub mod approval;
mod attempt;
mod clock;
mod contract;
pub mod envelope;
mod executor;
mod head;
mod history;
mod lease;
mod recovery;
mod report;
mod rollback;
mod schedule;
mod state;
mod stored;

pub use approval::GivenApproval;
pub use clock::SystemClock;
pub use contract::{Observation, Progress, Remarks, StepContext, World};
pub use executor::{
    Conditions, Control, Deps, Job, Notice, Options, Outcome, RunError, resume, roll_back, start,
};
pub use head::{Vouched, unvouched};
pub use history::{expected, expected_undo};
pub use lease::LeaseTimes;
pub use recovery::{Explained, explain};
pub use report::{Approval, Outcome as StepOutcome, Proof, Report, Standing, StepReport};
pub use rollback::{Rollback, Undo, rollback};
pub use state::{Approved, BrokenJournal, RunPhase, RunState, StepProgress, StepState};
pub use stored::StoredRun;
