//! Values as plans carry them: known, or what is left of an expression once everything known was folded in.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Address;

/// What a finished step hands to the steps after it (`backup.before.id`). Never holds a secret: one that would is a
/// [`SensitiveOutput`].
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
    /// The text, or the expression that gives it later.
    pub fn source(&self) -> &str {
        match self {
            Arg::Known(text) => text,
            Arg::Later(residual) => &residual.expr,
        }
    }

    pub fn known(&self) -> Option<&str> {
        match self {
            Arg::Known(text) => Some(text),
            Arg::Later(_) => None,
        }
    }
}

/// The expression that is left once everything known at plan time was folded into literals: only outputs of
/// steps and environment variables remain in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// HCL expression source.
    pub expr: String,
    /// Steps whose outputs the expression reads.
    pub steps: Vec<Address>,
    /// Environment variables that the expression reads with `env()`.
    pub env: Vec<String>,
    /// Those of `env` that need not be set: `try` or `can` has an answer without them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub optional_env: Vec<String>,
    pub sensitive: bool,
}

/// An output that holds a secret, as records keep it: the expression that reads it again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SensitiveOutput {
    pub sensitive: Residual,
}

impl SensitiveOutput {
    /// What an output refers to, where it is a reference.
    pub fn of(output: &serde_json::Value) -> Option<SensitiveOutput> {
        let object = output.as_object().filter(|object| object.contains_key("sensitive"))?;
        serde_json::from_value(object.clone().into()).ok()
    }

    pub fn into_value(self) -> serde_json::Value {
        serde_json::to_value(self).expect("a residual is plain data")
    }

    /// An output as people see it.
    pub fn shown(output: &serde_json::Value) -> serde_json::Value {
        match SensitiveOutput::of(output) {
            Some(reference) => reference.sensitive.placeholder().into(),
            None => output.clone(),
        }
    }
}

impl Residual {
    /// What people see instead of the value.
    pub fn placeholder(&self) -> &'static str {
        if self.sensitive { "(sensitive value)" } else { "(known after apply)" }
    }
}
