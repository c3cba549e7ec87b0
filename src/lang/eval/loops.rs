//! What goes over the elements of a collection: `for` and splats.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::eval::{Eval, Evaluator, Leftover};
use crate::lang::syntax::{For, Name, Splat, Step};
use crate::lang::value::Reference;
use crate::lang::{Code, Diagnostic, Span, Value};

impl Evaluator<'_> {
    pub(super) fn splat(&mut self, splat: &Splat, span: Span) -> Eval<Value> {
        let value = self.eval(&splat.value)?;
        let items = match &value {
            Value::List(list) => list.items.clone(),
            Value::Null => Vec::new(),
            Value::Deferred(_) => return self.deferred_splat(&value, splat, span),
            Value::Reference(reference) => match &**reference {
                Reference::Steps(address, keys) => {
                    let step = |key: &Name| Reference::Step(address.clone().with_key(&**key));
                    keys.iter().map(|key| Value::Reference(Arc::new(step(key)))).collect()
                }
                Reference::Step(_) | Reference::Database(_) | Reference::Capture(_) => vec![value],
            },
            Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![value],
        };
        self.spend(items.len() as u64, 0, span)?;
        let mut results = Vec::with_capacity(items.len());
        for mut item in items {
            for step in &splat.each {
                item = match step {
                    Step::Attr(name) => self.attribute_of(&item, name, span)?,
                    Step::Index(index) => {
                        let key = self.eval(index)?;
                        self.index(&item, &key, index.span, span)?
                    }
                };
            }
            results.push(item);
        }
        self.list(results, span)
    }

    fn deferred_splat(&mut self, value: &Value, splat: &Splat, span: Span) -> Eval<Value> {
        let mut left = Leftover::new();
        let mut text = left.operand(value) + if splat.full { "[*]" } else { ".*" };
        for step in &splat.each {
            match step {
                Step::Attr(name) => text = format!("{text}.{name}"),
                Step::Index(index) => {
                    let index = self.eval(index)?;
                    text = format!("{text}[{}]", left.whole(&index));
                }
            }
        }
        left.finish(self, text, true, span)
    }

    /// The elements of a collection with their keys.
    pub(super) fn elements(&mut self, value: &Value, span: Span) -> Eval<Vec<(Value, Value)>> {
        match value {
            Value::List(list) => {
                Ok((0..).map(Value::int).zip(list.items.iter().cloned()).collect())
            }
            Value::Object(object) => Ok(object
                .entries
                .iter()
                .map(|(key, value)| (Value::String(key.clone()), value.clone()))
                .collect()),
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Reference(_)
            | Value::Deferred(_) => {
                let message =
                    format!("`for` goes over a list or an object, not {}", value.with_article());
                self.error(Code::WrongType, message, span)
            }
        }
    }

    /// Runs `body` with the loop's variables.
    pub(super) fn with_loop<T>(
        &mut self,
        (key_name, key): (Option<&Name>, Value),
        (value_name, value): (&Name, Value),
        body: impl FnOnce(&mut Self) -> T,
    ) -> T {
        let before = self.loops.len();
        if let Some(name) = key_name {
            self.loops.push((name.clone(), key));
        }
        self.loops.push((value_name.clone(), value));
        let result = body(self);
        self.loops.truncate(before);
        result
    }

    pub(super) fn for_expr(&mut self, r#for: &For, span: Span) -> Eval<Value> {
        let collection = self.eval(&r#for.collection)?;
        if let Value::Deferred(_) = collection {
            return self.deferred_for(r#for, &collection, span);
        }
        let elements = self.elements(&collection, r#for.collection.span)?;
        let mut items = Vec::new();
        let mut entries: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
        for (key, value) in elements {
            let key_variable = (r#for.key.as_ref(), key);
            let made =
                self.with_loop(key_variable, (&r#for.value, value), |e| e.for_item(r#for))?;
            match made {
                None => {}
                Some((None, value)) => items.push(value),
                Some((Some(key), value)) => {
                    let values = entries.entry(key.clone()).or_default();
                    values.push(value);
                    if values.len() > 1 && !r#for.group {
                        let message = format!(
                            "two elements have the key `{}`",
                            crate::lang::diagnostic::shown(&key)
                        );
                        return self.fail(
                            Diagnostic::new(Code::ExpressionError, message)
                                .label(span, "in this `for`")
                                .help("`...` after the value keeps all values of a key as a list"),
                        );
                    }
                }
            }
        }
        if r#for.result_key.is_none() {
            return self.list(items, span);
        }
        let entries = entries.into_iter().map(|(key, mut values)| {
            let value = if r#for.group { Value::list(values) } else { values.swap_remove(0) };
            (key, value)
        });
        let entries = entries.collect();
        self.object(entries, span)
    }

    /// One element's result, unless the condition leaves it out.
    fn for_item(&mut self, r#for: &For) -> Eval<Option<(Option<Arc<str>>, Value)>> {
        if let Some(condition) = &r#for.condition {
            let value = self.eval(condition)?;
            if let Value::Deferred(_) = value {
                let message = "whether an element is left out must be known when planning";
                return self.error(Code::NotKnownYet, message, condition.span);
            }
            if !self.truth(&value, condition.span)? {
                return Ok(None);
            }
        }
        let key = match &r#for.result_key {
            Some(expr) => {
                let key = self.eval(expr)?;
                Some(self.key(&key, expr.span)?)
            }
            None => None,
        };
        let value = self.eval(&r#for.result)?;
        // Values that are kept count; those that a fold drops do not.
        self.spend(0, 32, r#for.result.span)?;
        Ok(Some((key, value)))
    }
}
