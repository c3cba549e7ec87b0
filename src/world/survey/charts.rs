//! The chart source: the versions it has, and the charts of those that a path may stop at.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use futures::StreamExt;
use semver::Version;

use super::Wanted;
use crate::facts::ChartFacts;
use crate::model::{ReleaseSpec, VersionOf};
use crate::path;
use crate::text::secret::Redactor;
use crate::world::WorldError;
use crate::world::env::{Environment, HeldOutputs, Resolver};
use crate::world::helm::Helm;
use crate::world::helm::chart::ChartSource;
use crate::world::helm::render::Renderer;

/// Observing the chart source.
pub(super) struct Charts<'a> {
    pub env: &'a Environment,
    pub redactor: &'a Redactor,
    pub wanted: &'a Wanted,
    pub spec: &'a ReleaseSpec,
    pub helm: &'a Helm,
    pub installed: &'a Version,
    /// The text that the plan names in place of the charts' `releases.yaml`.
    pub changelog: Option<&'a str>,
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
        let renderer = self.renderer()?;
        let mut charts = BTreeMap::new();
        // What one chart tells may lead over another, until every chart of the path is there.
        loop {
            let missing = self.needed(target, &available, &charts);
            if missing.is_empty() {
                return Ok((available, charts));
            }
            let work = missing.into_iter().map(|version| {
                let (source, renderer, folder) = (&source, &renderer, folder.path());
                async move {
                    let render = (version != *self.installed).then_some(renderer);
                    let facts = self.chart(source, &version, folder, render).await;
                    facts.map(|facts| (version, facts))
                }
            });
            let done: Vec<_> = futures::stream::iter(work).buffer_unordered(2).collect().await;
            for result in done {
                let (version, facts) = result?;
                charts.insert(version, facts);
            }
        }
    }

    /// The charts that are needed and not there yet.
    fn needed(
        &self,
        target: &Version,
        available: &[Version],
        charts: &BTreeMap<Version, ChartFacts>,
    ) -> BTreeSet<Version> {
        let Charts { installed, changelog, wanted, spec, .. } = self;
        let mut needed = if !wanted.stops.is_empty() {
            wanted.stops.iter().filter(|stop| available.contains(stop)).cloned().collect()
        } else if spec.version_of == VersionOf::App {
            path::newest_patches(installed, target, available)
        } else if charts.is_empty() && changelog.is_none() && available.contains(target) {
            // It tells where the path leads.
            BTreeSet::from([target.clone()])
        } else {
            // Planning says what is wrong with a text that can't be read, and goes on without it.
            let releases = path::Releases::told(*changelog, charts.get(target), charts.values());
            let releases = releases.unwrap_or_default();
            path::candidates(&path::Wanted {
                installed,
                target,
                offered: available,
                releases: &releases,
            })
        };
        needed.retain(|version| !charts.contains_key(version));
        needed
    }

    fn renderer(&self) -> Result<Renderer<'_>, WorldError> {
        let (outputs, held) = (BTreeMap::new(), HeldOutputs::default());
        let redactor = self.redactor;
        let resolver = Resolver { env: self.env, outputs: &outputs, held: &held, redactor };
        Renderer::new(self.helm, self.spec, &self.wanted.base, &resolver, redactor)
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
