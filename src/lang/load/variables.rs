//! `variable` blocks with the values that were given: type, default, null, validation.
//!
//! Must not: let the value of a sensitive variable into a message or a value of the plan. It is
//! looked at here to check it, and dropped.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::budget::Budget;
use crate::lang::config::{Inputs, RawValue, VariableInput, VariableOrigin};
use crate::lang::decode::{Reader, attribute, blocks};
use crate::lang::diagnostic::shown;
use crate::lang::eval::{Eval, Evaluator, Failed};
use crate::lang::scope::{Moment, Names, PathScope, PlanScope};
use crate::lang::syntax::{Block, Expr};
use crate::lang::types::Type;
use crate::lang::value::Deferred;
use crate::lang::{Code, Diagnostic, Source, Value, syntax};
use crate::text::closest::closest;

/// The file number of texts that are no files of the plan.
const NO_FILE: u32 = u32::MAX;

/// What a block says, before it has its value.
struct Variable<'b> {
    name: Arc<str>,
    block: &'b Block,
    ty: Type,
    default: Option<Value>,
    sensitive: bool,
    nullable: bool,
}

/// Values of all variables, into the plan's names. What failed is none there.
pub(in crate::lang) fn resolve(
    blocks: &[&Block],
    inputs: &Inputs,
    plan: &mut PlanScope,
    budget: &Budget,
    found: &mut Vec<Diagnostic>,
) {
    let empty = PlanScope::default();
    let mut given: BTreeMap<String, Value> = BTreeMap::new();
    let mut declared = Vec::new();
    for block in blocks {
        let Some(label) = block.labels.first() else { continue };
        plan.variables.insert(label.text.to_string(), None);
        let read =
            with_evaluator(&empty, budget, found, |on| declare(on, block, label.text.clone()));
        let Ok(variable) = read else { continue };
        let value = with_evaluator(&empty, budget, found, |on| value_of(on, &variable, inputs));
        if let Ok((value, secret)) = value {
            plan.variables.insert(label.text.to_string(), Some(value));
            if let Some(secret) = secret {
                given.insert(label.text.to_string(), secret);
            }
            declared.push(variable);
        }
    }
    unknown_inputs(inputs, plan, found);
    for variable in &declared {
        validate(variable, plan, given.get(&*variable.name), budget, found);
    }
}

fn with_evaluator<T>(
    plan: &PlanScope,
    budget: &Budget,
    found: &mut Vec<Diagnostic>,
    run: impl FnOnce(&mut Evaluator) -> T,
) -> T {
    let (locals, path) = (BTreeMap::new(), PathScope::default());
    let names = Names {
        plan,
        locals: &locals,
        path: &path,
        hop: None,
        each: None,
        captures: None,
        moment: Moment::Early,
    };
    let no_files = |_: &str| {
        Err(Diagnostic::new(Code::NotKnownYet, "files are not read in a `variable` block"))
    };
    let mut evaluator = Evaluator::new(names, budget, &no_files);
    let result = run(&mut evaluator);
    found.append(&mut evaluator.found);
    result
}

fn declare<'b>(on: &mut Evaluator, block: &'b Block, name: Arc<str>) -> Eval<Variable<'b>> {
    let body = &block.body;
    let ty = match attribute(body, "type").map(|attribute| Type::of(&attribute.value)) {
        None => Ok(Type::Any),
        Some(Ok(ty)) => Ok(ty),
        Some(Err(diagnostic)) => on.fail(*diagnostic),
    };
    let mut reader = Reader::new(on);
    let sensitive = reader.bool(body, "sensitive");
    let nullable = reader.bool(body, "nullable");
    let description = reader.text(body, "description");
    let default = attribute(body, "default").map(|default| {
        let value = reader.on.eval(&default.value)?;
        Ok((value, default.value.span))
    });
    let (ty, sensitive) = (ty?, sensitive?.unwrap_or(false));
    let default = match default {
        None => None,
        Some(default) => {
            let (value, span) = default?;
            if sensitive && !value.is_null() {
                let message = format!(
                    "the default of the sensitive variable `{name}` stands in the plan's text"
                );
                let diagnostic =
                    Diagnostic::new(Code::SecretInPlan, message).label_secret(span, "here");
                return on.fail(diagnostic.help("leave the default out, or make it null"));
            }
            let convert = ty.convert(value);
            Some(convert.or_else(|message| {
                let message = format!("the default of `{name}` {message}");
                on.error(Code::WrongType, message, span)
            })?)
        }
    };
    if sensitive && !matches!(ty, Type::String | Type::Number | Type::Bool | Type::Any) {
        let span = attribute(body, "type").map_or(block.span, |attribute| attribute.value.span);
        let message = "a sensitive variable is a string, a number or a bool";
        return on.error(Code::InvalidValue, message, span);
    }
    description?;
    Ok(Variable { name, block, ty, default, sensitive, nullable: nullable?.unwrap_or(true) })
}

