//! What a rollout looks like while Helm waits for it: progress for people, and what failing pods say, kept before
//! anything is rolled back.
//!
//! Must not: decide whether the rollout is complete; the roll step asks that itself.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::Api;
use kube::api::{ListParams, LogParams};
use tokio::time::Instant;

use super::kubernetes::Cluster;
use super::site::Site;
use super::{exec, workload};
use crate::run::Failure;

/// How often progress is read.
const WATCH: Duration = Duration::from_secs(1);
/// A pod that runs this long without being ready is in trouble.
const STARTING: Duration = Duration::from_secs(10);
/// How often what a pod in trouble says is kept anew: its last words tell most.
const AGAIN: Duration = Duration::from_secs(10);
const NOT_READY: &str = "it runs and is not ready";

/// Reads the rollout while Helm waits, and keeps what failing pods say.
pub struct Watcher<'a> {
    site: &'a Site<'a>,
    cluster: &'a Cluster,
    /// Evidence that was kept.
    pub kept: Vec<String>,
    /// Since when a pod has been unready, by name.
    unready: BTreeMap<String, Instant>,
    /// When what a pod says was kept, by name and reason.
    kept_at: BTreeMap<String, Instant>,
}

impl<'a> Watcher<'a> {
    pub fn new(site: &'a Site<'a>, cluster: &'a Cluster) -> Watcher<'a> {
        Watcher {
            site,
            cluster,
            kept: Vec::new(),
            unready: BTreeMap::new(),
            kept_at: BTreeMap::new(),
        }
    }

    pub async fn watch(&mut self) {
        loop {
            tokio::time::sleep(WATCH).await;
            // Watching is for people; what it can't read, the rollout's own check will.
            if let Ok(release) = self.site.release() {
                for name in &release.workloads {
                    let _ = self.look(&release.namespace, name).await;
                }
            }
        }
    }

    async fn look(&mut self, namespace: &str, name: &str) -> Result<(), Failure> {
        let state = workload::get(self.cluster, namespace, name).await?;
        let progress =
            state.incomplete().unwrap_or_else(|| "every pod is new and ready".to_owned());
        self.site.progress(format!("{name}: {progress}"));
        for pod in exec::pods(self.cluster, namespace, &state.selector).await? {
            if let Some(reason) = self.trouble(&pod) {
                self.keep(namespace, &pod, &reason).await;
            }
        }
        Ok(())
    }

    /// What is wrong with a pod, where something is and the pod is not going away anyway.
    fn trouble(&mut self, pod: &Pod) -> Option<String> {
        if pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let reason = trouble(pod)?;
        let name = pod.metadata.name.clone().unwrap_or_default();
        let since = *self.unready.entry(name).or_insert_with(Instant::now);
        (reason != NOT_READY || since.elapsed() >= STARTING).then_some(reason)
    }

    async fn keep(&mut self, namespace: &str, pod: &Pod, reason: &str) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        match self.kept_at.insert(format!("{name} {reason}"), Instant::now()) {
            None => self.site.progress(format!("pod {name}: {reason}")),
            Some(before) if before.elapsed() < AGAIN => {
                self.kept_at.insert(format!("{name} {reason}"), before);
                return;
            }
            Some(_) => {}
        }
        let api: Api<Pod> = Api::namespaced(self.cluster.client.clone(), namespace);
        let mut text = format!("pod {name}: {reason}\n\n");
        for previous in [false, true] {
            let params = LogParams { previous, tail_lines: Some(200), ..LogParams::default() };
            if let Ok(log) =
                self.cluster.read("read a pod's log", || api.logs(&name, &params)).await
            {
                text.push_str(&format!(
                    "== log{}\n{log}\n",
                    if previous { " (previous)" } else { "" }
                ));
            }
        }
        text.push_str(&self.events(namespace, &name).await);
        if let Ok(status) = serde_json::to_string_pretty(&pod.status) {
            text.push_str(&format!("== status\n{status}\n"));
        }
        let kept = self.site.keep_if_possible(&format!("pod-{name}.txt"), &text);
        self.kept.extend(kept.filter(|path| !self.kept.contains(path)));
    }

    /// What the cluster says of a pod; nothing where it does not tell us.
    async fn events(&self, namespace: &str, pod: &str) -> String {
        let api: Api<Event> = Api::namespaced(self.cluster.client.clone(), namespace);
        let of_pod = ListParams::default().fields(&format!("involvedObject.name={pod}"));
        let found = self.cluster.read("list a pod's events", || api.list(&of_pod)).await;
        let mut text = "== events\n".to_owned();
        for event in found.map(|list| list.items).unwrap_or_default() {
            let [kind, reason, message] =
                [event.type_, event.reason, event.message].map(Option::unwrap_or_default);
            let count = event.count.unwrap_or(1);
            text.push_str(&format!("{kind} {reason} (×{count}): {message}\n"));
        }
        text
    }
}

/// What is wrong with a pod, where something is.
fn trouble(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    containers.chain(status.init_container_statuses.iter().flatten()).find_map(|container| {
        let waiting = container.state.as_ref().and_then(|state| state.waiting.as_ref());
        let reason = waiting.and_then(|waiting| waiting.reason.clone());
        match reason.as_deref() {
            Some("ContainerCreating" | "PodInitializing") => None,
            Some(reason) => Some(reason.to_owned()),
            None if container.restart_count > 0 => {
                Some(format!("restarted {} times", container.restart_count))
            }
            None => (!container.ready && is_running(container)).then(|| NOT_READY.to_owned()),
        }
    })
}

/// An init container that has done its work runs no more.
fn is_running(container: &ContainerStatus) -> bool {
    container.state.as_ref().is_some_and(|state| state.running.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(container: serde_json::Value) -> Pod {
        serde_json::from_value(serde_json::json!({
            "status": {"containerStatuses": [container]},
        }))
        .unwrap()
    }

    #[track_caller]
    fn check(container: serde_json::Value, expected: Option<&str>) {
        let mut status = serde_json::json!({
            "name": "api", "image": "api:1", "imageID": "", "ready": false, "restartCount": 0,
        });
        let fields = container.as_object().unwrap().clone();
        status.as_object_mut().unwrap().extend(fields);
        assert_eq!(trouble(&pod(status)).as_deref(), expected);
    }

    #[test]
    fn trouble_is_told_from_starting() {
        let running = serde_json::json!({"running": {}});
        check(serde_json::json!({"ready": true, "state": running}), None);
        check(serde_json::json!({"state": running}), Some(NOT_READY));
        check(serde_json::json!({"state": running, "restartCount": 2}), Some("restarted 2 times"));
        check(serde_json::json!({"state": {"waiting": {"reason": "ContainerCreating"}}}), None);
        let pull = serde_json::json!({"waiting": {"reason": "ErrImagePull"}});
        check(serde_json::json!({"state": pull}), Some("ErrImagePull"));
        check(serde_json::json!({"state": {"terminated": {"exitCode": 0}}}), None);
    }
}
