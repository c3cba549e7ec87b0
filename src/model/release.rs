//! A Helm release, its values, and the databases behind it, as a plan file names them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Arg;

/// A Helm release and where it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSpec {
    pub name: String,
    /// kubeconfig context; the current one when absent.
    pub context: Option<String>,
    pub namespace: String,
    /// `repo/name`, `oci://…`, a local folder or a `.tgz`.
    pub chart: String,
    /// Chart repository URL; Helm's own repository configuration when absent.
    pub repository: Option<String>,
    /// `deployment/orthid-api`: what must have rolled out.
    pub workloads: Vec<String>,
    pub version_of: VersionOf,
    pub values: ValuesSpec,
}

/// Which version of the release the plan speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionOf {
    #[default]
    Chart,
    App,
}

/// What becomes of the values of the installed release, in Helm's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValuesPolicy {
    #[default]
    Reuse,
    ResetThenReuse,
    Reset,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuesSpec {
    pub policy: ValuesPolicy,
    pub files: Vec<FileDigest>,
    /// `--set`-like overrides by dotted path; secrets arrive through `Arg::Later`.
    pub set: BTreeMap<String, Arg>,
}

/// A file that a plan depends on. The path is as the author wrote it, relative to the plan's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    pub path: String,
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    pub name: String,
    /// Connection URL: secret, so `Arg::Later` reading the environment.
    pub url: Arg,
}
