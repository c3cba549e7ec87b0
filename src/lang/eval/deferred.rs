//! What is left of an expression when a part of it is not known yet: HCL source, with what is known
//! as literals.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::lang::eval::{Eval, Evaluator};
use crate::lang::syntax::{For, Name};
use crate::lang::value::{Deferred, Number, Reference};
use crate::lang::{Code, Span, Value};
use crate::model::Address;

/// Leftovers of leftovers: deeper than this the text would be too deep to be read again.
const MAX_HEIGHT: u16 = 40;

/// Collects what the operands of one operation rest on.
pub(in crate::lang) struct Leftover {
    pub steps: BTreeSet<Address>,
    pub env: BTreeSet<String>,
    /// Those of `env` without which there is no value.
    pub needed_env: BTreeSet<String>,
    pub sensitive: bool,
    pub unset: bool,
    height: u16,
}

impl Leftover {
    pub fn new() -> Leftover {
        Leftover {
            steps: BTreeSet::new(),
            env: BTreeSet::new(),
            needed_env: BTreeSet::new(),
            sensitive: false,
            unset: false,
            height: 0,
        }
    }

    /// A value as source that stands by itself: an argument, an element.
    pub fn whole(&mut self, value: &Value) -> String {
        self.absorb(value);
        source_of(value)
    }

    /// A value as source that an operator can be applied to.
    pub fn operand(&mut self, value: &Value) -> String {
        let text = self.whole(value);
        let atom = match value {
            Value::Deferred(deferred) => deferred.atom,
            Value::Number(number) => *number >= Number::Int(0),
            Value::Null
            | Value::Bool(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Object(_)
            | Value::Reference(_) => true,
        };
        if atom { text } else { format!("({text})") }
    }

    pub fn absorb(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
            Value::Reference(_) => {}
            Value::List(list) => list.items.iter().for_each(|item| self.absorb(item)),
            Value::Object(object) => object.entries.values().for_each(|item| self.absorb(item)),
            Value::Deferred(deferred) => {
                self.steps.extend(deferred.steps.iter().cloned());
                self.env.extend(deferred.env.iter().cloned());
                self.needed_env.extend(deferred.needed_env.iter().cloned());
                self.sensitive |= deferred.sensitive;
                self.unset |= deferred.unset;
                self.height = self.height.max(deferred.height);
            }
        }
        self.height = self.height.max(value.depth());
    }

    pub fn finish(self, on: &mut Evaluator, expr: String, atom: bool, span: Span) -> Eval<Value> {
        on.spend(1, expr.len() as u64 + 64 * self.steps.len() as u64, span)?;
        let height = self.height + 1;
        if height > MAX_HEIGHT {
            let message = format!(
                "more than {MAX_HEIGHT} operations in a chain wait for a value that is not known yet"
            );
            return on.error(Code::TooDeep, message, span);
        }
        let Leftover { steps, env, needed_env, sensitive, unset, height: _ } = self;
        let output = None;
        let deferred =
            Deferred { expr, atom, height, steps, env, needed_env, sensitive, unset, output };
        Ok(Value::Deferred(Arc::new(deferred)))
    }
}

