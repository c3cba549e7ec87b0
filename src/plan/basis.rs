//! The facts that a plan depends on, as text that can be compared when the plan is applied.
//!
//! Must not: judge a difference; it only names facts.

use semver::Version;

use super::situation::app_version;
use super::{PlanFact, Rests};
use crate::facts::{ClusterFacts, DatabaseFacts, Facts, HelmFacts, ReleaseFacts};

/// The facts that a plan to these stops depends on, in a fixed order.
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
        let context = cluster.context.as_deref().unwrap_or("(current)");
        self.informational("cluster.context", context);
    }

    fn release(&mut self, release: &ReleaseFacts, stops: &[Version]) {
        self.must_match("release.name", &release.name);
        self.must_match("release.namespace", &release.namespace);
        self.must_match("release.revision", release.revision.to_string());
        self.must_match("release.status", &release.status);
        self.must_match("release.chart_version", release.chart_version.to_string());
        for workload in &release.workloads {
            let images: Vec<&str> = workload.images.values().map(String::as_str).collect();
            self.informational(format!("workload.{}.images", workload.name), images.join(", "));
            let ready = format!("{} of {}", workload.ready, workload.replicas);
            self.informational(format!("workload.{}.ready", workload.name), ready);
        }
        if let Some(migrations) = &release.migrations {
            self.must_match("migrations.applied", migrations.applied.join(", "));
            self.informational("migrations.pending", migrations.pending.join(", "));
        }
        for stop in stops {
            // Stops count by the app's version in some plans: then every chart of that app version
            // is meant.
            let charts = release.charts.values().filter(|chart| {
                chart.version == *stop || app_version(chart).as_ref() == Some(stop)
            });
            for chart in charts {
                self.must_match(format!("chart.{}.sha256", chart.version), &chart.sha256);
            }
        }
    }

    fn database(&mut self, name: &str, database: &DatabaseFacts) {
        self.must_match(format!("database.{name}.identity"), &database.identity);
        let version = database.server_version.to_string();
        self.must_match(format!("database.{name}.server_version"), version);
        let client = database.pg_dump_version.map_or("none".to_owned(), |v| v.to_string());
        self.informational(format!("database.{name}.pg_dump_version"), client);
        self.informational(format!("database.{name}.size_bytes"), database.size_bytes.to_string());
    }
}
