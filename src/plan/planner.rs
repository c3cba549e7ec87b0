//! How a plan is made: the path, the steps of every hop, what is left to the planner filled in, and
//! everything that a reviewer asks about it.

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use super::basis::facts_of;
use super::checks::{self, Report};
use super::diff::{self, Side, ValuesInput};
use super::error::{PlanError, Refusal};
use super::failure_map::failure_map;
use super::situation::{HopView, Situation, Wanted, app_version, chart_of, parse_version};
use super::{HopDiff, Installed, Plan, RelaxedRule, Upgrade, ValuesDiff, migration, rollback};
use crate::facts::{Facts, ReleaseFacts};
use crate::graph::{self, StepGraph};
use crate::lang::Config;
use crate::model::{Hop, ReleaseSpec, Step, StepSpec, ValuesPolicy, VersionOf};
use crate::path::{self, Guides, PathError, Releases};

/// Makes the plan.
///
/// # Errors
/// The file is wrong, or what is installed or on offer is not what it was written for. A plan that
/// must not be applied is not an error: its findings say so.
pub fn plan(config: &Config, facts: &Facts) -> Result<Plan, PlanError> {
    let wanted = wanted(config, facts)?;
    if wanted.upgrade.is_some() && wanted.path.hops.is_empty() {
        return Ok(compose(&wanted, empty(), facts));
    }
    let graph = graph::build(config, &wanted.path.hops)?;
    Ok(compose(&wanted, graph, facts))
}

fn empty() -> StepGraph {
    StepGraph::from_steps(Vec::new()).expect("no steps make a graph")
}

/// The file's wishes with the path found.
fn wanted(config: &Config, facts: &Facts) -> Result<Wanted, PlanError> {
    let mut wanted = Wanted {
        name: config.name.clone(),
        release: config.release.clone(),
        databases: config.databases.clone(),
        files: config.files.clone(),
        relaxed: config
            .policy
            .iter()
            .map(|rule| RelaxedRule { rule: rule.rule.clone(), reason: rule.reason.clone() })
            .collect(),
        ..Wanted::default()
    };
    let (Some(block), Some(spec)) = (&config.upgrade, &config.release) else { return Ok(wanted) };
    let release = matching_release(config, spec, facts)?;
    let installed = installed_version(config, spec, release)?;
    let refuse = |error: &PathError, span, label: &str| {
        PlanError::from(Refusal::from(error).at(config, span, label))
    };
    if let Some(range) = block.from.as_ref().filter(|range| !range.matches(&installed))
        && installed != block.to
    {
        let error = PathError::OutsideRange { installed, range: range.clone() };
        return Err(refuse(&error, block.from_span, "the plan was written for these"));
    }
    match releases(release, spec.version_of, &block.to) {
        Ok(releases) => wanted.releases = releases,
        Err(problem) => wanted.releases_problem = Some(problem),
    }
    let offered = offered(release, spec.version_of);
    let path = path::find(&path::Wanted {
        installed: &installed,
        target: &block.to,
        offered: &offered,
        releases: &wanted.releases,
    });
    wanted.path =
        path.map_err(|error| refuse(&error, Some(block.to_span), "the target of this plan"))?;
    path::acknowledged(
        &wanted.path,
        &wanted.releases,
        &guides(release, &wanted.path.hops, spec.version_of),
        &config.changelog.guides,
    )
    .map_err(|error| refuse(&error, Some(block.to_span), "the path crosses into it here"))?;
    wanted.upgrade = Some(Upgrade { from: installed, to: block.to.clone() });
    Ok(wanted)
}

