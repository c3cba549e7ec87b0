//! Arguments that are known only now: environment variables and outputs of finished steps.
//!
//! Guarantees: a value that the plan calls sensitive is registered with the redactor before anyone else sees it.

use std::collections::BTreeMap;

use super::{Environment, Redactor};
use crate::lang;
use crate::model::{Address, Arg, Outputs, Residual};
use crate::world::error::WorldError;

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
        if residual.sensitive {
            // The parts are as secret as the whole.
            for secret in residual.env.iter().filter_map(|name| self.env.var(name)) {
                self.redactor.register(secret);
            }
        }
        let env = |name: &str| self.env.var(name).map(str::to_owned);
        lang::eval_residual(residual, self.outputs, &env).map_err(|error| {
            WorldError::ValueUnknown { what: what.to_owned(), reason: error.to_string() }
        })
    }
}
