//! Helm's record of a release, read straight from its Secrets; through the CLI where another driver is configured.
//!
//! The revisions are listed by labels as metadata only, and one Secret is read: the cost does not grow with history.

use std::collections::BTreeMap;
use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::read::GzDecoder;
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::ListParams;
use serde::Deserialize;
use serde_json::Value;

use super::Helm;
use crate::journal::FailureClass;
use crate::world::kubernetes::{CallError, Cluster};

/// Releases are compressed; this bounds what one may expand to.
const RELEASE_LIMIT: u64 = 64 << 20;

/// One revision as its Secret's labels tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    pub number: u32,
    /// `deployed`, `superseded`, `failed`, `pending-upgrade`, …
    pub status: String,
    /// Every label of the Secret, Helm's own and those given by `--labels`.
    pub labels: BTreeMap<String, String>,
}

impl Revision {
    pub fn is_pending(&self) -> bool {
        self.status.starts_with("pending-")
    }
}

/// A whole release record, unredacted.
#[derive(Clone, Deserialize)]
pub struct Release {
    pub name: String,
    pub version: u32,
    #[serde(default)]
    pub info: Info,
    pub chart: Chart,
    #[serde(default)]
    pub config: Option<Value>,
    #[serde(default)]
    pub manifest: String,
    #[serde(default)]
    pub hooks: Option<Vec<Hook>>,
}

impl std::fmt::Debug for Release {
    /// Without values and manifest, which hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Release")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("info", &self.info)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
pub struct Info {
    #[serde(default)]
    pub status: String,
    #[serde(default)]
    pub description: String,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Chart {
    pub metadata: ChartMetadata,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartMetadata {
    pub name: String,
    pub version: String,
    #[serde(default)]
    pub app_version: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct Hook {
    #[serde(default)]
    pub name: String,
    #[serde(default)]
    pub kind: String,
    #[serde(default)]
    pub events: Vec<String>,
}

impl Release {
    /// `pre-upgrade: Job/orthid-migrate`, one for each event of each hook.
    pub fn hook_names(&self) -> Vec<String> {
        let hooks = self.hooks.iter().flatten();
        let mut names: Vec<String> = hooks
            .flat_map(|hook| {
                hook.events.iter().map(move |event| format!("{event}: {}/{}", hook.kind, hook.name))
            })
            .collect();
        names.sort();
        names
    }
}

/// Reads releases by the configured storage driver.
#[derive(Clone, Debug)]
pub struct Releases {
    cluster: Cluster,
    helm: Helm,
    driver: String,
    namespace: String,
    name: String,
}

impl Releases {
    pub fn new(cluster: &Cluster, helm: &Helm, driver: &str, namespace: &str, name: &str) -> Self {
        Releases {
            cluster: cluster.clone(),
            helm: helm.clone(),
            driver: driver.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    fn uses_secrets(&self) -> bool {
        matches!(self.driver.as_str(), "" | "secret" | "secrets")
    }

    /// Every revision that Helm still keeps, oldest first; empty where the release is not installed.
    pub async fn revisions(&self) -> Result<Vec<Revision>, CallError> {
        if !self.uses_secrets() {
            return self.revisions_by_cli().await;
        }
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let params = ListParams::default().labels(&format!("owner=helm,name={}", self.name));
        let what = format!("list the revisions of release `{}`", self.name);
        let list = self.cluster.read(&what, || secrets.list_metadata(&params)).await?;
        let mut revisions: Vec<Revision> = list
            .items
            .into_iter()
            .filter_map(|item| {
                let labels = item.metadata.labels.unwrap_or_default();
                let number = labels.get("version")?.parse().ok()?;
                let status = labels.get("status")?.clone();
                Some(Revision { number, status, labels })
            })
            .collect();
        revisions.sort_by_key(|revision| revision.number);
        Ok(revisions)
    }

    /// The record of one revision.
    pub async fn get(&self, number: u32) -> Result<Release, CallError> {
        if !self.uses_secrets() {
            return self.get_by_cli(number).await;
        }
        let secrets: Api<Secret> = Api::namespaced(self.cluster.client.clone(), &self.namespace);
        let name = format!("sh.helm.release.v1.{}.v{number}", self.name);
        let secret =
            self.cluster.read(&format!("read Secret `{name}`"), || secrets.get(&name)).await?;
        let data = secret.data.unwrap_or_default();
        let bytes =
            data.get("release").ok_or_else(|| bad(format!("Secret `{name}` holds no release")))?;
        decode(&bytes.0).map_err(|reason| bad(format!("Secret `{name}`: {reason}")))
    }

    async fn revisions_by_cli(&self) -> Result<Vec<Revision>, CallError> {
        let args = ["history", &self.name, "--namespace", &self.namespace, "--output", "json"];
        let text = match self.helm.output("show the history", &args).await {
            Ok(text) => text,
            Err(error) if error.to_string().contains("not found") => return Ok(Vec::new()),
            Err(error) => return Err(bad(error.to_string())),
        };
        #[derive(Deserialize)]
        struct Entry {
            revision: u32,
            status: String,
        }
        let entries: Vec<Entry> = serde_json::from_str(&text).map_err(|e| bad(e.to_string()))?;
        let revision =
            |e: Entry| Revision { number: e.revision, status: e.status, labels: BTreeMap::new() };
        Ok(entries.into_iter().map(revision).collect())
    }

    /// `helm status -o json` holds everything but the chart's metadata; `helm get metadata` has that.
    async fn get_by_cli(&self, number: u32) -> Result<Release, CallError> {
        let number = number.to_string();
        let common = [
            self.name.as_str(),
            "--namespace",
            &self.namespace,
            "--revision",
            &number,
            "--output",
            "json",
        ];
        let ask = |words: &[&str]| {
            let args: Vec<String> = words.iter().chain(&common).map(|s| (*s).to_owned()).collect();
            async move {
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let text = self.helm.output("read the release", &args).await;
                let text = text.map_err(|e| bad(e.to_string()))?;
                serde_json::from_str::<Value>(&text).map_err(|e| bad(e.to_string()))
            }
        };
        let mut status = ask(&["status"]).await?;
        let metadata = ask(&["get", "metadata"]).await?;
        status["chart"] = serde_json::json!({"metadata": {
            "name": metadata["chart"],
            "version": metadata["version"],
            "appVersion": metadata["appVersion"],
        }});
        serde_json::from_value(status).map_err(|e| bad(e.to_string()))
    }
}

fn bad(message: String) -> CallError {
    CallError { class: FailureClass::Permanent, status: None, message }
}

/// Helm stores base64 of gzip of JSON (the Secret's own base64 is already off); old releases may lack the gzip.
pub fn decode(data: &[u8]) -> Result<Release, String> {
    let bytes = STANDARD.decode(data).map_err(|e| format!("not base64: {e}"))?;
    let json = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut json = Vec::new();
        GzDecoder::new(bytes.as_slice())
            .take(RELEASE_LIMIT)
            .read_to_end(&mut json)
            .map_err(|e| format!("not gzip: {e}"))?;
        json
    } else {
        bytes
    };
    serde_json::from_slice(&json).map_err(|e| format!("not a Helm release: {e}"))
}