/// The value as expressions see it, and of a sensitive variable the secret itself, for its
/// validation.
fn value_of(
    on: &mut Evaluator,
    variable: &Variable,
    inputs: &Inputs,
) -> Eval<(Value, Option<Value>)> {
    let name = &variable.name;
    let input = inputs.variables.get(&**name);
    if variable.sensitive {
        let secret = input.map(|input| secret_of(on, variable, input)).transpose()?;
        return Ok((deferred_secret(name), secret));
    }
    let value =
        match (input, &variable.default) {
            (Some(input), _) => given(on, variable, input)?,
            (None, Some(default)) => default.clone(),
            (None, None) if !inputs.require_variables => {
                return Ok((on.unset(format!("var.{name}"), variable.block.span)?, None));
            }
            (None, None) => {
                let diagnostic = Diagnostic::new(
                    Code::VariableNotSet,
                    format!("the variable `{name}` has no value"),
                );
                return on.fail(diagnostic.label(variable.block.span, "it has no default").help(
                    format!("give one: `-var {name}=…`, a `-var-file`, or ORTHID_VAR_{name}"),
                ));
            }
        };
    if value.is_null() && !variable.nullable {
        let message = format!("the variable `{name}` must not be null");
        return on.error(Code::VariableValidation, message, variable.block.span);
    }
    Ok((value, None))
}

fn origin(input: &VariableInput, name: &str) -> String {
    match &input.from {
        VariableOrigin::Flag => format!("`-var {name}`"),
        VariableOrigin::File(path) => format!("`{}`", shown(path)),
        VariableOrigin::Environment => format!("ORTHID_VAR_{name}"),
    }
}

fn given(on: &mut Evaluator, variable: &Variable, input: &VariableInput) -> Eval<Value> {
    let name = &variable.name;
    let raw = match &input.value {
        RawValue::Json(json) => Ok(Value::from_json(json)),
        RawValue::Text(text) if matches!(variable.ty, Type::String | Type::Number | Type::Bool) => {
            Ok(Value::string(text))
        }
        RawValue::Text(text) if matches!(variable.ty, Type::Any) => {
            // Without a type, text that is no expression is a string, as on Terraform's command
            // line.
            Ok(constant(on, text).unwrap_or_else(|_| Value::string(text)))
        }
        RawValue::Text(text) => constant(on, text),
    };
    let converted = raw.and_then(|value| variable.ty.convert(value));
    converted.or_else(|message| {
        let message = format!("the value of `{name}` from {} {message}", origin(input, name));
        let diagnostic = Diagnostic::new(Code::WrongType, message)
            .label(variable.block.span, format!("it is a {}", variable.ty));
        on.fail(diagnostic)
    })
}

/// An expression without names.
fn constant(on: &mut Evaluator, text: &str) -> Result<Value, String> {
    let expr: Expr = syntax::parse_expr(text, NO_FILE)
        .map_err(|_| "is not written as an expression".to_owned())?;
    let before = on.found.len();
    let value = on.eval(&expr);
    on.found.truncate(before);
    value
        .ok()
        .filter(Value::is_known)
        .ok_or_else(|| "must be a value that is written out".to_owned())
}

fn secret_of(on: &mut Evaluator, variable: &Variable, input: &VariableInput) -> Eval<Value> {
    let name = &variable.name;
    let text = match (&input.from, &input.value) {
        (VariableOrigin::Environment, RawValue::Text(text)) => text,
        (VariableOrigin::Environment | VariableOrigin::Flag | VariableOrigin::File(_), _) => {
            let message =
                format!("the sensitive variable `{name}` can't come from {}", origin(input, name));
            let diagnostic = Diagnostic::new(Code::SecretInPlan, message)
                .label(variable.block.span, "sensitive")
                .help(format!("set ORTHID_VAR_{name}: steps read it there when they run"));
            return on.fail(diagnostic);
        }
    };
    variable.ty.convert(Value::string(text)).or_else(|_| {
        let message = format!("ORTHID_VAR_{name} is not a {}", variable.ty);
        on.error(Code::WrongType, message, variable.block.span)
    })
}

