//! Types, errors, secrets, and what is outside of the plan's text.

use std::sync::Arc;

use crate::lang::Value;
use crate::lang::functions::function::{
    Arguments, Function, Group, Made, Run, Special, Wrong, row,
};

const G: Group = Group::Types;
const O: Group = Group::Outside;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "can(expression)",
            "Can it be computed?",
            (r#"can(parseint("x", 10))"#, "false"),
            (1, Some(1)),
            Run::Evaluator(Special::Can),
        ),
        row(
            G,
            "nonsensitive(value)",
            "The value may be shown once it is known.",
            ("nonsensitive(1)", "1"),
            (1, Some(1)),
            Run::Evaluator(Special::Nonsensitive),
        ),
        row(
            G,
            "sensitive(value)",
            "The value is never shown or stored. What stands in the plan's text can't be made secret.",
            ("can(sensitive(1))", "false"),
            (1, Some(1)),
            Run::Evaluator(Special::Sensitive),
        ),
        row(
            G,
            "tobool(value)",
            "As a bool: `\"true\"` and `\"false\"` too.",
            (r#"tobool("true")"#, "true"),
            (1, Some(1)),
            Run::Known(tobool),
        ),
        row(
            G,
            "tolist(value)",
            "As a list: the same list, or the values of an object.",
            ("tolist([1])", "[1]"),
            (1, Some(1)),
            Run::Shallow(tolist),
        ),
        row(
            G,
            "tomap(object)",
            "The same object.",
            ("tomap({ a = 1 })", "{ a = 1 }"),
            (1, Some(1)),
            Run::Shallow(tomap),
        ),
        row(
            G,
            "tonumber(value)",
            "As a number.",
            (r#"tonumber("42")"#, "42"),
            (1, Some(1)),
            Run::Known(tonumber),
        ),
        row(
            G,
            "tostring(value)",
            "As a string.",
            ("tostring(42)", r#""42""#),
            (1, Some(1)),
            Run::Known(tostring),
        ),
        row(
            G,
            "try(expressions...)",
            "The first that can be computed.",
            (r#"try({ a = 1 }.b, "none")"#, r#""none""#),
            (1, None),
            Run::Evaluator(Special::Try),
        ),
        row(
            G,
            "type(value)",
            "The word for its type.",
            ("type([1])", r#""list""#),
            (1, Some(1)),
            Run::Shallow(type_of),
        ),
        row(
            O,
            "env(name)",
            "An environment variable, read when a step needs it: secret, never stored, never shown.",
            (r#"can(upper(env("HOME")))"#, r#"can(upper(env("HOME")))"#),
            (1, Some(1)),
            Run::Evaluator(Special::Env),
        ),
        row(
            O,
            "file(path)",
            "The text of a file in the plan's folder, read when planning. The plan records its digest.",
            (r#"try(file("../outside"), "refused")"#, r#""refused""#),
            (1, Some(1)),
            Run::Evaluator(Special::File),
        ),
    ]
}

fn no<T>(value: &Value, what: &str) -> Result<T, Wrong> {
    Err(Wrong::Argument(0, format!("this {} can't be made a {what}", value.type_name())))
}

fn tobool(a: &Arguments) -> Made {
    let value = a.get(0);
    if value.is_null() {
        return Ok(Value::Null);
    }
    value.to_bool().map_or_else(|| no(value, "bool"), |b| Ok(Value::Bool(b)))
}

fn tonumber(a: &Arguments) -> Made {
    let value = a.get(0);
    if value.is_null() {
        return Ok(Value::Null);
    }
    value.to_number().map_or_else(|| no(value, "number"), |n| Ok(Value::Number(n)))
}

fn tostring(a: &Arguments) -> Made {
    let value = a.get(0);
    if value.is_null() {
        return Ok(Value::Null);
    }
    value.to_text().map_or_else(|| no(value, "string"), |text| Ok(Value::String(text)))
}

fn tolist(a: &Arguments) -> Made {
    match a.get(0) {
        Value::List(list) => Ok(Value::List(Arc::clone(list))),
        Value::Object(object) => a.make_list(object.entries.values().cloned().collect()),
        other => no(other, "list"),
    }
}

fn tomap(a: &Arguments) -> Made {
    a.object(0)?;
    Ok(a.get(0).clone())
}

fn type_of(a: &Arguments) -> Made {
    a.string(a.get(0).type_name().to_owned())
}
