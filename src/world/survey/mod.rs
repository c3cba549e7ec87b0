//! Observing everything that a plan depends on.
//!
//! Guarantees: nothing is changed; secrets are removed before facts are recorded; every wait is bounded. What would
//! make a plan worthless (no cluster, no release, no such version, no database) is an error; what only weakens it (no
//! answer of the status command, a render that fails) is a fact.

mod access;
mod changelog;
mod charts;
mod live;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use semver::Version;
use serde_json::Value;

use self::charts::Charts;
use super::env::{Environment, HeldOutputs, Resolver};
use super::error::WorldError;
use super::helm::Helm;
use super::helm::chart::parse_version;
use super::helm::release::{Release, Releases};
use super::kubernetes::exec::ready_pod;
use super::kubernetes::workload::{self, Workload};
use super::kubernetes::{CallError, Cluster};
use super::postgres::{self, Clients, Target};
use super::{destination, migrations};
use crate::facts::{Facts, HelmFacts, MigrationFacts, ReleaseFacts, WorkloadFacts};
use crate::model::{DatabaseSpec, ReleaseSpec};
use crate::text::secret::{self, Redactor};

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
    /// The changelog that the plan names in place of the charts' own: a file below `base` or a URL.
    pub changelog: Option<String>,
    /// Where the hops of a plan end that was made already; its charts alone are looked at then.
    pub stops: BTreeSet<Version>,
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
pub async fn survey(
    env: &Environment,
    redactor: &Redactor,
    wanted: &Wanted,
) -> Result<Facts, WorldError> {
    let mut facts = Facts {
        format_version: 1,
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
    let (outputs, held) = (BTreeMap::new(), HeldOutputs::default());
    let resolver = Resolver { env, outputs: &outputs, held: &held, redactor };
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
    redactor
        .without_known(facts)
        .map_err(|error| WorldError::SecretInFacts { reason: error.to_string() })
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
    let docs = secret::documents(&record.manifest).map_err(|e| unreadable(spec, e.to_string()))?;
    facts.cluster = Some(access::cluster_facts(&cluster, uid, &spec.namespace, &docs).await?);
    let installed = parse_version(&record.chart.metadata.version).ok_or_else(|| {
        unreadable(spec, format!("chart version `{}` is not SemVer", record.chart.metadata.version))
    })?;
    let changelog = match &wanted.changelog {
        Some(source) => Some(changelog::read(&wanted.base, source).await?),
        None => None,
    };
    let named = changelog.as_deref();
    let charts = Charts {
        env,
        redactor,
        wanted,
        spec,
        helm: &helm,
        installed: &installed,
        changelog: named,
    };
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
        manifest: redactor
            .manifest(&record.manifest)
            .map_err(|e| unreadable(spec, e.to_string()))?,
        hooks: record.hook_names(),
        values: clean_values(&record, redactor),
        workloads: observe_workloads(&cluster, spec).await?,
        live: live::objects(&cluster, &spec.namespace, &docs, redactor).await?,
        policies: live::policies(&cluster, &spec.namespace, redactor).await?,
        available,
        changelog_source: changelog,
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

fn clean_values(record: &Release, redactor: &Redactor) -> Value {
    let mut values = record.config.clone().unwrap_or(Value::Null);
    if values.is_null() {
        values = Value::Object(serde_json::Map::new());
    }
    redactor.values(&mut values);
    values
}

async fn observe_workloads(
    cluster: &Cluster,
    spec: &ReleaseSpec,
) -> Result<Vec<WorkloadFacts>, WorldError> {
    let mut facts = Vec::new();
    for name in &spec.workloads {
        let found = match workload::get(cluster, &spec.namespace, name).await {
            Ok(found) => Some(found),
            Err(error) if error.status == Some(workload::NOT_FOUND) => None,
            Err(error) => return Err(refused(&format!("read {name}"), error)),
        };
        let count = |n: i32| u32::try_from(n).unwrap_or(0);
        facts.push(WorkloadFacts {
            name: name.clone(),
            found: found.is_some(),
            replicas: found.as_ref().map_or(0, |w| count(w.replicas)),
            ready: found.as_ref().map_or(0, |w| count(w.ready)),
            images: found.map(Workload::images).unwrap_or_default(),
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
