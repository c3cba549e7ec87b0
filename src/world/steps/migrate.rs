//! The migrate step: brings the schema forward with the app's own command.
//!
//! # Flow
//! Quiesce the workloads where the plan asks for it; then either run the command in a ready pod, or in a one-off Job made
//! from the live workload's pod template with the target release's image; ask the status command afterwards.
//!
//! # Guarantees
//! Done means that the status command lists nothing as pending, not that the command returned 0. A second run is a
//! no-op. An attempt that died is found again by the Job's labels, and waited for while it runs.
//!
//! # Assumptions
//! The command applies each migration in a transaction of its own and is safe to run twice.
//!
//! # Caveats
//! Undoing is restoring the verified backup that the rollback edge names: see `restore`. Without one nothing is undone.
//!
//! # Errors
//! Permanent where the command failed, with its output as evidence; unknown where the connection to it was cut.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, LogParams, PostParams};
use semver::Version;
use serde_json::json;

use super::restore;
use crate::facts::MigrationFacts;
use crate::journal::Failure;
use crate::model::{MigrateSpec, MigrateVia, Outputs, Undo, undo_of};
use crate::run::Observation;
use crate::text::secret;
use crate::world::failure::{permanent, transient, unknown};
use crate::world::helm::chart::ChartSource;
use crate::world::helm::render::Renderer;
use crate::world::kubernetes::exec::{Exec, exec, ready_pod};
use crate::world::kubernetes::job::{AFTER, BEFORE, MIGRATE, Recipe, image_in};
use crate::world::kubernetes::{Cluster, workload};
use crate::world::migrations::{self, json_command};
use crate::world::process;
use crate::world::site::Site;

/// Bound on the migration command where the step has no timeout.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(3_600);
const QUIESCE_TIMEOUT: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(500);

pub async fn act(site: &Site<'_>, spec: &MigrateSpec) -> Result<Outputs, Failure> {
    let cluster = site.cluster().await?;
    if spec.quiesce {
        quiesce(site, &cluster).await?;
    }
    match spec.via {
        MigrateVia::Exec => by_exec(site, spec, &cluster).await,
        MigrateVia::Job | MigrateVia::Auto => by_job(site, spec, &cluster).await,
    }
}

