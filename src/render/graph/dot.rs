//! Graphviz DOT.

use std::fmt::Write;

use super::picture::{Picture, Rollback};

pub(super) fn draw(picture: &Picture) -> String {
    let mut out = String::from(
        "digraph plan {\n  rankdir = TB\n  node [shape = box, style = rounded, fontname = \"sans-serif\"]\n",
    );
    let name = |n: usize| quoted(&picture.nodes[n].label, n);
    if picture.hops.is_empty() {
        for n in 0..picture.nodes.len() {
            line(&mut out, "  ", &declared(picture, n));
        }
    }
    for (index, (title, members)) in picture.hops.iter().enumerate() {
        line(&mut out, "  ", &format!("subgraph cluster_{index} {{"));
        line(&mut out, "    ", &format!("label = {}", string(title)));
        for n in members {
            line(&mut out, "    ", &declared(picture, *n));
        }
        line(&mut out, "  ", "}");
    }
    for (earlier, later) in &picture.edges {
        line(&mut out, "  ", &format!("{} -> {}", name(*earlier), name(*later)));
    }
    for (probe, step) in &picture.beside {
        let style = "[style = dotted, constraint = false, label = \"beside\"]";
        line(&mut out, "  ", &format!("{} -> {} {style}", name(*probe), name(*step)));
    }
    for Rollback { step, to } in &picture.rollbacks {
        let word = if to.is_some() { "restore" } else { "undo" };
        let style = format!(
            "[style = dashed, color = red, fontcolor = red, constraint = false, label = \"{word}\"]"
        );
        line(&mut out, "  ", &format!("{} -> {} {style}", name(*step), name(to.unwrap_or(*step))));
    }
    out.push_str("}\n");
    out
}

fn declared(picture: &Picture, n: usize) -> String {
    let node = &picture.nodes[n];
    let name = quoted(&node.label, n);
    match &node.description {
        Some(description) => format!("{name} [tooltip = {}]", string(description)),
        None => name,
    }
}

/// The node's name. Labels that were shortened may coincide, so a shortened one carries its number.
fn quoted(label: &str, n: usize) -> String {
    if label.ends_with('…') { string(&format!("{label} #{n}")) } else { string(label) }
}

/// A double-quoted string. Only the quote is special in DOT's grammar, but Graphviz gives `\` a
/// meaning in labels.
fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn line(out: &mut String, indent: &str, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{indent}{text}");
}
