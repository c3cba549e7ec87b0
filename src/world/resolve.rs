//! Arguments that are known only now: environment variables and outputs of finished steps.
//!
//! Guarantees: a value that the plan calls sensitive is registered with the redactor before anyone else sees it.

use std::collections::BTreeMap;

use super::environment::Environment;
use super::error::WorldError;
use super::redactor::Redactor;
use crate::lang::eval_residual;
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
        let env = |name: &str| self.env.vars.get(name).cloned();
        eval_residual(residual, self.outputs, &env).map_err(|error| WorldError::ValueUnknown {
            what: what.to_owned(),
            reason: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sensitive_value_is_known_to_the_redactor_at_once() {
        let env = Environment::new(BTreeMap::from([("PW".to_owned(), "hunter2".to_owned())]));
        let (outputs, redactor) = (BTreeMap::new(), Redactor::default());
        let resolver = Resolver { env: &env, outputs: &outputs, redactor: &redactor };
        let arg = |name: &str| {
            Arg::Later(Residual {
                expr: format!("\"x-${{env(\\\"{name}\\\")}}\"").replace("\\\"", "\""),
                steps: Vec::new(),
                env: vec![name.to_owned()],
                sensitive: true,
            })
        };
        assert_eq!(resolver.text("it", &arg("PW")).unwrap(), "x-hunter2");
        assert!(!redactor.clean("saw x-hunter2 here").contains("hunter2"));
        let error = resolver.text("it", &arg("NONE")).unwrap_err().to_string();
        assert!(error.contains("NONE"), "{error}");
    }
}
