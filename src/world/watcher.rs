//! What a rollout looks like while Helm waits for it: progress for people, and what failing pods say, kept before
//! anything is rolled back.
//!
//! Must not: decide whether the rollout is complete; the roll step asks that itself.

use std::collections::BTreeSet;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;

use super::kubernetes::Cluster;
use super::site::Site;
use super::{exec, workload};
use crate::run::Failure;

/// How often progress is read.
const WATCH: Duration = Duration::from_secs(1);

/// Reads the rollout while Helm waits, and keeps what failing pods say.
pub struct Watcher<'a> {
    site: &'a Site<'a>,
    cluster: &'a Cluster,
    /// Evidence that was kept.
    pub kept: Vec<String>,
    /// Pods whose evidence is kept already.
    seen: BTreeSet<String>,
}

impl<'a> Watcher<'a> {
    pub fn new(site: &'a Site<'a>, cluster: &'a Cluster) -> Watcher<'a> {
        Watcher { site, cluster, kept: Vec::new(), seen: BTreeSet::new() }
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
            if let Some(reason) = trouble(&pod) {
                self.keep(namespace, &pod, &reason).await;
            }
        }
        Ok(())
    }

    async fn keep(&mut self, namespace: &str, pod: &Pod, reason: &str) {
        let name = pod.metadata.name.clone().unwrap_or_default();
        if !self.seen.insert(format!("{name} {reason}")) {
            return;
        }
        self.site.progress(format!("pod {name}: {reason}"));
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
        if let Ok(status) = serde_json::to_string_pretty(&pod.status) {
            text.push_str(&format!("== status\n{status}\n"));
        }
        self.kept.extend(self.site.keep_if_possible(&format!("pod-{name}.txt"), &text));
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
            Some("ContainerCreating" | "PodInitializing") | None => (container.restart_count > 0)
                .then(|| format!("restarted {} times", container.restart_count)),
            Some(reason) => Some(reason.to_owned()),
        }
    })
}
