//! The plain types that every other module shares: addresses, versions, values, step specs.
//!
//! Must not: depend on any other module of this crate, do I/O, or know HCL, Helm or Kubernetes clients.

mod address;
mod hop;
mod http;
pub mod json;
mod public_key;
mod release;
mod step;
mod value;

pub use address::{Address, AddressError};
pub use hop::{Hop, HopKind};
pub use http::{Capture, Expectation, HttpRequest, JwtExpectation};
pub use public_key::{PublicKey, PublicKeyError};
pub use release::{DatabaseSpec, FileDigest, ReleaseSpec, ValuesPolicy, ValuesSpec, VersionOf};
pub use step::{
    ApproveSpec, BackupSpec, Effect, Look, MigrateSpec, MigrateVia, Named, OnFailure, Output,
    OutputType, Phase, Place, ProbeBudget, ProbeSpec, Retry, RollSpec, Rollback, RunSpec,
    SmokeSpec, Step, StepKind, StepSpec, Traits, Undo, VerifySpec, WayBack, rights, undo_of,
};
pub use value::{Arg, Outputs, Residual, SensitiveOutput};
