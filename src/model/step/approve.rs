//! Who opens a gate, and how many of them it takes.

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveSpec {
    /// Public keys that may approve, as [`crate::model::PublicKey`] reads them; anyone at the terminal when empty.
    pub keys: Vec<String>,
    /// How many of them must; none for one. Left out of a saved plan then, as before there was a choice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<u32>,
    pub deadline_ms: Option<u64>,
}

impl ApproveSpec {
    /// How many keys must sign, or voices say yes.
    pub fn needed(&self) -> usize {
        match self.keys.is_empty() {
            true => 1,
            false => self.threshold.unwrap_or(1).max(1) as usize,
        }
    }
}
