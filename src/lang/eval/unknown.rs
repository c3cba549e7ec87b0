//! What is said of a name that stands for nothing, with what may have been meant.

use crate::lang::diagnostic::shown;
use crate::lang::scope::PlanScope;
use crate::lang::syntax::Name;
use crate::lang::{Code, Diagnostic, Span, functions};
use crate::model::StepKind;
use crate::text::closest::closest;

/// Names that expressions can begin with, besides the kinds of step.
pub(in crate::lang) const ROOTS: [&str; 8] =
    ["var", "local", "each", "hop", "plan", "release", "database", "capture"];
pub(in crate::lang) const HOP_NAMES: [&str; 4] = ["from", "to", "kind", "index"];

pub(in crate::lang) fn unknown_function(name: &str, span: Span) -> Diagnostic {
    let message = format!("there is no function `{}`", shown(name));
    let diagnostic = Diagnostic::new(Code::UnknownFunction, message).label(span, "not a function");
    match name {
        "timestamp" | "plantimestamp" | "uuid" | "bcrypt" => diagnostic.help(
            "a plan gives the same result every time, so nothing in it reads a clock or rolls dice",
        ),
        "templatefile" | "fileexists" | "fileset" | "filebase64" | "filesha256" => {
            diagnostic.help("`file(path)` reads a file of the plan's folder")
        }
        _ => diagnostic.suggest(name, functions::ALL.iter().map(|function| function.name)),
    }
}

pub(in crate::lang) fn unknown_root(name: &str, loops: &[Name], span: Span) -> Diagnostic {
    let message = format!("`{}` names nothing here", shown(name));
    let diagnostic =
        Diagnostic::new(Code::UnknownReference, message).label(span, "not a name of the plan");
    let roots = ROOTS.into_iter().chain(StepKind::ALL.map(StepKind::as_str));
    match closest(name, roots.chain(loops.iter().map(|name| &**name))) {
        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
        None => diagnostic.help(format!("text is written in double quotes: \"{}\"", shown(name))),
    }
}

pub(in crate::lang) fn unknown_member<'k>(
    what: &str,
    name: &str,
    known: impl Iterator<Item = &'k str> + Clone,
    span: Span,
) -> Diagnostic {
    let message = format!("there is no {what} `{}`", shown(name));
    let diagnostic = Diagnostic::new(Code::UnknownReference, message).label(span, "not there");
    match closest(name, known.clone()) {
        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
        None => {
            let some: Vec<_> = known.take(8).collect();
            match some.as_slice() {
                [] => diagnostic.help(format!("this plan has no {what}")),
                some => diagnostic.help(format!("known: {}", some.join(", "))),
            }
        }
    }
}

/// A step block that the plan does not have.
pub(in crate::lang) fn unknown_step(
    plan: &PlanScope,
    kind: StepKind,
    name: &str,
    span: Span,
) -> Diagnostic {
    let of_kind = plan
        .blocks
        .iter()
        .filter(|block| block.address.kind == kind)
        .map(|block| &*block.address.name);
    let elsewhere = plan.blocks.iter().find(|block| &*block.address.name == name);
    let message = format!("there is no step `{kind}.{}`", shown(name));
    let diagnostic = Diagnostic::new(Code::UnknownReference, message).label(span, "not there");
    match (closest(name, of_kind.clone()), elsewhere, of_kind.clone().next()) {
        (Some(close), _, _) => diagnostic.help(format!("did you mean `{kind}.{close}`?")),
        (None, Some(block), _) => diagnostic.help(format!("did you mean `{}`?", block.address)),
        (None, None, Some(_)) => {
            let some: Vec<_> = of_kind.take(8).map(|name| format!("{kind}.{name}")).collect();
            diagnostic.help(format!("known: {}", some.join(", ")))
        }
        (None, None, None) => diagnostic.help(format!("the plan has no `{kind}` step")),
    }
}

pub(in crate::lang) fn unknown_output(kind: StepKind, name: &str, span: Span) -> Diagnostic {
    let known: Vec<&str> = kind.output_names().into_iter().flatten().collect();
    unknown_member(&format!("output of a `{kind}` step named"), name, known.into_iter(), span)
}
