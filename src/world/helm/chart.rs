//! Where charts come from: the versions on offer, and fetching one package.
//!
//! Assumptions: a repository that needs credentials is configured with `helm repo add` and named `repo/chart`; a
//! `repository` URL is read without credentials. An OCI registry can't be listed through Helm, so only the versions
//! that the plan names are looked for there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use semver::Version;
use serde::Deserialize;

use super::package::{self, Package};
use super::{ChartReference, Helm};
use crate::model::ReleaseSpec;
use crate::world::error::{WorldError, chain};
use crate::world::process;

/// An index of a large public repository is some 20 MB.
const INDEX_LIMIT: usize = 64 << 20;
const INDEX_TIMEOUT: Duration = Duration::from_secs(20);

/// The chart source that a `release` block names.
#[derive(Clone, Debug)]
pub struct ChartSource {
    chart: String,
    repository: Option<String>,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// A folder or `.tgz` on the disk.
    Local(PathBuf),
    /// `repository` is a URL.
    Url(String),
    /// `repo/name` of Helm's own configuration.
    Configured,
    Oci,
}

impl ChartSource {
    pub fn new(release: &ReleaseSpec, base: &Path) -> ChartSource {
        let local = base.join(&release.chart);
        let kind = if release.chart.starts_with("oci://") {
            Kind::Oci
        } else if let Some(url) = &release.repository {
            Kind::Url(url.trim_end_matches('/').to_owned())
        } else if local.join("Chart.yaml").is_file() || local.is_file() {
            Kind::Local(local)
        } else {
            Kind::Configured
        };
        ChartSource { chart: release.chart.clone(), repository: release.repository.clone(), kind }
    }

    /// The chart's name without its repository's.
    fn bare_name(&self) -> &str {
        self.chart.rsplit('/').next().unwrap_or(&self.chart)
    }

    pub fn reference(&self, version: &Version) -> ChartReference {
        let version = Some(version.clone());
        match &self.kind {
            Kind::Local(path) => ChartReference {
                chart: path.display().to_string(),
                repository: None,
                version: None,
            },
            Kind::Url(url) => ChartReference {
                chart: self.bare_name().to_owned(),
                repository: Some(url.clone()),
                version,
            },
            Kind::Configured | Kind::Oci => {
                ChartReference { chart: self.chart.clone(), repository: None, version }
            }
        }
    }

    fn unreadable(&self, reason: impl Into<String>) -> WorldError {
        WorldError::ChartUnreadable {
            chart: self.chart.clone(),
            repository: self.repository.clone(),
            reason: reason.into(),
        }
    }

    pub fn missing(&self, wanted: &Version, offered: &[Version]) -> WorldError {
        let mut newest: Vec<String> =
            offered.iter().rev().take(12).map(Version::to_string).collect();
        if offered.len() > newest.len() {
            newest.push(format!("and {} older", offered.len() - newest.len()));
        }
        WorldError::VersionMissing {
            chart: self.chart.clone(),
            repository: self.repository.clone(),
            wanted: wanted.to_string(),
            offered: if newest.is_empty() { "none".to_owned() } else { newest.join(", ") },
        }
    }

    /// Every version on offer, oldest first. From an OCI registry: those of `named` that exist there.
    pub async fn versions(
        &self,
        helm: &Helm,
        named: &[Version],
    ) -> Result<Vec<Version>, WorldError> {
        let mut versions = match &self.kind {
            Kind::Local(path) => vec![
                package::read(path)
                    .map_err(|e| self.unreadable(e))?
                    .chart_version()
                    .map_err(|e| self.unreadable(e))?,
            ],
            Kind::Url(url) => self.index(url).await?,
            Kind::Configured => self.search(helm).await?,
            Kind::Oci => self.tags(helm, named).await,
        };
        versions.sort();
        versions.dedup();
        Ok(versions)
    }

    async fn index(&self, url: &str) -> Result<Vec<Version>, WorldError> {
        let client = reqwest::Client::builder()
            .timeout(INDEX_TIMEOUT)
            .build()
            .map_err(|e| self.unreadable(chain(&e)))?;
        let address = format!("{url}/index.yaml");
        let answer = client.get(&address).send().await;
        let mut answer = answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(|e| self.unreadable(chain(&e)))?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|e| self.unreadable(chain(&e)))? {
            if body.len() + chunk.len() > INDEX_LIMIT {
                return Err(
                    self.unreadable(format!("{address} is larger than {INDEX_LIMIT} bytes"))
                );
            }
            body.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(body).map_err(|e| self.unreadable(e.to_string()))?;
        index_versions(&text, self.bare_name())
            .map_err(|e| self.unreadable(format!("{address}: {e}")))
    }