pub async fn observe(site: &Site<'_>, spec: &MigrateSpec) -> Observation {
    let found = async {
        let cluster = site.cluster().await?;
        match spec.via {
            MigrateVia::Exec => observe_exec(site, spec, &cluster).await,
            MigrateVia::Job | MigrateVia::Auto => observe_job(site, &cluster).await,
        }
    };
    found.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

pub async fn observe_undo(site: &Site<'_>) -> Observation {
    match undo_of(&site.cx.step) {
        Undo::Nothing | Undo::TakesBack => Observation::Done(Outputs::new()),
        Undo::Restores(verify) => restore::observe(site, verify).await,
        Undo::NoBackup => Observation::NotDone,
    }
}

pub async fn undo(site: &Site<'_>) -> Result<(), Failure> {
    let verify = match undo_of(&site.cx.step) {
        Undo::Nothing | Undo::TakesBack => return Ok(()),
        Undo::Restores(verify) => verify,
        Undo::NoBackup => {
            let message =
                "its rollback edge names no backup, and the old app can't run on the new schema";
            return Err(permanent(message).help("restore the database by hand"));
        }
    };
    let cluster = site.cluster().await?;
    quiesce(site, &cluster).await?;
    restore::act(site, verify).await?;
    let release = site.release()?;
    for name in &release.workloads {
        workload::resume(&cluster, &release.namespace, name).await?;
    }
    for name in &release.workloads {
        let cancel = &site.cx.cancel;
        workload::settled(&cluster, &release.namespace, name, QUIESCE_TIMEOUT, cancel)
            .await?
            .map_err(|reason| permanent(format!("the old app does not serve again: {reason}")))?;
    }
    Ok(())
}

async fn quiesce(site: &Site<'_>, cluster: &Cluster) -> Result<(), Failure> {
    let release = site.release()?;
    for name in &release.workloads {
        site.progress(format!("scaling {name} to zero"));
        let cancel = &site.cx.cancel;
        workload::quiesce(cluster, &release.namespace, name, QUIESCE_TIMEOUT, cancel).await?;
    }
    Ok(())
}

fn target_workload<'a>(site: &Site<'a>, spec: &'a MigrateSpec) -> Result<&'a str, Failure> {
    let release = site.release()?;
    let named = spec.workload.as_deref().or(release.workloads.first().map(String::as_str));
    named.ok_or_else(|| permanent("the plan names no workload to migrate with"))
}

fn timeout(site: &Site<'_>) -> Duration {
    site.cx.step.timeout_ms.map_or(COMMAND_TIMEOUT, Duration::from_millis)
}

async fn by_exec(
    site: &Site<'_>,
    spec: &MigrateSpec,
    cluster: &Cluster,
) -> Result<Outputs, Failure> {
    let namespace = &site.release()?.namespace;
    let pod = ready_pod(cluster, namespace, target_workload(site, spec)?).await?;
    let pod = pod.metadata.name.unwrap_or_default();
    let container = spec.container.as_deref();
    let before = migrations::ask(cluster, namespace, &pod, container, &spec.status)
        .await
        .map_err(transient)?;
    site.progress(format!("running `{}` in pod {pod}", spec.exec.join(" ")));
    let request =
        Exec { namespace, pod: &pod, container, command: &spec.exec, timeout: timeout(site) };
    let output = exec(cluster, &request, &site.cx.cancel).await?;
    let said = format!("{}\n{}", output.stdout, output.stderr);
    let kept = site.keep_if_possible(&format!("migrate-{}.txt", site.cx.attempt), &said);
    if output.code != 0 {
        let last = output.stderr.lines().last().unwrap_or("it said nothing").to_owned();
        let message = format!("`{}` exited with {}: {last}", spec.exec.join(" "), output.code);
        return Err(permanent(message).with_evidence(kept));
    }
    let after = migrations::ask(cluster, namespace, &pod, container, &spec.status)
        .await
        .map_err(unknown)?;
    done(Some(&before), &after).map_err(|failure| failure.with_evidence(kept))
}

/// Only the status command's word counts.
fn done(before: Option<&MigrationFacts>, after: &MigrationFacts) -> Result<Outputs, Failure> {
    if !after.pending.is_empty() {
        let left = after.pending.join(", ");
        return Err(permanent(format!("the command ended, and these are still pending: {left}")));
    }
    let known = before.map(|facts| facts.applied.as_slice()).unwrap_or_default();
    let applied: Vec<&String> = after.applied.iter().filter(|name| !known.contains(name)).collect();
    let mut outputs = Outputs::from([("applied".to_owned(), json!(applied))]);
    if let Some(schema) = after.schema {
        outputs.insert("schema".to_owned(), json!(schema));
    }
    Ok(outputs)
}

async fn observe_exec(
    site: &Site<'_>,
    spec: &MigrateSpec,
    cluster: &Cluster,
) -> Result<Observation, Failure> {
    let namespace = &site.release()?.namespace;
    let pod = ready_pod(cluster, namespace, target_workload(site, spec)?).await?;
    let pod = pod.metadata.name.unwrap_or_default();
    let asked =
        migrations::ask(cluster, namespace, &pod, spec.container.as_deref(), &spec.status).await;
    Ok(match asked {
        Ok(facts) if facts.pending.is_empty() => {
            Observation::Done(done(None, &facts).unwrap_or_default())
        }
        Ok(_) => Observation::NotDone,
        Err(reason) => Observation::Unknown(reason),
    })
}

fn labels(site: &Site<'_>) -> serde_json::Value {
    json!({
        "app.kubernetes.io/managed-by": "orthid",
        "orthid.dev/run": site.cx.run.0,
        "orthid.dev/step": site.step_short(),
    })
}

async fn by_job(
    site: &Site<'_>,
    spec: &MigrateSpec,
    cluster: &Cluster,
) -> Result<Outputs, Failure> {
    let release = site.release()?;
    let name = format!("orthid-{}-{}-{}", site.run_short(), site.step_short(), site.cx.attempt);
    let live_name = target_workload(site, spec)?;
    let live = workload::get(cluster, &release.namespace, live_name).await?;
    let image = target_image(site, spec, live_name).await?;
    let commands = [
        (BEFORE, json_command(&spec.status)),
        (MIGRATE, spec.exec.clone()),
        (AFTER, json_command(&spec.status)),
    ];
    let recipe = Recipe {
        name: &name,
        namespace: &release.namespace,
        labels: labels(site),
        template: &live.template,
        container: spec.container.as_deref(),
        image: &image,
        commands: &commands,
        deadline_seconds: i64::try_from(timeout(site).as_secs()).unwrap_or(i64::MAX),
    };
    let job = recipe.build().map_err(permanent)?;
    let job: Job = serde_json::from_value(job).map_err(|e| permanent(e.to_string()))?;
    let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), &release.namespace);
    site.progress(format!("running `{}` in Job {name} ({image})", spec.exec.join(" ")));
    let params = PostParams::default();
    match cluster.once(&format!("create Job {name}"), jobs.create(&params, &job)).await {
        Ok(_) => {}
        // This very attempt made it before.
        Err(error) if error.status == Some(409) => {}
        Err(error) => return Err(Failure::from(error).after_effect()),
    }
    let ended = wait_for_job(site, cluster, &jobs, &name).await?;
    outcome_of_job(site, cluster, &name, ended).await
}

