//! The one integration-test binary: what crosses module boundaries, or needs a process, a database or a cluster.

#![allow(clippy::print_stderr, reason = "a long test says what it covered")]
#![allow(clippy::disallowed_methods, reason = "tests start processes and read files")]

mod approvals;
mod architecture;
mod book;
mod cluster;
mod commands;
mod corpus;
mod crash_sweep;
mod error_pages;
mod fencing;
mod fmt;
mod hostile;
mod json_output;
mod language_schema;
mod plans;
mod rehearse;
mod rollback;
mod runs;
mod secrets;
mod signals;
mod soak;
mod storage_faults;
mod store_contract;
mod store_postgres;
mod support;
mod tampering;
mod trees;
mod values;
mod versions;
mod world_contract;
