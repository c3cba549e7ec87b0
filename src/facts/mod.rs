//! What was observed of the world before planning, and its recording on disk.
//!
//! Must not: observe anything (`world` does), decide anything (`plan` does), or hold a secret:
//! manifests and values are stored after `text::secret` has seen them.

pub mod recording;

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

/// Everything a plan is computed from besides its configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Version of this recording's format.
    pub format_version: u32,
    /// RFC 3339, UTC.
    pub observed_at: String,
    pub cluster: Option<ClusterFacts>,
    pub helm: Option<HelmFacts>,
    pub release: Option<ReleaseFacts>,
    /// By name of the `database` block.
    pub databases: BTreeMap<String, DatabaseFacts>,
    /// Free bytes by backup destination as written in the plan, where it can be told.
    pub backup_space: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClusterFacts {
    /// UID of the `kube-system` namespace.
    pub uid: String,
    /// `v1.34.4`.
    pub server_version: String,
    pub context: Option<String>,
    /// group/version strings that the API server offers (`apps/v1`).
    pub api_versions: Vec<String>,
    /// RBAC: what SelfSubjectAccessReview answered for each verb that a run may use.
    pub permissions: Vec<Permission>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    pub verb: String,
    /// `pods/exec`, `deployments.apps`.
    pub resource: String,
    pub namespace: String,
    pub allowed: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelmFacts {
    pub version: Version,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseFacts {
    pub name: String,
    pub namespace: String,
    pub revision: u32,
    /// Helm's status: `deployed`, `failed`, `pending-upgrade`, …
    pub status: String,
    pub chart_name: String,
    pub chart_version: Version,
    pub app_version: Option<String>,
    /// The deployed manifest, redacted.
    pub manifest: String,
    /// Names of the hooks in the deployed release: `pre-upgrade: Job/orthid-migrate`.
    pub hooks: Vec<String>,
    /// User-supplied values, redacted.
    pub values: serde_json::Value,
    pub workloads: Vec<WorkloadFacts>,
    /// Live state (redacted) of each object of the deployed manifest; absent ones are missing from
    /// the cluster.
    pub live: Vec<serde_json::Value>,
    /// PodDisruptionBudgets and HorizontalPodAutoscalers of the namespace, redacted.
    pub policies: Vec<serde_json::Value>,
    /// Every version that the chart source offers.
    pub available: Vec<Version>,
    /// Content of the file or URL that the plan's `changelog { source }` names, which takes the
    /// place of the packages' `releases.yaml`; none where it names none.
    pub changelog_source: Option<String>,
    /// The chart packages of the stops that a path may use, by version.
    pub charts: BTreeMap<Version, ChartFacts>,
    /// What the app's own status command said, in the running image; none where it could not be
    /// asked.
    pub migrations: Option<MigrationFacts>,
    /// Why `migrations` is none, when the plan has a status command.
    pub migrations_error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkloadFacts {
    /// `deployment/orthid-api`
    pub name: String,
    pub found: bool,
    pub replicas: u32,
    pub ready: u32,
    /// Container name → image.
    pub images: BTreeMap<String, String>,
}

/// The state of the database's schema as the app tells it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrationFacts {
    /// Schema version in force, where the app numbers them.
    pub schema: Option<u64>,
    pub applied: Vec<String>,
    /// Known to the running image and not applied.
    pub pending: Vec<String>,
}

/// A chart package as the chart source offers it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChartFacts {
    pub version: Version,
    pub app_version: Option<String>,
    pub sha256: String,
    pub kube_version: Option<String>,
    /// `releases.yaml` in the package, verbatim.
    pub releases_yaml: Option<String>,
    /// `CHANGELOG.md` in the package, verbatim.
    pub changelog_md: Option<String>,
    /// `artifacthub.io/changes`, verbatim.
    pub artifacthub_changes: Option<String>,
    /// Upgrade guides in the package by target version: text as shipped.
    pub guides: BTreeMap<String, String>,
    /// `values.yaml` of the package.
    pub values: serde_json::Value,
    /// Files under `crds/`: name → sha256.
    pub crds: BTreeMap<String, String>,
    /// What Helm would apply, one render for each values policy; none where rendering failed.
    pub renders: BTreeMap<String, Render>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Render {
    /// Redacted multi-document YAML; empty where `error` is set.
    pub manifest: String,
    pub hooks: Vec<String>,
    /// The user-supplied values that Helm would store (`config` of the dry run), redacted; null
    /// where rendering failed.
    pub values: serde_json::Value,
    pub error: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseFacts {
    /// Major version of the server (15).
    pub server_version: u32,
    /// Major version of pg_dump on the PATH; none where there is none.
    pub pg_dump_version: Option<u32>,
    pub size_bytes: u64,
    /// `system_identifier` and database name, which tell one database from another without the URL.
    pub identity: String,
    /// Whether the role may create the scratch database.
    pub can_create_database: bool,
}