/// How a Job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum JobEnd {
    Complete,
    Failed,
}

fn end_of(job: &Job) -> Option<JobEnd> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().filter(|c| c.status == "True").find_map(|c| match c.type_.as_str() {
        "Complete" => Some(JobEnd::Complete),
        "Failed" => Some(JobEnd::Failed),
        _ => None,
    })
}

async fn wait_for_job(
    site: &Site<'_>,
    cluster: &Cluster,
    jobs: &Api<Job>,
    name: &str,
) -> Result<JobEnd, Failure> {
    // The Job ends by its own deadline; this bound only catches a controller that is not there.
    let deadline = tokio::time::Instant::now() + timeout(site) + Duration::from_secs(60);
    loop {
        let job = cluster.read(&format!("read Job {name}"), || jobs.get(name)).await;
        match job {
            Ok(job) => {
                if let Some(end) = end_of(&job) {
                    return Ok(end);
                }
            }
            Err(error) => return Err(Failure::from(error).after_effect()),
        }
        if tokio::time::Instant::now() >= deadline || site.cx.cancel.is_cancelled() {
            return Err(unknown(format!("Job {name} has not ended yet")));
        }
        tokio::time::sleep(POLL).await;
    }
}

async fn outcome_of_job(
    site: &Site<'_>,
    cluster: &Cluster,
    name: &str,
    end: JobEnd,
) -> Result<Outputs, Failure> {
    let JobLogs { logs, pod_went } = job_logs(site, cluster, name).await?;
    let text: String =
        logs.iter().map(|(container, log)| format!("== {container}\n{log}\n")).collect();
    let kept = site.keep_if_possible(&format!("{name}.txt"), &text);
    let log = |wanted: &str| logs.iter().find(|(name, _)| name == wanted).map(|(_, log)| log);
    match end {
        JobEnd::Complete => {
            let after = log(AFTER).map_or("", String::as_str);
            let after = migrations::parse(after).map_err(unknown)?;
            let before = log(BEFORE).and_then(|log| migrations::parse(log).ok());
            done(before.as_ref(), &after).map_err(|failure| failure.with_evidence(kept))
        }
        // Nobody knows how far it got.
        JobEnd::Failed if pod_went => {
            let message = format!("the pod of Job {name} went away before the migration's end");
            Err(unknown(message).with_evidence(kept))
        }
        JobEnd::Failed => {
            let said = log(MIGRATE).and_then(|log| log.lines().last()).unwrap_or("it said nothing");
            Err(permanent(format!("the migration Job {name} failed: {said}")).with_evidence(kept))
        }
    }
}

