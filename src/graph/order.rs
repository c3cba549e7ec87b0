//! The recommended order: what comes first where the author did not say.
//!
//! The rules, for the steps that give no `depends_on` (those that do are placed by their author):
//!
//! - Within a hop, by phase: approve → backup → verify → migrate → roll → smoke. A step waits for
//!   every step of the earlier phases. A step that depends on a later phase than its own counts as
//!   of that phase, so that an approval between verification and migration holds up the migration
//!   and nothing before it. Because dependencies only ever raise a step's phase, no cycle can come
//!   of this.
//! - An approval with no dependency at all is a gate: every step of its hop without dependencies
//!   waits for it.
//! - `run` and `checkpoint` have no phase: only their references and `depends_on` place them.
//! - A `probe` starts when the first of the steps it runs beside could.
//!
//! And for all: a hop begins when the hop before it has ended.
//!
//! Where many steps wait for many, a checkpoint of our own joins them, so that edges stay linear in
//! the steps.

use std::collections::{BTreeMap, BTreeSet};

use super::GraphError;
use super::sealed::{self, Named, StepGraph};
use crate::model::{Address, Step, StepKind, StepSpec};

/// As many direct edges as are drawn before a checkpoint joins them.
const MOST_DIRECT_EDGES: usize = 16;

/// Seals steps with the recommended order written into their `depends_on`.
pub(super) fn complete(
    mut steps: Vec<Step>,
    mut placed: Vec<bool>,
) -> Result<StepGraph, GraphError> {
    let sorted = sealed::sorted(&steps);
    sealed::arrange(&mut placed, sorted.clone());
    sealed::arrange(&mut steps, sorted);
    let named = Named::resolve(&steps)?;
    let topological = named.topological(&steps)?;
    let mut order = Order::new(steps, placed, &named);
    let phases = order.phases(&topological);
    for hop in order.hops() {
        order.by_phase(&hop, &phases);
    }
    order.start_probes(&topological, &phases);
    for hop in order.hops() {
        order.behind_gates(&hop);
    }
    order.hop_after_hop();
    let (steps, named) = order.finish();
    StepGraph::of_sorted(steps, &named)
}

/// Steps under construction; a node's number is its position, and joining checkpoints are added at
/// the end.
struct Order {
    steps: Vec<Step>,
    placed: Vec<bool>,
    /// Node → nodes it waits for.
    edges: Vec<BTreeSet<usize>>,
    /// Probe → nodes it runs beside.
    during: BTreeMap<usize, Vec<usize>>,
}

impl Order {
    fn new(steps: Vec<Step>, placed: Vec<bool>, named: &Named) -> Order {
        let mut edges = vec![BTreeSet::new(); steps.len()];
        for (n, dependency) in &named.depends_on {
            edges[*n as usize].insert(*dependency as usize);
        }
        let mut during: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (probe, step) in &named.during {
            during.entry(*probe as usize).or_default().push(*step as usize);
        }
        Order { steps, placed, edges, during }
    }

    /// The members of each hop, hops in order. A runbook is one hop.
    fn hops(&self) -> Vec<Vec<usize>> {
        let mut hops: BTreeMap<Option<usize>, Vec<usize>> = BTreeMap::new();
        for (n, step) in self.steps.iter().enumerate() {
            hops.entry(step.hop).or_default().push(n);
        }
        hops.into_values().collect()
    }

    /// The phase that each step counts as: its own or the latest of its dependencies in the same
    /// hop. Waiting for a probe is waiting for the steps that it runs beside.
    fn phases(&self, topological: &[u32]) -> Vec<u8> {
        let mut phases: Vec<u8> = vec![0; self.steps.len()];
        for n in topological.iter().map(|n| *n as usize) {
            let beside = |other: &usize| self.during.get(other).into_iter().flatten();
            let awaited = self.edges[n].iter().chain(self.edges[n].iter().flat_map(beside));
            let same_hop = awaited.filter(|other| self.steps[**other].hop == self.steps[n].hop);
            let inherited = same_hop.map(|other| phases[*other]).max();
            let own = self.steps[n].kind().traits().phase.map(|phase| phase as u8);
            phases[n] = own.unwrap_or(0).max(inherited.unwrap_or(0));
        }
        phases
    }

    /// A probe waits for what the first of its steps waits for. The first is that of the earliest
    /// hop and phase, and of those the earliest in the author's order: no other of the probe's
    /// steps comes before it, so nothing that it waits for comes after one of them.
    fn start_probes(&mut self, topological: &[u32], phases: &[u8]) {
        let mut position = vec![0; phases.len()];
        for (at, n) in topological.iter().enumerate() {
            position[*n as usize] = at;
        }
        for (probe, beside) in &self.during {
            let first = beside
                .iter()
                .copied()
                .min_by_key(|n| (self.steps[*n].hop, phases[*n], position[*n]));
            if let (Some(first), false) = (first, self.placed[*probe]) {
                let inherited = self.edges[first].clone();
                self.edges[*probe].extend(inherited);
            }
        }
    }

