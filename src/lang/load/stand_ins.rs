//! A plan's steps for the sake of their order, also where some of them can't be read: so that a
//! circle or a broken safety rule is told together with whatever else is wrong.
//!
//! Must not: be planned from. A step that can't be read stands here by its address, with the steps
//! that its text names.

use std::collections::{BTreeMap, BTreeSet};

use crate::lang::config::StepBlock;
use crate::lang::scope::PlanScope;
use crate::lang::syntax::{Body, Expr, Name, names};
use crate::model::{Address, Step, StepKind, StepSpec};

/// The steps of one made-up hop to the plan's target.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    pub steps: Vec<Step>,
    /// Every block of the text is among them. Otherwise only what is there tells something: what
    /// seems to be missing may have been misspelt.
    pub is_whole: bool,
}

/// Completes the steps that could be made by stand-ins for the blocks that could not.
pub(in crate::lang) fn complete(
    plan: &PlanScope,
    blocks: &[StepBlock],
    mut made: Vec<Step>,
    unread: &BTreeSet<usize>,
    hop: Option<usize>,
) -> Vec<Step> {
    if unread.is_empty() {
        return made;
    }
    let unread: BTreeMap<&Address, &StepBlock> =
        unread.iter().map(|at| (&blocks[*at].address, &blocks[*at])).collect();
    made.retain(|step| !unread.contains_key(&step.address.block()));
    let addresses: Vec<Address> = made.iter().map(|step| step.address.clone()).collect();
    let present = Present::new(&addresses, &unread);
    for step in &mut made {
        step.depends_on = present.all(&step.depends_on);
        if let StepSpec::Probe(probe) = &mut step.spec {
            probe.during = present.all(&probe.during);
        }
    }
    let stand_ins = unread.values().map(|block| {
        let mut named = Named { plan, steps: BTreeSet::new(), locals: BTreeSet::new() };
        named.body(&block.block.body, block.address.kind);
        stand_in(block.address.clone(), hop, present.all(&named.steps))
    });
    made.extend(stand_ins);
    made
}

/// A step of which nothing is known but its place.
fn stand_in(address: Address, hop: Option<usize>, depends_on: Vec<Address>) -> Step {
    Step { hop, depends_on, ..Step::at(address, StepSpec::Checkpoint) }
}

/// The steps that there are, by the block they come from.
struct Present<'a>(BTreeMap<Address, Vec<&'a Address>>);

impl<'a> Present<'a> {
    fn new(made: &'a [Address], unread: &BTreeMap<&'a Address, &StepBlock>) -> Present<'a> {
        let mut by_block: BTreeMap<Address, Vec<&'a Address>> = BTreeMap::new();
        for address in made.iter().chain(unread.keys().copied()) {
            by_block.entry(address.block()).or_default().push(address);
        }
        Present(by_block)
    }

    /// An address itself, or every step of the block it means. One that is not there at all is left
    /// out.
    fn all<'n>(&self, named: impl IntoIterator<Item = &'n Address>) -> Vec<Address> {
        let Present(by_block) = self;
        let mut found = BTreeSet::new();
        for address in named {
            let steps = by_block.get(&address.block()).map_or(&[][..], Vec::as_slice);
            match steps.contains(&address) {
                true => drop(found.insert(address.clone())),
                false => found.extend(steps.iter().copied().cloned()),
            }
        }
        found.into_iter().collect()
    }
}

/// The steps that a block's text names, in its own expressions or by way of locals.
struct Named<'p> {
    plan: &'p PlanScope,
    steps: BTreeSet<Address>,
    locals: BTreeSet<Name>,
}

impl Named<'_> {
    fn body(&mut self, body: &Body, kind: StepKind) {
        for attribute in &body.attributes {
            // A probe runs beside these, and waits for none of them.
            if !(kind == StepKind::Probe && &*attribute.name == "during") {
                self.expr(&attribute.value);
            }
        }
        body.blocks.iter().for_each(|inner| self.body(&inner.body, kind));
    }

    fn expr(&mut self, expr: &Expr) {
        let mut pending = vec![expr];
        while let Some(expr) = pending.pop() {
            for path in names::of(expr).paths {
                let Some(member) = path.member else { continue };
                if let Ok(kind) = path.root.parse::<StepKind>() {
                    self.steps.insert(Address::new(kind, &*member));
                } else if &*path.root == "local" && self.locals.insert(member.clone()) {
                    pending.extend(self.plan.locals.expr(&member));
                }
            }
        }
    }
}
