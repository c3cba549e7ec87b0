//! Arguments that are known only now: environment variables and outputs of finished steps.
//!
//! Guarantees: a value that the plan calls sensitive is registered with the redactor before anyone else sees it.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::error::WorldError;
use super::redactor::Redactor;
use crate::model::{Address, Arg, Outputs, Residual};

/// What arguments may be computed from.
#[derive(Clone, Debug)]
pub struct Resolver<'a> {
    pub env: &'a Environment,
    pub outputs: &'a BTreeMap<Address, Outputs>,
    pub redactor: &'a Redactor,
}

impl Resolver<'_> {
    /// The text of an argument; `what` names it in the error.
    pub fn text(&self, what: &str, arg: &Arg) -> Result<String, WorldError> {
        match arg {
            Arg::Known(text) => Ok(text.clone()),
            Arg::Later(residual) => {
                let text = self.evaluate(what, residual)?;
                if residual.sensitive {
                    self.redactor.register(&text);
                }
                Ok(text)
            }
        }
    }

    fn evaluate(&self, what: &str, residual: &Residual) -> Result<String, WorldError> {
        let unknown = |reason: String| WorldError::ValueUnknown { what: what.to_owned(), reason };
        for name in &residual.env {
            if self.env.var(name).is_none() {
                return Err(unknown(format!("the environment variable {name} is not set")));
            }
        }
        let inner = residual.expr.trim().strip_prefix("env(").and_then(|e| e.strip_suffix(')'));
        let name = inner.and_then(|name| serde_json::from_str::<String>(name.trim()).ok());
        name.and_then(|name| self.env.var(&name).map(str::to_owned))
            .ok_or_else(|| unknown(format!("`{}` can't be computed", residual.expr)))
    }
}
