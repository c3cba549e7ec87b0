//! The chart source: the versions it has, and the charts of those that a path may stop at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::StreamExt;
use semver::Version;
use serde_json::Value;

use super::Wanted;
use crate::facts::ChartFacts;
use crate::model::{ReleaseSpec, VersionOf};
use crate::text::secret::Redactor;
use crate::world::WorldError;
use crate::world::env::{Environment, HeldOutputs, Resolver};
use crate::world::helm::Helm;
use crate::world::helm::chart::{ChartSource, parse_version};
use crate::world::helm::render::Renderer;

/// Observing the chart source.
pub(super) struct Charts<'a> {
    pub env: &'a Environment,
    pub redactor: &'a Redactor,
    pub wanted: &'a Wanted,
    pub spec: &'a ReleaseSpec,
    pub helm: &'a Helm,
    pub installed: &'a Version,
}

impl Charts<'_> {
    /// The versions that there are, and the charts of those that a path to the target may stop at.
    pub async fn observe(
        &self,
    ) -> Result<(Vec<Version>, BTreeMap<Version, ChartFacts>), WorldError> {
        let source = ChartSource::new(self.spec, &self.wanted.base);
        let mut named = vec![self.installed.clone()];
        named.extend(self.wanted.target.clone());
        let available = source.versions(self.helm, &named).await?;
        let Some(target) = &self.wanted.target else { return Ok((available, BTreeMap::new())) };
        if self.spec.version_of == VersionOf::Chart && !available.contains(target) {
            return Err(source.missing(target, &available));
        }
        let folder = tempfile::tempdir().map_err(|e| WorldError::File {
            path: "temporary folder".to_owned(),
            reason: e.to_string(),
        })?;
        let renderer = self.renderer(folder.path())?;
        let mut charts = BTreeMap::new();
        let mut stops = stops(self.installed, target, &available);
        if available.contains(target) {
            let facts = self.chart(&source, target, folder.path(), Some(&renderer)).await?;
            let text = facts.releases_yaml.as_deref().unwrap_or_default();
            stops.extend(required_stops(text, self.installed, target, &available));
            stops.remove(target);
            charts.insert(target.clone(), facts);
        }
        let work = stops.into_iter().map(|version| {
            let (source, renderer, folder) = (&source, &renderer, folder.path());
            async move {
                let render = (version != *self.installed).then_some(renderer);
                self.chart(source, &version, folder, render).await.map(|facts| (version, facts))
            }
        });
        let done: Vec<_> = futures::stream::iter(work).buffer_unordered(2).collect().await;
        for result in done {
            let (version, facts) = result?;
            charts.insert(version, facts);
        }
        Ok((available, charts))
    }

    fn renderer(&self, folder: &Path) -> Result<Renderer<'_>, WorldError> {
        let (outputs, held) = (BTreeMap::new(), HeldOutputs::default());
        let redactor = self.redactor;
        let resolver = Resolver { env: self.env, outputs: &outputs, held: &held, redactor };
        Renderer::new(self.helm, self.spec, &self.wanted.base, folder, &resolver, redactor)
    }

    async fn chart(
        &self,
        source: &ChartSource,
        version: &Version,
        folder: &Path,
        renderer: Option<&Renderer<'_>>,
    ) -> Result<ChartFacts, WorldError> {
        let (path, package) = source.package(self.helm, version, folder).await?;
        let mut facts =
            package.facts(self.redactor).map_err(|reason| WorldError::ChartUnreadable {
                chart: self.spec.chart.clone(),
                repository: self.spec.repository.clone(),
                reason: format!("version {version}: {reason}"),
            })?;
        if let Some(renderer) = renderer {
            facts.renders = renderer.all(&path).await;
        }
        Ok(facts)
    }
}

/// The installed version and the newest patch of every minor above it, up to the target: what a path may stop at.
fn stops(installed: &Version, target: &Version, available: &[Version]) -> BTreeSet<Version> {
    let mut newest: BTreeMap<(u64, u64), &Version> = BTreeMap::new();
    for version in available.iter().filter(|v| v.pre.is_empty() && *v > installed && *v <= target) {
        let minor = newest.entry((version.major, version.minor)).or_insert(version);
        if version > *minor {
            *minor = version;
        }
    }
    let own = available.iter().filter(|v| *v == installed);
    newest.into_values().chain(own).cloned().collect()
}

/// Releases that `releases.yaml` marks with `stop: true` or `required_stop: true`.
fn required_stops(
    releases_yaml: &str,
    installed: &Version,
    target: &Version,
    available: &[Version],
) -> BTreeSet<Version> {
    let parsed: Result<Value, _> = serde_saphyr::from_str(releases_yaml);
    let Ok(root) = parsed else { return BTreeSet::new() };
    let list = root.get("releases").unwrap_or(&root);
    let entries = list.as_array().cloned().unwrap_or_default();
    let is_stop = |entry: &Value| {
        ["stop", "required_stop", "requiredStop"]
            .iter()
            .any(|f| entry.get(f) == Some(&Value::Bool(true)))
    };
    entries
        .iter()
        .filter(|entry| is_stop(entry))
        .filter_map(|entry| entry.get("version").and_then(Value::as_str).and_then(parse_version))
        .filter(|v| v > installed && v <= target && available.contains(v))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(text: &str) -> Vec<Version> {
        text.split(' ').map(|v| v.parse().unwrap()).collect()
    }

    #[test]
    fn stops_are_the_newest_patches_on_the_way() {
        let available = versions("2.5.0 2.6.0 2.6.3 2.7.0-rc.1 2.7.0 2.7.1 2.8.0 3.0.0");
        let found = stops(&Version::new(2, 6, 0), &Version::new(2, 8, 0), &available);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), versions("2.6.0 2.6.3 2.7.1 2.8.0"));
    }

    #[test]
    fn the_changelog_adds_required_stops() {
        let available = versions("2.6.0 2.7.0 2.7.1 2.8.0");
        let yaml = "releases:\n  - {version: 2.7.0, stop: true}\n  - {version: 2.7.1}\n  - {version: 2.6.0, stop: true}\n";
        let found =
            required_stops(yaml, &Version::new(2, 6, 0), &Version::new(2, 8, 0), &available);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), versions("2.7.0"));
    }
}
