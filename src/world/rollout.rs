//! Watching pods while Helm waits: progress for people, and evidence of failing pods before a rollback removes them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::{ContainerStatus, Event, Pod};
use kube::Api;
use kube::api::{ListParams, LogParams};

use super::kubernetes::Cluster;
use super::site::Site;
use super::{exec, workload};
use crate::facts::redact;

const POLL: Duration = Duration::from_millis(700);
/// A pod that is not ready for so long is looked at, even if nothing says that it fails.
const PATIENCE: Duration = Duration::from_secs(12);
/// How often the evidence of one pod is renewed.
const RENEW: Duration = Duration::from_secs(8);
const LOG_BYTES: i64 = 1 << 20;

/// Watches the pods of a release's workloads.
pub struct Watcher<'a> {
    site: &'a Site<'a>,
    cluster: Cluster,
    namespace: String,
    /// Workload → label query.
    queries: BTreeMap<String, String>,
    /// Pods that were there before: not of the new revision.
    old: BTreeSet<String>,
    kept: BTreeMap<String, Instant>,
    first_seen: BTreeMap<String, Instant>,
    said: String,
    evidence: BTreeSet<String>,
    diagnosis: BTreeMap<String, String>,
}

impl std::fmt::Debug for Watcher<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").field("queries", &self.queries).finish_non_exhaustive()
    }
}

/// What a watcher saw.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub evidence: Vec<String>,
    /// Why pods of the new revision failed, one line each.
    pub diagnosis: Vec<String>,
}

impl<'a> Watcher<'a> {
    /// Notes which pods are there before the roll.
    pub async fn new(
        site: &'a Site<'a>,
        cluster: &Cluster,
        namespace: &str,
        workloads: &[String],
    ) -> Watcher<'a> {
        let mut watcher = Watcher {
            site,
            cluster: cluster.clone(),
            namespace: namespace.to_owned(),
            queries: BTreeMap::new(),
            old: BTreeSet::new(),
            kept: BTreeMap::new(),
            first_seen: BTreeMap::new(),
            said: String::new(),
            evidence: BTreeSet::new(),
            diagnosis: BTreeMap::new(),
        };
        for name in workloads {
            // Watching is a service: a workload that can't be read is not watched, and the roll goes on.
            let Ok(state) = workload::get(cluster, namespace, name).await else { continue };
            if let Ok(pods) = exec::pods(cluster, namespace, &state.selector).await {
                watcher.old.extend(pods.iter().filter_map(|pod| pod.metadata.uid.clone()));
            }
            watcher.queries.insert(name.clone(), state.selector);
        }
        watcher
    }

    /// Watches while `work` runs.
    pub async fn during<T>(mut self, work: impl Future<Output = T>) -> (T, Seen) {
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                result = &mut work => break result,
                () = tokio::time::sleep(POLL) => {}
            }
            tokio::select! {
                result = &mut work => break result,
                () = self.look() => {}
            }
        };
        self.look().await;
        (result, self.seen())
    }

    fn seen(self) -> Seen {
        Seen {
            evidence: self.evidence.into_iter().collect(),
            diagnosis: self.diagnosis.into_values().collect(),
        }
    }

    async fn look(&mut self) {
        let queries: Vec<(String, String)> =
            self.queries.iter().map(|(k, v)| (k.clone(), v.clone())).collect();
        let mut lines = Vec::new();
        for (name, query) in queries {
            let Ok(pods) = exec::pods(&self.cluster, &self.namespace, &query).await else {
                continue;
            };
            let (old, new): (Vec<&Pod>, Vec<&Pod>) = pods.iter().partition(|pod| {
                pod.metadata.uid.as_ref().is_some_and(|uid| self.old.contains(uid))
            });
            let ready = new.iter().filter(|pod| exec::is_ready(pod)).count();
            let left = old.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count();
            lines.push(format!("{name}: {ready}/{} new pods ready, {left} old left", new.len()));
            for pod in new {
                self.consider(pod).await;
            }
        }
        let line = lines.join("; ");
        if line != self.said {
            self.site.progress(&line);
            self.said = line;
        }
    }

    /// Keeps the evidence of a pod that fails, or is not ready for long.
    async fn consider(&mut self, pod: &Pod) {
        let Some(name) = pod.metadata.name.clone() else { return };
        let now = Instant::now();
        let since = *self.first_seen.entry(name.clone()).or_insert(now);
        let failing = failure_of(pod);
        let late = !exec::is_ready(pod) && now.duration_since(since) > PATIENCE;
        if failing.is_none() && !late {
            return;
        }
        let is_recent = self.kept.get(&name).is_some_and(|at| now.duration_since(*at) < RENEW);
        if is_recent {
            return;
        }
        self.kept.insert(name.clone(), now);
        let log = self.keep(pod, &name).await;
        let reason = failing.unwrap_or_else(|| "not ready".to_owned());
        let words = log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let line = if words.is_empty() {
            format!("pod {name}: {reason}")
        } else {
            format!("pod {name}: {reason}; its last words: {words}")
        };
        if self.diagnosis.insert(name, line.clone()).is_none() {
            self.site.progress(line);
        }
    }

    /// Writes state, events and logs of a pod; returns the most telling log.
    async fn keep(&mut self, pod: &Pod, name: &str) -> String {
        if let Ok(mut value) = serde_json::to_value(pod) {
            redact::object(&mut value);
            let text = serde_saphyr::to_string(&value).unwrap_or_default();
            self.evidence.extend(self.site.keep_if_possible(&format!("pod-{name}.yaml"), &text));
        }
        let events = self.events(name).await;
        if !events.is_empty() {
            self.evidence
                .extend(self.site.keep_if_possible(&format!("pod-{name}.events.txt"), &events));
        }
        let mut telling = String::new();
        let containers = pod.spec.as_ref().map(|s| s.containers.as_slice()).unwrap_or_default();
        for container in containers {
            for previous in [false, true] {
                let log = self.log(name, &container.name, previous).await;
                if log.is_empty() {
                    continue;
                }
                let kind = if previous { "previous.log" } else { "log" };
                let file = format!("pod-{name}.{}.{kind}", container.name);
                self.evidence.extend(self.site.keep_if_possible(&file, &log));
                if telling.is_empty() || previous {
                    telling = log;
                }
            }
        }
        telling
    }

    async fn log(&self, pod: &str, container: &str, previous: bool) -> String {
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let params = LogParams {
            container: Some(container.to_owned()),
            previous,
            limit_bytes: Some(LOG_BYTES),
            ..LogParams::default()
        };
        self.cluster.once("read a log", pods.logs(pod, &params)).await.unwrap_or_default()
    }

    async fn events(&self, pod: &str) -> String {
        let events: Api<Event> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let params = ListParams::default().fields(&format!("involvedObject.name={pod}"));
        let Ok(list) = self.cluster.once("list events", events.list(&params)).await else {
            return String::new();
        };
        let lines = list.items.into_iter().map(|event| {
            format!(
                "{} {} {} (×{})\n",
                event.type_.unwrap_or_default(),
                event.reason.unwrap_or_default(),
                event.message.unwrap_or_default(),
                event.count.unwrap_or(1)
            )
        });
        lines.collect()
    }
}

