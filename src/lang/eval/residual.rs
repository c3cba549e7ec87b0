//! What was left of an expression when planning, computed when its step runs.

use std::collections::BTreeMap;

use crate::lang::budget::Budget;
use crate::lang::eval::{Evaluator, source_of};
use crate::lang::scope::{Moment, Names, PathScope, PlanScope, ReadOutput};
use crate::lang::{Code, Diagnostic, Value, syntax};
use crate::model::Residual;

/// Why a residual gives no value. The message names variables and steps, never a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ResidualError(String);

/// The text of a residual. `env` reads environment variables; a sensitive variable `x` is read from
/// `ORTHID_VAR_x`.
///
/// # Errors
/// A variable that is not set, an output that a step did not have, a value that is no text.
pub fn eval_residual(
    residual: &Residual,
    outputs: &ReadOutput<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<String, ResidualError> {
    let value = value(residual, outputs, env)?;
    let text = value.to_text();
    text.map(|text| text.to_string())
        .ok_or_else(|| ResidualError(format!("{} is no text", value.with_article())))
}

/// The truth of a residual that is a condition.
///
/// # Errors
/// As [`eval_residual`], and a value that is neither true nor false.
pub fn eval_condition(
    residual: &Residual,
    outputs: &ReadOutput<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<bool, ResidualError> {
    let value = value(residual, outputs, env)?;
    value.to_bool().ok_or_else(|| {
        ResidualError(format!("a condition must be true or false, not {}", value.with_article()))
    })
}

/// The value of a residual, as outputs hold it.
///
/// # Errors
/// As [`eval_residual`].
pub fn eval_value(
    residual: &Residual,
    outputs: &ReadOutput<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<serde_json::Value, ResidualError> {
    let value = value(residual, outputs, env)?;
    value.to_json().ok_or_else(|| ResidualError(format!("{} is no value", value.with_article())))
}

/// A text as the language writes it.
pub fn quoted(text: &str) -> String {
    source_of(&Value::string(text))
}

fn value(
    residual: &Residual,
    outputs: &ReadOutput<'_>,
    env: &dyn Fn(&str) -> Option<String>,
) -> Result<Value, ResidualError> {
    for name in &residual.env {
        if env(name).is_none() {
            return Err(ResidualError(format!("the environment variable {name} is not set")));
        }
    }
    let failed = |diagnostic: Option<&Diagnostic>| {
        // A message may quote a part of a value; of a secret nothing is said.
        let reason = diagnostic.filter(|d| !residual.sensitive || d.code == Code::VariableNotSet);
        let reason = reason.map_or("it can't be computed", |d| d.message.as_str());
        ResidualError(format!("`{}`: {reason}", residual.expr))
    };
    let expr = syntax::parse_expr(&residual.expr, 0).map_err(|d| failed(Some(&d)))?;
    let (plan, locals, path) = (PlanScope::default(), BTreeMap::new(), PathScope::default());
    let names = Names {
        plan: &plan,
        locals: &locals,
        path: &path,
        hop: None,
        each: None,
        captures: None,
        moment: Moment::Apply { outputs, env },
    };
    let budget = Budget::new(residual.expr.len(), 1);
    let no_files =
        |_: &str| Err(Diagnostic::new(Code::NotKnownYet, "files are read when planning"));
    let mut evaluator = Evaluator::new(names, &budget, &no_files);
    let value = evaluator.eval(&expr);
    value.map_err(|_| failed(evaluator.found.first()))
}
