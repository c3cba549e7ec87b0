//! Values of expressions: what is known, what is known only later, and what names a thing of the
//! plan.
//!
//! Must not: hold a secret. A sensitive variable and `env()` are deferred: only the expression that
//! reads them is here.

mod number;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::json::exact_number;
use crate::model::{Address, Arg, Residual};

pub use number::Number;

/// As much text as counts like one value.
const PIECE_BYTES: u64 = 32;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    Number(Number),
    String(Arc<str>),
    List(Arc<List>),
    Object(Arc<Object>),
    /// A step or a database, named.
    Reference(Arc<Reference>),
    /// Known only when a step runs.
    Deferred(Arc<Deferred>),
}

#[derive(Clone, Debug, PartialEq)]
pub struct List {
    pub items: Vec<Value>,
    facts: Facts,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    pub entries: BTreeMap<Arc<str>, Value>,
    facts: Facts,
}

/// What is worth knowing of a collection without walking it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
struct Facts {
    depth: u16,
    /// Values and pieces of text in it, as they would be if nothing was shared.
    weight: u64,
    /// Something in it is deferred.
    deferred: bool,
    /// Something in it names a step or a database.
    reference: bool,
}

impl Facts {
    fn of<'a>(values: impl Iterator<Item = &'a Value>) -> Facts {
        let mut facts = Facts::default();
        for value in values {
            let inner = value.facts();
            facts.depth = facts.depth.max(inner.depth);
            facts.weight = facts.weight.saturating_add(inner.weight);
            facts.deferred |= inner.deferred;
            facts.reference |= inner.reference;
        }
        Facts {
            depth: facts.depth.saturating_add(1),
            weight: facts.weight.saturating_add(1),
            ..facts
        }
    }
}

/// Something of the plan that an expression names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reference {
    /// One instance of a step.
    Step(Address),
    /// A step with `for_each`, not yet narrowed to one of its instances; keys of the instances.
    Steps(Address, Vec<Arc<str>>),
    Database(String),
    /// What an earlier request of the same step captured; `{{name}}` in the stored request.
    Capture(String),
}

/// What is left of an expression whose value is not known when planning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deferred {
    /// HCL; everything known is folded into literals.
    pub expr: String,
    /// May be used as an operand without parentheses.
    pub atom: bool,
    pub height: u16,
    pub steps: BTreeSet<Address>,
    pub env: BTreeSet<String>,
    /// Those of `env` without which it has no value.
    pub needed_env: BTreeSet<String>,
    pub sensitive: bool,
    /// Not set, and only validating: any place accepts it.
    pub unset: bool,
    /// The very output of a step, and nothing made from it.
    pub output: Option<(Address, String)>,
}

impl Value {
    pub fn string(text: impl AsRef<str>) -> Value {
        Value::String(Arc::from(text.as_ref()))
    }

    pub fn int(number: i64) -> Value {
        Value::Number(Number::Int(number))
    }

    pub fn list(items: Vec<Value>) -> Value {
        let facts = Facts::of(items.iter());
        Value::List(Arc::new(List { items, facts }))
    }

    pub fn object(entries: BTreeMap<Arc<str>, Value>) -> Value {
        let facts = Facts::of(entries.values());
        Value::Object(Arc::new(Object { entries, facts }))
    }

