//! The failure map: for every step, what a failure of it leads to.
//!
//! A step that fails ends its hop: what happened in that hop is unwound, in reverse order. What
//! happened is every step that does not wait for the failed one, itself included, because steps
//! beside it may have gone ahead.
//!
//! Exact where steps with an effect are few, as in any upgrade. In a runbook of very many, steps
//! beside the failed one are taken in the order of the plan, and long lists are cut, so that the
//! cost stays linear.

use std::collections::HashMap;

use super::migration::SchemaChange;
use super::outcome::{EndsAt, FailureEntry, RollbackEdge};
use super::rollback::is_proved;
use super::situation::Situation;
use crate::graph::StepGraph;
use crate::model::{Address, OnFailure, Step, StepSpec, WayBack};

/// Entries of (steps × effects) up to which reachability is followed exactly.
const EXACT: usize = 4_000_000;
/// How many undo steps and remains an entry of a very long plan lists.
const LISTED: usize = 8;

/// One entry for consecutive steps that fail alike.
pub fn failure_map(
    graph: &StepGraph,
    situation: &Situation<'_>,
    changes: &[SchemaChange],
    edges: &[RollbackEdge],
) -> Vec<FailureEntry> {
    let steps = graph.steps();
    let map = Map::new(graph, situation, changes, edges);
    let mut entries: Vec<FailureEntry> = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let mut entry = map.entry(position, step);
        match entries.last_mut() {
            Some(last) if alike(last, &entry) => last.steps.append(&mut entry.steps),
            Some(_) | None => entries.push(entry),
        }
    }
    entries
}

fn alike(a: &FailureEntry, b: &FailureEntry) -> bool {
    let FailureEntry { steps: _, undo, undo_more, ends_at, data_loss, remains, undo_ms } = a;
    (undo, undo_more, ends_at, data_loss, remains, undo_ms)
        == (&b.undo, &b.undo_more, &b.ends_at, &b.data_loss, &b.remains, &b.undo_ms)
}

/// A step that leaves something behind.
struct Effect<'a> {
    position: usize,
    step: &'a Step,
    edge: Option<&'a RollbackEdge>,
    /// Positions of the steps that it waits for, where reachability is exact.
    after: Option<Vec<bool>>,
}

struct Map<'a> {
    situation: &'a Situation<'a>,
    changes: &'a [SchemaChange],
    steps: HashMap<&'a Address, &'a Step>,
    /// In topological order.
    effects: Vec<Effect<'a>>,
    exact: bool,
}

