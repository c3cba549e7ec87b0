//! SVG: one self-contained picture, readable on light and dark pages, drawn without any other
//! program.

use std::fmt::Write;

use super::layout::{Layout, Place, layered};
use super::picture::{Picture, Rollback};

const CHAR_WIDTH: f64 = 7.3;
const PADDING: f64 = 14.0;
const NODE_HEIGHT: f64 = 32.0;
/// Across, between nodes of a layer; room for the loop of an undo.
const GAP: f64 = 46.0;
/// Down, between layers.
const LAYER_HEIGHT: f64 = 74.0;
const BEND_WIDTH: f64 = 18.0;
const MARGIN: f64 = 24.0;
/// Room for the hops' titles.
const HOP_MARGIN: f64 = 34.0;

const STYLE: &str = "
  text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1b1f24 }
  .step rect { fill: #f6f8fa; stroke: #57606a }
  .data rect { fill: #ddf4ff; stroke: #0969da }
  .schema rect { fill: #fff8c5; stroke: #9a6700 }
  .release rect { fill: #fbefff; stroke: #8250df }
  .check rect, .watch rect { fill: #dafbe1; stroke: #1a7f37 }
  .person rect { fill: #ffebe9; stroke: #cf222e }
  .edge { fill: none; stroke: #57606a; stroke-width: 1.3 }
  .beside { stroke-dasharray: 1 4; stroke-linecap: round }
  .undo { fill: none; stroke: #cf222e; stroke-width: 1.3; stroke-dasharray: 5 4 }
  .word { font-size: 10px; fill: #cf222e }
  .hop { fill: none; stroke: #8c959f; stroke-dasharray: 2 3 }
  .title { font-weight: 600 }
  .arrow { fill: #57606a }
  .back { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .step rect { fill: #161b22 }
    .data rect { fill: #0c2d6b }
    .schema rect { fill: #4b2900 }
    .release rect { fill: #3c1e70 }
    .check rect, .watch rect { fill: #033a16 }
    .person rect { fill: #67060c }
    .word { fill: #ff7b72 }
  }";

pub(super) fn draw(picture: &Picture) -> String {
    let widths: Vec<f64> = picture.nodes.iter().map(|node| width(&node.label) + GAP).collect();
    let layout = layered(&widths, &picture.edges, BEND_WIDTH);
    let top = if picture.hops.is_empty() { MARGIN } else { MARGIN + HOP_MARGIN };
    let canvas = Canvas { picture, layout, top, out: String::new() };
    canvas.draw()
}

fn width(label: &str) -> f64 {
    unicode_width::UnicodeWidthStr::width(label) as f64 * CHAR_WIDTH + 2.0 * PADDING
}

struct Canvas<'a> {
    picture: &'a Picture,
    layout: Layout,
    /// Where the first layer begins.
    top: f64,
    out: String,
}

impl Canvas<'_> {
    fn draw(mut self) -> String {
        // Rollback edges bulge to the right of what they leave.
        let width = self.layout.width + 2.0 * MARGIN + self.bulge(usize::MAX);
        let height = self.top + self.layout.layers as f64 * LAYER_HEIGHT + MARGIN;
        self.line(&format!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0} {height:.0}" width="{width:.0}" height="{height:.0}" role="img" aria-label="step graph">"#
        ));
        self.line(&format!("<style>{STYLE}\n</style>"));
        self.line(
            r#"<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="arrow" d="M0 0 8 4 0 8z"/></marker><marker id="back" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path class="back" d="M0 0 8 4 0 8z"/></marker></defs>"#,
        );
        self.hops();
        self.edges();
        self.besides();
        for n in 0..self.picture.nodes.len() {
            self.node(n);
        }
        self.rollbacks();
        self.line("</svg>");
        self.out
    }

    fn line(&mut self, text: &str) {
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn x(&self, n: usize) -> f64 {
        MARGIN + self.layout.places[n].x
    }

    /// The upper edge of a layer's nodes.
    fn y(&self, layer: usize) -> f64 {
        self.top + layer as f64 * LAYER_HEIGHT
    }

    fn right(&self, n: usize) -> f64 {
        self.x(n) + width(&self.picture.nodes[n].label) / 2.0
    }

    /// How far right a rollback edge over this many layers swings.
    fn bulge(&self, layers: usize) -> f64 {
        let longest = self.picture.rollbacks.iter().filter_map(|Rollback { step, to }| {
            let to = (*to)?;
            Some(self.layout.places[*step].layer.abs_diff(self.layout.places[to].layer))
        });
        (30.0 + 22.0 * layers.min(longest.max().unwrap_or(0)) as f64).min(240.0)
    }

    fn hops(&mut self) {
        for (title, members) in &self.picture.hops {
            let edges = members.iter().map(|n| {
                let half = width(&self.picture.nodes[*n].label) / 2.0;
                (self.x(*n) - half, self.x(*n) + half, self.layout.places[*n].layer)
            });
            let start = (f64::INFINITY, 0.0f64, usize::MAX, 0);
            let (left, right, first, last) =
                edges.fold(start, |(left, right, first, last), (a, b, layer)| {
                    (left.min(a), right.max(b), first.min(layer), last.max(layer))
                });
            let y = self.y(first) - 26.0;
            let height = self.y(last) + NODE_HEIGHT + 8.0 - y;
            let (x, width) = (left - 10.0, right - left + 20.0);
            let _ = writeln!(
                self.out,
                r#"<rect class="hop" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="8"/><text class="title" x="{:.1}" y="{:.1}">{}</text>"#,
                x + 8.0,
                y + 14.0,
                escaped(title)
            );
        }
    }

    fn edges(&mut self) {
        let picture = self.picture;
        for (index, (earlier, later)) in picture.edges.iter().enumerate() {
            let start =
                (self.x(*earlier), self.y(self.layout.places[*earlier].layer) + NODE_HEIGHT);
            let end = (self.x(*later), self.y(self.layout.places[*later].layer) - 1.0);
            let mut path = format!("M{:.1} {:.1}", start.0, start.1);
            let mut from = start;
            let bends = self.layout.bends[index].clone();
            for Place { x, layer } in bends {
                let enters = (MARGIN + x, self.y(layer));
                curve(&mut path, from, enters);
                from = (enters.0, enters.1 + NODE_HEIGHT);
                let _ = write!(path, "L{:.1} {:.1}", from.0, from.1);
            }
            curve(&mut path, from, end);
            self.line(&format!(r#"<path class="edge" marker-end="url(#arrow)" d="{path}"/>"#));
        }
    }

    fn besides(&mut self) {
        let picture = self.picture;
        for (probe, step) in &picture.beside {
            let middle = |n: usize| self.y(self.layout.places[n].layer) + NODE_HEIGHT / 2.0;
            let text = format!(
                r#"<path class="edge beside" d="M{:.1} {:.1}L{:.1} {:.1}"/>"#,
                self.x(*probe),
                middle(*probe),
                self.x(*step),
                middle(*step)
            );
            self.line(&text);
        }
    }

    fn node(&mut self, n: usize) {
        let node = &self.picture.nodes[n];
        let (width, x) = (width(&node.label), self.x(n));
        let y = self.y(self.layout.places[n].layer);
        let title = node.description.as_deref().unwrap_or(&node.label);
        let text = format!(
            r#"<g class="step {}"><title>{}</title><rect x="{:.1}" y="{y:.1}" width="{width:.1}" height="{NODE_HEIGHT}" rx="6"/><text x="{x:.1}" y="{:.1}" text-anchor="middle">{}</text></g>"#,
            node.kind.traits().look.class(),
            escaped(title),
            x - width / 2.0,
            y + NODE_HEIGHT / 2.0 + 4.0,
            escaped(&node.label)
        );
        self.line(&text);
    }

    fn rollbacks(&mut self) {
        let picture = self.picture;
        for Rollback { step, to } in &picture.rollbacks {
            let (x, y) = (self.right(*step), self.y(self.layout.places[*step].layer));
            let (end, word, swing) = match to {
                Some(to) => {
                    let layer = self.layout.places[*to].layer;
                    let over = self.layout.places[*step].layer.abs_diff(layer);
                    let end = (self.right(*to), self.y(layer) + NODE_HEIGHT * 0.7);
                    (end, "restore", self.bulge(over))
                }
                None => ((x, y + NODE_HEIGHT * 0.75), "undo", 22.0),
            };
            let start = y + NODE_HEIGHT * 0.3;
            let reach = x.max(end.0) + swing;
            let text = format!(
                r#"<path class="undo" marker-end="url(#back)" d="M{x:.1} {start:.1}C{reach:.1} {start:.1} {reach:.1} {:.1} {:.1} {:.1}"/><text class="word" x="{:.1}" y="{:.1}">{word}</text>"#,
                end.1,
                end.0,
                end.1,
                x + 4.0,
                start - 4.0
            );
            self.line(&text);
        }
    }
}

/// A curve that leaves and arrives vertically.
fn curve(path: &mut String, from: (f64, f64), to: (f64, f64)) {
    let middle = (from.1 + to.1) / 2.0;
    // Writing to a String does not fail.
    let _ =
        write!(path, "C{:.1} {middle:.1} {:.1} {middle:.1} {:.1} {:.1}", from.0, to.0, to.0, to.1);
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
