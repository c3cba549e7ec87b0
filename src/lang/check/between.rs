//! What holds between blocks: names that stand for something, and blocks that need each other.

use crate::lang::check::names;
use crate::lang::decode::Settings;
use crate::lang::diagnostic::{MAX_DIAGNOSTICS, shown};
use crate::lang::scope::PlanScope;
use crate::lang::syntax::{Block, Body, Expr};
use crate::lang::{Code, Diagnostic, Value, decode, schema, syntax};
use crate::text::closest::closest;

/// Misspelt names anywhere, also where nothing would compute them.
pub(in crate::lang) fn references(body: &Body, plan: &PlanScope, found: &mut Vec<Diagnostic>) {
    for expr in plan.locals.exprs() {
        names::check(expr, plan, &mut |diagnostic| found.push(diagnostic));
    }
    for block in &body.blocks {
        if found.len() >= MAX_DIAGNOSTICS {
            return;
        }
        if let Some(schema) = schema::FILE.block(&block.kind)
            && schema.name != "locals"
        {
            names_in(block, schema, plan, found);
        }
    }
}

/// Blocks that another needs, and a target that lies ahead.
pub(in crate::lang) fn needs(body: &Body, settings: &Settings, found: &mut Vec<Diagnostic>) {
    let first = |kind: &str| decode::block(body, kind);
    if let Some(upgrade) = &settings.upgrade {
        found.extend(Settings::check_direction(upgrade));
    }
    let needs_release =
        body.blocks.iter().find(|block| matches!(&*block.kind, "upgrade" | "roll" | "migrate"));
    if let (Some(block), None, false) = (needs_release, first("release"), body.broken) {
        found.push(
            Diagnostic::new(
                Code::MissingBlock,
                format!("`{}` needs a `release` block", block.kind),
            )
            .label(block.span, "of which release?")
            .help("`release \"NAME\" { namespace = …, chart = … }` says where the release lives"),
        );
    }
}

/// `hops` is a word that is written out, in a plan that has hops.
pub(in crate::lang) fn hops(
    hops: &syntax::Attribute,
    has_upgrade: bool,
    found: &mut Vec<Diagnostic>,
) {
    let word = match &hops.value.kind {
        syntax::Kind::Literal(Value::String(word)) => word.to_string(),
        _ => String::new(),
    };
    if !["first", "last"].contains(&word.as_str()) {
        let message = match word.as_str() {
            "" => "`hops` is written out: \"first\" or \"last\"".to_owned(),
            word => format!("`hops` can't be `{}`", shown(word)),
        };
        let diagnostic = Diagnostic::new(Code::InvalidValue, message);
        let diagnostic = diagnostic.label(hops.value.span, "here");
        found.push(match closest(&word, ["first", "last"]) {
            Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
            None => diagnostic.help("it is first or last; without it a step is part of every hop"),
        });
    } else if !has_upgrade {
        found.push(
            Diagnostic::new(Code::InvalidValue, "a plan without `upgrade` has no hops")
                .label(hops.span, "not here"),
        );
    }
}

fn names_in(
    block: &Block,
    schema: &schema::BlockSchema,
    plan: &PlanScope,
    found: &mut Vec<Diagnostic>,
) {
    for attribute in &block.body.attributes {
        let ty = schema.all_attributes().find(|known| known.name == &*attribute.name).map(|a| a.ty);
        let is_names = ty.is_some() || schema.open.is_some();
        if is_names && ty != Some(schema::Ty::TypeConstraint) {
            let value: &Expr = &attribute.value;
            names::check(value, plan, &mut |diagnostic| found.push(diagnostic));
        }
    }
    for inner in &block.body.blocks {
        if let Some(schema) = schema.block(&inner.kind) {
            names_in(inner, schema, plan, found);
        }
    }
}
