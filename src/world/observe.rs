//! Observing everything that a plan rests on.
//!
//! Guarantees: nothing is changed; every secret is taken out before a fact is made; every wait is bounded. What would
//! make a plan worthless (no cluster, no release, no such version, no database) is an error; what only weakens it (no
//! answer of the status command, a render that fails) is a fact.

mod access;
mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::Api;
use semver::Version;
use serde_json::Value;

use super::chart::{ChartSource, parse_version};
use super::environment::Environment;
use super::error::WorldError;
use super::exec::ready_pod;
use super::helm::Helm;
use super::kubernetes::{CallError, Cluster, workload_parts};
use super::postgres::{self, Clients, Target};
use super::real::install_tls;
use super::redactor::Redactor;
use super::release::{Release, Releases};
use super::render::Renderer;
use super::resolve::Resolver;
use super::{destination, migrations};
use crate::facts::recording::FORMAT_VERSION;
use crate::facts::{
    ChartFacts, Facts, HelmFacts, MigrationFacts, ReleaseFacts, WorkloadFacts, redact,
};
use crate::model::{DatabaseSpec, ReleaseSpec, VersionOf};

/// What a plan wants to know, taken from its configuration.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// RFC 3339, UTC: when the observation is made.
    pub observed_at: String,
    /// The plan's folder: relative paths start here.
    pub base: PathBuf,
    pub release: Option<ReleaseSpec>,
    /// The version that the plan upgrades to.
    pub target: Option<Version>,
    pub databases: BTreeMap<String, DatabaseSpec>,
    /// `to` of every backup step.
    pub backup_destinations: BTreeSet<String>,
    pub status: Option<StatusCommand>,
}

/// How the app tells the state of its schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusCommand {
    pub command: Vec<String>,
    /// The release's first workload when absent.
    pub workload: Option<String>,
    pub container: Option<String>,
}

/// At most this many requests are under way at once.
pub(super) const PARALLEL: usize = 8;

/// Observes the world for a plan.
pub async fn observe(
    env: &Environment,
    redactor: &Redactor,
    wanted: &Wanted,
) -> Result<Facts, WorldError> {
    install_tls();
    let mut facts = Facts {
        format_version: FORMAT_VERSION,
        observed_at: wanted.observed_at.clone(),
        cluster: None,
        helm: None,
        release: None,
        databases: BTreeMap::new(),
        backup_space: BTreeMap::new(),
    };
    if let Some(spec) = &wanted.release {
        observe_release(env, redactor, wanted, spec, &mut facts).await?;
    }
    let resolver = Resolver { env, outputs: &BTreeMap::new(), redactor };
    let clients = match wanted.databases.is_empty() {
        true => None,
        false => Clients::find(env, redactor).await,
    };
    for (name, database) in &wanted.databases {
        let url = resolver.text(&format!("the URL of database `{name}`"), &database.url)?;
        redactor.register(&url);
        let target = Target::parse(name, &url)?;
        target.register(redactor);
        let observed = postgres::observe(&target, clients.as_ref()).await?;
        facts.databases.insert(name.clone(), observed);
    }
    for to in &wanted.backup_destinations {
        let folder = destination::folder(&wanted.base, to)?;
        if let Some(free) = destination::free_bytes(&folder) {
            facts.backup_space.insert(to.clone(), free);
        }
    }
    Ok(facts)
}

async fn observe_release(
    env: &Environment,
    redactor: &Redactor,
    wanted: &Wanted,
    spec: &ReleaseSpec,
    facts: &mut Facts,
) -> Result<(), WorldError> {
    let helm = Helm::find(env, spec.context.as_deref(), redactor).await?;
    let cluster = Cluster::connect(env, spec.context.as_deref()).await?;
    let uid = cluster.uid().await?;
    let releases = Releases::new(&cluster, &helm, env.helm_driver(), &spec.namespace, &spec.name);
    let revisions = releases.revisions().await.map_err(|e| refused("read the release", e))?;
    let newest = revisions.last().ok_or_else(|| WorldError::ReleaseMissing {
        release: spec.name.clone(),
        namespace: spec.namespace.clone(),
    })?;
    // The newest revision's number and status, but the content of the one that serves: a pending or failed revision
    // says what somebody wanted, not what runs.
    let serving = revisions.iter().rev().find(|r| r.status == "deployed").unwrap_or(newest);
    let record = releases.get(serving.number).await.map_err(|e| unreadable(spec, e.message))?;

    facts.helm = Some(HelmFacts { version: helm.version.clone() });
    let docs = redact::documents(&record.manifest).map_err(|e| unreadable(spec, e.to_string()))?;
    facts.cluster = Some(access::cluster_facts(&cluster, uid, &spec.namespace, &docs).await?);
    let installed = parse_version(&record.chart.metadata.version).ok_or_else(|| {
        unreadable(spec, format!("chart version `{}` is not SemVer", record.chart.metadata.version))
    })?;
    let charts = Charts { env, redactor, wanted, spec, helm: &helm, installed: &installed };
    let (available, charts) = charts.observe().await?;
    let (migrations, migrations_error) = observe_migrations(&cluster, spec, wanted).await;
    facts.release = Some(ReleaseFacts {
        name: spec.name.clone(),
        namespace: spec.namespace.clone(),
        revision: newest.number,
        status: newest.status.clone(),
        chart_name: record.chart.metadata.name.clone(),
        chart_version: installed,
        app_version: record.chart.metadata.app_version.clone(),
        manifest: redact::manifest(&record.manifest)
            .map_err(|e| unreadable(spec, e.to_string()))?,
        hooks: record.hook_names(),
        values: clean_values(&record),
        workloads: observe_workloads(&cluster, spec).await?,
        live: live::objects(&cluster, &spec.namespace, &docs).await?,
        policies: live::policies(&cluster, &spec.namespace).await?,
        available,
        changelog_source: None,
        charts,
        migrations,
        migrations_error,
    });
    Ok(())
}

