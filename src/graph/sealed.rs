//! The sealed step graph: steps in a fixed order with every edge resolved.
//!
//! Invariants: no cycle (a probe counts as starting before and ending after the steps it runs
//! beside); every address that an edge names is a step; the order is topological and the same for
//! the same steps, however they were listed.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use foldhash::{HashMap, HashMapExt as _};

use super::GraphError;
use super::cycle::{self, Cycle};
use super::links::Links;
use crate::model::{Address, Step};

/// Steps and their order, complete and without cycles. Made by [`super::Builder`], or from a saved
/// plan's steps.
#[derive(Clone, Debug)]
pub struct StepGraph {
    /// In topological order; positions are the numbers in the links.
    steps: Vec<Step>,
    numbers: HashMap<Address, u32>,
    waits_for: Links,
    dependents: Links,
    /// Step → probes that run beside it.
    beside: BTreeMap<u32, Vec<u32>>,
}

/// What undoing a step returns to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollbackEdge<'a> {
    /// The step that is undone on unwinding.
    pub step: &'a Address,
    /// The verified backup that undoing restores; none where undoing returns to the state before
    /// the step.
    pub restore: Option<&'a Address>,
}

impl StepGraph {
    /// Seals steps whose `depends_on` is complete, as a saved plan's is. No order is added.
    pub fn from_steps(mut steps: Vec<Step>) -> Result<StepGraph, GraphError> {
        let sorted = sorted(&steps);
        arrange(&mut steps, sorted);
        let named = Named::resolve(&steps)?;
        StepGraph::of_sorted(steps, &named)
    }

    /// Seals steps that are sorted, of which it is known already what they name.
    pub(super) fn of_sorted(mut steps: Vec<Step>, named: &Named) -> Result<StepGraph, GraphError> {
        let order = named.topological(&steps)?;
        let place = places(&order);
        arrange(&mut steps, order);
        let moved = |(n, other): &(u32, u32)| (place[*n as usize], place[*other as usize]);
        let edges: Vec<(u32, u32)> = named.depends_on.iter().map(moved).collect();
        let waits_for = Links::new(steps.len(), &edges);
        let mut beside: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (probe, step) in named.during.iter().map(moved) {
            beside.entry(step).or_default().push(probe);
        }
        beside.values_mut().for_each(|probes| probes.sort_unstable());
        let numbers =
            steps.iter().enumerate().map(|(n, step)| (step.address.clone(), n as u32)).collect();
        Ok(StepGraph { dependents: waits_for.reversed(), waits_for, beside, steps, numbers })
    }

    /// Every step, in topological order; ties go by hop, then by address.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    pub fn len(&self) -> usize {
        self.steps.len()
    }

    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    pub fn get(&self, address: &Address) -> Option<&Step> {
        Some(&self.steps[*self.numbers.get(address)? as usize])
    }

    /// Steps that wait for this one directly, in topological order. Empty for an address that is
    /// not a step.
    pub fn dependents(&self, address: &Address) -> impl Iterator<Item = &Address> {
        let numbers = self.numbers.get(address).map_or(&[][..], |n| self.dependents.of(*n));
        numbers.iter().map(|n| self.address(*n))
    }

    /// Every step that waits for this one, directly or through others, in topological order.
    pub fn descendants(&self, address: &Address) -> Vec<&Address> {
        self.reach(address, &self.dependents)
    }

    /// Every step that this one waits for, directly or through others, in topological order.
    pub fn ancestors(&self, address: &Address) -> Vec<&Address> {
        self.reach(address, &self.waits_for)
    }

    fn reach(&self, address: &Address, links: &Links) -> Vec<&Address> {
        let mut found = BTreeSet::new();
        let mut pending: Vec<u32> = self.numbers.get(address).copied().into_iter().collect();
        while let Some(node) = pending.pop() {
            pending.extend(links.of(node).iter().copied().filter(|next| found.insert(*next)));
        }
        found.into_iter().map(|n| self.address(n)).collect()
    }

    /// Probes that run beside this step: it starts only after they have started, and they end only
    /// after it has finished.
    pub fn probes_beside(&self, address: &Address) -> impl Iterator<Item = &Address> {
        let probes = self.numbers.get(address).and_then(|n| self.beside.get(n));
        probes.into_iter().flatten().map(|n| self.address(*n))
    }

    /// Steps that have not finished and whose dependencies all have, in topological order. By
    /// definition, so each call costs the whole graph; a scheduler uses [`super::Frontier`].
    pub fn ready(&self, finished: &BTreeSet<Address>) -> Vec<&Address> {
        let is_ready = |step: &&Step| {
            !finished.contains(&step.address)
                && step.depends_on.iter().all(|dependency| finished.contains(dependency))
        };
        self.steps.iter().filter(is_ready).map(|step| &step.address).collect()
    }

    /// The order of unwinding: every step after all that waited for it.
    pub fn unwind_order(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().rev()
    }

    /// Every rollback edge, in the order in which unwinding would take them.
    pub fn rollback_edges(&self) -> impl Iterator<Item = RollbackEdge<'_>> {
        self.unwind_order().filter_map(|step| {
            let rollback = step.rollback.as_ref()?;
            Some(RollbackEdge { step: &step.address, restore: rollback.restore.as_ref() })
        })
    }

    pub(super) fn address(&self, number: u32) -> &Address {
        &self.steps[number as usize].address
    }

    pub(super) fn number(&self, address: &Address) -> Option<u32> {
        self.numbers.get(address).copied()
    }

    pub(super) fn waits_for(&self) -> &Links {
        &self.waits_for
    }

    pub(super) fn dependent_links(&self) -> &Links {
        &self.dependents
    }

    pub(super) fn beside(&self) -> &BTreeMap<u32, Vec<u32>> {
        &self.beside
    }
}

