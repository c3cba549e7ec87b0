//! The outside: Helm, Kubernetes, PostgreSQL, HTTP, processes.
//!
//! Every step kind is observed, acted on and undone through [`World`](crate::run::World); the executor knows nothing else
//! of the outside.

mod backup;
mod chart;
mod destination;
mod environment;
mod error;
mod exec;
mod failure;
mod helm;
mod http;
mod job;
mod kubernetes;
mod migrate;
mod migrations;
mod observe;
mod package;
mod postgres;
mod probe;
mod process;
mod real;
mod redactor;
mod release;
mod render;
mod resolve;
mod restore;
mod roll;
mod run;
mod site;
mod smoke;
mod verify;
mod watcher;
mod workload;

pub use environment::Environment;
pub use error::WorldError;
pub use observe::{StatusCommand, Wanted, observe};
pub use real::RealWorld;
pub use redactor::Redactor;
