//! Type constraints of variables: `string`, `list(T)`, `object({…})`; and values made to fit them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::lang::diagnostic::shown;
use crate::lang::syntax::{Expr, Kind, Name};
use crate::lang::value::Number;
use crate::lang::{Code, Diagnostic, Value};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Type {
    Any,
    String,
    Number,
    Bool,
    List(Box<Type>),
    /// A list, sorted and without repetitions.
    Set(Box<Type>),
    Map(Box<Type>),
    Object(BTreeMap<Name, Field>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    ty: Type,
    /// The field may be missing; then it has this value.
    default: Option<Value>,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Any => f.write_str("any"),
            Type::String => f.write_str("string"),
            Type::Number => f.write_str("number"),
            Type::Bool => f.write_str("bool"),
            Type::List(inner) => write!(f, "list({inner})"),
            Type::Set(inner) => write!(f, "set({inner})"),
            Type::Map(inner) => write!(f, "map({inner})"),
            Type::Object(_) => f.write_str("object"),
        }
    }
}

impl Type {
    /// Reads a constraint from the expression that it is written as.
    pub fn of(expr: &Expr) -> Result<Type, Box<Diagnostic>> {
        const SIMPLE: [&str; 4] = ["string", "number", "bool", "any"];
        const MADE: [&str; 4] = ["list", "set", "map", "object"];
        let wrong = |message: &str| {
            Box::new(
                Diagnostic::new(Code::InvalidValue, message).label(expr.span, "here").help(
                    "a type is string, number, bool, any, list(T), set(T), map(T) or object({ name = T })",
                ),
            )
        };
        match &expr.kind {
            Kind::Name(name) => match &**name {
                "string" => Ok(Type::String),
                "number" => Ok(Type::Number),
                "bool" => Ok(Type::Bool),
                "any" => Ok(Type::Any),
                "list" | "set" | "map" | "object" => {
                    Err(wrong(&format!("`{name}` needs the type of what is in it")))
                }
                _ => Err(Box::new(
                    wrong(&format!("`{}` is not a type", shown(name))).suggest(name, SIMPLE),
                )),
            },
            Kind::Call(call) if call.arguments.len() == 1 && !call.spread => {
                let argument = &call.arguments[0];
                match &*call.name {
                    "list" => Ok(Type::List(Box::new(Type::of(argument)?))),
                    "set" => Ok(Type::Set(Box::new(Type::of(argument)?))),
                    "map" => Ok(Type::Map(Box::new(Type::of(argument)?))),
                    "object" => Type::object(argument),
                    "optional" => {
                        Err(wrong("`optional` stands only in the fields of `object({…})`"))
                    }
                    name => Err(Box::new(
                        wrong(&format!("`{}` is not a type", shown(name))).suggest(name, MADE),
                    )),
                }
            }
            Kind::Literal(Value::String(text)) => {
                let diagnostic = wrong("a type is written without quotes");
                Err(Box::new(diagnostic.help(format!("write `{}`", shown(text)))))
            }
            _ => Err(wrong("this is not a type")),
        }
    }

    fn object(expr: &Expr) -> Result<Type, Box<Diagnostic>> {
        let Kind::Object(items) = &expr.kind else {
            let message = "the fields of an object are written `object({ name = string })`";
            return Err(Box::new(
                Diagnostic::new(Code::InvalidValue, message).label(expr.span, "here"),
            ));
        };
        let mut fields = BTreeMap::new();
        for (key, value) in items {
            let Kind::Literal(Value::String(name)) = &key.kind else {
                let message = "a field's name is plain text";
                return Err(Box::new(
                    Diagnostic::new(Code::InvalidValue, message).label(key.span, "here"),
                ));
            };
            fields.insert(name.clone(), Field::of(value)?);
        }
        Ok(Type::Object(fields))
    }