pub(super) fn matching_release<'a>(
    config: &Config,
    spec: &ReleaseSpec,
    facts: &'a Facts,
) -> Result<&'a ReleaseFacts, PlanError> {
    let ReleaseSpec { name, namespace, .. } = spec;
    let Some(release) = &facts.release else {
        let message = format!("the facts hold no release {name} in namespace {namespace}");
        let help = "observe them again with `orthid observe`, with this plan";
        let refusal = Refusal::new("orthid::plan::release_not_observed", message, help);
        return Err(refusal.at(config, config.release_span, "this release").into());
    };
    if (&release.name, &release.namespace) != (name, namespace) {
        let message = format!(
            "the facts are of release {} in namespace {}, and the plan is for {name} in {namespace}",
            release.name, release.namespace
        );
        let help = "observe them again with `orthid observe`, with this plan";
        let refusal = Refusal::new("orthid::plan::facts_of_another_release", message, help);
        return Err(refusal.at(config, config.release_span, "this release").into());
    }
    Ok(release)
}

pub(super) fn installed_version(
    config: &Config,
    spec: &ReleaseSpec,
    release: &ReleaseFacts,
) -> Result<Version, PlanError> {
    let version = match spec.version_of {
        VersionOf::Chart => return Ok(release.chart_version.clone()),
        VersionOf::App => release.app_version.as_deref().and_then(parse_version),
    };
    version.ok_or_else(|| {
        let app = release.app_version.as_deref().unwrap_or("nothing");
        let message = format!("the installed release says {app} for its app's version");
        let help = "leave `version_of` out to count by the chart's versions";
        let refusal = Refusal::new("orthid::plan::installed_version_unknown", message, help);
        refusal.at(config, config.release_span, "counts by the app's version").into()
    })
}

/// Versions on offer, as the plan counts them.
pub(super) fn offered(release: &ReleaseFacts, version_of: VersionOf) -> Vec<Version> {
    match version_of {
        VersionOf::Chart => release.available.clone(),
        VersionOf::App => {
            let apps: BTreeSet<Version> = release.charts.values().filter_map(app_version).collect();
            apps.into_iter().collect()
        }
    }
}

/// What is told of releases on the way to a target.
pub(super) fn releases(
    release: &ReleaseFacts,
    version_of: VersionOf,
    target: &Version,
) -> Result<Releases, String> {
    let named = release.changelog_source.as_deref();
    Releases::told(named, chart_of(release, version_of, target), release.charts.values())
}

/// Guides as shipped by the charts of the hops' ends; the last chart has the last word.
fn guides(release: &ReleaseFacts, hops: &[Hop], version_of: VersionOf) -> Guides {
    let mut texts = BTreeMap::new();
    for chart in hops.iter().filter_map(|hop| chart_of(release, version_of, &hop.to)) {
        let shipped = chart.guides.iter();
        texts.extend(
            shipped.filter_map(|(version, text)| Some((parse_version(version)?, text.clone()))),
        );
    }
    Guides(texts)
}

/// Joins wishes, steps and facts into the plan.
pub(super) fn compose(wanted: &Wanted, graph: StepGraph, facts: &Facts) -> Plan {
    let situation = Situation::new(wanted, facts);
    let mut report = Report::default();
    let mut steps = graph.into_steps();
    chart_versions(&mut steps, &situation);
    let mut changes = migration::schema_changes(&situation);
    migration::resolve(&mut steps, &situation, &mut changes, &mut report);
    let edges = rollback::resolve(&mut steps, &situation, &changes, &mut report);
    let point_of_no_return = rollback::point_of_no_return(&steps, &changes);
    let graph = StepGraph::from_steps(steps).expect("resolving changes no edge of the graph");

    let diff: Vec<HopDiff> = situation.hops.iter().map(|view| hop_diff(&situation, view)).collect();
    let drift = match situation.release() {
        Some((spec, release)) => {
            diff::drift(&situation.deployed, &release.live, &release.policies, &spec.namespace)
        }
        None => Vec::new(),
    };
    let subject =
        checks::Subject { situation: &situation, steps: graph.steps(), diff: &diff, drift: &drift };
    checks::run(&subject, &mut report);
    let (findings, checks) = report.finish();
    let failure_map = failure_map(&graph, &situation, &changes, &edges.promised);
    let stops: Vec<Version> = wanted.path.hops.iter().map(|hop| hop.to.clone()).collect();
    let mut rollback_edges = edges.promised;
    rollback_edges.reverse();
    Plan {
        name: wanted.name.clone(),
        upgrade: wanted.upgrade.clone(),
        hops: wanted.path.hops.clone(),
        stops: wanted.path.stops.clone(),
        release: wanted.release.clone(),
        installed: installed(&situation),
        databases: wanted.databases.clone(),
        steps: graph.into_steps(),
        changelog: situation.changelog,
        migrations: changes.into_iter().flat_map(|change| change.pending).collect(),
        diff,
        drift,
        findings,
        checks,
        rollback_edges,
        withheld_edges: edges.withheld,
        failure_map,
        point_of_no_return,
        relaxed: wanted.relaxed.clone(),
        facts: facts_of(facts, &stops),
        files: wanted.files.clone(),
        expected_ms: BTreeMap::new(),
    }
}

