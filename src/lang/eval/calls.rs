//! Calls: of the functions that compute, and of those that the evaluator itself has to see to.

use crate::lang::eval::{Eval, Evaluator, Failed, Leftover, source_of, unknown};
use crate::lang::scope::Moment;
use crate::lang::syntax::Call;
use crate::lang::{Code, Diagnostic, Span, Value, functions};

impl Evaluator<'_> {
    pub(super) fn call(&mut self, call: &Call, span: Span) -> Eval<Value> {
        let Some(function) = functions::find(&call.name) else {
            return self.fail(unknown::unknown_function(&call.name, call.name_span));
        };
        if let functions::Run::Evaluator(special) = function.run {
            return self.special(special, call, span);
        }
        let mut arguments = self.all(call.arguments.iter())?;
        if call.spread {
            match arguments.pop() {
                Some(Value::List(list)) => arguments.extend(list.items.iter().cloned()),
                Some(value @ Value::Deferred(_)) => {
                    arguments.push(value);
                    return self.deferred_call(&call.name, &arguments, true, span);
                }
                Some(other) => {
                    let message = format!("`...` spreads a list, not {}", other.with_article());
                    return self.error(Code::WrongType, message, span);
                }
                None => {}
            }
        }
        if let Err(message) = function.accepts(arguments.len()) {
            let diagnostic = Diagnostic::new(Code::ExpressionError, message)
                .label(span, "in this call")
                .help(format!("it is called as `{}`", function.signature));
            return self.fail(diagnostic);
        }
        let deferred = match function.run {
            functions::Run::Evaluator(_) => unreachable!("handled above"),
            functions::Run::Known(_) => arguments.iter().any(|value| !value.is_known()),
            functions::Run::Shallow(_) => {
                arguments.iter().any(|value| matches!(value, Value::Deferred(_)))
            }
        };
        if deferred {
            self.spend(arguments.iter().map(Value::weight).sum(), 0, span)?;
            return self.deferred_call(&call.name, &arguments, false, span);
        }
        self.spend(1 + arguments.iter().map(Value::weight).sum::<u64>() / 8, 0, span)?;
        match function.call(&arguments, self.budget) {
            Ok(value) => self.bounded(value, span),
            Err(functions::Wrong::Budget) => {
                self.spend(u64::MAX, 0, span)?;
                Err(Failed)
            }
            Err(functions::Wrong::Argument(index, message)) => {
                let place = call.arguments.get(index).map_or(span, |argument| argument.span);
                let diagnostic =
                    Diagnostic::new(Code::ExpressionError, format!("`{}`: {message}", call.name))
                        .label(place, "here");
                self.fail(diagnostic.help(format!("it is called as `{}`", function.signature)))
            }
            Err(functions::Wrong::Call(message)) => {
                self.error(Code::ExpressionError, format!("`{}`: {message}", call.name), span)
            }
        }
    }

    fn special(&mut self, special: functions::Special, call: &Call, span: Span) -> Eval<Value> {
        use functions::Special;
        let known = functions::find(&call.name).expect("the caller found it");
        if let Err(message) = known.accepts(call.arguments.len()) {
            let diagnostic = Diagnostic::new(Code::ExpressionError, message)
                .label(span, "in this call")
                .help(format!("it is called as `{}`", known.signature));
            return self.fail(diagnostic);
        }
        match special {
            Special::Try => self.try_call(call, span),
            Special::Can => {
                let before = self.found.len();
                let value = self.eval(&call.arguments[0]);
                self.found.truncate(before);
                match value {
                    Ok(value) if !value.is_known() => {
                        self.forgiving_call(&call.name, &[value], span)
                    }
                    Ok(_) => Ok(Value::Bool(true)),
                    Err(Failed) => Ok(Value::Bool(false)),
                }
            }
            Special::Sensitive => self.sensitive(call, span),
            Special::Nonsensitive => {
                let value = self.eval(&call.arguments[0])?;
                match &value {
                    Value::Deferred(_) => {
                        let mut left = Leftover::new();
                        let text = format!("nonsensitive({})", left.whole(&value));
                        left.sensitive = false;
                        left.finish(self, text, true, span)
                    }
                    _ => Ok(value),
                }
            }
            Special::Env => self.environment(call, span),
            Special::File => {
                let value = self.eval(&call.arguments[0])?;
                let place = call.arguments[0].span;
                match &value {
                    Value::String(path) => match (self.files)(path) {
                        Ok(text) => {
                            self.spend(1, text.len() as u64, span)?;
                            Ok(Value::string(text))
                        }
                        Err(diagnostic) => self.fail(diagnostic.label(place, "here")),
                    },
                    Value::Deferred(_) => {
                        let message =
                            "files are read when planning, so their path must be known then";
                        self.error(Code::NotKnownYet, message, place)
                    }
                    _ => self.error(Code::WrongType, "a path must be a string", place),
                }
            }
        }
    }

    fn try_call(&mut self, call: &Call, span: Span) -> Eval<Value> {
        let before = self.found.len();
        let mut later = Vec::new();
        for argument in &call.arguments {
            match self.eval(argument) {
                Ok(value) if value.is_known() && later.is_empty() => {
                    self.found.truncate(before);
                    return Ok(value);
                }
                Ok(value) => {
                    let known = value.is_known();
                    later.push(value);
                    if known {
                        break;
                    }
                }
                Err(Failed) => {}
            }
        }
        if later.is_empty() {
            // Every argument failed: what they said stands.
            return Err(Failed);
        }
        self.found.truncate(before);
        self.forgiving_call(&call.name, &later, span)
    }

    fn sensitive(&mut self, call: &Call, span: Span) -> Eval<Value> {
        let value = self.eval(&call.arguments[0])?;
        match (&value, self.names.moment) {
            (_, Moment::Apply { .. }) => Ok(value),
            (Value::Deferred(_), _) => {
                let mut left = Leftover::new();
                let text = format!("sensitive({})", left.whole(&value));
                left.sensitive = true;
                left.finish(self, text, true, span)
            }
            _ => {
                let message = "a value that stands in the plan's text can't be made secret";
                let diagnostic = Diagnostic::new(Code::SecretInPlan, message)
                    .label_secret(span, "known when planning")
                    .help("read a secret with `env(\"NAME\")`, or from a `sensitive` variable");
                self.fail(diagnostic)
            }
        }
    }

    fn environment(&mut self, call: &Call, span: Span) -> Eval<Value> {
        let value = self.eval(&call.arguments[0])?;
        let Value::String(name) = &value else {
            let message =
                "the name of an environment variable must be a string that is known when planning";
            return self.error(Code::WrongType, message, call.arguments[0].span);
        };
        match self.names.moment {
            Moment::Apply { env, .. } => match env(name) {
                Some(text) => Ok(Value::string(text)),
                None => {
                    let message = format!("the environment variable `{name}` is not set");
                    self.error(Code::ExpressionError, message, span)
                }
            },
            Moment::Early | Moment::Plan => {
                let mut left = Leftover::new();
                left.env.insert(name.to_string());
                left.needed_env.insert(name.to_string());
                left.sensitive = true;
                left.finish(self, format!("env({})", source_of(&value)), true, span)
            }
        }
    }
}
