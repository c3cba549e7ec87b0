//! What an expression names, found without computing anything.

use super::{Expr, Kind, Name, Part, Step};
use crate::lang::{Span, Value};

/// `root.member.output`, as far as it is written out.
#[derive(Clone, Debug)]
pub(in crate::lang) struct Path {
    pub root: Name,
    pub member: Option<Name>,
    pub output: Option<Name>,
    /// The root alone, with its member, and with its output.
    pub root_span: Span,
    pub span: Span,
    pub whole_span: Span,
}

/// What an expression names.
#[derive(Debug, Default)]
pub(in crate::lang) struct Found {
    pub paths: Vec<Path>,
    pub calls: Vec<(Name, Span)>,
    loops: Vec<Name>,
}

/// Everything that an expression names, without the variables of its own loops.
pub(in crate::lang) fn of(expr: &Expr) -> Found {
    let mut found = Found::default();
    found.walk(expr);
    found
}

impl Found {
    fn walk(&mut self, expr: &Expr) {
        match &expr.kind {
            Kind::Literal(_) => {}
            Kind::Name(root) => self.path((root, expr.span), None, None, expr.span),
            Kind::Attr(..) => self.attribute(expr),
            Kind::Template(parts) => self.parts(parts),
            Kind::List(items) => items.iter().for_each(|item| self.walk(item)),
            Kind::Object(items) => items.iter().for_each(|(key, value)| {
                self.walk(key);
                self.walk(value);
            }),
            Kind::Binary(_, a, b) => {
                self.walk(a);
                self.walk(b);
            }
            Kind::Index(base, index) => {
                match (&base.kind, &index.kind) {
                    (Kind::Name(root), Kind::Literal(Value::String(member))) => {
                        self.path((root, base.span), Some((member, expr.span)), None, expr.span);
                    }
                    // Which member it is, is computed.
                    (Kind::Name(root), _) => {
                        self.path((root, base.span), None, None, expr.span);
                    }
                    _ => self.walk(base),
                }
                self.walk(index);
            }
            Kind::Unary(_, inner) | Kind::Parenthesis(inner) => self.walk(inner),
            Kind::Splat(splat) => {
                self.walk(&splat.value);
                for step in &splat.each {
                    if let Step::Index(index) = step {
                        self.walk(index);
                    }
                }
            }
            Kind::Call(call) => {
                self.calls.push((call.name.clone(), call.name_span));
                call.arguments.iter().for_each(|argument| self.walk(argument));
            }
            Kind::Conditional(branches) => branches.iter().for_each(|branch| self.walk(branch)),
            Kind::For(r#for) => {
                self.walk(&r#for.collection);
                self.in_loop(r#for.key.as_ref(), &r#for.value, |found| {
                    let inner = [r#for.result_key.as_ref(), r#for.condition.as_ref()];
                    inner.into_iter().flatten().for_each(|expr| found.walk(expr));
                    found.walk(&r#for.result);
                });
            }
        }
    }

    fn in_loop(&mut self, key: Option<&Name>, value: &Name, body: impl FnOnce(&mut Self)) {
        let before = self.loops.len();
        self.loops.extend(key.cloned());
        self.loops.push(value.clone());
        body(self);
        self.loops.truncate(before);
    }

    fn parts(&mut self, parts: &[Part]) {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Value(expr) => self.walk(expr),
                Part::If(part) => {
                    self.walk(&part.condition);
                    self.parts(&part.then);
                    self.parts(&part.otherwise);
                }
                Part::For(part) => {
                    self.walk(&part.collection);
                    self.in_loop(part.key.as_ref(), &part.value, |found| found.parts(&part.body));
                }
            }
        }
    }

    /// A chain of names; what is below it where it is something else.
    fn attribute(&mut self, expr: &Expr) {
        let Kind::Attr(base, last) = &expr.kind else { return };
        match &base.kind {
            Kind::Name(root) => {
                self.path((root, base.span), Some((last, expr.span)), None, expr.span);
            }
            Kind::Attr(inner, member) => match &inner.kind {
                Kind::Name(root) => {
                    let member = Some((member, base.span));
                    self.path((root, inner.span), member, Some(last), expr.span);
                }
                _ => self.walk(base),
            },
            _ => self.walk(base),
        }
    }

    fn path(
        &mut self,
        (root, root_span): (&Name, Span),
        member: Option<(&Name, Span)>,
        output: Option<&Name>,
        whole_span: Span,
    ) {
        if self.loops.contains(root) {
            return;
        }
        let span = member.map_or(root_span, |(_, span)| span);
        let member = member.map(|(name, _)| name.clone());
        let (root, output) = (root.clone(), output.cloned());
        self.paths.push(Path { root, member, output, root_span, span, whole_span });
    }
}
