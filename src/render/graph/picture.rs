//! What every drawing of a graph shows.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use crate::graph::StepGraph;
use crate::model::{Address, Hop, StepKind};
use crate::text::safe::{masked, shortened};

/// The longest label, in characters; keys of `for_each` may be anything.
const MAX_LABEL_CHARS: usize = 60;

/// What is to be seen, apart from how it is written. Nodes are numbered in topological order.
#[derive(Debug)]
pub(super) struct Picture {
    pub nodes: Vec<Node>,
    /// (earlier, later)
    pub edges: Vec<(usize, usize)>,
    /// (probe, step that it runs beside)
    pub beside: Vec<(usize, usize)>,
    pub rollbacks: Vec<Rollback>,
    /// Hops in order, each with its title and members; empty where there is only one group of
    /// steps.
    pub hops: Vec<(String, Vec<usize>)>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub label: String,
    pub kind: StepKind,
    pub description: Option<String>,
}

/// Undoing `step` returns to the state after `to`, or to the state before itself.
#[derive(Debug)]
pub(super) struct Rollback {
    pub step: usize,
    pub to: Option<usize>,
}

impl Picture {
    pub fn of(graph: &StepGraph, hops: &[Hop]) -> Picture {
        let steps = graph.steps().iter().enumerate();
        let numbers: HashMap<&Address, usize> = steps.map(|(n, step)| (&step.address, n)).collect();
        let number = |address: &Address| numbers.get(address).copied();
        let mut picture = Picture {
            nodes: Vec::with_capacity(graph.len()),
            edges: Vec::new(),
            beside: Vec::new(),
            rollbacks: Vec::new(),
            hops: Vec::new(),
        };
        let mut members: BTreeMap<usize, Vec<usize>> = Default::default();
        for (n, step) in graph.steps().iter().enumerate() {
            picture.nodes.push(Node {
                label: plain(&step.address),
                kind: step.kind(),
                description: step.description.as_ref().map(plain),
            });
            let earlier = step.depends_on.iter().filter_map(number);
            picture.edges.extend(earlier.map(|earlier| (earlier, n)));
            picture
                .beside
                .extend(step.spec.named().beside.iter().filter_map(number).map(|other| (n, other)));
            if let Some(rollback) = &step.rollback {
                let to = rollback.restore.as_ref().and_then(number);
                picture.rollbacks.push(Rollback { step: n, to });
            }
            members.entry(step.hop.unwrap_or(0)).or_default().push(n);
        }
        if members.len() > 1 {
            let titled = members.into_iter().map(|(hop, members)| (title(hops, hop), members));
            picture.hops = titled.collect();
        }
        picture
    }
}

fn title(hops: &[Hop], index: usize) -> String {
    match hops.iter().find(|hop| hop.index == index) {
        Some(hop) => plain(format!("{} → {} ({})", hop.from, hop.to, hop.kind)),
        None => format!("hop {}", index + 1),
    }
}

/// Text without characters that control a terminal or the direction of reading, and of bounded
/// length.
fn plain(text: impl fmt::Display) -> String {
    masked(&shortened(&text.to_string(), MAX_LABEL_CHARS)).replace(['\n', '\t'], " ")
}