    fn facts(&self) -> Facts {
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) => {
                Facts { weight: 1, ..Facts::default() }
            }
            Value::String(text) => {
                Facts { weight: 1 + text.len() as u64 / PIECE_BYTES, ..Facts::default() }
            }
            Value::List(list) => list.facts,
            Value::Object(object) => object.facts,
            Value::Reference(_) => Facts { reference: true, weight: 1, ..Facts::default() },
            Value::Deferred(deferred) => Facts {
                deferred: true,
                weight: 1 + deferred.expr.len() as u64 / PIECE_BYTES + deferred.steps.len() as u64,
                ..Facts::default()
            },
        }
    }

    /// How deep collections lie in each other.
    pub fn depth(&self) -> u16 {
        self.facts().depth
    }

    /// What going over all of it costs, where what is shared is gone over again.
    pub fn weight(&self) -> u64 {
        self.facts().weight
    }

    /// Whether all of it is known now.
    pub fn is_known(&self) -> bool {
        !self.facts().deferred
    }

    pub fn has_reference(&self) -> bool {
        self.facts().reference
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The word that messages use for the type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Number(_) => "number",
            Value::String(_) => "string",
            Value::List(_) => "list",
            Value::Object(_) => "object",
            Value::Reference(reference) => match &**reference {
                Reference::Step(_) => "step",
                Reference::Steps(..) => "step with several instances",
                Reference::Database(_) => "database",
                Reference::Capture(_) => "captured value",
            },
            Value::Deferred(_) => "value that is not known yet",
        }
    }

    /// The word for the type as a sentence has it: `a list`, `an object`, `null`.
    pub fn with_article(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Object(_) => "an object".to_owned(),
            Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Reference(_)
            | Value::Deferred(_) => format!("a {}", self.type_name()),
        }
    }

    /// The steps that this value rests on.
    pub fn steps(&self, into: &mut BTreeSet<Address>) {
        let facts = self.facts();
        if !facts.deferred && !facts.reference {
            return;
        }
        match self {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            Value::List(list) => list.items.iter().for_each(|item| item.steps(into)),
            Value::Object(object) => object.entries.values().for_each(|item| item.steps(into)),
            Value::Reference(reference) => match &**reference {
                Reference::Step(address) => {
                    into.insert(address.clone());
                }
                Reference::Steps(address, keys) => {
                    into.extend(keys.iter().map(|key| address.clone().with_key(&**key)));
                }
                Reference::Database(_) | Reference::Capture(_) => {}
            },
            Value::Deferred(deferred) => into.extend(deferred.steps.iter().cloned()),
        }
    }

    /// As a string, the way templates and string arguments convert; none where there is no such
    /// conversion.
    pub fn to_text(&self) -> Option<Arc<str>> {
        match self {
            Value::String(text) => Some(text.clone()),
            Value::Bool(b) => Some(Arc::from(if *b { "true" } else { "false" })),
            Value::Number(number) => Some(Arc::from(number.to_string())),
            Value::Reference(reference) => match &**reference {
                Reference::Capture(name) => Some(Arc::from(format!("{{{{{name}}}}}"))),
                Reference::Step(_) | Reference::Steps(..) | Reference::Database(_) => None,
            },
            Value::Null | Value::List(_) | Value::Object(_) | Value::Deferred(_) => None,
        }
    }

    pub fn to_number(&self) -> Option<Number> {
        match self {
            Value::Number(number) => Some(*number),
            Value::String(text) => text.trim().parse().ok(),
            Value::Null
            | Value::Bool(_)
            | Value::List(_)
            | Value::Object(_)
            | Value::Reference(_)
            | Value::Deferred(_) => None,
        }
    }

    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(b) => Some(*b),
            Value::String(text) => match &**text {
                "true" => Some(true),
                "false" => Some(false),
                _ => None,
            },
            Value::Null
            | Value::Number(_)
            | Value::List(_)
            | Value::Object(_)
            | Value::Reference(_)
            | Value::Deferred(_) => None,
        }
    }

    /// As JSON; none where something in it is not known or is a reference.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        Some(match self {
            Value::Null => serde_json::Value::Null,
            Value::Bool(b) => (*b).into(),
            Value::Number(Number::Int(int)) => (*int).into(),
            Value::Number(Number::Float(float)) => (*float).into(),
            Value::String(text) => (&**text).into(),
            Value::List(list) => {
                list.items.iter().map(Value::to_json).collect::<Option<Vec<_>>>()?.into()
            }
            Value::Object(object) => {
                let entries = object.entries.iter();
                serde_json::Value::Object(
                    entries
                        .map(|(k, v)| Some((k.to_string(), v.to_json()?)))
                        .collect::<Option<_>>()?,
                )
            }
            Value::Reference(_) => (&*self.to_text()?).into(),
            Value::Deferred(_) => return None,
        })
    }

    pub fn from_json(json: &serde_json::Value) -> Value {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(*b),
            serde_json::Value::Number(number) => Value::Number(
                number
                    .as_i64()
                    .map(Number::Int)
                    .or_else(|| number.as_f64().and_then(Number::from_f64))
                    .unwrap_or(Number::Int(0)),
            ),
            serde_json::Value::String(text) => Value::string(text),
            serde_json::Value::Array(items) => {
                Value::list(items.iter().map(Value::from_json).collect())
            }
            serde_json::Value::Object(map) => match exact_number(json) {
                Some(text) => text.parse().map_or(Value::Null, Value::Number),
                None => Value::object(
                    map.iter().map(|(k, v)| (Arc::from(k.as_str()), Value::from_json(v))).collect(),
                ),
            },
        }
    }

    /// As an argument of a step; none where it is no string.
    pub fn to_arg(&self) -> Option<Arg> {
        match self {
            Value::Deferred(deferred) => Some(Arg::Later(deferred.residual())),
            _ => self.to_text().map(|text| Arg::Known(text.to_string())),
        }
    }
}

impl Deferred {
    pub fn residual(&self) -> Residual {
        Residual {
            expr: self.expr.clone(),
            steps: self.steps.iter().cloned().collect(),
            env: self.env.iter().cloned().collect(),
            optional_env: self.env.difference(&self.needed_env).cloned().collect(),
            sensitive: self.sensitive,
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Value {
        Value::string(text)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Value {
        Value::Bool(b)
    }
}
