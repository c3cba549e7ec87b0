//! Deployments and StatefulSets as the steps see them: template, selector, rollout, and scaling to zero and back.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, PodTemplateSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::Selector;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{CallError, Cluster, exec, workload_parts};
use crate::journal::FailureClass;

/// Where the number of replicas is kept while a workload is scaled to zero.
const REPLICAS: &str = "orthid.dev/replicas";
/// How we name ourselves to the API server.
const MANAGER: &str = "orthid";
/// How often another writer may come between.
const DISOWN_ATTEMPTS: u32 = 10;
/// HTTP's status for a write that is based on an older version.
const CONFLICT: u16 = 409;
/// HTTP's status for a workload that is not there.
pub const NOT_FOUND: u16 = 404;
const POLL: Duration = Duration::from_millis(500);

/// A workload's state, whichever kind it is.
#[derive(Clone, Debug)]
pub struct Workload {
    pub template: PodTemplateSpec,
    /// As a label query.
    pub selector: String,
    pub replicas: i32,
    /// What it had before it was scaled to zero.
    recorded: Option<i32>,
    generation: i64,
    observed_generation: i64,
    updated: i32,
    available: i32,
    pub ready: i32,
    existing: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Deployment,
    StatefulSet,
}

fn kind(workload: &str) -> Result<Kind, CallError> {
    match workload_parts(workload).0 {
        "deployment" => Ok(Kind::Deployment),
        "statefulset" => Ok(Kind::StatefulSet),
        other => Err(CallError {
            class: FailureClass::Permanent,
            status: None,
            message: format!(
                "{workload}: a {other} is not supported; name a deployment or a statefulset"
            ),
        }),
    }
}

fn query(selector: LabelSelector) -> Result<String, CallError> {
    let selector = Selector::try_from(selector).map_err(|error| CallError {
        class: FailureClass::Permanent,
        status: None,
        message: format!("the workload's selector can't be understood: {error}"),
    })?;
    Ok(selector.to_string())
}

/// Reads a workload.
pub async fn get(
    cluster: &Cluster,
    namespace: &str,
    workload: &str,
) -> Result<Workload, CallError> {
    let name = workload_parts(workload).1;
    let what = format!("read {workload} in namespace `{namespace}`");
    let (metadata, spec, status) = match kind(workload)? {
        Kind::Deployment => {
            let api: Api<Deployment> = Api::namespaced(cluster.client.clone(), namespace);
            let object = cluster.read(&what, || api.get(name)).await?;
            let status = object.status.unwrap_or_default();
            let numbers = (
                status.observed_generation,
                status.updated_replicas,
                status.available_replicas,
                status.ready_replicas,
                status.replicas,
            );
            (object.metadata, object.spec.map(|s| (s.template, s.selector, s.replicas)), numbers)
        }
        Kind::StatefulSet => {
            let api: Api<StatefulSet> = Api::namespaced(cluster.client.clone(), namespace);
            let object = cluster.read(&what, || api.get(name)).await?;
            let status = object.status.unwrap_or_default();
            let numbers = (
                status.observed_generation,
                status.updated_replicas,
                status.available_replicas,
                status.ready_replicas,
                Some(status.replicas),
            );
            (object.metadata, object.spec.map(|s| (s.template, s.selector, s.replicas)), numbers)
        }
    };
    let (template, selector, replicas) = spec.ok_or_else(|| CallError {
        class: FailureClass::Permanent,
        status: None,
        message: format!("{workload} has no spec"),
    })?;
    let annotations = metadata.annotations.unwrap_or_default();
    Ok(Workload {
        template,
        selector: query(selector)?,
        replicas: replicas.unwrap_or(1),
        recorded: annotations.get(REPLICAS).and_then(|n| n.parse().ok()),
        generation: metadata.generation.unwrap_or(0),
        observed_generation: status.0.unwrap_or(0),
        updated: status.1.unwrap_or(0),
        available: status.2.unwrap_or(0),
        ready: status.3.unwrap_or(0),
        existing: status.4.unwrap_or(0),
    })
}

impl Workload {
    /// Container name → image.
    pub fn images(self) -> BTreeMap<String, String> {
        let containers = self.template.spec.map(|pod| pod.containers).unwrap_or_default();
        containers.into_iter().map(|c| (c.name, c.image.unwrap_or_default())).collect()
    }

    /// Why the rollout is not complete; none where it is. Helm's own wait can be satisfied too early.
    pub fn incomplete(&self) -> Option<String> {
        if self.observed_generation < self.generation {
            return Some("the controller has not seen the newest generation yet".to_owned());
        }
        if self.updated < self.replicas {
            return Some(format!(
                "{} of {} pods are of the new revision",
                self.updated, self.replicas
            ));
        }
        if self.existing > self.updated {
            return Some(format!("{} old pods are left", self.existing - self.updated));
        }
        if self.available < self.replicas {
            return Some(format!("{} of {} pods are available", self.available, self.replicas));
        }
        None
    }
}

fn api(
    cluster: &Cluster,
    namespace: &str,
    workload: &str,
) -> Result<Api<DynamicObject>, CallError> {
    let resource = match kind(workload)? {
        Kind::Deployment => ApiResource::erase::<Deployment>(&()),
        Kind::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
    };
    Ok(Api::namespaced_with(cluster.client.clone(), namespace, &resource))
}