    /// The value, made to fit. Errors: which part does not, in a sentence.
    pub fn convert(&self, value: Value) -> Result<Value, String> {
        if value.is_null() || matches!(value, Value::Deferred(_)) {
            return Ok(value);
        }
        let wrong = || Err(format!("must be a {self}, not {}", value.with_article()));
        match self {
            Type::Any => Ok(value),
            Type::String => value.to_text().map_or_else(wrong, |text| Ok(Value::String(text))),
            Type::Number => value.to_number().map_or_else(wrong, |n: Number| Ok(Value::Number(n))),
            Type::Bool => value.to_bool().map_or_else(wrong, |b| Ok(Value::Bool(b))),
            Type::List(inner) | Type::Set(inner) => {
                let Value::List(list) = &value else { return wrong() };
                let mut items = Vec::with_capacity(list.items.len());
                for (index, item) in list.items.iter().enumerate() {
                    let item = inner.convert(item.clone());
                    items.push(
                        item.map_err(|message| format!("has an element {index} that {message}"))?,
                    );
                }
                if let Type::Set(_) = self {
                    items.sort_by_cached_key(|item| item.to_json().map(|json| json.to_string()));
                    items.dedup();
                }
                Ok(Value::list(items))
            }
            Type::Map(inner) => {
                let Value::Object(object) = &value else { return wrong() };
                let mut entries = BTreeMap::new();
                for (key, item) in &object.entries {
                    let item = inner.convert(item.clone());
                    let item = item.map_err(|message| {
                        format!("has an entry `{}` that {message}", shown(key))
                    })?;
                    entries.insert(key.clone(), item);
                }
                Ok(Value::object(entries))
            }
            Type::Object(fields) => {
                let Value::Object(object) = &value else { return wrong() };
                let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
                for (name, field) in fields {
                    let item = match (object.entries.get(name), &field.default) {
                        (Some(item), _) => field.ty.convert(item.clone()),
                        (None, Some(default)) => Ok(default.clone()),
                        (None, None) => Err(String::new()),
                    };
                    let item = item.map_err(|message| match message.as_str() {
                        "" => format!("needs the field `{name}`"),
                        message => format!("has a field `{name}` that {message}"),
                    })?;
                    entries.insert(name.clone(), item);
                }
                Ok(Value::object(entries))
            }
        }
    }
}

impl Field {
    fn of(expr: &Expr) -> Result<Field, Box<Diagnostic>> {
        let Kind::Call(call) = &expr.kind else {
            return Ok(Field { ty: Type::of(expr)?, default: None });
        };
        if &*call.name != "optional" {
            return Ok(Field { ty: Type::of(expr)?, default: None });
        }
        let (ty, default) = match call.arguments.as_slice() {
            [ty] => (ty, None),
            [ty, default] => (ty, Some(default)),
            _ => {
                let message = "`optional` takes a type and a default";
                return Err(Box::new(
                    Diagnostic::new(Code::InvalidValue, message).label(expr.span, "here"),
                ));
            }
        };
        let ty = Type::of(ty)?;
        let value = default.map_or(Some(Value::Null), constant);
        let wrong = |message: String| {
            let place = default.map_or(expr.span, |default| default.span);
            Box::new(Diagnostic::new(Code::WrongType, message).label(place, "here"))
        };
        let value =
            value.ok_or_else(|| wrong("the default of a field is written out".to_owned()))?;
        let value = ty.convert(value).map_err(|message| wrong(format!("the default {message}")))?;
        Ok(Field { ty, default: Some(value) })
    }
}

/// A value that is written out, without names and operations.
fn constant(expr: &Expr) -> Option<Value> {
    match &expr.kind {
        Kind::Literal(value) => Some(value.clone()),
        Kind::List(items) => Some(Value::list(items.iter().map(constant).collect::<Option<_>>()?)),
        Kind::Object(items) => {
            let entry =
                |(key, value): &(Expr, Expr)| Some((constant(key)?.to_text()?, constant(value)?));
            Some(Value::object(items.iter().map(entry).collect::<Option<_>>()?))
        }
        Kind::Parenthesis(inner) => constant(inner),
        Kind::Template(_)
        | Kind::Name(_)
        | Kind::Attr(..)
        | Kind::Index(..)
        | Kind::Splat(_)
        | Kind::Call(_)
        | Kind::Unary(..)
        | Kind::Binary(..)
        | Kind::Conditional(_)
        | Kind::For(_) => None,
    }
}