    async fn search(&self, helm: &Helm) -> Result<Vec<Version>, WorldError> {
        let args = ["search", "repo", &self.chart, "--versions", "--devel", "--output", "json"];
        let text = helm.output("search the chart repositories", &args).await?;
        #[derive(Deserialize)]
        struct Hit {
            name: String,
            version: String,
        }
        let hits: Vec<Hit> = serde_json::from_str(&text).unwrap_or_default();
        let versions: Vec<Version> = hits
            .iter()
            .filter(|hit| hit.name == self.chart)
            .filter_map(|hit| parse_version(&hit.version))
            .collect();
        if versions.is_empty() {
            return Err(self.unreadable(
                "no such chart in Helm's repository configuration, nor a folder or .tgz of that name",
            ));
        }
        Ok(versions)
    }

    async fn tags(&self, helm: &Helm, named: &[Version]) -> Vec<Version> {
        let mut found = Vec::new();
        for version in named {
            let text = version.to_string();
            let args = ["show", "chart", self.chart.as_str(), "--version", &text];
            if helm.output("show the chart", &args).await.is_ok() {
                found.push(version.clone());
            }
        }
        found
    }

    /// Fetches one version into `folder` and returns the package's path.
    pub async fn fetch(
        &self,
        helm: &Helm,
        version: &Version,
        folder: &Path,
    ) -> Result<PathBuf, WorldError> {
        if let Kind::Local(path) = &self.kind {
            return Ok(path.clone());
        }
        let target = folder.join(version.to_string());
        process::create_folder(&target).map_err(|e| self.unreadable(e.to_string()))?;
        let reference = self.reference(version);
        let mut args = vec!["pull".to_owned()];
        args.extend(reference.args().into_iter().map(|a| a.to_string_lossy().into_owned()));
        args.extend(["--destination".to_owned(), target.display().to_string()]);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        helm.output(&format!("fetch version {version}"), &args)
            .await
            .map_err(|e| self.unreadable(e.to_string()))?;
        let packages = std::fs::read_dir(&target).map_err(|e| self.unreadable(e.to_string()))?;
        packages
            .filter_map(Result::ok)
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|e| e == "tgz"))
            .ok_or_else(|| self.unreadable("helm pull left no package"))
    }

    /// Fetches and reads one version.
    pub async fn package(
        &self,
        helm: &Helm,
        version: &Version,
        folder: &Path,
    ) -> Result<(PathBuf, Package), WorldError> {
        let path = self.fetch(helm, version, folder).await?;
        let package = package::read(&path).map_err(|e| self.unreadable(e))?;
        Ok((path, package))
    }
}

#[derive(Deserialize)]
struct Index {
    #[serde(default)]
    entries: BTreeMap<String, Vec<IndexEntry>>,
}

#[derive(Deserialize)]
struct IndexEntry {
    version: String,
}

fn index_versions(text: &str, chart: &str) -> Result<Vec<Version>, String> {
    let index: Index = serde_saphyr::from_str(text).map_err(|e| e.to_string())?;
    let entries =
        index.entries.get(chart).ok_or_else(|| format!("the index has no chart `{chart}`"))?;
    Ok(entries.iter().filter_map(|entry| parse_version(&entry.version)).collect())
}

/// Helm takes `v1.2.3` for 1.2.3; what is not SemVer at all is no upgrade target.
pub fn parse_version(text: &str) -> Option<Version> {
    Version::parse(text.trim_start_matches('v')).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_gives_the_versions_of_its_chart() {
        let text = r#"
apiVersion: v1
entries:
  other: [{version: 9.9.9}]
  orthid:
    - {version: 2.7.0, urls: [orthid-2.7.0.tgz], created: "2026-01-01T00:00:00Z"}
    - {version: v2.6.3}
    - {version: nightly}
generated: "2026-01-01T00:00:00Z"
"#;
        let versions = index_versions(text, "orthid").unwrap();
        assert_eq!(versions, [Version::new(2, 7, 0), Version::new(2, 6, 3)]);
        assert_eq!(index_versions(text, "ortid").unwrap_err(), "the index has no chart `ortid`");
    }
}