/// Helm wants chart versions, whichever way the plan counts.
fn chart_versions(steps: &mut [Step], situation: &Situation<'_>) {
    for step in steps {
        let Some(chart) = step.hop.and_then(|hop| situation.hops.get(hop)?.chart) else { continue };
        if let StepSpec::Roll(roll) = &mut step.spec {
            let view = &situation.hops[step.hop.unwrap_or_default()];
            if roll.version == view.hop.to {
                roll.version = chart.version.clone();
            }
        }
    }
}

fn installed(situation: &Situation<'_>) -> Option<Installed> {
    let (_, release) = situation.release()?;
    let cluster = situation.cluster();
    Some(Installed {
        revision: release.revision,
        status: release.status.clone(),
        chart_version: release.chart_version.clone(),
        app_version: release.app_version.clone(),
        cluster: cluster.map(|cluster| cluster.uid.clone()).unwrap_or_default(),
        server_version: cluster.map(|c| c.server_version.clone()).unwrap_or_default(),
        context: cluster.and_then(|cluster| cluster.context.clone()),
        helm_version: situation.facts.helm.as_ref().map(|helm| helm.version.clone()),
    })
}

fn hop_diff(situation: &Situation<'_>, view: &HopView<'_>) -> HopDiff {
    let (Some((spec, release)), Some(chart), Some(render)) =
        (situation.release(), view.chart, view.render)
    else {
        return HopDiff::default();
    };
    let index = view.hop.index;
    let before_known = match index.checked_sub(1) {
        Some(earlier) => situation.hops[earlier].problem.is_none(),
        None => situation.deployed_problem.is_none(),
    };
    if view.problem.is_some() || !before_known {
        return HopDiff::default();
    }
    let old_hooks = match index.checked_sub(1).map(|earlier| situation.hops[earlier].render) {
        Some(Some(render)) => &render.hooks,
        Some(None) | None => &release.hooks,
    };
    let before = Side {
        manifest: situation.before(index),
        hooks: old_hooks,
        crds: view.old_chart.map(|chart| &chart.crds),
    };
    let after = Side { manifest: &view.manifest, hooks: &render.hooks, crds: Some(&chart.crds) };
    diff::hop(before, after, values_diff(situation, view, spec))
}

fn values_diff(situation: &Situation<'_>, view: &HopView<'_>, spec: &ReleaseSpec) -> ValuesDiff {
    let Some(chart) = view.chart else { return ValuesDiff::default() };
    let entries = situation.entries_of(view.hop);
    let mut found = diff::values(ValuesInput {
        policy: spec.values.policy,
        old_defaults: view.old_chart.map(|chart| &chart.values),
        new_defaults: &chart.values,
        set: view.values(),
        entries: &entries,
    });
    let own = super::situation::policy_name(spec.values.policy);
    let policies = [ValuesPolicy::Reuse, ValuesPolicy::ResetThenReuse, ValuesPolicy::Reset];
    for name in policies.map(super::situation::policy_name).into_iter().filter(|n| *n != own) {
        let Some(render) = chart.renders.get(name).filter(|r| r.error.is_none()) else { continue };
        if let Ok(other) = diff::Manifest::parse(&render.manifest, &spec.namespace) {
            let differing = diff::objects(&view.manifest, &other).len();
            found.other_policies.push((name.to_owned(), differing));
        }
    }
    found.chart = Some(chart.version.clone());
    found
}
