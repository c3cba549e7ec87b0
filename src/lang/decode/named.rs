//! Attributes that name other steps.

use std::collections::BTreeSet;

use crate::lang::decode::Reader;
use crate::lang::diagnostic::shown;
use crate::lang::eval::Eval;
use crate::lang::syntax::Body;
use crate::lang::value::Reference;
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::{Address, StepKind};

impl Reader<'_, '_> {
    /// Steps that an attribute lists.
    pub fn steps(&mut self, body: &Body, name: &str) -> Eval<Option<(Vec<Address>, Span)>> {
        let before = self.rests_on.clone();
        let value = self.value(body, name);
        // What is listed is an edge of its own kind, not one of the block's values.
        self.rests_on = before;
        let Some((value, span)) = value? else { return Ok(None) };
        let items = match &value {
            Value::List(list) => list.items.clone(),
            Value::Reference(_) => vec![value.clone()],
            _ => return self.wrong(name, "a list of steps", &value, span),
        };
        let mut addresses = Vec::new();
        for item in &items {
            let named = match item {
                Value::Reference(reference) => match &**reference {
                    Reference::Step(address) => Some(vec![address.clone()]),
                    Reference::Steps(address, keys) => {
                        Some(keys.iter().map(|key| address.clone().with_key(&**key)).collect())
                    }
                    Reference::Database(_) | Reference::Capture(_) => None,
                },
                Value::List(list) if item.has_reference() => {
                    Some(list.items.iter().fold(Vec::new(), |mut all, item| {
                        let mut steps = BTreeSet::new();
                        item.steps(&mut steps);
                        all.extend(steps);
                        all
                    }))
                }
                Value::Deferred(deferred) => {
                    deferred.output.clone().map(|(address, _)| vec![address])
                }
                _ => None,
            };
            match named {
                Some(named) => addresses.extend(named),
                None => {
                    let message = format!("`{name}` lists steps, not {}", item.with_article());
                    let mut diagnostic =
                        Diagnostic::new(Code::WrongType, message).label(span, "here");
                    if let Some(text) = item.as_str() {
                        diagnostic =
                            diagnostic.help(format!("write it without quotes: {}", shown(text)));
                    }
                    return self.on.fail(diagnostic);
                }
            }
        }
        Ok(Some((addresses, span)))
    }

    /// The step whose `id` an attribute names.
    pub fn id_of(&mut self, body: &Body, name: &str, kinds: &[StepKind]) -> Eval<Option<Address>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        let named = match &value {
            Value::Deferred(deferred) => match &deferred.output {
                Some((address, output)) if output == "id" => Some(address.clone()),
                _ => None,
            },
            Value::Reference(reference) => match &**reference {
                Reference::Step(address) => Some(address.clone()),
                Reference::Steps(..) | Reference::Database(_) | Reference::Capture(_) => None,
            },
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::List(_)
            | Value::Object(_) => None,
        };
        match named {
            Some(address) if kinds.contains(&address.kind) => Ok(Some(address)),
            Some(address) => {
                let message = format!("`{name}` can't be the id of `{}`", address.block());
                let mut diagnostic =
                    Diagnostic::new(Code::InvalidValue, message).label(span, "here");
                if kinds == [StepKind::Verify] {
                    diagnostic = diagnostic
                        .help("only a verified backup's id is accepted here: `verify.NAME.id`");
                } else if kinds == [StepKind::Backup] {
                    diagnostic = diagnostic.help("it is a backup's id: `backup.NAME.id`");
                }
                self.on.fail(diagnostic)
            }
            None => {
                let kind = kinds[0];
                let message = format!("`{name}` must name the id of a `{kind}` step");
                let diagnostic = Diagnostic::new(Code::WrongType, message)
                    .label(span, "not an id")
                    .help(format!("write `{kind}.NAME.id`"));
                self.on.fail(diagnostic)
            }
        }
    }
}
