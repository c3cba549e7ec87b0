//! Values as plans carry them: known, or what is left of an expression once everything known was folded in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Address;

/// What a finished step hands to the steps after it (`backup.before.id`). Never holds a secret.
pub type Outputs = BTreeMap<String, serde_json::Value>;

/// A string argument of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arg {
    Known(String),
    /// Not known when the plan was made, or secret: computed when the step runs and never stored.
    Later(Residual),
}

impl Arg {
    pub fn known(&self) -> Option<&str> {
        match self {
            Arg::Known(text) => Some(text),
            Arg::Later(_) => None,
        }
    }
}

/// The expression that is left once everything known at plan time was folded into literals: only outputs of
/// steps and environment variables remain in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// HCL expression source.
    pub expr: String,
    /// Steps whose outputs the expression reads.
    pub steps: Vec<Address>,
    /// Environment variables that the expression reads with `env()`.
    pub env: Vec<String>,
    pub sensitive: bool,
}

impl Residual {
    /// What people see instead of the value.
    pub fn placeholder(&self) -> &'static str {
        if self.sensitive { "(sensitive value)" } else { "(known after apply)" }
    }
}
