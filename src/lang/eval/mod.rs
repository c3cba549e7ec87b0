//! Expressions → values. What can't be known yet becomes a [`Deferred`]: the expression that is
//! left.
//!
//! Must not: compute twice what has an effect (nothing here has one), or go on past the budget.

mod calls;
mod deferred;
mod loops;
mod names;
mod operators;
mod residual;
mod template;
pub(super) mod unknown;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::budget::{Budget, MAX_VALUE_DEPTH, MAX_VALUE_WEIGHT};
use crate::lang::scope::Names;
use crate::lang::syntax::{Expr, Kind, Name};
use crate::lang::value::Number;
use crate::lang::{Code, Diagnostic, Span, Value};

pub(super) use deferred::{Leftover, source_of};
pub use residual::{ResidualError, eval_condition, eval_residual, eval_value, quoted};

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

    /// The value, where there is one; what is wrong goes into `found`.
    pub fn eval_into(&mut self, expr: &Expr, found: &mut Vec<Diagnostic>) -> Option<Value> {
        let value = self.eval(expr);
        found.append(&mut self.found);
        value.ok()
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
                    format!("the key `{}` is given twice", crate::lang::diagnostic::shown(&key));
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
        let message = format!("the object has no `{}`", crate::lang::diagnostic::shown(key));
        let diagnostic = Diagnostic::new(Code::UnknownReference, message).label(span, "not there");
        self.fail(diagnostic.suggest(key, known.map(|key| &**key)))
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
}