fn refused(what: &str, error: CallError) -> WorldError {
    WorldError::ClusterRefused { what: what.to_owned(), reason: error.message }
}

fn unreadable(spec: &ReleaseSpec, reason: String) -> WorldError {
    WorldError::ReleaseUnreadable { release: spec.name.clone(), reason }
}

fn clean_values(record: &Release) -> Value {
    let mut values = record.config.clone().unwrap_or(Value::Null);
    if values.is_null() {
        values = Value::Object(serde_json::Map::new());
    }
    redact::values(&mut values);
    values
}

async fn observe_workloads(
    cluster: &Cluster,
    spec: &ReleaseSpec,
) -> Result<Vec<WorkloadFacts>, WorldError> {
    let mut facts = Vec::new();
    for workload in &spec.workloads {
        let (kind, name) = workload_parts(workload);
        let what = format!("read {workload}");
        let found = match kind {
            "statefulset" => {
                let api: Api<StatefulSet> =
                    Api::namespaced(cluster.client.clone(), &spec.namespace);
                let got = cluster
                    .read(&what, || api.get_opt(name))
                    .await
                    .map_err(|e| refused(&what, e))?;
                got.map(|s| {
                    let template =
                        s.spec.as_ref().map(|s| &s.template).cloned().unwrap_or_default();
                    (
                        s.spec.and_then(|s| s.replicas),
                        s.status.and_then(|s| s.ready_replicas),
                        template,
                    )
                })
            }
            _ => {
                let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), &spec.namespace);
                let got = cluster
                    .read(&what, || api.get_opt(name))
                    .await
                    .map_err(|e| refused(&what, e))?;
                got.map(|d| {
                    let template =
                        d.spec.as_ref().map(|s| &s.template).cloned().unwrap_or_default();
                    (
                        d.spec.and_then(|s| s.replicas),
                        d.status.and_then(|s| s.ready_replicas),
                        template,
                    )
                })
            }
        };
        let count = |n: Option<i32>| u32::try_from(n.unwrap_or(0)).unwrap_or(0);
        facts.push(match found {
            None => WorkloadFacts {
                name: workload.clone(),
                found: false,
                replicas: 0,
                ready: 0,
                images: BTreeMap::new(),
            },
            Some((replicas, ready, template)) => WorkloadFacts {
                name: workload.clone(),
                found: true,
                replicas: count(replicas),
                ready: count(ready),
                images: template
                    .spec
                    .map(|pod| pod.containers)
                    .unwrap_or_default()
                    .into_iter()
                    .map(|c| (c.name, c.image.unwrap_or_default()))
                    .collect(),
            },
        });
    }
    Ok(facts)
}

/// Asks the app in a ready pod; why it could not be asked is a fact as well.
async fn observe_migrations(
    cluster: &Cluster,
    spec: &ReleaseSpec,
    wanted: &Wanted,
) -> (Option<MigrationFacts>, Option<String>) {
    let Some(status) = &wanted.status else { return (None, None) };
    let Some(workload) = status.workload.as_ref().or(spec.workloads.first()) else {
        return (None, Some("the release names no workload to ask".to_owned()));
    };
    let pod = match ready_pod(cluster, &spec.namespace, workload).await {
        Ok(pod) => pod.metadata.name.unwrap_or_default(),
        Err(error) => return (None, Some(error.message)),
    };
    let container = status.container.as_deref();
    match migrations::ask(cluster, &spec.namespace, &pod, container, &status.command).await {
        Ok(facts) => (Some(facts), None),
        Err(reason) => (None, Some(reason)),
    }
}

/// Observing the chart source.
struct Charts<'a> {
    env: &'a Environment,
    redactor: &'a Redactor,
    wanted: &'a Wanted,
    spec: &'a ReleaseSpec,
    helm: &'a Helm,
    installed: &'a Version,
}

