//! The moving edge between what has finished and what may start, kept by counting.
//!
//! Must not: start anything, or know why a step finished; skipping a step is the scheduler's word
//! for finishing it.

use std::collections::{BTreeSet, HashMap};

use super::sealed::StepGraph;
use crate::model::Address;

/// What may happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ready<'g> {
    /// Everything that this step waits for has finished, and the probes beside it have started.
    Start(&'g Address),
    /// Every step that this probe runs beside has finished: it may end and report.
    EndProbe(&'g Address),
}

/// Follows one run over a graph. Telling it that a step started or finished costs that step's
/// edges, so a whole run costs as much as the graph is large.
#[derive(Clone, Debug)]
pub struct Frontier<'g> {
    graph: &'g StepGraph,
    /// Dependencies that have not finished, plus probes beside that have not started.
    missing: Vec<u32>,
    /// Probe → steps it runs beside that have not finished.
    beside_left: HashMap<u32, u32>,
    started: Vec<bool>,
    finished: Vec<bool>,
    /// Became ready and was not taken yet, in topological order.
    ready: BTreeSet<(u32, bool)>,
}

impl<'g> Frontier<'g> {
    pub fn new(graph: &'g StepGraph) -> Frontier<'g> {
        let mut missing = graph.dependent_links().arriving();
        let mut beside_left: HashMap<u32, u32> = HashMap::new();
        for (step, probes) in graph.beside() {
            missing[*step as usize] += probes.len() as u32;
            for probe in probes {
                *beside_left.entry(*probe).or_default() += 1;
            }
        }
        let free = (0..graph.len() as u32).filter(|n| missing[*n as usize] == 0);
        Frontier {
            ready: free.map(|n| (n, false)).collect(),
            started: vec![false; graph.len()],
            finished: vec![false; graph.len()],
            graph,
            missing,
            beside_left,
        }
    }

    /// What became ready since the last call, in topological order, each told once.
    pub fn take_ready(&mut self) -> Vec<Ready<'g>> {
        let graph = self.graph;
        let ready = std::mem::take(&mut self.ready).into_iter();
        ready
            .map(|(n, ends)| {
                let address = graph.address(n);
                if ends { Ready::EndProbe(address) } else { Ready::Start(address) }
            })
            .collect()
    }

    /// A probe has started, so the steps it runs beside need not wait for it any more. Means
    /// nothing for other kinds.
    pub fn started(&mut self, address: &Address) {
        let Some(node) = self.graph.number(address) else { return };
        if std::mem::replace(&mut self.started[node as usize], true) {
            return;
        }
        let beside = self.graph.steps()[node as usize].spec.named().beside;
        for step in beside.iter().filter_map(|step| self.graph.number(step)) {
            self.less(step);
        }
    }

    /// A step has finished, or was skipped. A probe that ends without having started counts as
    /// started.
    pub fn finished(&mut self, address: &Address) {
        let Some(node) = self.graph.number(address) else { return };
        if std::mem::replace(&mut self.finished[node as usize], true) {
            return;
        }
        self.started(address);
        self.ready.remove(&(node, false));
        self.ready.remove(&(node, true));
        let graph = self.graph;
        for dependent in graph.dependent_links().of(node) {
            self.less(*dependent);
        }
        for probe in graph.beside().get(&node).into_iter().flatten() {
            if let Some(left) = self.beside_left.get_mut(probe) {
                *left -= 1;
                if *left == 0 && !self.finished[*probe as usize] {
                    self.ready.insert((*probe, true));
                }
            }
        }
    }

    fn less(&mut self, node: u32) {
        let left = &mut self.missing[node as usize];
        *left -= 1;
        if *left == 0 && !self.finished[node as usize] {
            self.ready.insert((node, false));
        }
    }

    /// Whether every step has finished.
    pub fn is_done(&self) -> bool {
        self.finished.iter().all(|finished| *finished)
    }
}
