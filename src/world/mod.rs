//! The outside: Helm, Kubernetes, PostgreSQL, HTTP, processes.
//!
//! Every step kind is observed, acted on and undone through [`World`](crate::run::World); the executor knows nothing else
//! of the outside. `survey` finds the facts that a plan is made from. Each system has a folder: `helm`, `kubernetes`,
//! `postgres`, `http`, `process`; each step kind has a file in `steps`.

mod destination;
mod env;
mod error;
mod failure;
pub mod files;
mod helm;
mod http;
mod kubernetes;
mod migrations;
mod postgres;
mod printed;
mod process;
mod real;
mod site;
mod steps;
mod survey;

pub use env::{Environment, SENSITIVE_OUTPUT};
pub use error::WorldError;
pub use process::private_folder;
pub use real::RealWorld;
pub use survey::{StatusCommand, Wanted, survey};
