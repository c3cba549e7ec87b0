//! What a rollout looks like while Helm waits for it: progress for people, and what failing pods say, kept before
//! anything is rolled back.
//!
//! Must not: decide whether the rollout is complete; the roll step asks that itself.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::api::{ListParams, LogParams};
use kube::{Api, ResourceExt};
use tokio::time::Instant;

use super::{Cluster, exec, workload};
use crate::journal::Failure;
use crate::world::site::Site;

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
    /// How often the pods of a workload had restarted when it was first looked at, by name: that is no trouble of this
    /// rollout's.
    restarts: BTreeMap<String, BTreeMap<String, i32>>,
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
            restarts: BTreeMap::new(),
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
        let pods = exec::pods(self.cluster, namespace, &state.selector).await?;
        let counts = || pods.iter().map(|pod| (pod.name_any(), restarts(pod))).collect();
        let before = self.restarts.entry(name.to_owned()).or_insert_with(counts).clone();
        for pod in pods {
            let before = before.get(&pod.name_any()).copied().unwrap_or(0);
            if let Some(reason) = self.trouble(&pod, before) {
                self.keep(namespace, &pod, &reason).await;
            }
        }
        Ok(())
    }

    /// What is wrong with a pod, where something is and the pod is not going away anyway.
    fn trouble(&mut self, pod: &Pod, restarts_before: i32) -> Option<String> {
        if pod.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let reason = trouble(pod, restarts_before)?;
        let since = *self.unready.entry(pod.name_any()).or_insert_with(Instant::now);
        (reason != NOT_READY || since.elapsed() >= STARTING).then_some(reason)
    }

    async fn keep(&mut self, namespace: &str, pod: &Pod, reason: &str) {
        let name = pod.name_any();
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
fn trouble(pod: &Pod, restarts_before: i32) -> Option<String> {
    let mut reasons = containers(pod)
        .filter_map(|container| container.state.as_ref()?.waiting.as_ref()?.reason.as_deref());
    let starting = |reason: &&str| matches!(*reason, "ContainerCreating" | "PodInitializing");
    if let Some(reason) = reasons.find(|reason| !starting(reason)) {
        return Some(reason.to_owned());
    }
    let restarted = restarts(pod) - restarts_before;
    if restarted > 0 {
        let times = if restarted == 1 { "once".to_owned() } else { format!("{restarted} times") };
        return Some(format!("restarted {times}"));
    }
    let unready = |container: &ContainerStatus| !container.ready && is_running(container);
    containers(pod).any(unready).then(|| NOT_READY.to_owned())
}

fn containers(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let status = pod.status.iter();
    status
        .flat_map(|s| s.container_statuses.iter().chain(s.init_container_statuses.iter()).flatten())
}

fn restarts(pod: &Pod) -> i32 {
    containers(pod).map(|container| container.restart_count).sum()
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
        check_after(0, container, expected);
    }

    #[track_caller]
    fn check_after(restarts: i32, container: serde_json::Value, expected: Option<&str>) {
        let mut status = serde_json::json!({
            "name": "api", "image": "api:1", "imageID": "", "ready": false, "restartCount": 0,
        });
        let fields = container.as_object().unwrap().clone();
        status.as_object_mut().unwrap().extend(fields);
        assert_eq!(trouble(&pod(status), restarts).as_deref(), expected);
    }

    #[test]
    fn restarts_from_before_the_rollout_are_no_trouble() {
        let twice = serde_json::json!({"ready": true, "state": {"running": {}}, "restartCount": 2});
        check_after(2, twice.clone(), None);
        check_after(1, twice.clone(), Some("restarted once"));
        check_after(0, twice, Some("restarted 2 times"));
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
