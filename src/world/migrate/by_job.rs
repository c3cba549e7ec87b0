//! Migrating by a one-off Job with the target release's image.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use kube::Api;
use kube::api::{DeleteParams, LogParams, PostParams};
use serde_json::json;

use super::{Migration, Observation, Told};
use crate::facts::{MigrationFacts, redact};
use crate::run::Failure;
use crate::world::chart::ChartSource;
use crate::world::exec;
use crate::world::job::{AFTER, BEFORE, MIGRATE, Recipe, image_in};
use crate::world::migrations::{self, json_command};
use crate::world::render::Renderer;
use crate::world::{process, workload};

const POLL: Duration = Duration::from_millis(500);
/// For a deleted Job and its pod to be gone.
const DELETE_TIMEOUT: Duration = Duration::from_secs(90);
/// How long a pod may fail to start before that counts as the outcome.
const START_TIMEOUT: Duration = Duration::from_secs(60);

/// How a Job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Running,
    Succeeded,
    Failed,
}

impl Migration<'_> {
    fn job_name(&self) -> String {
        format!("orthid-migrate-{}-{}", self.site.run_short(), self.site.step_short())
    }

    fn jobs(&self) -> Api<Job> {
        Api::namespaced(self.cluster.client.clone(), self.namespace)
    }

    async fn find(&self) -> Result<Option<Job>, Failure> {
        let (jobs, name) = (self.jobs(), self.job_name());
        Ok(self.cluster.read("look for the migration's Job", || jobs.get_opt(&name)).await?)
    }

    /// Runs the Job, or takes over the one that an earlier orthid of this run started.
    pub(super) async fn job(&self) -> Result<Told, Failure> {
        let found = self.find().await?;
        match found.as_ref().map(state) {
            Some(State::Failed) => self.remove_job().await?,
            Some(State::Running | State::Succeeded) => {
                self.site.progress(format!("taking over Job {}", self.job_name()));
                return self.wait().await;
            }
            None => {}
        }
        let job = self.build().await?;
        self.site.progress(format!("starting Job {}", self.job_name()));
        let (jobs, params) = (self.jobs(), PostParams::default());
        match self.cluster.once("create the migration's Job", jobs.create(&params, &job)).await {
            Ok(_) => {}
            // An earlier try of this very request got through.
            Err(error) if error.status == Some(409) => {}
            Err(error) if error.status.is_some() => return Err(error.into()),
            Err(error) => return Err(Failure::from(error).after_effect()),
        }
        self.wait().await.map_err(Failure::after_effect)
    }

    async fn build(&self) -> Result<Job, Failure> {
        let live = workload::get(&self.cluster, self.namespace, self.workload).await?;
        let image = self.target_image().await?;
        let status = json_command(&self.spec.status);
        let recipe = Recipe {
            name: &self.job_name(),
            namespace: self.namespace,
            labels: json!({
                "app.kubernetes.io/managed-by": "orthid",
                "orthid.dev/run": self.site.cx.run.0,
                "orthid.dev/step": self.site.step_short(),
            }),
            template: &live.template,
            container: self.spec.container.as_deref(),
            image: &image,
            commands: &[
                (BEFORE, status.clone()),
                (MIGRATE, self.spec.exec.clone()),
                (AFTER, status),
            ],
            deadline_seconds: i64::try_from(self.timeout.as_secs().max(1)).unwrap_or(i64::MAX),
        };
        let job = recipe.build().map_err(Failure::permanent)?;
        serde_json::from_value(job)
            .map_err(|e| Failure::permanent(format!("the migration's Job: {e}")))
    }

    /// The image that the target release would give the workload, by Helm's own render.
    async fn target_image(&self) -> Result<String, Failure> {
        let to = self.spec.to.as_ref();
        let to =
            to.ok_or_else(|| Failure::permanent("a migration by Job needs its target version"))?;
        let (release, helm) = (self.site.release()?, self.site.helm().await?);
        process::create_folder(&self.site.folder)?;
        let folder = tempfile::tempdir_in(&self.site.folder)?;
        let source = ChartSource::new(release, &self.site.cx.base);
        let package = source.fetch(&helm, to, folder.path()).await?;
        let resolver = self.site.resolver();
        let renderer = Renderer::new(&helm, release, &self.site.cx.base, folder.path(), &resolver)?;
        let rendered = renderer.release(&package, release.values.policy).await;
        let rendered = rendered.map_err(Failure::permanent)?;
        let docs = redact::documents(&rendered.manifest);
        let docs = docs.map_err(|e| Failure::permanent(e.to_string()))?;
        image_in(&docs, self.workload, self.spec.container.as_deref()).map_err(Failure::permanent)
    }

    async fn job_pod(&self) -> Result<Option<Pod>, Failure> {
        let query = format!("batch.kubernetes.io/job-name={}", self.job_name());
        let pods = exec::pods(&self.cluster, self.namespace, &query).await?;
        Ok(pods.into_iter().max_by_key(|pod| pod.metadata.creation_timestamp.clone()))
    }

    /// Waits for the Job's end and reads what its containers told.
    async fn wait(&self) -> Result<Told, Failure> {
        // The Job's own deadline ends it; the margin is for the controller to say so.
        let deadline = tokio::time::Instant::now() + self.timeout + Duration::from_secs(30);
        let mut stuck_since = None;
        let mut said = String::new();
        loop {
            let job = self.find().await?;
            let Some(job) = job else {
                return Err(Failure::unknown(format!("Job {} is gone", self.job_name())));
            };
            let pod = self.job_pod().await?;
            match state(&job) {
                State::Succeeded => return self.told(pod.as_ref()).await,
                State::Failed => return Err(self.failed(&job, pod.as_ref()).await),
                State::Running => {}
            }
            let now = tokio::time::Instant::now();
            match pod.as_ref().and_then(trouble) {
                None => stuck_since = None,
                Some(reason) => {
                    let since = *stuck_since.get_or_insert(now);
                    if now.duration_since(since) > START_TIMEOUT {
                        return Err(self.give_up(&reason, pod.as_ref()).await);
                    }
                }
            }
            let line = pod.as_ref().map(describe).unwrap_or_else(|| "no pod yet".to_owned());
            if line != said {
                self.site.progress(&line);
                said = line;
            }
            if now >= deadline {
                return Err(Failure::unknown(format!(
                    "Job {} did not end in time",
                    self.job_name()
                )));
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = self.site.cx.cancel.cancelled() => {
                    return Err(Failure::unknown(format!("interrupted; Job {} goes on", self.job_name())));
                }
            }
        }
    }

    /// A Job whose pod does not start is removed: it must not migrate later, when nobody expects it any more.
    async fn give_up(&self, reason: &str, pod: Option<&Pod>) -> Failure {
        let evidence = self.logs(pod).await;
        let message = format!("the Job's pod does not start: {reason}");
        match Box::pin(self.remove_job()).await {
            Ok(()) => Failure::permanent(message).with_evidence(evidence),
            Err(error) => {
                Failure::unknown(format!("{message}; {}", error.message)).with_evidence(evidence)
            }
        }
    }

    async fn log(&self, pod: &str, container: &str) -> Result<String, Failure> {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), self.namespace);
        let params = LogParams {
            container: Some(container.to_owned()),
            limit_bytes: Some(4 << 20),
            ..LogParams::default()
        };
        Ok(self
            .cluster
            .read(&format!("read the log of {container}"), || pods.logs(pod, &params))
            .await?)
    }

    /// Keeps the log of every container; says which files there are.
    async fn logs(&self, pod: Option<&Pod>) -> Vec<String> {
        let Some(name) = pod.and_then(|pod| pod.metadata.name.as_deref()) else {
            return Vec::new();
        };
        let mut kept = Vec::new();
        for container in [BEFORE, MIGRATE, AFTER] {
            if let Ok(log) = self.log(name, container).await {
                let file = format!("{container}-{}.log", self.site.cx.attempt);
                kept.extend(self.site.keep_if_possible(&file, &log));
            }
        }
        if let Some(pod) = pod.and_then(|pod| serde_json::to_value(pod).ok()) {
            let mut pod = pod;
            redact::object(&mut pod);
            let text = serde_saphyr::to_string(&pod).unwrap_or_default();
            kept.extend(self.site.keep_if_possible("job-pod.yaml", &text));
        }
        kept
    }

    async fn told(&self, pod: Option<&Pod>) -> Result<Told, Failure> {
        let name = pod.and_then(|pod| pod.metadata.name.clone()).ok_or_else(|| {
            Failure::unknown(format!("Job {} succeeded and its pod is gone", self.job_name()))
        })?;
        self.logs(pod).await;
        let before = self.status(&name, BEFORE).await?;
        let after = self.status(&name, AFTER).await?;
        Ok(Told { before, after })
    }

    async fn status(&self, pod: &str, container: &str) -> Result<MigrationFacts, Failure> {
        let log = self.log(pod, container).await?;
        let words = json_command(&self.spec.status).join(" ");
        migrations::parse(&log).map_err(|e| Failure::permanent(format!("`{words}`: {e}")))
    }

    async fn failed(&self, job: &Job, pod: Option<&Pod>) -> Failure {
        let evidence = self.logs(pod).await;
        let statuses = pod.map(container_statuses).unwrap_or_default();
        let ended = statuses.iter().find_map(|status| {
            let terminated = status.state.as_ref()?.terminated.as_ref()?;
            (terminated.exit_code != 0).then(|| (status.name.clone(), terminated.exit_code))
        });
        let message = match (&ended, pod.and_then(|pod| pod.metadata.name.as_deref())) {
            (Some((container, code)), Some(pod)) => {
                let log = self.log(pod, container).await.unwrap_or_default();
                let words =
                    log.lines().rfind(|l| !l.trim().is_empty()).unwrap_or_default().to_owned();
                let command = match container.as_str() {
                    MIGRATE => self.spec.exec.join(" "),
                    BEFORE | AFTER => json_command(&self.spec.status).join(" "),
                    other => format!("container {other}"),
                };
                format!("`{command}` exited with {code}: {words}")
            }
            (Some(_) | None, _) => {
                let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref());
                let failed = conditions.and_then(|all| all.iter().find(|c| c.type_ == "Failed"));
                let reason = failed.and_then(|c| c.message.clone()).unwrap_or_default();
                format!("Job {} failed: {reason}", self.job_name())
            }
        };
        Failure::permanent(message).with_evidence(evidence)
    }

    /// Waits for a Job of an earlier orthid; a finished one tells, an absent or failed one leaves nothing to wait for.
    pub(super) async fn observe_job(&self) -> Result<Observation, Failure> {
        let Some(job) = self.find().await? else { return Ok(Observation::NotDone) };
        if state(&job) == State::Failed {
            return Ok(Observation::NotDone);
        }
        match self.wait().await {
            Ok(told) => Ok(match self.judge(&told) {
                Ok(outputs) => Observation::Done(outputs),
                // Acting takes the finished Job over and says what is wrong with it.
                Err(_) => Observation::NotDone,
            }),
            Err(failure) if failure.class == crate::run::FailureClass::Permanent => {
                Ok(Observation::NotDone)
            }
            Err(failure) => Ok(Observation::Unknown(failure.message)),
        }
    }

    /// Removes the Job, after keeping its logs, and waits until its pod is gone.
    pub(super) async fn remove_job(&self) -> Result<(), Failure> {
        if self.find().await?.is_none() {
            return Ok(());
        }
        self.logs(self.job_pod().await?.as_ref()).await;
        let (jobs, name) = (self.jobs(), self.job_name());
        let params = DeleteParams::foreground();
        match self.cluster.read("delete the Job", || jobs.delete(&name, &params)).await {
            Ok(_) => {}
            Err(error) if error.status == Some(404) => {}
            Err(error) => return Err(error.into()),
        }
        let deadline = tokio::time::Instant::now() + DELETE_TIMEOUT;
        while self.find().await?.is_some() || self.job_pod().await?.is_some() {
            if tokio::time::Instant::now() >= deadline || self.site.cx.cancel.is_cancelled() {
                return Err(Failure::transient(format!("Job {name} does not go away")));
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }
}

fn state(job: &Job) -> State {
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref());
    let has = |kind: &str| {
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == kind && c.status == "True"))
    };
    match (has("Complete"), has("Failed")) {
        (true, _) => State::Succeeded,
        (false, true) => State::Failed,
        (false, false) => State::Running,
    }
}