impl Evaluator<'_> {
    pub fn deferred_call(
        &mut self,
        name: &str,
        arguments: &[Value],
        spread: bool,
        span: Span,
    ) -> Eval<Value> {
        let mut left = Leftover::new();
        let texts: Vec<_> = arguments.iter().map(|argument| left.whole(argument)).collect();
        let dots = if spread { "..." } else { "" };
        left.finish(self, format!("{name}({}{dots})", texts.join(", ")), true, span)
    }

    /// As [`deferred_call`](Self::deferred_call), of a function that gives a value also where an
    /// argument has none.
    pub fn forgiving_call(&mut self, name: &str, arguments: &[Value], span: Span) -> Eval<Value> {
        let mut left = Leftover::new();
        let texts: Vec<_> = arguments.iter().map(|argument| left.whole(argument)).collect();
        left.needed_env.clear();
        left.finish(self, format!("{name}({})", texts.join(", ")), true, span)
    }

    /// A loop variable of a loop that is left over.
    pub fn loop_variable(&mut self) -> (String, Value) {
        self.deferred_loops += 1;
        let name = format!("item{}", self.deferred_loops);
        let deferred = Deferred {
            expr: name.clone(),
            atom: true,
            height: 0,
            steps: BTreeSet::new(),
            env: BTreeSet::new(),
            needed_env: BTreeSet::new(),
            sensitive: false,
            unset: false,
            output: None,
        };
        (name, Value::Deferred(Arc::new(deferred)))
    }

    pub fn deferred_for(&mut self, r#for: &For, collection: &Value, span: Span) -> Eval<Value> {
        let (value_name, value) = self.loop_variable();
        let (key_name, key) = match &r#for.key {
            Some(_) => self.loop_variable(),
            None => (String::new(), Value::Null),
        };
        let parts = self.with_loop((r#for.key.as_ref(), key), (&r#for.value, value), |e| {
            let result_key = r#for.result_key.as_ref().map(|expr| e.eval(expr)).transpose();
            let result = e.eval(&r#for.result);
            let condition = r#for.condition.as_ref().map(|expr| e.eval(expr)).transpose();
            Ok((result_key?, result?, condition?))
        });
        let (result_key, result, condition) = parts?;
        let mut left = Leftover::new();
        let variables = match &r#for.key {
            Some(_) => format!("{key_name}, {value_name}"),
            None => value_name,
        };
        let mut text = format!("for {variables} in {} : ", left.whole(collection));
        if let Some(key) = &result_key {
            text += &format!("{} => ", left.whole(key));
        }
        text += &left.whole(&result);
        if r#for.group {
            text += "...";
        }
        if let Some(condition) = &condition {
            text += &format!(" if {}", left.whole(condition));
        }
        let text = if result_key.is_some() { format!("{{{text}}}") } else { format!("[{text}]") };
        left.finish(self, text, true, span)
    }
}

/// A value as HCL source.
pub(in crate::lang) fn source_of(value: &Value) -> String {
    let mut out = String::new();
    write_source(value, &mut out);
    out
}

fn write_source(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => write_quoted(text, out),
        Value::List(list) => {
            out.push('[');
            for (index, item) in list.items.iter().enumerate() {
                if index > 0 {
                    out.push_str(", ");
                }
                write_source(item, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (key, item)) in object.entries.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { " " });
                write_key(key, out);
                out.push_str(" = ");
                write_source(item, out);
            }
            out.push_str(if object.entries.is_empty() { "}" } else { " }" });
        }
        Value::Reference(reference) => match &**reference {
            Reference::Step(address) | Reference::Steps(address, _) => {
                out.push_str(&step_source(address));
            }
            Reference::Database(name) => out.push_str(&format!("database.{name}")),
            Reference::Capture(name) => write_quoted(&format!("{{{{{name}}}}}"), out),
        },
        Value::Deferred(deferred) => out.push_str(&deferred.expr),
    }
}

/// A step as an expression names it.
pub(in crate::lang) fn step_source(address: &Address) -> String {
    let mut out = format!("{}.{}", address.kind, address.name);
    for key in &address.keys {
        out.push('[');
        write_quoted(key, &mut out);
        out.push(']');
    }
    out
}

fn write_key(key: &Name, out: &mut String) {
    let plain = key.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !matches!(&**key, "true" | "false" | "null" | "for");
    if plain { out.push_str(key) } else { write_quoted(key, out) }
}

pub(super) fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    write_escaped(text, out);
    out.push('"');
}

/// Text as it stands inside of a quoted template.
pub(super) fn write_escaped(text: &str, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '$' | '%' if chars.peek() == Some(&'{') => {
                out.push(c);
                out.push(c);
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
}
