//! Names in expressions, found without computing anything: misspelt ones are reported even where a condition leaves
//! them out, and locals are put in order by what they name.

use super::diagnostic::shown;
use super::eval::unknown;
use super::scope::PlanScope;
use super::syntax::{Expr, Kind, Name, Part, Step};
use super::{Code, Diagnostic, Span, Value, functions};
use crate::model::{Address, StepKind};

/// `root.member.output`, as far as it is written out.
#[derive(Clone, Debug)]
pub(super) struct Path {
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
pub(super) struct Found {
    pub paths: Vec<Path>,
    pub calls: Vec<(Name, Span)>,
    loops: Vec<Name>,
}

/// Everything that an expression names, without the variables of its own loops.
pub(super) fn of(expr: &Expr) -> Found {
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

/// Reports names that stand for nothing. What depends on where the expression stands is left to its evaluation.
pub(super) fn check(expr: &Expr, plan: &PlanScope, report: &mut impl FnMut(Diagnostic)) {
    let found = of(expr);
    for (name, span) in &found.calls {
        if functions::find(name).is_none() {
            report(unknown::unknown_function(name, *span));
        }
    }
    for path in &found.paths {
        let Path { root, member, output, root_span, span, whole_span } = path;
        let Some(member) = member else {
            let known = unknown::ROOTS.contains(&&**root) || root.parse::<StepKind>().is_ok();
            if !known {
                report(unknown::unknown_root(root, &[], *root_span));
            }
            continue;
        };
        match &**root {
            "var" if !plan.variables.contains_key(&**member) => {
                let known = plan.variables.keys().map(String::as_str);
                report(unknown::unknown_member("variable", member, known, *span));
            }
            "local" if !plan.locals.contains(member) => {
                report(unknown::unknown_member("local value", member, plan.locals.names(), *span));
            }
            root if unknown::ROOTS.contains(&root) => {}
            root => match root.parse::<StepKind>() {
                Ok(kind) => {
                    let output = output.as_ref().map(|output| (output, *whole_span));
                    step(plan, kind, member, output, *span, report);
                }
                Err(_) => report(unknown::unknown_root(root, &[], *root_span)),
            },
        }
    }
}

fn step(
    plan: &PlanScope,
    kind: StepKind,
    name: &Name,
    output: Option<(&Name, Span)>,
    span: Span,
    report: &mut impl FnMut(Diagnostic),
) {
    if plan.step_index(&Address::new(kind, &**name)).is_none() {
        report(unknown::unknown_step(plan, kind, name, span));
    } else if let Some((output, whole_span)) = output
        && !kind.may_put_out(output)
    {
        report(unknown::unknown_output(kind, output, whole_span));
    }
}

/// `"a" is not text`: shown names of a cycle, shortened in the middle.
pub(super) fn cycle(names: &[String]) -> String {
    const HEAD: usize = 6;
    const TAIL: usize = 2;
    let mut parts: Vec<String> = names.iter().map(|name| shown(name)).collect();
    if parts.len() > HEAD + TAIL + 1 {
        let left_out = parts.len() - HEAD - TAIL;
        parts.splice(HEAD..HEAD + left_out, [format!("… {left_out} more …")]);
    }
    if let Some(first) = names.first() {
        parts.push(shown(first));
    }
    parts.join(" → ")
}

/// A cycle as a diagnostic.
pub(super) fn cycle_diagnostic(names: &[String], place: Span) -> Diagnostic {
    Diagnostic::new(Code::DependencyCycle, format!("these name each other: {}", cycle(names)))
        .label(place, "part of the cycle")
        .help("break the cycle: one of them must not name the next")
}