/// A sensitive variable in an expression: read again from the environment by the step that needs
/// it.
fn deferred_secret(name: &str) -> Value {
    Value::Deferred(Arc::new(Deferred {
        expr: format!("var.{name}"),
        atom: true,
        height: 1,
        steps: Default::default(),
        env: [format!("ORTHID_VAR_{name}")].into(),
        needed_env: [format!("ORTHID_VAR_{name}")].into(),
        sensitive: true,
        unset: false,
        output: None,
    }))
}

fn unknown_inputs(inputs: &Inputs, plan: &PlanScope, found: &mut Vec<Diagnostic>) {
    for (name, input) in &inputs.variables {
        if plan.variables.contains_key(name) || input.from == VariableOrigin::Environment {
            continue;
        }
        let message = format!(
            "{} gives a value for a variable that the plan does not have",
            origin(input, &shown(name))
        );
        let diagnostic = Diagnostic::new(Code::UnknownVariable, message);
        let known: Vec<_> = plan.variables.keys().map(String::as_str).collect();
        found.push(match closest(name, known.iter().copied()) {
            Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
            None if known.is_empty() => diagnostic.help("the plan has no variables"),
            None => diagnostic.help(format!("declared: {}", known.join(", "))),
        });
    }
}

fn validate(
    variable: &Variable,
    plan: &mut PlanScope,
    secret: Option<&Value>,
    budget: &Budget,
    found: &mut Vec<Diagnostic>,
) {
    if variable.sensitive && secret.is_none() {
        // Not set here; the run reads it.
        return;
    }
    let name = variable.name.to_string();
    let shown_value = plan.variables.get(&name).cloned().flatten();
    for rule in blocks(&variable.block.body, "validation") {
        let (Some(condition), Some(message)) =
            (attribute(&rule.body, "condition"), attribute(&rule.body, "error_message"))
        else {
            continue;
        };
        if let Some(secret) = secret {
            plan.variables.insert(name.clone(), Some(secret.clone()));
        }
        let mut of_condition = Vec::new();
        let holds = with_evaluator(plan, budget, &mut of_condition, |on| {
            let value = on.eval(&condition.value)?;
            match value {
                Value::Deferred(_) => Ok(true),
                value => on.truth(&value, condition.value.span),
            }
        });
        plan.variables.insert(name.clone(), shown_value.clone());
        match holds {
            Ok(true) => {}
            // What a failure says may quote the secret.
            Err(Failed) if secret.is_some() => found.push(
                Diagnostic::new(
                    Code::VariableValidation,
                    format!("the validation of the sensitive variable `{name}` can't be computed"),
                )
                .label(condition.value.span, "for the value that is set"),
            ),
            Err(Failed) => found.append(&mut of_condition),
            Ok(false) => {
                let text = with_evaluator(plan, budget, found, |on| on.eval(&message.value));
                let text = text.ok().and_then(|text| text.to_text());
                let text = text.unwrap_or_else(|| Arc::from("its value is refused"));
                found.push(
                    Diagnostic::new(Code::VariableValidation, format!("`{name}`: {text}"))
                        .label(condition.value.span, "this is not so"),
                );
            }
        }
    }
}

/// Reads a file of variable values: `name = value` lines.
///
/// # Errors
/// What is not a value that is written out.
pub fn variable_file(
    source: Source,
) -> Result<BTreeMap<String, VariableInput>, crate::lang::Diagnostics> {
    let from = VariableOrigin::File(source.path.clone());
    let (body, mut found) = syntax::parse_body(&source, 0);
    let empty = PlanScope::default();
    let budget = Budget::new(source.text.len(), 1);
    let mut values = BTreeMap::new();
    for block in &body.blocks {
        let message = format!("a file of variables has no blocks, but `{}`", shown(&block.kind));
        found.push(
            Diagnostic::new(Code::UnknownBlock, message)
                .label(block.kind_span, "here")
                .help("write `name = value` lines"),
        );
    }
    for attribute in &body.attributes {
        let value = with_evaluator(&empty, &budget, &mut found, |on| on.eval(&attribute.value));
        let Ok(value) = value else { continue };
        let Some(json) = value.to_json() else {
            let message = format!("the value of `{}` must be written out", shown(&attribute.name));
            found.push(
                Diagnostic::new(Code::NotKnownYet, message).label(attribute.value.span, "here"),
            );
            continue;
        };
        let input = VariableInput { value: RawValue::Json(json), from: from.clone() };
        if values.insert(attribute.name.to_string(), input).is_some() {
            let message = format!("`{}` is given twice", shown(&attribute.name));
            found.push(
                Diagnostic::new(Code::DuplicateName, message).label(attribute.span, "again here"),
            );
        }
    }
    let mut diagnostics = crate::lang::Diagnostics::new(crate::lang::Sources::new(vec![source]));
    found.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
    diagnostics.into_result(values)
}
