//! Misspelt names in expressions, reported even where a condition leaves them out.

use crate::lang::eval::unknown;
use crate::lang::scope::PlanScope;
use crate::lang::syntax::names::{self, Path};
use crate::lang::syntax::{Expr, Name};
use crate::lang::{Diagnostic, Span, functions};
use crate::model::{Address, StepKind};

/// Reports names that stand for nothing. What depends on where the expression stands is left to its
/// evaluation.
pub(super) fn check(expr: &Expr, plan: &PlanScope, report: &mut impl FnMut(Diagnostic)) {
    let found = names::of(expr);
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
