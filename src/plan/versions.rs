//! The versions that the chart source offers, and how each is reached from the one that is
//! installed.

use semver::Version;
use serde::Serialize;

use super::error::PlanError;
use super::planner::{installed_version, matching_release, offered, releases};
use crate::facts::Facts;
use crate::lang::Config;
use crate::model::Hop;
use crate::path::{self, PathError, Releases};

/// What is on offer for the release of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Versions {
    pub installed: Version,
    /// Where the plan leads.
    pub target: Version,
    /// Newest first.
    pub offered: Vec<Offer>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Offer {
    pub version: Version,
    #[serde(flatten)]
    pub reach: Reach,
}

/// How to come to a version. A major's guide is not asked for: that is what a plan is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reach")]
pub enum Reach {
    Installed,
    /// Older than what is installed; nothing upgrades to it.
    Older,
    ByHops {
        hops: Vec<Hop>,
    },
    /// The rules of the path lead nowhere.
    OutOfReach {
        reason: String,
    },
}

/// Lists them; none for a runbook.
///
/// # Errors
/// The facts are of another release, or do not tell which version is installed.
pub fn versions(config: &Config, facts: &Facts) -> Result<Option<Versions>, PlanError> {
    let (Some(block), Some(spec)) = (&config.upgrade, &config.release) else { return Ok(None) };
    let release = matching_release(config, spec, facts)?;
    let installed = installed_version(config, spec, release)?;
    let mut available = offered(release, spec.version_of);
    available.sort();
    available.dedup();
    // Where the changelog can't be read, required stops are not known: the plan says so.
    let releases = releases(release, spec.version_of, &block.to).unwrap_or_default();
    let offer = |version: &Version| Offer {
        version: version.clone(),
        reach: reach(&installed, version, &available, &releases),
    };
    let offered = available.iter().rev().map(offer).collect();
    Ok(Some(Versions { target: block.to.clone(), offered, installed: installed.clone() }))
}

fn reach(installed: &Version, target: &Version, offered: &[Version], releases: &Releases) -> Reach {
    if target == installed {
        return Reach::Installed;
    }
    match path::find(&path::Wanted { installed, target, offered, releases }) {
        Ok(path) => Reach::ByHops { hops: path.hops },
        Err(PathError::Downgrade { .. }) => Reach::Older,
        Err(error) => Reach::OutOfReach { reason: error.to_string() },
    }
}
