//! A manifest as objects by identity.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::plan::change::ObjectRef;
use crate::text::secret;

/// Kinds of Kubernetes' own APIs that belong to no namespace.
const CLUSTER_WIDE: [&str; 17] = [
    "APIService",
    "CSIDriver",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "FlowSchema",
    "IngressClass",
    "MutatingWebhookConfiguration",
    "Namespace",
    "Node",
    "PersistentVolume",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
];

/// The objects of a manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    pub objects: BTreeMap<ObjectRef, Value>,
}

/// Why a manifest can't be compared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ManifestProblem {
    #[error("{0}")]
    NotYaml(String),
    #[error("{0} stands in the manifest twice")]
    Twice(ObjectRef),
    #[error("an object of the manifest has no kind or no name")]
    Nameless,
}

impl Manifest {
    /// `namespace` is the release's: objects that name none are in it.
    pub fn parse(text: &str, namespace: &str) -> Result<Manifest, ManifestProblem> {
        let documents =
            secret::documents(text).map_err(|e| ManifestProblem::NotYaml(e.to_string()))?;
        let mut objects = BTreeMap::new();
        for document in documents.into_iter().flat_map(flatten_list) {
            let object = identity(&document, namespace).ok_or(ManifestProblem::Nameless)?;
            if objects.contains_key(&object) {
                return Err(ManifestProblem::Twice(object));
            }
            objects.insert(object, document);
        }
        Ok(Manifest { objects })
    }
}

/// `kind: List` holds objects of its own.
fn flatten_list(document: Value) -> Vec<Value> {
    let is_list = document.get("kind").and_then(Value::as_str) == Some("List");
    match document.get("items").and_then(Value::as_array) {
        Some(items) if is_list => items.clone(),
        Some(_) | None => vec![document],
    }
}

/// What an object is known by.
pub(super) fn identity(document: &Value, namespace: &str) -> Option<ObjectRef> {
    let text = |pointer| document.pointer(pointer).and_then(Value::as_str);
    let kind = text("/kind")?.to_owned();
    let own = text("/metadata/namespace").map(str::to_owned);
    let namespace = match own {
        Some(own) => Some(own),
        None if CLUSTER_WIDE.contains(&kind.as_str()) => None,
        None => Some(namespace.to_owned()),
    };
    Some(ObjectRef { kind, namespace, name: text("/metadata/name")?.to_owned() })
}

/// The pod spec inside an object, wherever its kind keeps it.
pub fn pod_spec(object: &Value) -> Option<&Value> {
    let kind = object.get("kind").and_then(Value::as_str)?;
    let pointer = match kind {
        "Pod" => "/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        "Deployment"
        | "StatefulSet"
        | "DaemonSet"
        | "ReplicaSet"
        | "Job"
        | "ReplicationController" => "/spec/template/spec",
        _ => return None,
    };
    object.pointer(pointer)
}

/// Containers, then init containers, of an object's pods.
pub fn containers(object: &Value) -> Vec<&Value> {
    let Some(spec) = pod_spec(object) else { return Vec::new() };
    let lists = ["containers", "initContainers"].into_iter();
    lists.filter_map(|field| spec.get(field)?.as_array()).flatten().collect()
}
