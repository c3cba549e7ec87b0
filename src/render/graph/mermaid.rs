//! Mermaid flowcharts, as code hosts draw them in Markdown.

use std::fmt::Write;

use super::picture::{Picture, Rollback};
use crate::model::Look;

pub(super) fn draw(picture: &Picture) -> String {
    let mut out = String::from("flowchart TB\n");
    if picture.hops.is_empty() {
        for n in 0..picture.nodes.len() {
            node(&mut out, "  ", picture, n);
        }
    }
    for (index, (title, members)) in picture.hops.iter().enumerate() {
        let _ = writeln!(out, "  subgraph hop{index}[\"{}\"]", escaped(title));
        for n in members {
            node(&mut out, "    ", picture, *n);
        }
        out.push_str("  end\n");
    }
    for (earlier, later) in &picture.edges {
        let _ = writeln!(out, "  n{earlier} --> n{later}");
    }
    for (probe, step) in &picture.beside {
        let _ = writeln!(out, "  n{probe} -. beside .- n{step}");
    }
    for Rollback { step, to } in &picture.rollbacks {
        let word = if to.is_some() { "restore" } else { "undo" };
        let _ = writeln!(out, "  n{step} -. {word} .-> n{}", to.unwrap_or(*step));
    }
    if !picture.rollbacks.is_empty() {
        let first = picture.edges.len() + picture.beside.len();
        let links: Vec<String> =
            (first..first + picture.rollbacks.len()).map(|link| link.to_string()).collect();
        let _ = writeln!(out, "  linkStyle {} stroke:#c62828,color:#c62828", links.join(","));
    }
    out
}

/// Rounded boxes for steps, hexagons for people's decisions, circles for joins.
fn node(out: &mut String, indent: &str, picture: &Picture, n: usize) {
    let (open, close) = match picture.nodes[n].kind.traits().look {
        Look::Person => ("{{", "}}"),
        Look::Join => ("((", "))"),
        Look::Watch => ("([", "])"),
        Look::Data | Look::Schema | Look::Release | Look::Check | Look::Work => ("(", ")"),
    };
    let label = escaped(&picture.nodes[n].label);
    // Writing to a String does not fail.
    let _ = writeln!(out, "{indent}n{n}{open}\"{label}\"{close}");
}

/// Mermaid's own character codes; everything that its grammar or HTML could read becomes one.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' => {
                let _ = write!(out, "#{};", c as u32);
            }
            other => out.push(other),
        }
    }
    out
}
