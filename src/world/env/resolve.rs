//! Arguments that are known only now: environment variables and outputs of finished steps.
//!
//! Guarantees: a value that is sensitive is known to the redactor before anyone else sees it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::Value;

use super::{Environment, HeldOutputs};
use crate::lang;
use crate::model::{Address, Arg, Outputs, Residual, SensitiveOutput};
use crate::text::secret::Redactor;
use crate::world::error::WorldError;

/// What arguments may be computed from.
#[derive(Clone, Debug)]
pub struct Resolver<'a> {
    pub env: &'a Environment,
    pub outputs: &'a BTreeMap<Address, Outputs>,
    /// Values of outputs that `outputs` only refers to.
    pub held: &'a HeldOutputs,
    pub redactor: &'a Redactor,
}

/// The text of an argument.
#[derive(Clone)]
pub struct Resolved {
    pub text: String,
    /// A secret went into it.
    pub sensitive: bool,
}

impl Resolver<'_> {
    /// The text of an argument; `what` names it in the error.
    pub fn text(&self, what: &str, arg: &Arg) -> Result<String, WorldError> {
        Ok(self.resolve(what, arg)?.text)
    }

    /// The same, with whether it is a secret.
    pub fn resolve(&self, what: &str, arg: &Arg) -> Result<Resolved, WorldError> {
        let residual = match arg {
            Arg::Known(text) => return Ok(Resolved { text: text.clone(), sensitive: false }),
            Arg::Later(residual) => residual,
        };
        let (text, sensitive) = self.evaluate(what, residual, lang::eval_residual)?;
        if sensitive {
            self.redactor.register(&text);
        }
        Ok(Resolved { text, sensitive })
    }

    /// Whether a condition holds.
    pub fn condition(&self, residual: &Residual) -> Result<bool, WorldError> {
        Ok(self.evaluate("a condition", residual, lang::eval_condition)?.0)
    }

    /// Makes every secret among the outputs known to the redactor; false where one can't be had any
    /// more.
    pub fn knows_outputs(&self) -> bool {
        self.outputs.iter().all(|(step, outputs)| {
            outputs.iter().all(|(name, value)| {
                SensitiveOutput::of(value).is_none_or(|it| self.secret(step, name, &it).is_some())
            })
        })
    }

    /// The value of a sensitive output: as this process holds it, or read where its reference says.
    fn secret(&self, step: &Address, name: &str, reference: &SensitiveOutput) -> Option<Value> {
        if let Some(held) = self.held.get(step, name) {
            return Some(held);
        }
        let env = |name: &str| self.env.var(name).map(str::to_owned);
        let value = lang::eval_value(&reference.sensitive, &|_, _| None, &env).ok()?;
        self.redactor.register_value(&value);
        Some(value)
    }

    fn evaluate<T>(
        &self,
        what: &str,
        residual: &Residual,
        eval: impl FnOnce(
            &Residual,
            &lang::ReadOutput<'_>,
            &dyn Fn(&str) -> Option<String>,
        ) -> Result<T, lang::ResidualError>,
    ) -> Result<(T, bool), WorldError> {
        if residual.sensitive {
            // The parts are as secret as the whole.
            for name in &residual.env {
                self.redactor.register_variable(name, self.env.var(name).unwrap_or_default());
            }
        }
        let sensitive = Cell::new(residual.sensitive);
        let gone = RefCell::new(None);
        let output = |step: &Address, name: &str| {
            let value = self.outputs.get(step)?.get(name)?;
            let Some(reference) = SensitiveOutput::of(value) else { return Some(value.clone()) };
            sensitive.set(true);
            let found = self.secret(step, name, &reference);
            if found.is_none() {
                gone.replace(Some(WorldError::OutputGone {
                    step: step.to_string(),
                    output: name.to_owned(),
                    variables: reference.sensitive.env.join(", "),
                }));
            }
            found
        };
        let env = |name: &str| self.env.var(name).map(str::to_owned);
        let result = eval(residual, &output, &env);
        match (result, gone.take()) {
            (Ok(value), _) => Ok((value, sensitive.get())),
            (Err(_), Some(gone)) => Err(gone),
            (Err(error), None) => {
                Err(WorldError::ValueUnknown { what: what.to_owned(), reason: error.to_string() })
            }
        }
    }
}