impl<'a> Map<'a> {
    fn new(
        graph: &'a StepGraph,
        situation: &'a Situation<'a>,
        changes: &'a [SchemaChange],
        edges: &'a [RollbackEdge],
    ) -> Map<'a> {
        let edges: HashMap<&Address, &RollbackEdge> =
            edges.iter().map(|edge| (&edge.step, edge)).collect();
        let steps = graph.steps();
        let mut effects: Vec<Effect<'_>> = steps
            .iter()
            .enumerate()
            .filter(|(_, step)| has_effect(step, changes))
            .map(|(position, step)| {
                let edge = edges.get(&step.address).copied();
                Effect { position, step, edge, after: None }
            })
            .collect();
        let exact = effects.len().saturating_mul(steps.len()) <= EXACT;
        let positions: HashMap<&Address, usize> =
            steps.iter().enumerate().map(|(n, step)| (&step.address, n)).collect();
        for effect in effects.iter_mut().filter(|_| exact) {
            let mut after = vec![false; steps.len()];
            for ancestor in graph.ancestors(&effect.step.address) {
                after[positions[ancestor]] = true;
            }
            effect.after = Some(after);
        }
        let steps = steps.iter().map(|step| (&step.address, step)).collect();
        Map { situation, changes, steps, effects, exact }
    }

    /// Effects that may be there when the step at this position fails, newest first.
    fn done(&self, position: usize, step: &Step) -> Vec<&Effect<'a>> {
        let upto = match self.exact {
            true => self.effects.len(),
            false => self.effects.partition_point(|effect| effect.position <= position),
        };
        // A cut list needs one more than it shows, to know that it is cut.
        let most = if self.exact { usize::MAX } else { LISTED + 1 };
        let is_done = |effect: &&Effect<'_>| {
            let waits = effect.after.as_ref().is_some_and(|after| after[position]);
            effect.step.hop == step.hop && !waits
        };
        self.effects[..upto].iter().rev().filter(is_done).take(most).collect()
    }

    fn entry(&self, position: usize, step: &Step) -> FailureEntry {
        let mut entry = FailureEntry {
            steps: vec![step.address.clone()],
            undo: Vec::new(),
            undo_more: 0,
            ends_at: EndsAt::AsItIs,
            data_loss: None,
            remains: Vec::new(),
            undo_ms: None,
        };
        match step.on_failure {
            OnFailure::Continue => entry.ends_at = EndsAt::GoesOn,
            OnFailure::Stop => {
                let done = self.done(position, step);
                entry.remains = done.iter().rev().map(|effect| self.remains(effect)).collect();
                cut(&mut entry.remains);
            }
            OnFailure::Rollback => self.unwind(position, step, &mut entry),
        }
        entry
    }

    fn unwind(&self, position: usize, step: &Step, entry: &mut FailureEntry) {
        let done = self.done(position, step);
        let undone = done.iter().filter(|effect| effect.edge.is_some());
        entry.undo = undone.clone().map(|effect| effect.step.address.clone()).collect();
        if !self.exact && entry.undo.len() > LISTED {
            let edges = self.effects.iter().filter(|e| e.edge.is_some() && e.position <= position);
            entry.undo.truncate(LISTED);
            entry.undo_more = edges.count().saturating_sub(LISTED);
        }
        let lost: Vec<String> =
            undone.filter_map(|effect| self.lost_writes(effect.edge?)).collect();
        entry.data_loss = (!lost.is_empty()).then(|| lost.join("; "));
        let left: Vec<&&Effect<'_>> = done.iter().filter(|e| e.edge.is_none()).collect();
        entry.remains = left.iter().rev().map(|effect| self.remains(effect)).collect();
        cut(&mut entry.remains);
        entry.ends_at = self.ends_at(step, &left);
    }

    fn ends_at(&self, step: &Step, left: &[&&Effect<'_>]) -> EndsAt {
        let is_migrate = |effect: &Effect<'_>| matches!(effect.step.spec, StepSpec::Migrate(_));
        let is_roll = |effect: &Effect<'_>| matches!(effect.step.spec, StepSpec::Roll(_));
        let proved = |effect: &Effect<'_>| self.change(effect.step).is_none_or(is_proved);
        if left.iter().any(|effect| is_migrate(effect) && !proved(effect)) {
            EndsAt::NeedsAPerson
        } else if left.iter().any(|effect| is_roll(effect)) {
            EndsAt::AsItIs
        } else if let Some(hop) = step.hop.filter(|hop| *hop > 0) {
            EndsAt::Hop(self.situation.hops[hop].hop.from.clone())
        } else if left.iter().any(|effect| is_migrate(effect)) {
            EndsAt::OldAppOnNewSchema
        } else if left.is_empty() {
            EndsAt::Start
        } else {
            EndsAt::AsItIs
        }
    }

    fn change(&self, step: &Step) -> Option<&'a SchemaChange> {
        self.changes.get(step.hop?)
    }

    /// What stays of an effect that is not undone.
    fn remains(&self, effect: &Effect<'_>) -> String {
        let address = &effect.step.address;
        match &effect.step.spec {
            StepSpec::Migrate(migrate) if migrate.pending.is_empty() => {
                format!("the migrations that {address} applied")
            }
            StepSpec::Migrate(migrate) => match &migrate.pending[..] {
                [first, .., last] => {
                    format!("those of migrations {first} to {last} that were applied")
                }
                [only] => format!("migration {only}, if it was applied"),
                [] => String::new(),
            },
            StepSpec::Roll(roll) => format!("release {}", roll.version),
            // Only steps that change what serves come here.
            _ => format!("effects of {address}"),
        }
    }

    /// Restoring a backup takes every later write away.
    fn lost_writes(&self, edge: &RollbackEdge) -> Option<String> {
        let verify = self.steps.get(edge.restores.as_ref()?)?;
        let StepSpec::Verify(verify) = &verify.spec else { return None };
        let database = match self.steps.get(&verify.backup).map(|step| &step.spec) {
            Some(StepSpec::Backup(backup)) => format!("to database {} ", backup.database),
            Some(_) | None => String::new(),
        };
        Some(format!("every write {database}after {} was taken", verify.backup))
    }
}

fn cut(list: &mut Vec<String>) {
    if list.len() > LISTED {
        list.truncate(LISTED);
        list.push("and more".to_owned());
    }
}

/// Whether the step leaves something that unwinding has to deal with. A migration that has nothing
/// to apply does not.
fn has_effect(step: &Step, changes: &[SchemaChange]) -> bool {
    let change = match step.kind().traits().way_back {
        WayBack::Restore => step.hop.and_then(|hop| changes.get(hop)),
        WayBack::None | WayBack::Revision | WayBack::Own { .. } => None,
    };
    step.changes() && change.is_none_or(|change| !change.told || !change.pending.is_empty())
}
