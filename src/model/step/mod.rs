//! One instantiated step of a plan, with everything that execution needs and no choice left open.
//!
//! `kind` has every kind with its arguments and its row of traits, `undo` what undoing means, `rights` what the cluster
//! must grant.

mod approve;
mod kind;
pub mod rights;
mod traits;
mod undo;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Address, Residual};
pub use approve::ApproveSpec;
pub use kind::{
    BackupSpec, MigrateSpec, MigrateVia, Named, ProbeBudget, ProbeSpec, RollSpec, RunSpec,
    SmokeSpec, StepKind, StepSpec, VerifySpec,
};
pub use traits::{Effect, Look, Output, OutputType, Phase, Place, Traits, WayBack};
pub use undo::{Undo, undo_of};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    pub address: Address,
    /// Index of the hop this step belongs to; none for a plain runbook.
    pub hop: Option<usize>,
    pub description: Option<String>,
    /// Every step that must have finished before this one starts. Sorted, without duplicates.
    pub depends_on: Vec<Address>,
    /// A `when` that could not be told at plan time; false skips the step.
    pub when: Option<Residual>,
    /// Bound on one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    pub retry: Retry,
    pub on_failure: OnFailure,
    /// The rollback edge: present when this step is undone on unwinding.
    pub rollback: Option<Rollback>,
    pub spec: StepSpec,
}

impl Step {
    /// A step with these arguments and nothing else: no edges, no conditions, everything else by default.
    pub fn new(name: impl Into<Arc<str>>, spec: StepSpec) -> Step {
        Step::at(Address::new(spec.kind(), name), spec)
    }

    /// As [`Step::new`], with an address that has keys.
    pub fn at(address: Address, spec: StepSpec) -> Step {
        Step {
            address,
            hop: None,
            description: None,
            depends_on: Vec::new(),
            when: None,
            timeout_ms: None,
            retry: Retry::default(),
            on_failure: OnFailure::default(),
            rollback: None,
            spec,
        }
    }

    pub fn kind(&self) -> StepKind {
        self.address.kind
    }

    /// Whether looking at the world says if its effect is there. A command may have no way to look.
    pub fn is_observable(&self) -> bool {
        !matches!(&self.spec, StepSpec::Run(spec) if spec.observe.is_none())
    }

    /// Whether it changes what serves.
    pub fn changes(&self) -> bool {
        self.kind().traits().effect == Effect::Changes
    }
}

/// How transient failures are repeated: exponential from `delay_ms` up to `max_delay_ms`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Attempts in all, the first included; at least 1.
    pub attempts: u32,
    pub delay_ms: u64,
    pub max_delay_ms: u64,
}

impl Default for Retry {
    fn default() -> Self {
        Retry { attempts: 5, delay_ms: 1_000, max_delay_ms: 30_000 }
    }
}

/// What a failed step does to the run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    #[default]
    Rollback,
    Stop,
    Continue,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The verified backup that undoing this step restores (`migrate` only).
    pub restore: Option<Address>,
}