/// What is wrong with a pod, as its containers' states tell.
fn failure_of(pod: &Pod) -> Option<String> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    init.chain(status.container_statuses.iter().flatten()).find_map(container_failure)
}

fn container_failure(status: &ContainerStatus) -> Option<String> {
    let state = status.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.as_deref().unwrap_or_default();
        let starting = matches!(reason, "" | "ContainerCreating" | "PodInitializing");
        if !starting {
            return Some(format!("{}: {reason}", status.name));
        }
    }
    if let Some(ended) = &state.terminated
        && ended.exit_code != 0
    {
        return Some(format!("{} exited with {}", status.name, ended.exit_code));
    }
    (status.restart_count > 0)
        .then(|| format!("{} restarted {} times", status.name, status.restart_count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_failing_pod_is_told_from_a_starting_one() {
        let pod = |state: serde_json::Value, restarts: i32| -> Pod {
            serde_json::from_value(json!({"status": {"containerStatuses": [{
                "name": "api", "image": "i", "imageID": "", "ready": false, "restartCount": restarts, "state": state,
            }]}}))
            .unwrap()
        };
        assert_eq!(failure_of(&pod(json!({"waiting": {"reason": "ContainerCreating"}}), 0)), None);
        assert_eq!(
            failure_of(&pod(json!({"waiting": {"reason": "CrashLoopBackOff"}}), 3)).as_deref(),
            Some("api: CrashLoopBackOff")
        );
        assert_eq!(
            failure_of(&pod(json!({"terminated": {"exitCode": 3}}), 0)).as_deref(),
            Some("api exited with 3")
        );
        assert_eq!(failure_of(&pod(json!({"running": {}}), 0)), None);
        assert_eq!(
            failure_of(&pod(json!({"running": {}}), 1)).as_deref(),
            Some("api restarted 1 times")
        );
    }
}
