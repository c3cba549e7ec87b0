//! What a plan rests on: facts as text that can be compared when the plan is applied.
//!
//! Must not: judge a difference; it only names facts.

use semver::Version;

use super::{PlanFact, Rests};
use crate::facts::{ClusterFacts, DatabaseFacts, Facts, HelmFacts, ReleaseFacts};

/// The facts that a plan to these stops rests on, in a fixed order.
pub fn facts_of(facts: &Facts, stops: &[Version]) -> Vec<PlanFact> {
    let mut found = Found(Vec::new());
    if let Some(cluster) = &facts.cluster {
        found.cluster(cluster);
    }
    if let Some(HelmFacts { version }) = &facts.helm {
        found.informational("helm.version", version.to_string());
    }
    if let Some(release) = &facts.release {
        found.release(release, stops);
    }
    for (name, database) in &facts.databases {
        found.database(name, database);
    }
    found.0
}

struct Found(Vec<PlanFact>);

impl Found {
    fn must_match(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        self.0.push(PlanFact { name, value, rests: Rests::MustMatch });
    }

    fn informational(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        self.0.push(PlanFact { name, value, rests: Rests::Informational });
    }

    fn cluster(&mut self, cluster: &ClusterFacts) {
        self.must_match("cluster.uid", &cluster.uid);
        self.informational("cluster.server_version", &cluster.server_version);
    }

    fn release(&mut self, release: &ReleaseFacts, stops: &[Version]) {
        self.must_match("release.name", &release.name);
        self.must_match("release.namespace", &release.namespace);
        self.must_match("release.revision", release.revision.to_string());
        self.must_match("release.status", &release.status);
        self.must_match("release.chart_version", release.chart_version.to_string());
        if let Some(migrations) = &release.migrations {
            self.must_match("migrations.applied", migrations.applied.join(", "));
        }
        for stop in stops {
            if let Some(chart) = release.charts.get(stop) {
                self.must_match(format!("chart.{stop}.sha256"), &chart.sha256);
            }
        }
    }

    fn database(&mut self, name: &str, database: &DatabaseFacts) {
        self.must_match(format!("database.{name}.identity"), &database.identity);
        let version = database.server_version.to_string();
        self.must_match(format!("database.{name}.server_version"), version);
        self.informational(format!("database.{name}.size_bytes"), database.size_bytes.to_string());
    }
}
