//! What checks say.

use serde::{Deserialize, Serialize};

use crate::model::Address;

/// A check's result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Stable: `orthid::check::pending_release`.
    pub code: String,
    pub level: Level,
    pub message: String,
    pub step: Option<Address>,
    pub help: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Blocking,
    Warning,
    Note,
}

impl Level {
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Blocking => "blocking",
            Level::Warning => "warning",
            Level::Note => "note",
        }
    }
}

/// A check that was made: passed when it found nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckSummary {
    pub code: String,
    /// What is well when the check passes: "every container has a readiness probe".
    pub title: String,
    /// How many findings it has.
    pub findings: usize,
}