impl Charts<'_> {
    async fn observe(&self) -> Result<(Vec<Version>, BTreeMap<Version, ChartFacts>), WorldError> {
        let source = ChartSource::new(self.spec, &self.wanted.base);
        let mut named = vec![self.installed.clone()];
        named.extend(self.wanted.target.clone());
        let available = source.versions(self.helm, &named).await?;
        let Some(target) = &self.wanted.target else { return Ok((available, BTreeMap::new())) };
        if self.spec.version_of == VersionOf::Chart && !available.contains(target) {
            return Err(source.missing(target, &available));
        }
        let folder =
            tempfile::tempdir().map_err(|e| file_error(Path::new("temporary folder"), &e))?;
        let renderer = self.renderer(folder.path())?;
        let mut charts = BTreeMap::new();
        let mut stops = stops(self.installed, target, &available);
        if available.contains(target) {
            let facts = self.chart(&source, target, folder.path(), Some(&renderer)).await?;
            let text = facts.releases_yaml.as_deref().unwrap_or_default();
            stops.extend(required_stops(text, self.installed, target, &available));
            stops.remove(target);
            charts.insert(target.clone(), facts);
        }
        let work = stops.into_iter().map(|version| {
            let (source, renderer, folder) = (&source, &renderer, folder.path());
            async move {
                let render = (version != *self.installed).then_some(renderer);
                self.chart(source, &version, folder, render).await.map(|facts| (version, facts))
            }
        });
        let done: Vec<_> = futures::stream::iter(work).buffer_unordered(2).collect().await;
        for result in done {
            let (version, facts) = result?;
            charts.insert(version, facts);
        }
        Ok((available, charts))
    }

    fn renderer(&self, folder: &Path) -> Result<Renderer<'_>, WorldError> {
        let outputs = BTreeMap::new();
        let resolver = Resolver { env: self.env, outputs: &outputs, redactor: self.redactor };
        Renderer::new(self.helm, self.spec, &self.wanted.base, folder, &resolver)
    }

    async fn chart(
        &self,
        source: &ChartSource,
        version: &Version,
        folder: &Path,
        renderer: Option<&Renderer<'_>>,
    ) -> Result<ChartFacts, WorldError> {
        let (path, package) = source.package(self.helm, version, folder).await?;
        let mut facts = package.facts().map_err(|reason| WorldError::ChartUnreadable {
            chart: self.spec.chart.clone(),
            repository: self.spec.repository.clone(),
            reason: format!("version {version}: {reason}"),
        })?;
        if let Some(renderer) = renderer {
            facts.renders = renderer.all(&path).await;
        }
        Ok(facts)
    }
}

fn file_error(path: &Path, error: &std::io::Error) -> WorldError {
    WorldError::File { path: path.display().to_string(), reason: error.to_string() }
}

/// The installed version and the newest patch of every minor above it, up to the target: what a path may stop at.
fn stops(installed: &Version, target: &Version, available: &[Version]) -> BTreeSet<Version> {
    let mut newest: BTreeMap<(u64, u64), &Version> = BTreeMap::new();
    for version in available.iter().filter(|v| v.pre.is_empty() && *v > installed && *v <= target) {
        let minor = newest.entry((version.major, version.minor)).or_insert(version);
        if version > *minor {
            *minor = version;
        }
    }
    let own = available.iter().filter(|v| *v == installed);
    newest.into_values().chain(own).cloned().collect()
}

/// Releases that `releases.yaml` marks with `stop: true` or `required_stop: true`.
fn required_stops(
    releases_yaml: &str,
    installed: &Version,
    target: &Version,
    available: &[Version],
) -> BTreeSet<Version> {
    let parsed: Result<Value, _> = serde_saphyr::from_str(releases_yaml);
    let Ok(root) = parsed else { return BTreeSet::new() };
    let list = root.get("releases").unwrap_or(&root);
    let entries = list.as_array().cloned().unwrap_or_default();
    let is_stop = |entry: &Value| {
        ["stop", "required_stop", "requiredStop"]
            .iter()
            .any(|f| entry.get(f) == Some(&Value::Bool(true)))
    };
    entries
        .iter()
        .filter(|entry| is_stop(entry))
        .filter_map(|entry| entry.get("version").and_then(Value::as_str).and_then(parse_version))
        .filter(|v| v > installed && v <= target && available.contains(v))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(text: &str) -> Vec<Version> {
        text.split(' ').map(|v| v.parse().unwrap()).collect()
    }

    #[test]
    fn stops_are_the_newest_patches_on_the_way() {
        let available = versions("2.5.0 2.6.0 2.6.3 2.7.0-rc.1 2.7.0 2.7.1 2.8.0 3.0.0");
        let found = stops(&Version::new(2, 6, 0), &Version::new(2, 8, 0), &available);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), versions("2.6.0 2.6.3 2.7.1 2.8.0"));
    }

    #[test]
    fn the_changelog_adds_required_stops() {
        let available = versions("2.6.0 2.7.0 2.7.1 2.8.0");
        let yaml = "releases:\n  - {version: 2.7.0, stop: true}\n  - {version: 2.7.1}\n  - {version: 2.6.0, stop: true}\n";
        let found =
            required_stops(yaml, &Version::new(2, 6, 0), &Version::new(2, 8, 0), &available);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), versions("2.7.0"));
    }
}
