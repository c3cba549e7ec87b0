//! Outputs of steps that hold secrets: records keep a reference, this process keeps the value.
//!
//! The reference is an expression: over the environment variables whose secrets the value is made
//! of, or, for a secret that the step made, over a variable that a person sets where the process
//! that held it is gone.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::journal::Failure;
use crate::lang;
use crate::model::{Address, Outputs, Residual, SensitiveOutput, StepSpec};
use crate::text::secret::{Part, Redactor};
use crate::world::failure::permanent;
use crate::world::site::short_hash;

/// Prefix of the variables that stand for outputs whose values nothing else can give.
pub const SENSITIVE_OUTPUT: &str = "ORTHID_OUTPUT_";

/// Values by step and name of output. Clones share them.
#[derive(Clone, Default)]
pub struct HeldOutputs(Arc<Mutex<BTreeMap<(Address, String), Value>>>);

impl fmt::Debug for HeldOutputs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HeldOutputs(…)")
    }
}

impl HeldOutputs {
    pub fn get(&self, step: &Address, name: &str) -> Option<Value> {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.get(&(step.clone(), name.to_owned())).cloned()
    }

    fn put(&self, step: &Address, name: &str, value: Value) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.insert((step.clone(), name.to_owned()), value);
    }

    /// What may be recorded of a step's outputs.
    ///
    /// # Errors
    /// An output that has the form of a reference: it would be read from the environment.
    pub fn take(
        &self,
        step: &Address,
        spec: &StepSpec,
        outputs: Outputs,
        redactor: &Redactor,
    ) -> Result<Outputs, Failure> {
        // Those of other kinds are made by orthid, of things that it may tell.
        let StepSpec::Run(spec) = spec else { return Ok(outputs) };
        let mut kept = Outputs::new();
        for (name, value) in outputs {
            if SensitiveOutput::of(&value).is_some() {
                return Err(permanent(format!(
                    "the output `{name}` has the form in which orthid records a secret"
                ))
                .help("give it another form: only orthid writes { \"sensitive\": … }"));
            }
            let declared = spec.sensitive_outputs.contains(&name);
            if !declared && !redactor.holds_in(&value) {
                kept.insert(redactor.without_secrets(&name), value);
                continue;
            }
            let reference = reference(step, &name, &value, redactor);
            redactor.register_value(&value);
            self.put(step, &name, value);
            kept.insert(name, reference.into_value());
        }
        Ok(kept)
    }
}

/// Where a value can be read again.
fn reference(step: &Address, name: &str, value: &Value, redactor: &Redactor) -> SensitiveOutput {
    let of_variables = value.as_str().and_then(|text| redactor.parts(text)).and_then(expression);
    let (expr, env) = of_variables.unwrap_or_else(|| {
        let variable = variable(step, name);
        let read = format!("env(\"{variable}\")");
        let expr = if value.is_string() { read } else { format!("jsondecode({read})") };
        (expr, vec![variable])
    });
    SensitiveOutput { sensitive: Residual { expr, env, sensitive: true, ..Residual::default() } }
}

/// `["Bearer ", TOKEN]` → `join("", ["Bearer ", env("TOKEN")])`; none where no variable is in it.
fn expression(parts: Vec<Part>) -> Option<(String, Vec<String>)> {
    let mut env = Vec::new();
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Part::Text(text) => texts.push(lang::quoted(&text)),
            Part::Variable(name) => {
                texts.push(format!("env({})", lang::quoted(&name)));
                if !env.contains(&name) {
                    env.push(name);
                }
            }
        }
    }
    match (texts.as_slice(), env.is_empty()) {
        (_, true) => None,
        ([one], false) => Some((one.clone(), env)),
        (several, false) => Some((format!("join(\"\", [{}])", several.join(", ")), env)),
    }
}

