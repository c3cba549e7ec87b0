//! A body against its schema: what is unknown, missing, given twice or labelled wrongly. Looks at
//! names only.

use foldhash::{HashMap, HashMapExt as _};

use crate::lang::diagnostic::{MAX_DIAGNOSTICS, shown};
use crate::lang::schema::{BlockSchema, Labels};
use crate::lang::syntax::{Block, Body, Name};
use crate::lang::{Code, Diagnostic, Span};
use crate::text::closest::closest;

/// Checks a body and the blocks in it. `owner` is where missing things are reported.
pub(in crate::lang) fn body(
    body: &Body,
    schema: &BlockSchema,
    owner: Span,
    found: &mut Vec<Diagnostic>,
) {
    attributes(body, schema, owner, found);
    let mut first: HashMap<(&str, Option<&str>), Span> = HashMap::with_capacity(body.blocks.len());
    for block in &body.blocks {
        if found.len() >= MAX_DIAGNOSTICS {
            return;
        }
        let Some(inner) = schema.block(&block.kind) else {
            found.push(unknown_block(block, schema));
            continue;
        };
        labels(block, inner, found);
        // Steps and other named blocks of a file are told apart by kind and name.
        let label = block.labels.first().map(|label| &*label.text).filter(|_| inner.many);
        let anonymous = inner.many && inner.labels == Labels::None;
        if !anonymous && let Some(before) = first.insert((inner.name, label), block.span) {
            found.push(duplicate(block, label, before));
        }
        self::body(&block.body, inner, block.span, found);
    }
    if body.broken {
        return;
    }
    for inner in schema.blocks.iter().filter(|inner| inner.required) {
        if !body.blocks.iter().any(|block| &*block.kind == inner.name) {
            let what = format!("`{}` needs a `{}` block", schema.name, inner.name);
            found.push(
                Diagnostic::new(Code::MissingBlock, what)
                    .label(owner, "in this block")
                    .help(inner.doc),
            );
        }
    }
}

fn attributes(body: &Body, schema: &BlockSchema, owner: Span, found: &mut Vec<Diagnostic>) {
    let mut first: HashMap<&Name, Span> = HashMap::with_capacity(body.attributes.len());
    for attribute in &body.attributes {
        if found.len() >= MAX_DIAGNOSTICS {
            return;
        }
        let known = schema.open.is_some()
            || schema.all_attributes().any(|known| known.name == &*attribute.name);
        if !known {
            found.push(unknown_attribute(&attribute.name, attribute.span, schema));
        } else if let Some(before) = first.insert(&attribute.name, attribute.span) {
            let message = format!("`{}` is given twice", shown(&attribute.name));
            found.push(
                Diagnostic::new(Code::DuplicateName, message)
                    .label(attribute.span, "given again here")
                    .label(before, "first given here"),
            );
        }
    }
    if body.broken {
        return;
    }
    // What was meant by a misspelt name is not missing too.
    let meant: Vec<_> = body
        .attributes
        .iter()
        .filter(|a| !schema.all_attributes().any(|known| known.name == &*a.name))
        .filter_map(|a| closest(&a.name, schema.all_attributes().map(|known| known.name)))
        .collect();
    for needed in schema.all_attributes().filter(|attribute| attribute.required) {
        let given = first.keys().any(|name| &***name == needed.name);
        if !given && !meant.contains(&needed.name) {
            let message = format!("`{}` needs the attribute `{}`", schema.name, needed.name);
            found.push(
                Diagnostic::new(Code::MissingAttribute, message)
                    .label(owner, "in this block")
                    .help(needed.doc),
            );
        }
    }
}

fn unknown_attribute(name: &str, span: Span, schema: &BlockSchema) -> Diagnostic {
    let place = if schema.name == "plan" {
        "at the top level".to_owned()
    } else {
        format!("in `{}`", schema.name)
    };
    let message = format!("unknown attribute `{}` {place}", shown(name));
    let diagnostic =
        Diagnostic::new(Code::UnknownAttribute, message).label(span, "not an attribute here");
    if let Some(block) = schema.block(name) {
        return diagnostic.help(format!("`{}` is a block: `{0} {{ … }}`", block.name));
    }
    let names: Vec<_> = schema.all_attributes().map(|known| known.name).collect();
    match closest(name, names.iter().copied()) {
        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
        None if names.is_empty() => diagnostic.help("it has no attributes"),
        None => diagnostic.help(format!("valid names: {}", names.join(", "))),
    }
}

fn unknown_block(block: &Block, schema: &BlockSchema) -> Diagnostic {
    let place =
        if schema.name == "plan" { String::new() } else { format!(" in `{}`", schema.name) };
    let message = format!("unknown block `{}`{place}", shown(&block.kind));
    let diagnostic =
        Diagnostic::new(Code::UnknownBlock, message).label(block.kind_span, "not a block here");
    if let Some(attribute) = schema.all_attributes().find(|known| known.name == &*block.kind) {
        return diagnostic.help(format!("`{}` is an attribute: `{0} = …`", attribute.name));
    }
    let names: Vec<_> = schema.blocks.iter().map(|known| known.name).collect();
    match closest(&block.kind, names.iter().copied()) {
        Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
        None if names.is_empty() => diagnostic.help("there are no blocks in it"),
        None => diagnostic.help(format!("valid names: {}", names.join(", "))),
    }
}

fn labels(block: &Block, schema: &BlockSchema, found: &mut Vec<Diagnostic>) {
    let (least, most, form) = match schema.labels {
        Labels::None => (0, 0, format!("{} {{ … }}", schema.name)),
        Labels::Name => (1, 1, format!("{} \"name\" {{ … }}", schema.name)),
        Labels::Version => (1, 1, format!("{} \"2.7.0\" {{ … }}", schema.name)),
        Labels::Optional => (0, 1, format!("{} {{ … }}", schema.name)),
    };
    if block.labels.len() < least {
        let message = format!("`{}` needs a name", schema.name);
        found.push(
            Diagnostic::new(Code::WrongLabels, message)
                .label(block.span, "no label")
                .help(format!("write `{form}`")),
        );
        return;
    }
    if let Some(extra) = block.labels.get(most) {
        let message = match most {
            0 => format!("`{}` takes no label", schema.name),
            _ => format!("`{}` takes one label", schema.name),
        };
        found.push(
            Diagnostic::new(Code::WrongLabels, message)
                .label(extra.span, "one too many")
                .help(format!("write `{form}`")),
        );
    }
    if schema.labels == Labels::Name
        && schema.name != "relax"
        && let Some(label) = block.labels.first()
        && !is_name(&label.text)
    {
        let message = format!("`{}` is not a name", shown(&label.text));
        found.push(
            Diagnostic::new(Code::InvalidName, message)
                .label(label.span, "here")
                .help("a name begins with a letter or `_`, goes on with letters, digits, `_` and `-`, and has at most 63 characters"),
        );
    }
}

/// Names stand in addresses, labels of Kubernetes objects and file names.
fn is_name(text: &str) -> bool {
    const LONGEST: usize = 63;
    text.len() <= LONGEST
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn duplicate(block: &Block, label: Option<&str>, before: Span) -> Diagnostic {
    let message = match label {
        Some(label) => format!("`{} \"{}\"` is declared twice", block.kind, shown(label)),
        None => format!("`{}` is declared twice", block.kind),
    };
    Diagnostic::new(Code::DuplicateName, message)
        .label(block.span, "again here")
        .label(before, "first here")
}
