//! The planner: configuration and facts in, plan out. Pure.
//!
//! Must not: do I/O, read a clock or the environment. Reading order: the [`Plan`] itself, then
//! `planner` (how it is made), the checks, the rollback edges and the failure map, the diff, the
//! saved file and the renderings. A plan, its file format and its renderings are three things:
//! everything that prints takes the same value.

mod basis;
mod change;
pub mod checks;
mod diff;
mod environment;
mod error;
mod failure_map;
mod file;
mod finding;
mod migration;
mod outcome;
mod planner;
mod rollback;
mod situation;
mod stored;
mod versions;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use crate::model::{Address, DatabaseSpec, FileDigest, Hop, ReleaseSpec, Step};
use crate::path::{ChangelogEntry, Stop};

pub use basis::facts_of;
pub use change::{
    Change, ChangeAction, HopDiff, ImageChange, NameChange, ObjectChange, ObjectRef, ValuesDiff,
};
pub use environment::Authored;
pub use error::{PlanError, Refusal};
pub use file::{SavedPlan, SavedPlanError, StaleFact};
pub use finding::{CheckSummary, Finding, Level};
pub use outcome::{EndsAt, FailureEntry, PointOfNoReturn, RollbackEdge, WithheldEdge};
pub use planner::plan;
pub use stored::StoredPlan;
pub use versions::{Offer, Reach, Versions, versions};

/// What will be done, reviewed and approved as a whole. The run is built from this and nothing
/// else.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The `upgrade` block's name, or the file's stem for a runbook.
    pub name: String,
    pub upgrade: Option<Upgrade>,
    pub hops: Vec<Hop>,
    /// Where each hop ends and why the path stops there; as many as `hops`.
    pub stops: Vec<Stop>,
    pub release: Option<ReleaseSpec>,
    /// The installed release that the plan starts from, and what undoing returns to.
    pub installed: Option<Installed>,
    pub databases: BTreeMap<String, DatabaseSpec>,
    /// In topological order.
    pub steps: Vec<Step>,
    /// Releases after the installed one up to the target, oldest first.
    pub changelog: Vec<ChangelogEntry>,
    /// Migrations that the path brings and the database does not have, in order.
    pub migrations: Vec<PendingMigration>,
    /// What each hop changes in the cluster; as many as `hops`.
    pub diff: Vec<HopDiff>,
    /// Where live objects differ from the deployed manifest already.
    pub drift: Vec<ObjectChange>,
    pub findings: Vec<Finding>,
    /// Every check that was made, in order.
    pub checks: Vec<CheckSummary>,
    /// Steps that are undone on unwinding, in the order of unwinding.
    pub rollback_edges: Vec<RollbackEdge>,
    /// Rollback edges that the file asks for and this plan does not promise.
    pub withheld_edges: Vec<WithheldEdge>,
    /// Consecutive steps that fail alike share an entry.
    pub failure_map: Vec<FailureEntry>,
    pub point_of_no_return: Option<PointOfNoReturn>,
    /// Safety rules that the file relaxes.
    pub relaxed: Vec<RelaxedRule>,
    /// The facts that the plan depends on.
    pub facts: Vec<PlanFact>,
    /// The plan's own files and those they read.
    pub files: Vec<FileDigest>,
    /// Expected duration of steps in milliseconds, from earlier runs.
    pub expected_ms: BTreeMap<Address, u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upgrade {
    pub from: Version,
    pub to: Version,
}

/// The release as it was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Installed {
    /// Helm revision.
    pub revision: u32,
    pub status: String,
    pub chart_version: Version,
    pub app_version: Option<String>,
    /// UID of `kube-system`.
    pub cluster: String,
    pub server_version: String,
    pub context: Option<String>,
    pub helm_version: Option<Version>,
}

/// A migration that the run is to apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PendingMigration {
    pub name: String,
    /// The release that brings it, as far as its changelog tells.
    pub release: Option<Version>,
    /// Whether the app of the release before runs on the schema after it; None if nothing says so.
    pub backward_compatible: Option<bool>,
    pub description: Option<String>,
    /// The `migrate` step that applies it.
    pub step: Option<Address>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelaxedRule {
    pub rule: String,
    pub reason: String,
}

/// One fact that the plan depends on, as text that can be compared and shown. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFact {
    /// `cluster.uid`, `release.revision`, `database.main.identity`
    pub name: String,
    pub value: String,
    pub rests: Rests,
}

/// How much a plan depends on a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rests {
    /// Another value makes the plan stale.
    MustMatch,
    Informational,
}

impl Plan {
    /// What a run of this plan holds the lease on: the release in its cluster, or the runbook.
    pub fn subject(&self) -> String {
        match (&self.installed, &self.release) {
            (Some(installed), Some(release)) => {
                format!("{}/{}/{}", installed.cluster, release.namespace, release.name)
            }
            (None, _) | (_, None) => format!("runbook/{}", self.name),
        }
    }

    /// Whether it may be applied: it has steps and no blocking finding.
    pub fn is_applyable(&self) -> bool {
        !self.steps.is_empty() && !self.is_blocked()
    }

    /// Takes in what steps, and undoing them, took in earlier runs, in milliseconds.
    pub fn expect(&mut self, steps: BTreeMap<Address, u64>, undo: &BTreeMap<Address, u64>) {
        for entry in &mut self.failure_map {
            let known: Option<Vec<u64>> =
                entry.undo.iter().map(|step| undo.get(step).copied()).collect();
            entry.undo_ms = known
                .filter(|known| !known.is_empty() && entry.undo_more == 0)
                .map(|known| known.iter().sum());
        }
        self.expected_ms = steps;
    }

    pub fn is_blocked(&self) -> bool {
        self.findings.iter().any(|finding| finding.level == Level::Blocking)
    }

    /// Whether applying it would do anything.
    pub fn has_changes(&self) -> bool {
        !self.steps.is_empty()
    }
}
