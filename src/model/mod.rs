//! The plain types that every other module shares: addresses, versions, values, step specs.
//!
//! Must not: depend on any other module of this crate, do I/O, or know HCL, Helm or Kubernetes clients.

mod address;
mod hop;
mod spec;
mod step;
mod value;

pub use address::{Address, AddressError, StepKind};
pub use hop::{Hop, HopKind};
pub use spec::{
    ApproveSpec, BackupSpec, Capture, DatabaseSpec, Expectation, FileDigest, HttpRequest,
    JwtExpectation, MigrateSpec, MigrateVia, ProbeBudget, ProbeSpec, ReleaseSpec, RollSpec,
    RunSpec, SmokeSpec, StepSpec, ValuesPolicy, ValuesSpec, VerifySpec, VersionOf,
};
pub use step::{OnFailure, Retry, Rollback, Step};
pub use value::{Arg, Outputs, Residual};
