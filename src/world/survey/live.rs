//! The live state of a manifest's objects, and the policies that a rollout meets.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use kube::discovery::{ApiResource, Scope, pinned_kind};
use kube::{Api, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{PARALLEL, refused};
use crate::text::secret::Redactor;
use crate::world::WorldError;
use crate::world::kubernetes::Cluster;

fn gvk(doc: &Value) -> Option<GroupVersionKind> {
    let api_version = doc.get("apiVersion")?.as_str()?;
    let kind = doc.get("kind")?.as_str()?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Some(GroupVersionKind::gvk(group, version, kind))
}

/// The kinds of a manifest that this cluster serves.
async fn discover(cluster: &Cluster, manifest: &[Value]) -> BTreeMap<String, (ApiResource, Scope)> {
    let mut kinds = BTreeMap::new();
    for found in manifest.iter().filter_map(gvk) {
        let key = format!("{}/{}", found.api_version(), found.kind);
        if kinds.contains_key(&key) {
            continue;
        }
        let client = &cluster.client;
        let answer = cluster.read("look up a kind", || pinned_kind(client, &found)).await;
        // A kind that the cluster does not serve is a finding of its own: its API version is missing from the facts.
        if let Ok((resource, capabilities)) = answer {
            kinds.insert(key, (resource, capabilities.scope));
        }
    }
    kinds
}

/// (group, plural) of each namespaced kind of a manifest.
pub async fn resources(cluster: &Cluster, manifest: &[Value]) -> BTreeSet<(String, String)> {
    let kinds = discover(cluster, manifest).await;
    kinds
        .into_values()
        .filter(|(_, scope)| *scope == Scope::Namespaced)
        .map(|(resource, _)| (resource.group, resource.plural))
        .collect()
}

/// The live state of each object, redacted; absent ones are left out.
pub async fn objects(
    cluster: &Cluster,
    namespace: &str,
    manifest: &[Value],
    redactor: &Redactor,
) -> Result<Vec<Value>, WorldError> {
    let kinds = discover(cluster, manifest).await;
    let reads = manifest.iter().filter_map(|doc| {
        let found = gvk(doc)?;
        let (resource, scope) = kinds.get(&format!("{}/{}", found.api_version(), found.kind))?;
        let name = doc.pointer("/metadata/name")?.as_str()?.to_owned();
        let own = doc.pointer("/metadata/namespace").and_then(Value::as_str);
        let client = cluster.client.clone();
        let api: Api<DynamicObject> = match scope {
            Scope::Cluster => Api::all_with(client, resource),
            Scope::Namespaced => Api::namespaced_with(client, own.unwrap_or(namespace), resource),
        };
        Some(async move {
            let what = format!("read {}/{name}", found.kind);
            let got = cluster.read(&what, || api.get_opt(&name)).await;
            got.map_err(|e| refused(&what, e))
        })
    });
    let done: Vec<_> = futures::stream::iter(reads).buffered(PARALLEL).collect().await;
    let mut objects = Vec::new();
    for result in done {
        if let Some(object) = result? {
            objects.push(clean(&object, redactor)?);
        }
    }
    Ok(objects)
}

/// PodDisruptionBudgets and HorizontalPodAutoscalers of the namespace.
pub async fn policies(
    cluster: &Cluster,
    namespace: &str,
    redactor: &Redactor,
) -> Result<Vec<Value>, WorldError> {
    let mut all = list::<PodDisruptionBudget>(cluster, namespace, redactor).await?;
    all.extend(list::<HorizontalPodAutoscaler>(cluster, namespace, redactor).await?);
    Ok(all)
}

async fn list<K>(
    cluster: &Cluster,
    namespace: &str,
    redactor: &Redactor,
) -> Result<Vec<Value>, WorldError>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + k8s_openapi::Resource
        + Clone
        + DeserializeOwned
        + std::fmt::Debug
        + Serialize,
{
    let api: Api<K> = Api::namespaced(cluster.client.clone(), namespace);
    let what = format!("list {}", <K as k8s_openapi::Resource>::KIND);
    let params = ListParams::default();
    // These only feed findings: without the permission to list them the plan is weaker, and the permission is a fact.
    match cluster.read(&what, || api.list(&params)).await {
        Ok(found) => found.items.iter().map(|item| clean(item, redactor)).collect(),
        Err(error) if matches!(error.status, Some(403 | 404)) => Ok(Vec::new()),
        Err(error) => Err(refused(&what, error)),
    }
}

fn clean(object: &impl Serialize, redactor: &Redactor) -> Result<Value, WorldError> {
    let mut value = serde_json::to_value(object).map_err(|e| WorldError::ClusterRefused {
        what: "read an object".into(),
        reason: e.to_string(),
    })?;
    redactor.object(&mut value);
    Ok(value)
}
