//! One instantiated step of a plan, with everything that execution needs and no choice left open.

use serde::{Deserialize, Serialize};

use super::{Address, Residual, StepKind, StepSpec};

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
    pub fn kind(&self) -> StepKind {
        self.address.kind
    }

    /// Is there a way to tell whether its effect is there? A command may have none.
    pub fn is_observable(&self) -> bool {
        match &self.spec {
            StepSpec::Run(spec) => spec.observe.is_some(),
            StepSpec::Approve(_)
            | StepSpec::Backup(_)
            | StepSpec::Verify(_)
            | StepSpec::Migrate(_)
            | StepSpec::Roll(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Checkpoint => true,
        }
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
