//! What is wanted and what was found, joined: everything that planning looks at, read once.
//!
//! Must not: judge. A chart that is missing or does not render is a problem kept here for a check
//! to tell.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::Value;

use super::diff::Manifest;
use super::{RelaxedRule, Upgrade};
use crate::facts::{ChartFacts, ClusterFacts, DatabaseFacts, Facts, ReleaseFacts, Render};
use crate::model::{DatabaseSpec, FileDigest, Hop, ReleaseSpec, ValuesPolicy, VersionOf};
use crate::path::{ChangelogEntry, Path, Releases};

/// What the plan's file asks for, with the path found. The steps go beside it.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub name: String,
    pub upgrade: Option<Upgrade>,
    pub release: Option<ReleaseSpec>,
    pub databases: BTreeMap<String, DatabaseSpec>,
    pub relaxed: Vec<RelaxedRule>,
    pub files: Vec<FileDigest>,
    pub path: Path,
    pub releases: Releases,
    /// Why `releases` is empty, where a chart has a `releases.yaml` that can't be read.
    pub releases_problem: Option<String>,
}

/// The joined view.
#[derive(Debug)]
pub struct Situation<'a> {
    pub wanted: &'a Wanted,
    pub facts: &'a Facts,
    /// The deployed manifest; empty for a runbook or where it can't be read.
    pub deployed: Manifest,
    pub deployed_problem: Option<String>,
    /// One for each hop.
    pub hops: Vec<HopView<'a>>,
    /// Releases after the installed one up to the target.
    pub changelog: Vec<ChangelogEntry>,
}

/// One hop with the chart it ends at.
#[derive(Debug)]
pub struct HopView<'a> {
    pub hop: &'a Hop,
    /// The chart that is deployed before the hop, where it was at hand.
    pub old_chart: Option<&'a ChartFacts>,
    pub chart: Option<&'a ChartFacts>,
    /// What Helm would apply under the plan's values policy.
    pub render: Option<&'a Render>,
    /// Parsed from the render; empty where there is none or it can't be read.
    pub manifest: Manifest,
    /// Why there is no manifest to compare.
    pub problem: Option<String>,
}

/// Name of a values policy in facts.
pub fn policy_name(policy: ValuesPolicy) -> &'static str {
    match policy {
        ValuesPolicy::Reuse => "reuse",
        ValuesPolicy::ResetThenReuse => "reset_then_reuse",
        ValuesPolicy::Reset => "reset",
    }
}

/// The newest chart of a version, as the plan counts versions.
pub fn chart_of<'a>(
    release: &'a ReleaseFacts,
    version_of: VersionOf,
    version: &Version,
) -> Option<&'a ChartFacts> {
    match version_of {
        VersionOf::Chart => release.charts.get(version),
        VersionOf::App => {
            release.charts.values().rev().find(|chart| app_version(chart).as_ref() == Some(version))
        }
    }
}

/// The app's version as SemVer; `v2.7.1` is taken for `2.7.1`.
pub fn app_version(chart: &ChartFacts) -> Option<Version> {
    parse_version(chart.app_version.as_deref()?)
}

pub fn parse_version(text: &str) -> Option<Version> {
    text.strip_prefix('v').unwrap_or(text).parse().ok()
}

impl<'a> Situation<'a> {
    pub fn new(wanted: &'a Wanted, facts: &'a Facts) -> Situation<'a> {
        let mut situation = Situation {
            wanted,
            facts,
            deployed: Manifest::default(),
            deployed_problem: None,
            hops: Vec::new(),
            changelog: Vec::new(),
        };
        let (Some(spec), Some(release)) = (&wanted.release, &facts.release) else {
            return situation;
        };
        match Manifest::parse(&release.manifest, &spec.namespace) {
            Ok(manifest) => situation.deployed = manifest,
            Err(problem) => situation.deployed_problem = Some(problem.to_string()),
        }
        let hops = wanted.path.hops.iter();
        situation.hops = hops.map(|hop| HopView::new(hop, spec, release)).collect();
        if let Some(upgrade) = &wanted.upgrade {
            situation.changelog = crate::path::entries(
                &upgrade.from,
                &upgrade.to,
                &wanted.releases,
                &release.charts,
                &release.available,
            );
        }
        situation
    }

    pub fn release(&self) -> Option<(&'a ReleaseSpec, &'a ReleaseFacts)> {
        Some((self.wanted.release.as_ref()?, self.facts.release.as_ref()?))
    }

    pub fn cluster(&self) -> Option<&'a ClusterFacts> {
        self.facts.cluster.as_ref()
    }

    pub fn database(&self, name: &str) -> Option<&'a DatabaseFacts> {
        self.facts.databases.get(name)
    }

    /// Releases after the hop's start up to its end, oldest first.
    pub fn entries_of(&self, hop: &Hop) -> Vec<&ChangelogEntry> {
        let inside = |entry: &&ChangelogEntry| entry.version > hop.from && entry.version <= hop.to;
        self.changelog.iter().filter(inside).collect()
    }

    /// The manifest that is deployed before a hop.
    pub fn before(&self, hop: usize) -> &Manifest {
        match hop.checked_sub(1) {
            Some(earlier) => &self.hops[earlier].manifest,
            None => &self.deployed,
        }
    }

    /// The last hop whose manifest can be judged: what will be running when the path ends.
    pub fn last(&self) -> Option<&HopView<'a>> {
        self.hops.last().filter(|hop| hop.problem.is_none())
    }
}

impl<'a> HopView<'a> {
    fn new(hop: &'a Hop, spec: &'a ReleaseSpec, release: &'a ReleaseFacts) -> HopView<'a> {
        let mut view = HopView {
            hop,
            old_chart: chart_of(release, spec.version_of, &hop.from),
            chart: chart_of(release, spec.version_of, &hop.to),
            render: None,
            manifest: Manifest::default(),
            problem: None,
        };
        let policy = policy_name(spec.values.policy);
        view.render = view.chart.and_then(|chart| chart.renders.get(policy));
        let (chart, render) = (view.chart, view.render);
        view.problem = match (chart, render) {
            (None, _) => Some(format!("the facts hold no chart of version {}", hop.to)),
            (Some(_), None) => Some(format!("the facts hold no render under the policy {policy}")),
            (Some(_), Some(Render { error: Some(error), .. })) => Some(error.clone()),
            (Some(_), Some(render)) => match Manifest::parse(&render.manifest, &spec.namespace) {
                Ok(manifest) => {
                    view.manifest = manifest;
                    None
                }
                Err(problem) => Some(problem.to_string()),
            },
        };
        view
    }

    /// User-supplied values after the hop.
    pub fn values(&self) -> &'a Value {
        self.render.map_or(&Value::Null, |render| &render.values)
    }
}