    fn by_phase(&mut self, hop: &[usize], phases: &[u8]) {
        let mut groups: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        for n in hop.iter().filter(|n| self.steps[**n].kind().traits().phase.is_some()) {
            groups.entry(phases[*n]).or_default().push(*n);
        }
        let mut tail: Vec<usize> = Vec::new();
        for group in groups.into_values() {
            let members: BTreeSet<usize> = group.iter().copied().collect();
            let free: BTreeSet<usize> =
                group.iter().copied().filter(|n| !self.placed[*n]).collect();
            // A step behind another of its group that waits for the tail waits for it too.
            let heads: Vec<usize> =
                free.iter().copied().filter(|n| self.edges[*n].is_disjoint(&free)).collect();
            self.connect(&tail, &heads, "phases");
            let awaited: BTreeSet<usize> =
                group.iter().flat_map(|n| self.edges[*n].iter().copied()).collect();
            let joined = !heads.is_empty();
            tail.retain(|n| !joined && !awaited.contains(n));
            tail.extend(members.into_iter().filter(|n| !awaited.contains(n)));
        }
    }

    fn behind_gates(&mut self, hop: &[usize]) {
        let (gates, roots): (Vec<usize>, Vec<usize>) = hop
            .iter()
            .filter(|n| self.edges[**n].is_empty() && !self.placed[**n])
            .partition(|n| self.steps[**n].kind() == StepKind::Approve);
        self.connect(&gates, &roots, "approvals");
    }

    fn hop_after_hop(&mut self) {
        let mut before: Vec<usize> = Vec::new();
        for hop in self.hops() {
            // The join of two hops belongs to the later one, and is made after its members were
            // listed.
            let members: BTreeSet<usize> = hop.iter().copied().collect();
            let first: Vec<usize> =
                hop.iter().copied().filter(|n| self.edges[*n].is_disjoint(&members)).collect();
            self.connect(&before, &first, "hops");
            let awaited: BTreeSet<usize> =
                hop.iter().flat_map(|n| self.edges[*n].iter().copied()).collect();
            before = hop.into_iter().filter(|n| !awaited.contains(n)).collect();
        }
    }

    /// Every one of `later` waits for every one of `earlier`, by way of a checkpoint where that
    /// saves edges.
    fn connect(&mut self, earlier: &[usize], later: &[usize], joins: &str) {
        let direct = earlier.len() * later.len();
        if direct <= MOST_DIRECT_EDGES || earlier.len() == 1 || later.len() == 1 {
            for n in later {
                self.edges[*n].extend(earlier);
            }
            return;
        }
        let hop = self.steps[later[0]].hop;
        let name = format!("between:{joins}");
        let same = |step: &&Step| step.hop == hop && *step.address.name == name;
        let ordinal = self.steps.iter().filter(same).count();
        let mut address = Address::new(StepKind::Checkpoint, name);
        if let Some(hop) = hop {
            address = address.with_key(hop.to_string());
        }
        let address = address.with_key(ordinal.to_string());
        let join = self.steps.len();
        self.steps.push(checkpoint(address, hop));
        self.placed.push(true);
        self.edges.push(earlier.iter().copied().collect());
        for n in later {
            self.edges[*n].insert(join);
        }
    }

    /// The steps, sorted, and what they name.
    fn finish(self) -> (Vec<Step>, Named) {
        let Order { mut steps, placed: _, edges, during } = self;
        let addresses: Vec<Address> = steps.iter().map(|step| step.address.clone()).collect();
        for (step, edges) in steps.iter_mut().zip(&edges) {
            step.depends_on = edges.iter().map(|n| addresses[*n].clone()).collect();
            step.depends_on.sort();
        }
        // The joins stand at the end until here.
        let order = sealed::sorted(&steps);
        let place = sealed::places(&order);
        sealed::arrange(&mut steps, order);
        let moved = |(n, other): (usize, usize)| (place[n], place[other]);
        let waits = edges.iter().enumerate();
        let waits = waits.flat_map(|(n, others)| others.iter().map(move |other| (n, *other)));
        let beside = during.iter();
        let beside = beside.flat_map(|(n, others)| others.iter().map(move |other| (*n, *other)));
        let named =
            Named { depends_on: waits.map(moved).collect(), during: beside.map(moved).collect() };
        (steps, named)
    }
}

/// A checkpoint that we add: its name has a colon, which no name in a plan can have.
fn checkpoint(address: Address, hop: Option<usize>) -> Step {
    Step {
        hop,
        description: Some("joins the steps before it with those after it".to_owned()),
        ..Step::at(address, StepSpec::Checkpoint)
    }
}