/// The variable that stands for an output whose value nothing else can give:
/// `ORTHID_OUTPUT_run_mint_token`.
fn variable(step: &Address, name: &str) -> String {
    let plain = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
    };
    let block = step.block();
    let key = match block == *step {
        true => String::new(),
        false => format!("_{}", short_hash(&step.to_string())),
    };
    format!("{SENSITIVE_OUTPUT}{}{key}_{}", plain(&block.to_string()), plain(name))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::super::{Environment, Resolver};
    use super::*;
    use crate::model::{Arg, StepKind};

    fn spec(sensitive_outputs: &[&str]) -> StepSpec {
        let mut spec = StepSpec::smallest(StepKind::Run);
        if let StepSpec::Run(run) = &mut spec {
            run.sensitive_outputs = sensitive_outputs.iter().map(ToString::to_string).collect();
        }
        spec
    }

    fn known() -> Redactor {
        let redactor = Redactor::default();
        redactor.register_variable("TOK", "hunter2");
        redactor
    }

    fn outputs(value: Value) -> Outputs {
        value.as_object().unwrap().clone().into_iter().collect()
    }

    #[test]
    fn secrets_are_recorded_as_what_reads_them_again() {
        let step = Address::new(StepKind::Run, "one");
        let printed = json!({
            "user": "ann", "token": "hunter2", "header": "Bearer ${hunter2}", "encoded": "aHVudGVyMg==",
            "nested": {"list": ["hunter2"]}, "minted": "abc", "count": 3,
        });
        let kept =
            HeldOutputs::default().take(&step, &spec(&["minted"]), outputs(printed), &known());
        let kept = kept.unwrap();
        let text: String = kept
            .iter()
            .map(|(name, value)| match SensitiveOutput::of(value) {
                Some(reference) => format!("{name} = {}\n", reference.sensitive.expr),
                None => format!("{name} : {value}\n"),
            })
            .collect();
        expect![[r#"
            count : 3
            encoded = env("ORTHID_OUTPUT_run_one_encoded")
            header = join("", ["Bearer $${", env("TOK"), "}"])
            minted = env("ORTHID_OUTPUT_run_one_minted")
            nested = jsondecode(env("ORTHID_OUTPUT_run_one_nested"))
            token = env("TOK")
            user : "ann"
        "#]]
        .assert_eq(&text);
        assert!(!serde_json::to_string(&kept).unwrap().contains("hunter2"));
    }

    #[test]
    fn a_reference_gives_the_value_back_here_and_in_a_later_process() {
        let step = Address::new(StepKind::Run, "one");
        let printed = json!({"header": "Bearer ${hunter2}", "minted": "m1nted", "user": "ann"});
        let here = HeldOutputs::default();
        let redactor = known();
        let kept = here.take(&step, &spec(&["minted"]), outputs(printed), &redactor).unwrap();
        assert_eq!(redactor.clean("m1nted"), "(sensitive value)", "a declared output is a secret");
        let outputs = BTreeMap::from([(step.clone(), kept)]);
        let read = |held: &HeldOutputs, vars: &[(&str, &str)], name: &str| {
            let vars = vars.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
            let env = Environment::new(vars);
            let redactor = Redactor::default();
            let resolver = Resolver { env: &env, outputs: &outputs, held, redactor: &redactor };
            let arg = Arg::Later(Residual {
                expr: format!("run.one.{name}"),
                steps: vec![step.clone()],
                ..Residual::default()
            });
            let resolved = resolver.resolve("it", &arg).map_err(|error| error.to_string())?;
            assert_eq!(redactor.holds(&resolved.text), resolved.sensitive);
            Ok::<_, String>((resolved.text, resolved.sensitive))
        };
        let there = HeldOutputs::default();
        let secret = |text: &str| Ok((text.to_owned(), true));
        assert_eq!(read(&here, &[], "minted"), secret("m1nted"));
        assert_eq!(read(&here, &[], "user"), Ok(("ann".to_owned(), false)));
        assert_eq!(read(&there, &[("TOK", "hunter2")], "header"), secret("Bearer ${hunter2}"));
        let again = [("ORTHID_OUTPUT_run_one_minted", "m1nted")];
        assert_eq!(read(&there, &again, "minted"), secret("m1nted"));
        expect![
            "the output `minted` of run.one is sensitive, and the process that held it is gone"
        ]
        .assert_eq(&read(&there, &[], "minted").unwrap_err());
    }

    #[test]
    fn a_command_can_not_forge_a_reference() {
        let step = Address::new(StepKind::Run, "one");
        let forged = json!({"x": {"sensitive": {"expr": "env(\"AWS\")", "steps": [], "env": ["AWS"], "sensitive": true}}});
        let refused = HeldOutputs::default().take(&step, &spec(&[]), outputs(forged), &known());
        expect!["the output `x` has the form in which orthid records a secret"]
            .assert_eq(&refused.unwrap_err().message);
    }
}
