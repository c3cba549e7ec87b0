//! Templates: text with values, conditions and loops in it.

use std::sync::Arc;

use crate::lang::eval::deferred::{Leftover, write_escaped, write_quoted};
use crate::lang::eval::{Eval, Evaluator, Failed};
use crate::lang::syntax::{Part, PartFor, PartIf};
use crate::lang::value::Reference;
use crate::lang::{Code, Diagnostic, Span, Value};

/// A template that is being put together: its text, and the same as the inside of a template's
/// source where something in it is not known yet.
#[derive(Default)]
struct Text {
    pieces: Vec<Piece>,
    deferred: bool,
}

enum Piece {
    Known(Arc<str>),
    Deferred(Value),
}

impl Evaluator<'_> {
    pub fn template(&mut self, parts: &[Part], span: Span) -> Eval<Value> {
        // `"${x}"` is x, of whatever type.
        if let [Part::Value(expr)] = parts {
            return self.eval(expr);
        }
        let mut text = Text::default();
        self.parts(parts, &mut text, span)?;
        self.text_value(text, span)
    }

    fn text_value(&mut self, text: Text, span: Span) -> Eval<Value> {
        if text.deferred {
            let mut left = Leftover::new();
            let mut source = String::from("\"");
            for piece in &text.pieces {
                match piece {
                    Piece::Known(known) => write_escaped_piece(known, &mut source),
                    Piece::Deferred(value) => {
                        source.push_str("${");
                        source.push_str(&left.whole(value));
                        source.push('}');
                    }
                }
            }
            source.push('"');
            return left.finish(self, source, true, span);
        }
        let known = text.pieces.iter().map(|piece| match piece {
            Piece::Known(known) => &**known,
            Piece::Deferred(_) => unreachable!("nothing in it is deferred"),
        });
        let joined: String = known.collect();
        self.spend(1, joined.len() as u64, span)?;
        Ok(Value::string(joined))
    }

    fn parts(&mut self, parts: &[Part], out: &mut Text, span: Span) -> Eval<()> {
        let mut failed = false;
        for part in parts {
            let done = match part {
                Part::Text(text) => {
                    out.pieces.push(Piece::Known(text.clone()));
                    self.spend(1, text.len() as u64, span)
                }
                Part::Value(expr) => {
                    self.eval(expr).and_then(|value| self.piece(value, out, expr.span))
                }
                Part::If(part) => self.if_part(part, out, span),
                Part::For(part) => self.for_part(part, out, span),
            };
            failed |= done.is_err();
            if done.is_err() && !self.budget.spend(1, 0) {
                break;
            }
        }
        if failed { Err(Failed) } else { Ok(()) }
    }

    fn piece(&mut self, value: Value, out: &mut Text, span: Span) -> Eval<()> {
        if let Value::Deferred(_) = value {
            out.deferred = true;
            out.pieces.push(Piece::Deferred(value));
            return Ok(());
        }
        let Some(text) = value.to_text() else {
            let what = value.with_article();
            let message = format!("{what} can\'t stand in text");
            let mut diagnostic = Diagnostic::new(Code::WrongType, message).label(span, "here");
            diagnostic = match &value {
                Value::Null => {
                    diagnostic.help("`value == null ? \"\" : value` gives text for null")
                }
                Value::List(_) => diagnostic.help("`join(\", \", list)` gives text"),
                Value::Object(_) => diagnostic.help("`jsonencode(object)` gives text"),
                Value::Reference(reference) => match &**reference {
                    Reference::Step(_) | Reference::Steps(..) => {
                        diagnostic.help("name one of its outputs, like `.id`")
                    }
                    Reference::Database(_) | Reference::Capture(_) => diagnostic,
                },
                Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Deferred(_) => {
                    diagnostic
                }
            };
            return self.fail(diagnostic);
        };
        self.spend(1, text.len() as u64, span)?;
        out.pieces.push(Piece::Known(text));
        Ok(())
    }

    fn if_part(&mut self, part: &PartIf, out: &mut Text, span: Span) -> Eval<()> {
        let condition = self.eval(&part.condition)?;
        if let Value::Deferred(_) = condition {
            let then = self.template_of(&part.then, span);
            let otherwise = self.template_of(&part.otherwise, span);
            let (then, otherwise) = (then?, otherwise?);
            let mut left = Leftover::new();
            let condition = left.operand(&condition);
            let text =
                format!("{condition} ? {} : {}", left.operand(&then), left.operand(&otherwise));
            let value = left.finish(self, text, false, span)?;
            return self.piece(value, out, span);
        }
        match self.truth(&condition, part.condition.span)? {
            true => self.parts(&part.then, out, span),
            false => self.parts(&part.otherwise, out, span),
        }
    }

    /// Parts as one value that is text even where there is a single value in it.
    fn template_of(&mut self, parts: &[Part], span: Span) -> Eval<Value> {
        let mut text = Text::default();
        self.parts(parts, &mut text, span)?;
        self.text_value(text, span)
    }

    fn for_part(&mut self, part: &PartFor, out: &mut Text, span: Span) -> Eval<()> {
        let collection = self.eval(&part.collection)?;
        if let Value::Deferred(_) = collection {
            return self.deferred_for_part(part, &collection, out, span);
        }
        for (key, value) in self.elements(&collection, part.collection.span)? {
            self.with_loop((part.key.as_ref(), key), (&part.value, value), |e| {
                e.parts(&part.body, out, span)
            })?;
        }
        Ok(())
    }

    fn deferred_for_part(
        &mut self,
        part: &PartFor,
        collection: &Value,
        out: &mut Text,
        span: Span,
    ) -> Eval<()> {
        let (value_name, value) = self.loop_variable();
        let (key_name, key) = match &part.key {
            Some(_) => self.loop_variable(),
            None => (String::new(), Value::Null),
        };
        let body = self.with_loop((part.key.as_ref(), key), (&part.value, value), |e| {
            e.template_of(&part.body, span)
        })?;
        let mut left = Leftover::new();
        let variables = match &part.key {
            Some(_) => format!("{key_name}, {value_name}"),
            None => value_name,
        };
        let collection = left.whole(collection);
        let text = format!("join(\"\", [for {variables} in {collection} : {}])", left.whole(&body));
        let value = left.finish(self, text, true, span)?;
        self.piece(value, out, span)
    }
}

/// Known text inside of a template's source. A `$` at its end must not swallow the `${` of the next
/// piece.
fn write_escaped_piece(text: &str, out: &mut String) {
    match text.strip_suffix(['$', '%']) {
        Some(head) => {
            write_escaped(head, out);
            out.push_str("${");
            write_quoted(&text[head.len()..], out);
            out.push('}');
        }
        None => write_escaped(text, out),
    }
}
