//! What names in expressions stand for.

use std::collections::{BTreeMap, HashMap};

use super::Value;
use crate::model::Address;

/// The names that are the same in all of a plan.
#[derive(Clone, Debug, Default)]
pub(super) struct PlanScope {
    pub plan_name: String,
    pub variables: BTreeMap<String, Value>,
    pub steps: HashMap<Address, usize>,
}

impl PlanScope {
    pub fn step_index(&self, block: &Address) -> Option<usize> {
        self.steps.get(block).copied()
    }
}