fn container_statuses(pod: &Pod) -> Vec<&ContainerStatus> {
    let status = pod.status.as_ref();
    let init = status.and_then(|s| s.init_container_statuses.as_ref()).into_iter().flatten();
    init.chain(status.and_then(|s| s.container_statuses.as_ref()).into_iter().flatten()).collect()
}

/// Why a pod does not come to run, where that is so.
fn trouble(pod: &Pod) -> Option<String> {
    let waiting = container_statuses(pod).into_iter().find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let bad = reason.starts_with("Err")
            || reason.ends_with("Error")
            || reason.ends_with("BackOff")
            || reason == "InvalidImageName";
        bad.then(|| format!("{reason} {}", waiting.message.as_deref().unwrap_or_default()))
    });
    waiting.or_else(|| {
        let conditions = pod.status.as_ref()?.conditions.as_ref()?;
        let unscheduled =
            conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
        Some(format!("not scheduled: {}", unscheduled.message.as_deref().unwrap_or_default()))
    })
}

fn describe(pod: &Pod) -> String {
    let running = container_statuses(pod)
        .into_iter()
        .find_map(|status| status.state.as_ref()?.running.as_ref().map(|_| status.name.clone()));
    let phase = pod.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
    match running {
        Some(container) => format!("{container} runs"),
        None => format!("the Job's pod is {phase}"),
    }
}
