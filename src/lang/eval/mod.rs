//! Expressions → values. What can't be known yet becomes a [`Deferred`]: the expression that is left.
//!
//! Must not: compute twice what has an effect (nothing here has one), or go on past the budget.

mod deferred;
pub(super) mod names;
mod operators;
mod template;

use std::collections::BTreeMap;
use std::sync::Arc;

use super::budget::{Budget, MAX_VALUE_DEPTH, MAX_VALUE_WEIGHT};
use super::functions;
use super::scope::{Moment, Names};
use super::syntax::{Call, Expr, For, Kind, Name, Splat, Step};
use super::value::{Number, Reference};
use super::{Code, Diagnostic, Span, Value};
pub(super) use deferred::{Leftover, source_of};

/// An error was reported; there is no value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed;

pub(super) type Eval<T> = Result<T, Failed>;

pub(super) struct Evaluator<'a> {
    pub names: Names<'a>,
    pub budget: &'a Budget,
    /// What `file()` can read.
    pub files: &'a dyn Fn(&str) -> Result<String, Diagnostic>,
    pub found: Vec<Diagnostic>,
    /// Variables of the loops around the expression.
    loops: Vec<(Name, Value)>,
    /// Loops whose collection is not known yet, for names of their variables.
    deferred_loops: usize,
}

