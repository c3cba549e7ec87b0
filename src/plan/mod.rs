//! The planner: configuration and facts in, plan out. Pure.
//!
//! Must not: do I/O, read a clock or the environment. Reading order: this type, then the checks, the failure map, the
//! diff, the saved file and the renderings.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::model::{Address, DatabaseSpec, Hop, ReleaseSpec, Step};

/// What will be done, reviewed and approved as a whole. The run is built from this and nothing else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The `upgrade` block's name, or the file's stem for a runbook.
    pub name: String,
    pub upgrade: Option<Upgrade>,
    pub hops: Vec<Hop>,
    pub release: Option<ReleaseSpec>,
    pub databases: BTreeMap<String, DatabaseSpec>,
    /// In topological order.
    pub steps: Vec<Step>,
    pub findings: Vec<Finding>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    pub from: Version,
    pub to: Version,
}

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
