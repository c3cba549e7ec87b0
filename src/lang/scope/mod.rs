//! What names in expressions stand for: of the whole plan, of a path, of one hop, of one instance
//! of a step.

mod locals;

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashMap;
use semver::Version;

use crate::lang::Value;
use crate::lang::syntax::Name;
use crate::model::{Address, Hop, HopKind};

pub(super) use locals::{Locals, Which};

/// Reads an output of a finished step; none where it has none of that name.
pub type ReadOutput<'a> = dyn Fn(&Address, &str) -> Option<serde_json::Value> + 'a;

/// To which hops of a path a step belongs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HopFilter {
    #[default]
    Every,
    First,
    Last,
}

/// The names that are the same in all of a plan. A value that could not be computed is none: it was
/// reported.
#[derive(Clone, Debug, Default)]
pub(in crate::lang) struct PlanScope {
    pub name: String,
    pub variables: BTreeMap<String, Option<Value>>,
    pub locals: Locals,
    /// The release's name and what can be read of it.
    pub release: Option<(String, Value)>,
    pub databases: BTreeSet<String>,
    pub blocks: Vec<BlockInfo>,
    pub block_index: HashMap<Address, usize>,
    /// The contents of files that `file()` read, so that instantiating reads nothing.
    pub files: BTreeMap<String, String>,
    /// Bytes of source, which the budget grows with.
    pub source_bytes: usize,
}

#[derive(Clone, Debug)]
pub(in crate::lang) struct BlockInfo {
    pub address: Address,
    pub hops: HopFilter,
    /// Outputs that the block calls sensitive.
    pub sensitive_outputs: Vec<Name>,
}

impl PlanScope {
    pub fn step_index(&self, block: &Address) -> Option<usize> {
        self.block_index.get(block).copied()
    }
}

/// The instances of a block at a hop.
#[derive(Clone, Debug, Default)]
pub(in crate::lang) enum Instances {
    /// The block has no part in the hop, or its `for_each` can't be told.
    #[default]
    None,
    /// It has no `for_each`.
    One,
    /// The keys of its `for_each`.
    Keys(Vec<Name>),
}

/// One hop as expressions see it. What only the cluster knows is none while validating.
#[derive(Clone, Debug)]
pub(in crate::lang) struct HopScope {
    pub index: usize,
    pub from: Option<Version>,
    pub to: Version,
    pub kind: Option<HopKind>,
}

/// The hops that steps are instantiated for, and the instances that there are.
#[derive(Clone, Debug, Default)]
pub(in crate::lang) struct PathScope {
    pub hops: Vec<HopScope>,
    /// Made up, because the installed version is not known.
    pub symbolic: bool,
    /// By hop (a runbook is one), then by block.
    pub instances: Vec<Vec<Instances>>,
}

impl PathScope {
    pub fn of(hops: &[Hop]) -> PathScope {
        let hops = hops.iter().map(|hop| HopScope {
            index: hop.index,
            from: Some(hop.from.clone()),
            to: hop.to.clone(),
            kind: Some(hop.kind),
        });
        PathScope { hops: hops.collect(), ..PathScope::default() }
    }

    pub fn symbolic(to: Version) -> PathScope {
        let hop = HopScope { index: 0, from: None, to, kind: None };
        PathScope { hops: vec![hop], symbolic: true, ..PathScope::default() }
    }

    /// The instances of a block at a hop.
    pub fn instances(&self, block: usize, hop: Option<usize>) -> &Instances {
        // Of a path with hops, only those at a hop can be told.
        let row = if self.hops.is_empty() { Some(0) } else { hop };
        let of_hop = row.and_then(|row| self.instances.get(row));
        of_hop.and_then(|blocks| blocks.get(block)).unwrap_or(&Instances::None)
    }

    /// Whether a block with this filter has instances at the hop.
    pub fn admits(&self, filter: HopFilter, hop: Option<usize>) -> bool {
        match (filter, hop) {
            (HopFilter::Every, _) | (_, None) => true,
            (HopFilter::First, Some(hop)) => hop == 0,
            (HopFilter::Last, Some(hop)) => hop + 1 == self.hops.len(),
        }
    }

    /// The address of a block at a hop, without a `for_each` key.
    pub fn address(&self, block: &Address, hop: Option<usize>) -> Address {
        match hop {
            Some(hop) if self.hops.len() > 1 => {
                block.clone().with_key(self.hops[hop].to.to_string())
            }
            Some(_) | None => block.clone(),
        }
    }
}

/// Everything that an expression may name.
#[derive(Clone, Copy)]
pub(in crate::lang) struct Names<'a> {
    pub plan: &'a PlanScope,
    pub locals: &'a BTreeMap<Name, Option<Value>>,
    pub path: &'a PathScope,
    /// Position of the current hop in the path.
    pub hop: Option<usize>,
    pub each: Option<&'a (Value, Value)>,
    /// What earlier requests of the same step captured.
    pub captures: Option<&'a BTreeSet<String>>,
    pub moment: Moment<'a>,
}

/// When an expression is computed.
#[derive(Clone, Copy)]
pub(in crate::lang) enum Moment<'a> {
    /// Before steps can be named: variables, `release`, `for_each`.
    Early,
    /// Planning: outputs, secrets and the environment are deferred.
    Plan,
    /// A step is about to run: what was deferred is there.
    Apply { outputs: &'a ReadOutput<'a>, env: &'a dyn Fn(&str) -> Option<String> },
}