/// The numbers of steps by hop, then by address.
pub(super) fn sorted(steps: &[Step]) -> Vec<u32> {
    let key = |n: &u32| (steps[*n as usize].hop, &steps[*n as usize].address);
    let mut numbers: Vec<u32> = (0..steps.len() as u32).collect();
    numbers.sort_by(|a, b| key(a).cmp(&key(b)));
    numbers
}

/// Where [`arrange`] moves what is at each position.
pub(super) fn places(order: &[u32]) -> Vec<u32> {
    let mut places = vec![0; order.len()];
    order.iter().enumerate().for_each(|(to, from)| places[*from as usize] = to as u32);
    places
}

/// Moves what is at `order[n]` to `n`, each once and without a second copy of all.
pub(super) fn arrange<T>(items: &mut [T], mut order: Vec<u32>) {
    for start in 0..order.len() {
        let mut at = start;
        loop {
            let from = std::mem::replace(&mut order[at], at as u32) as usize;
            if from == start || from == at {
                break;
            }
            items.swap(at, from);
            at = from;
        }
    }
}

/// What sorted steps name, by number: pairs of a step and one that it names. All of a probe stand
/// together.
pub(super) struct Named {
    pub(super) depends_on: Vec<(u32, u32)>,
    pub(super) during: Vec<(u32, u32)>,
}

impl Named {
    /// Looks up every address that the steps name.
    pub(super) fn resolve(steps: &[Step]) -> Result<Named, GraphError> {
        let mut numbers: HashMap<&Address, u32> = HashMap::with_capacity(steps.len());
        for (n, step) in steps.iter().enumerate() {
            if numbers.insert(&step.address, n as u32).is_some() {
                return Err(GraphError::Duplicate(step.address.clone()));
            }
        }
        let mut named = Named { depends_on: Vec::new(), during: Vec::new() };
        for (n, step) in steps.iter().enumerate() {
            let look_up = |other: &Address| match numbers.get(other) {
                Some(number) => Ok((n as u32, *number)),
                None => Err(GraphError::UnknownStep {
                    step: step.address.clone(),
                    missing: other.clone(),
                }),
            };
            for dependency in &step.depends_on {
                named.depends_on.push(look_up(dependency)?);
            }
            for beside in step.spec.named().beside {
                named.during.push(look_up(beside)?);
            }
        }
        Ok(named)
    }

    /// The steps' numbers in topological order, the smallest number first among those that could
    /// come next.
    pub(super) fn topological(&self, steps: &[Step]) -> Result<Vec<u32>, GraphError> {
        let Nodes { ends, waits_for } = Nodes::of(self, steps.len());
        let dependents = waits_for.reversed();
        let mut missing = dependents.arriving();
        let free = (0..waits_for.nodes() as u32).filter(|n| missing[*n as usize] == 0);
        let mut next: BinaryHeap<Reverse<u32>> = free.map(Reverse).collect();
        let mut order = Vec::with_capacity(steps.len());
        let mut done = vec![false; waits_for.nodes()];
        while let Some(Reverse(node)) = next.pop() {
            done[node as usize] = true;
            if (node as usize) < steps.len() {
                order.push(node);
            }
            for dependent in dependents.of(node) {
                let left = &mut missing[*dependent as usize];
                *left -= 1;
                if *left == 0 {
                    next.push(Reverse(*dependent));
                }
            }
        }
        if order.len() == steps.len() && done.iter().all(|done| *done) {
            return Ok(order);
        }
        let suspects: Vec<u32> =
            (0..waits_for.nodes() as u32).filter(|n| !done[*n as usize]).collect();
        let step_of = |node: u32| match (node as usize).checked_sub(steps.len()) {
            Some(end) => ends[end],
            None => node,
        };
        let cycles = cycle::find(&waits_for, &suspects).into_iter().map(|members| {
            let mut members: Vec<u32> = members.into_iter().map(step_of).collect();
            members.dedup();
            if members.len() > 1 && members.first() == members.last() {
                members.pop();
            }
            Cycle(members.iter().map(|n| steps[*n as usize].address.clone()).collect())
        });
        Err(GraphError::Cycles(cycles.collect()))
    }
}

/// Nodes as the order needs them. A probe is two: its start (the step's own number) and its end (a
/// number past all steps), with the steps it runs beside in between.
struct Nodes {
    /// The step that each end belongs to, by number less the count of steps.
    ends: Vec<u32>,
    waits_for: Links,
}

impl Nodes {
    fn of(named: &Named, steps: usize) -> Nodes {
        let mut ends: Vec<u32> = named.during.iter().map(|(probe, _)| *probe).collect();
        ends.dedup();
        let numbered = || ends.iter().enumerate().map(|(n, probe)| (*probe, (steps + n) as u32));
        let end_of: HashMap<u32, u32> = numbered().collect();
        let ended = |n: u32| end_of.get(&n).copied().unwrap_or(n);
        let mut edges: Vec<(u32, u32)> =
            named.depends_on.iter().map(|(n, dependency)| (*n, ended(*dependency))).collect();
        edges.extend(numbered().map(|(probe, end)| (end, probe)));
        for (probe, step) in &named.during {
            edges.push((*step, *probe));
            edges.push((end_of[probe], ended(*step)));
        }
        Nodes { waits_for: Links::new(steps + ends.len(), &edges), ends }
    }
}