impl<'a> Evaluator<'a> {
    pub fn new(
        names: Names<'a>,
        budget: &'a Budget,
        files: &'a dyn Fn(&str) -> Result<String, Diagnostic>,
    ) -> Evaluator<'a> {
        let (found, loops) = (Vec::new(), Vec::new());
        Evaluator { names, budget, files, found, loops, deferred_loops: 0 }
    }

    pub fn fail<T>(&mut self, diagnostic: Diagnostic) -> Eval<T> {
        self.found.push(diagnostic);
        Err(Failed)
    }

    pub fn error<T>(&mut self, code: Code, message: impl AsRef<str>, span: Span) -> Eval<T> {
        self.fail(Diagnostic::new(code, message).label(span, "here"))
    }

    /// Takes from the budget, or fails.
    pub fn spend(&mut self, operations: u64, bytes: u64, span: Span) -> Eval<()> {
        if self.budget.spend(operations, bytes) {
            return Ok(());
        }
        if self.budget.first_report() {
            let diagnostic =
                Diagnostic::new(Code::BudgetExceeded, "computing this plan takes too much")
                    .label(span, "the budget was used up here")
                    .help("is a `for` or a function making far more than is needed?");
            self.found.push(diagnostic);
        }
        Err(Failed)
    }

    pub fn eval(&mut self, expr: &Expr) -> Eval<Value> {
        self.spend(1, 0, expr.span)?;
        match &expr.kind {
            Kind::Literal(value) => Ok(value.clone()),
            Kind::Parenthesis(inner) => self.eval(inner),
            Kind::Template(parts) => self.template(parts, expr.span),
            Kind::List(items) => {
                let items = self.all(items.iter())?;
                self.list(items, expr.span)
            }
            Kind::Object(items) => self.object_literal(items, expr.span),
            Kind::Name(name) => self.bare_name(name, expr.span),
            Kind::Attr(base, name) => self.attribute(base, name, expr.span),
            Kind::Index(base, index) => {
                if let Kind::Name(root) = &base.kind
                    && self.is_root(root)
                {
                    // `database[each.key]` is `database.NAME` with a name that is computed.
                    let key = self.eval(index)?;
                    let name = self.key(&key, index.span)?;
                    return self.root(root, &name, base.span, expr.span);
                }
                let value = self.eval(base);
                let index_value = self.eval(index);
                let (value, index_value) = (value?, index_value?);
                self.index(&value, &index_value, index.span, expr.span)
            }
            Kind::Splat(splat) => self.splat(splat, expr.span),
            Kind::Call(call) => self.call(call, expr.span),
            Kind::Unary(operator, operand) => self.unary(*operator, operand, expr.span),
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, expr.span),
            Kind::Conditional(branches) => self.conditional(branches, expr.span),
            Kind::For(r#for) => self.for_expr(r#for, expr.span),
        }
    }

    /// Every expression, so that every error is found.
    fn all<'e>(&mut self, exprs: impl Iterator<Item = &'e Expr>) -> Eval<Vec<Value>> {
        let values: Vec<_> = exprs.map(|expr| self.eval(expr)).collect();
        values.into_iter().collect()
    }

    pub fn list(&mut self, items: Vec<Value>, span: Span) -> Eval<Value> {
        self.spend(0, 32 * items.len() as u64, span)?;
        self.bounded(Value::list(items), span)
    }

    pub fn object(&mut self, entries: BTreeMap<Arc<str>, Value>, span: Span) -> Eval<Value> {
        self.spend(0, 64 * entries.len() as u64, span)?;
        self.bounded(Value::object(entries), span)
    }

    fn bounded(&mut self, value: Value, span: Span) -> Eval<Value> {
        if value.depth() > MAX_VALUE_DEPTH {
            let message = format!("this value is nested more than {MAX_VALUE_DEPTH} levels deep");
            return self.error(Code::TooDeep, message, span);
        }
        if value.weight() > MAX_VALUE_WEIGHT {
            self.spend(u64::MAX, 0, span)?;
        }
        Ok(value)
    }

    fn object_literal(&mut self, items: &[(Expr, Expr)], span: Span) -> Eval<Value> {
        let mut entries = BTreeMap::new();
        let mut places: BTreeMap<Arc<str>, Span> = BTreeMap::new();
        let mut failed = false;
        for (key_expr, value_expr) in items {
            let key = self.eval(key_expr).and_then(|key| self.key(&key, key_expr.span));
            let value = self.eval(value_expr);
            let (Ok(key), Ok(value)) = (key, value) else {
                failed = true;
                continue;
            };
            if let Some(first) = places.insert(key.clone(), key_expr.span) {
                let message =
                    format!("the key `{}` is given twice", super::diagnostic::shown(&key));
                self.found.push(
                    Diagnostic::new(Code::DuplicateName, message)
                        .label(key_expr.span, "given again here")
                        .label(first, "first given here"),
                );
                failed = true;
            }
            entries.insert(key, value);
        }
        if failed { Err(Failed) } else { self.object(entries, span) }
    }

    /// A value as the key of an object.
    fn key(&mut self, value: &Value, span: Span) -> Eval<Arc<str>> {
        match value.to_text() {
            Some(text) if !value.has_reference() => Ok(text),
            _ => {
                let message =
                    format!("an object's key must be a string, not {}", value.with_article());
                self.error(Code::WrongType, message, span)
            }
        }
    }

    pub fn index(&mut self, value: &Value, key: &Value, key_span: Span, span: Span) -> Eval<Value> {
        match (value, key) {
            (Value::Deferred(_), _) | (_, Value::Deferred(_)) => {
                let mut left = Leftover::new();
                let base = left.operand(value);
                let key = left.whole(key);
                left.finish(self, format!("{base}[{key}]"), true, span)
            }
            (Value::List(list), _) => {
                let Some(at) = key.to_number().and_then(Number::as_int) else {
                    let message = "the index of a list must be a whole number";
                    return self.error(Code::WrongType, message, key_span);
                };
                match usize::try_from(at).ok().and_then(|at| list.items.get(at)) {
                    Some(item) => Ok(item.clone()),
                    None => {
                        let message =
                            format!("the list has {} elements, no [{at}]", list.items.len());
                        self.error(Code::ExpressionError, message, key_span)
                    }
                }
            }
            (Value::Object(object), _) => {
                let key = self.key(key, key_span)?;
                match object.entries.get(&key) {
                    Some(value) => Ok(value.clone()),
                    None => self.no_such_key(&key, object.entries.keys(), key_span),
                }
            }
            (Value::Reference(reference), _) => self.index_reference(reference, key, key_span),
            (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => {
                let message = format!("{} has no elements", value.with_article());
                self.error(Code::WrongType, message, span)
            }
        }
    }

    pub fn no_such_key<'k>(
        &mut self,
        key: &str,
        known: impl Iterator<Item = &'k Arc<str>>,
        span: Span,
    ) -> Eval<Value> {
        let message = format!("the object has no `{}`", super::diagnostic::shown(key));
        let diagnostic = Diagnostic::new(Code::UnknownReference, message).label(span, "not there");
        self.fail(diagnostic.suggest(key, known.map(|key| &**key)))
    }

    fn splat(&mut self, splat: &Splat, span: Span) -> Eval<Value> {
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

    fn conditional(&mut self, [condition, then, otherwise]: &[Expr; 3], span: Span) -> Eval<Value> {
        let value = self.eval(condition)?;
        if let Value::Deferred(_) = value {
            let then = self.eval(then);
            let otherwise = self.eval(otherwise);
            let (then, otherwise) = (then?, otherwise?);
            let mut left = Leftover::new();
            let condition = left.operand(&value);
            let text =
                format!("{condition} ? {} : {}", left.operand(&then), left.operand(&otherwise));
            return left.finish(self, text, false, span);
        }
        match self.truth(&value, condition.span)? {
            true => self.eval(then),
            false => self.eval(otherwise),
        }
    }

    /// A known value as a condition.
    pub fn truth(&mut self, value: &Value, span: Span) -> Eval<bool> {
        match value.to_bool() {
            Some(truth) => Ok(truth),
            None => {
                let message =
                    format!("a condition must be true or false, not {}", value.with_article());
                self.error(Code::WrongType, message, span)
            }
        }
    }

    /// The elements of a collection with their keys.
    fn elements(&mut self, value: &Value, span: Span) -> Eval<Vec<(Value, Value)>> {
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
    fn with_loop<T>(
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

    fn for_expr(&mut self, r#for: &For, span: Span) -> Eval<Value> {
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
                            super::diagnostic::shown(&key)
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

    fn call(&mut self, call: &Call, span: Span) -> Eval<Value> {
        let Some(function) = functions::find(&call.name) else {
            return self.fail(names::unknown_function(&call.name, call.name_span));
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
                        self.deferred_call(&call.name, &[value], false, span)
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
        self.deferred_call(&call.name, &later, false, span)
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
                    .label(span, "known when planning")
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
                left.sensitive = true;
                left.finish(self, format!("env({})", source_of(&value)), true, span)
            }
        }
    }
}