/// Changes a workload, and lays no claim to what it changed.
async fn patch(
    cluster: &Cluster,
    namespace: &str,
    workload: &str,
    patch: &serde_json::Value,
) -> Result<(), CallError> {
    let (api, name) = (api(cluster, namespace, workload)?, workload_parts(workload).1);
    let what = format!("scale {workload}");
    // A merge patch to fixed values may be repeated.
    let (params, change) = (written_by_us(), Patch::Merge(patch));
    cluster.read(&what, || api.patch(name, &params, &change)).await?;
    disown(cluster, namespace, workload).await
}

fn written_by_us() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

/// Gives up what the API server counts as ours. Helm 4 applies on the server, and fails on a field that another manager
/// owns: without this, no upgrade could follow a workload that was scaled to zero.
async fn disown(cluster: &Cluster, namespace: &str, workload: &str) -> Result<(), CallError> {
    let (api, name) = (api(cluster, namespace, workload)?, workload_parts(workload).1);
    let (what, params) = (format!("give up the fields of {workload}"), written_by_us());
    let mut left = DISOWN_ATTEMPTS;
    loop {
        let metadata = cluster.read(&what, || api.get_metadata(name)).await?.metadata;
        let (ours, others): (Vec<_>, Vec<_>) = metadata
            .managed_fields
            .unwrap_or_default()
            .into_iter()
            .partition(|fields| fields.manager.as_deref() == Some(MANAGER));
        if ours.is_empty() {
            return Ok(());
        }
        // With the version that was read: what somebody else writes meanwhile stays as it is.
        let change = json!({"metadata": {
            "resourceVersion": metadata.resource_version,
            "managedFields": others,
        }});
        let change = Patch::Merge(&change);
        match cluster.read(&what, || api.patch(name, &params, &change)).await {
            Err(error) if error.status == Some(CONFLICT) && left > 0 => left -= 1,
            written => return written.map(|_| ()),
        }
    }
}

/// Scales to zero, keeping the number in an annotation of the same write, and waits until no pod is left. A workload
/// that is at zero already is left as it is.
pub async fn quiesce(
    cluster: &Cluster,
    namespace: &str,
    workload: &str,
    bound: Duration,
    cancel: &CancellationToken,
) -> Result<(), CallError> {
    let state = get(cluster, namespace, workload).await?;
    if state.replicas > 0 {
        let change = json!({
            "metadata": {"annotations": {REPLICAS: state.replicas.to_string()}},
            "spec": {"replicas": 0},
        });
        patch(cluster, namespace, workload, &change).await?;
    } else {
        // Whoever scaled it may have been killed before it gave the field up.
        disown(cluster, namespace, workload).await?;
    }
    let deadline = tokio::time::Instant::now() + bound;
    loop {
        let left = exec::pods(cluster, namespace, &state.selector).await?.len();
        if left == 0 {
            return Ok(());
        }
        if tokio::time::Instant::now() >= deadline || cancel.is_cancelled() {
            return Err(CallError {
                class: FailureClass::Transient,
                status: None,
                message: format!(
                    "{workload} is scaled to zero and {left} of its pods are still there"
                ),
            });
        }
        tokio::time::sleep(POLL).await;
    }
}

/// Undoes [`quiesce`]; a workload that serves already only loses the annotation.
pub async fn resume(cluster: &Cluster, namespace: &str, workload: &str) -> Result<(), CallError> {
    let state = get(cluster, namespace, workload).await?;
    let Some(recorded) = state.recorded else { return Ok(()) };
    let mut change = json!({"metadata": {"annotations": {REPLICAS: null}}});
    if state.replicas == 0 {
        change["spec"] = json!({"replicas": recorded});
    }
    patch(cluster, namespace, workload, &change).await
}

/// Waits until a workload's rollout is complete and the pods it replaced are gone; says why not where time runs out.
///
/// A pod that is going away serves on while it drains, and connections reach it until every node has heard of it: who
/// asks the app before that may be answered by the old one. A drain that outlasts the bound is no failure.
pub async fn settled(
    cluster: &Cluster,
    namespace: &str,
    workload: &str,
    bound: Duration,
    cancel: &CancellationToken,
) -> Result<Result<(), String>, CallError> {
    let deadline = tokio::time::Instant::now() + bound;
    loop {
        let over = tokio::time::Instant::now() >= deadline || cancel.is_cancelled();
        let state = get(cluster, namespace, workload).await?;
        match state.incomplete() {
            Some(reason) if over => return Ok(Err(format!("{workload}: {reason}"))),
            Some(_) => {}
            None if over => return Ok(Ok(())),
            None => {
                let pods = exec::pods(cluster, namespace, &state.selector).await?;
                if !pods.iter().any(is_draining) {
                    return Ok(Ok(()));
                }
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

fn is_draining(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_asked_for_whole() {
        let selector = serde_json::json!({
            "matchLabels": {"app": "api"},
            "matchExpressions": [
                {"key": "tier", "operator": "In", "values": ["front", "back"]},
                {"key": "canary", "operator": "DoesNotExist"},
            ],
        });
        let query = query(serde_json::from_value(selector).unwrap()).unwrap();
        assert_eq!(query, "app=api,tier in (back,front),!canary");
    }
}