/// What a Job's pod left.
struct JobLogs {
    /// By container.
    logs: Vec<(String, String)>,
    /// It was deleted or evicted, so that its Job's failure says nothing of the migration.
    pod_went: bool,
}

/// The log of every container of a Job's pod, where there is one.
async fn job_logs(site: &Site<'_>, cluster: &Cluster, name: &str) -> Result<JobLogs, Failure> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), &site.release()?.namespace);
    let params = ListParams::default().labels(&format!("job-name={name}"));
    let list = cluster.read(&format!("list the pods of Job {name}"), || pods.list(&params)).await?;
    let Some(pod) = list.items.into_iter().next_back() else {
        return Ok(JobLogs { logs: Vec::new(), pod_went: true });
    };
    let evicted = pod.status.as_ref().and_then(|status| status.reason.as_deref());
    let pod_went = pod.metadata.deletion_timestamp.is_some() || evicted == Some("Evicted");
    let pod_name = pod.metadata.name.unwrap_or_default();
    let mut logs = Vec::new();
    for container in [BEFORE, MIGRATE, AFTER] {
        let params = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: Some(1 << 20),
            ..LogParams::default()
        };
        let what = format!("read the log of pod {pod_name}");
        // A container that never started has no log.
        if let Ok(log) = cluster.read(&what, || pods.logs(&pod_name, &params)).await {
            logs.push((container.to_owned(), log));
        }
    }
    Ok(JobLogs { logs, pod_went })
}

async fn observe_job(site: &Site<'_>, cluster: &Cluster) -> Result<Observation, Failure> {
    let jobs: Api<Job> = Api::namespaced(cluster.client.clone(), &site.release()?.namespace);
    let (run, step) = (&site.cx.run.0, site.step_short());
    let query = format!("orthid.dev/run={run},orthid.dev/step={step}");
    let params = ListParams::default().labels(&query);
    let list = cluster.read("list the migration's Jobs", || jobs.list(&params)).await?;
    let mut names: Vec<_> = list.items.iter().collect();
    names.sort_by_key(|job| job.metadata.creation_timestamp.as_ref().map(|at| at.0));
    let Some(newest) = names.pop() else { return Ok(Observation::NotDone) };
    let name = newest.metadata.name.clone().unwrap_or_default();
    let end = match end_of(newest) {
        Some(end) => end,
        None => {
            site.progress(format!("Job {name} is still running; waiting for it"));
            wait_for_job(site, cluster, &jobs, &name).await?
        }
    };
    match end {
        JobEnd::Complete => outcome_of_job(site, cluster, &name, end).await.map(Observation::Done),
        // Each migration is a transaction: what it got through stays, the rest is still pending.
        JobEnd::Failed => Ok(Observation::NotDone),
    }
}

/// The image that the target release's workload has: from the rendered manifest, so that values are respected.
async fn target_image(
    site: &Site<'_>,
    spec: &MigrateSpec,
    workload: &str,
) -> Result<String, Failure> {
    let release = site.release()?;
    let target: &Version =
        spec.to.as_ref().ok_or_else(|| permanent("a migration by Job needs its target version"))?;
    let helm = site.helm().await?;
    process::create_folder(&site.folder)?;
    let work = tempfile::tempdir_in(&site.folder)?;
    let source = ChartSource::new(release, &site.cx.base);
    let package = source.fetch(&helm, target, work.path()).await?;
    let (base, resolver) = (&site.cx.base, site.resolver());
    let renderer = Renderer::new(&helm, release, base, &resolver, site.redactor)?;
    let rendered = renderer.release(&package, release.values.policy).await.map_err(permanent)?;
    let docs = secret::documents(&rendered.manifest).map_err(|e| permanent(e.to_string()))?;
    image_in(&docs, workload, spec.container.as_deref()).map_err(permanent)
}
