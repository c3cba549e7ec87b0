//! A chart package's content: read from a `.tgz` or a folder, bounded in size.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use semver::Version;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::chart::parse_version;
use crate::facts::ChartFacts;
use crate::text::secret::Redactor;
use crate::world::process;

const FILE_LIMIT: u64 = 4 << 20;
const PACKAGE_LIMIT: u64 = 64 << 20;

/// The files of a chart by path below the chart's folder; templates and subcharts left out.
#[derive(Clone, Debug)]
pub struct Package {
    files: BTreeMap<String, Vec<u8>>,
    pub sha256: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChartYaml {
    version: String,
    #[serde(default)]
    app_version: Option<Value>,
    #[serde(default)]
    kube_version: Option<String>,
    #[serde(default)]
    annotations: BTreeMap<String, String>,
}

/// Reads a package or a chart folder.
pub fn read(path: &Path) -> Result<Package, String> {
    let said = |e: std::io::Error| format!("{}: {e}", path.display());
    if path.is_dir() {
        let mut files = BTreeMap::new();
        read_folder(path, path, &mut files).map_err(said)?;
        let mut hash = Sha256::new();
        for (name, bytes) in &files {
            hash.update(format!("{name}\0{}\0", bytes.len()));
            hash.update(bytes);
        }
        files.retain(|name, _| is_wanted(name));
        return Ok(Package { files, sha256: hex::encode(hash.finalize()) });
    }
    let bytes = process::read(path).map_err(said)?;
    let sha256 = hex::encode(Sha256::digest(&bytes));
    Ok(Package { files: unpack(&bytes).map_err(said)?, sha256 })
}

fn unpack(bytes: &[u8]) -> std::io::Result<BTreeMap<String, Vec<u8>>> {
    let mut archive = tar::Archive::new(GzDecoder::new(bytes).take(PACKAGE_LIMIT));
    let mut files = BTreeMap::new();
    for entry in archive.entries()? {
        let entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some((_, name)) = path.split_once('/') else { continue };
        if entry.header().entry_type().is_file() && is_wanted(name) {
            let name = name.to_owned();
            let mut content = Vec::new();
            entry.take(FILE_LIMIT).read_to_end(&mut content)?;
            files.insert(name, content);
        }
    }
    Ok(files)
}

fn read_folder(
    root: &Path,
    folder: &Path,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        let kind = entry.file_type()?;
        if kind.is_dir() {
            read_folder(root, &path, files)?;
        } else if kind.is_file() {
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            let mut content = Vec::new();
            std::fs::File::open(&path)?.take(FILE_LIMIT).read_to_end(&mut content)?;
            files.insert(name, content);
        }
    }
    Ok(())
}

fn is_wanted(name: &str) -> bool {
    matches!(name, "Chart.yaml" | "values.yaml" | "releases.yaml" | "CHANGELOG.md")
        || name.starts_with("guides/")
        || name.starts_with("crds/")
}

impl Package {
    fn text(&self, name: &str) -> Option<String> {
        self.files.get(name).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn chart_yaml(&self) -> Result<ChartYaml, String> {
        let text = self.text("Chart.yaml").ok_or("the package has no Chart.yaml")?;
        serde_saphyr::from_str(&text).map_err(|e| format!("Chart.yaml: {e}"))
    }

    pub fn chart_version(&self) -> Result<Version, String> {
        let version = self.chart_yaml()?.version;
        parse_version(&version).ok_or_else(|| format!("chart version `{version}` is not SemVer"))
    }

    /// What planning needs of the package; the renders come from Helm.
    pub fn facts(&self, redactor: &Redactor) -> Result<ChartFacts, String> {
        let chart = self.chart_yaml()?;
        let values = self.text("values.yaml").unwrap_or_default();
        let mut values: Value = if values.trim().is_empty() {
            Value::Object(serde_json::Map::new())
        } else {
            serde_saphyr::from_str(&values).map_err(|e| format!("values.yaml: {e}"))?
        };
        redactor.values(&mut values);
        Ok(ChartFacts {
            version: self.chart_version()?,
            app_version: chart.app_version.as_ref().map(scalar),
            sha256: self.sha256.clone(),
            kube_version: chart.kube_version,
            releases_yaml: self.text("releases.yaml"),
            changelog_md: self.text("CHANGELOG.md"),
            artifacthub_changes: chart.annotations.get("artifacthub.io/changes").cloned(),
            guides: self.guides(),
            values,
            crds: self.crds(),
            renders: BTreeMap::new(),
        })
    }

    /// `guides/3.0.0.md` → `3.0.0`.
    fn guides(&self) -> BTreeMap<String, String> {
        let guides = self.files.keys().filter_map(|name| {
            let version = name.strip_prefix("guides/")?.strip_suffix(".md")?;
            Some((version.to_owned(), self.text(name)?))
        });
        guides.collect()
    }

    fn crds(&self) -> BTreeMap<String, String> {
        let crds = self.files.iter().filter(|(name, _)| name.starts_with("crds/"));
        crds.map(|(name, bytes)| (name.clone(), hex::encode(Sha256::digest(bytes)))).collect()
    }
}

/// `appVersion: 1.10` without quotes is a number to YAML.
fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    fn package(files: &[(&str, &str)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_package_gives_its_facts_and_not_its_subcharts() {
        let bytes = package(&[
            (
                "orthid/Chart.yaml",
                "name: orthid\nversion: 2.7.1\nappVersion: 2.7\nannotations: {artifacthub.io/changes: x}",
            ),
            ("orthid/values.yaml", "adminPassword: hunter2\nreplicas: 3"),
            ("orthid/releases.yaml", "releases: []"),
            ("orthid/guides/3.0.0.md", "# To 3.0.0"),
            ("orthid/crds/a.yaml", "kind: CustomResourceDefinition"),
            ("orthid/charts/sub/values.yaml", "sub: true"),
        ]);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("orthid-2.7.1.tgz");
        process::write_private(&path, &bytes).unwrap();
        let facts = read(&path).unwrap().facts(&Redactor::default()).unwrap();
        assert_eq!(facts.version, Version::new(2, 7, 1));
        assert_eq!(facts.app_version.as_deref(), Some("2.7"));
        assert_eq!(facts.sha256.len(), 64);
        assert_eq!(facts.guides["3.0.0"], "# To 3.0.0");
        assert_eq!(facts.crds.len(), 1);
        assert!(!facts.values.to_string().contains("hunter2"));
        assert_eq!(facts.artifacthub_changes.as_deref(), Some("x"));
    }

    #[test]
    fn a_folder_has_a_digest_that_any_file_changes() {
        let dir = tempfile::tempdir().unwrap();
        process::create_folder(&dir.path().join("templates")).unwrap();
        process::write_private(&dir.path().join("Chart.yaml"), b"name: a\nversion: 1.0.0").unwrap();
        process::write_private(&dir.path().join("templates/x.yaml"), b"a").unwrap();
        let before = read(dir.path()).unwrap().sha256;
        process::write_private(&dir.path().join("templates/x.yaml"), b"b").unwrap();
        assert_ne!(read(dir.path()).unwrap().sha256, before);
    }
}
