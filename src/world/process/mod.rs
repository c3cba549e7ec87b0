//! Children: argv, never a shell; each under a keeper, in a session without a terminal; output into
//! files, so that a child outlives orthid unharmed when orthid is killed.
//!
//! Flow: the keeper writes its pid and start time to a marker beside the output before the program
//! begins, and stays until everything that the program started is gone. A later orthid that finds
//! the marker can tell whether any of it still lives ([`orphans`]), waits for it instead of
//! starting another, and reads how it ended ([`remains`]).
//!
//! Guarantees: a child is over when its whole tree is; secrets arrive only by environment or 0600
//! files; what is kept of the output is redacted; on cancellation every process of the tree gets
//! SIGTERM, after a grace period SIGKILL. An error means that nothing was started.

mod files;
mod job;
mod keeper;
mod marker;
mod orphan;
mod output;
mod run;
mod start;
#[cfg(test)]
mod tests;
mod tree;
mod wait;

pub use files::{create_folder, memory_file, private_file, private_folder, read, write_private};
pub use job::{Ended, Finished, Job, LONGEST, Rest, Voice};
pub use orphan::{clear_leftover, leftovers, newest, orphans, remains};
pub use run::{pipe, run};
pub use start::NotStarted;
pub use tree::{Work, named};
