//! API versions: whether the cluster serves those that the manifests use, and for how long.
//!
//! What the cluster serves is a fact. When Kubernetes' own versions go is in a table, from the
//! Deprecated API Migration Guide
//! (<https://kubernetes.io/docs/reference/using-api/deprecation-guide/>), so that a warning comes
//! before the removal.

use std::collections::BTreeSet;

use super::check::Check;
use super::report::{Report, Subject};
use crate::plan::Level;
use crate::plan::diff::Manifest;

/// (API version, kind, minor of Kubernetes 1 that no longer serves it, what serves in its place)
const REMOVALS: [(&str, &str, u64, &str); 37] = [
    ("extensions/v1beta1", "DaemonSet", 16, "apps/v1"),
    ("extensions/v1beta1", "Deployment", 16, "apps/v1"),
    ("extensions/v1beta1", "ReplicaSet", 16, "apps/v1"),
    ("extensions/v1beta1", "NetworkPolicy", 16, "networking.k8s.io/v1"),
    ("extensions/v1beta1", "PodSecurityPolicy", 16, "pod security admission"),
    ("apps/v1beta1", "Deployment", 16, "apps/v1"),
    ("apps/v1beta1", "StatefulSet", 16, "apps/v1"),
    ("apps/v1beta2", "DaemonSet", 16, "apps/v1"),
    ("apps/v1beta2", "Deployment", 16, "apps/v1"),
    ("apps/v1beta2", "ReplicaSet", 16, "apps/v1"),
    ("apps/v1beta2", "StatefulSet", 16, "apps/v1"),
    (
        "admissionregistration.k8s.io/v1beta1",
        "MutatingWebhookConfiguration",
        22,
        "admissionregistration.k8s.io/v1",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        "ValidatingWebhookConfiguration",
        22,
        "admissionregistration.k8s.io/v1",
    ),
    ("apiextensions.k8s.io/v1beta1", "CustomResourceDefinition", 22, "apiextensions.k8s.io/v1"),
    ("apiregistration.k8s.io/v1beta1", "APIService", 22, "apiregistration.k8s.io/v1"),
    ("certificates.k8s.io/v1beta1", "CertificateSigningRequest", 22, "certificates.k8s.io/v1"),
    ("coordination.k8s.io/v1beta1", "Lease", 22, "coordination.k8s.io/v1"),
    ("extensions/v1beta1", "Ingress", 22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "Ingress", 22, "networking.k8s.io/v1"),
    ("networking.k8s.io/v1beta1", "IngressClass", 22, "networking.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRole", 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "ClusterRoleBinding", 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "Role", 22, "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "RoleBinding", 22, "rbac.authorization.k8s.io/v1"),
    ("scheduling.k8s.io/v1beta1", "PriorityClass", 22, "scheduling.k8s.io/v1"),
    ("storage.k8s.io/v1beta1", "StorageClass", 22, "storage.k8s.io/v1"),
    ("batch/v1beta1", "CronJob", 25, "batch/v1"),
    ("discovery.k8s.io/v1beta1", "EndpointSlice", 25, "discovery.k8s.io/v1"),
    ("autoscaling/v2beta1", "HorizontalPodAutoscaler", 25, "autoscaling/v2"),
    ("policy/v1beta1", "PodDisruptionBudget", 25, "policy/v1"),
    ("policy/v1beta1", "PodSecurityPolicy", 25, "pod security admission"),
    ("node.k8s.io/v1beta1", "RuntimeClass", 25, "node.k8s.io/v1"),
    ("autoscaling/v2beta2", "HorizontalPodAutoscaler", 26, "autoscaling/v2"),
    ("storage.k8s.io/v1beta1", "CSIStorageCapacity", 27, "storage.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta2", "FlowSchema", 29, "flowcontrol.apiserver.k8s.io/v1"),
    ("flowcontrol.apiserver.k8s.io/v1beta3", "FlowSchema", 32, "flowcontrol.apiserver.k8s.io/v1"),
    (
        "flowcontrol.apiserver.k8s.io/v1beta3",
        "PriorityLevelConfiguration",
        32,
        "flowcontrol.apiserver.k8s.io/v1",
    ),
];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let Some(cluster) = subject.situation.cluster() else { return };
    report.checked(Check::ApiVersions);
    if cluster.api_versions.is_empty() {
        return;
    }
    let served: BTreeSet<&str> = cluster.api_versions.iter().map(String::as_str).collect();
    let help = "Helm reads the deployed manifest to compare, and fails on what the cluster no longer \
                serves; the helm-mapkubeapis plugin rewrites it";
    judge("the deployed manifest", &subject.situation.deployed, &served, help, report);
    for view in &subject.situation.hops {
        let what = format!("the manifest of {}", view.hop.to);
        let help = "this chart can't be installed here as it is rendered; see its values for API \
                    versions";
        judge(&what, &view.manifest, &served, help, report);
    }
}

fn judge(
    what: &str,
    manifest: &Manifest,
    served: &BTreeSet<&str>,
    help: &str,
    report: &mut Report,
) {
    for (object, value) in &manifest.objects {
        let Some(version) = value.get("apiVersion").and_then(serde_json::Value::as_str) else {
            continue;
        };
        let removal = REMOVALS.iter().find(|row| row.0 == version && row.1 == object.kind);
        if !served.contains(version) {
            let instead = removal.map_or_else(String::new, |(_, _, minor, instead)| {
                format!(": gone since Kubernetes 1.{minor}, use {instead}")
            });
            let message = format!(
                "{what} has {object} as {version}, which this cluster does not serve{instead}"
            );
            report.find(Check::ApiVersions, Level::Blocking, message).help(help);
        } else if let Some((_, _, minor, instead)) = removal {
            let message = format!(
                "{what} has {object} as {version}, which Kubernetes 1.{minor} no longer serves"
            );
            report.find(Check::ApiVersions, Level::Warning, message).help(format!("use {instead}"));
        }
    }
}
