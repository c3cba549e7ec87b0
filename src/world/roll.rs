//! The roll step: `helm upgrade`, watched.
//!
//! # Flow
//! The chart package of the hop's version is fetched; `helm upgrade --wait` runs with `--atomic` or
//! `--rollback-on-failure` where the step says so, values through 0600 files, run and step in labels and description.
//! While Helm waits, pods are counted and the logs, events and state of failing ones are kept: Helm's own rollback
//! removes them. Afterwards the rollout is checked here as well, because Helm's wait can be satisfied too early.
//!
//! # Guarantees
//! The release's labels tell which revision is this step's. A Helm that outlived its orthid is waited for and its
//! revision adopted: there is no second one. A release left `pending-*` by a Helm that is known to be dead is repaired
//! by `helm rollback` to the revision that was deployed; its Secret is never deleted. A pending release with another
//! owner is never touched.
//!
//! # Assumptions
//! Nobody else upgrades the release during the run: Helm's only lock is the pending revision.
//!
//! # Caveats
//! Repairing and repeating after a killed Helm costs revisions: one for the repair, one for the new try. Helm's timeout
//! counts for each of its phases. With Helm's `configmap` and `sql` drivers there are no labels to read: an interrupted
//! roll is then for a person to judge.
//!
//! # Errors
//! Helm exits with 1 for everything, so the class comes from the release: nothing new there, permanent; failed or
//! rolled back, permanent with the failing pods named; pending or unreadable, unknown.

mod release_state;
mod undo;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::Observation;
use super::chart::ChartSource;
use super::helm::{Apply, ChartReference, Helm, Major, Upgrade};
use super::kubernetes::Cluster;
use super::process::{self, Ended, Finished};
use super::release::{Releases, Revision};
use super::render::ValuesFiles;
use super::rollout::{Seen, Watcher};
use super::site::Site;
use super::workload;
use crate::model::{Outputs, ReleaseSpec, RollSpec, StepSpec};
use crate::run::Failure;

pub use undo::{observe_undo, undo};

/// Helm's timeout counts per phase: hooks before and after, the wait, the rollback. This bounds them all together.
const PHASES: u32 = 5;
/// For the rollout to be complete once Helm says that it is.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(120);

/// What this step works with.
struct Roll<'a> {
    site: &'a Site<'a>,
    spec: &'a RollSpec,
    release: &'a ReleaseSpec,
    cluster: Cluster,
    helm: Helm,
    releases: Releases,
}

impl<'a> Roll<'a> {
    async fn new(site: &'a Site<'a>, spec: &'a RollSpec) -> Result<Roll<'a>, Failure> {
        let cluster = site.cluster().await?;
        let helm = site.helm().await?;
        let releases = site.releases(&cluster, &helm)?;
        Ok(Roll { site, spec, release: site.release()?, cluster, helm, releases })
    }

    fn timeout(&self) -> Duration {
        Duration::from_millis(self.spec.helm_timeout_ms.max(1_000))
    }

    fn labels(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            ("orthid-run".to_owned(), self.site.cx.run.0.clone()),
            ("orthid-step".to_owned(), self.site.step_short()),
        ])
    }

    /// The description of this step's revisions, up to the number of the attempt.
    fn description_stem(&self) -> String {
        format!("orthid run={} step={}", self.site.cx.run, self.site.cx.step.address)
    }

    /// A migration of this hop had the workloads scaled to zero, or its undo will: then another writer owns `replicas`.
    fn is_quiesced_hop(&self) -> bool {
        let hop = self.site.cx.step.hop;
        self.site.cx.plan.steps.iter().filter(|step| step.hop == hop).any(|step| {
            matches!(&step.spec, StepSpec::Migrate(migrate) if migrate.quiesce || migrate.breaking)
        })
    }

    /// Helm 4 applies server-side and refuses fields that another manager set: here we were that manager.
    fn force_conflicts(&self) -> Option<OsString> {
        match self.helm.major() {
            Major::Four if self.is_quiesced_hop() => Some("--force-conflicts".into()),
            Major::Three | Major::Four => None,
        }
    }

    fn outputs(&self, revision: u32, previous: u32) -> Outputs {
        Outputs::from([
            ("revision".to_owned(), json!(revision)),
            ("previous_revision".to_owned(), json!(previous)),
            ("version".to_owned(), json!(self.spec.version.to_string())),
        ])
    }

    async fn settled(&self, bound: Duration) -> Result<Result<(), String>, Failure> {
        for name in &self.release.workloads {
            let cancel = &self.site.cx.cancel;
            let settled =
                workload::settled(&self.cluster, &self.release.namespace, name, bound, cancel)
                    .await?;
            if settled.is_err() {
                return Ok(settled);
            }
        }
        Ok(Ok(()))
    }

    /// Forgets that workloads were scaled to zero: the new release has set their replicas.
    async fn forget_quiescence(&self) -> Result<(), Failure> {
        for name in &self.release.workloads {
            workload::resume(&self.cluster, &self.release.namespace, name).await?;
        }
        Ok(())
    }

    /// Waits for Helm processes of an earlier orthid.
    async fn wait_for_orphans(&self) -> Result<(), Failure> {
        for orphan in process::orphans(&self.site.folder) {
            let pid = orphan.marker.pid;
            self.site.progress(format!("waiting for helm (process {pid}) of an earlier orthid"));
            if !orphan.wait(self.timeout() * PHASES, &self.site.cx.cancel).await {
                return Err(Failure::unknown(format!(
                    "helm (process {pid}), started by an earlier orthid, still runs"
                )));
            }
        }
        Ok(())
    }

    /// Did a Helm of this step ever start on this machine? Then it is known to be dead once it is no orphan.
    fn was_started_here(&self) -> bool {
        let started = |prefix: &str| {
            let entries = std::fs::read_dir(&self.site.folder).into_iter().flatten();
            entries.filter_map(Result::ok).any(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                name.starts_with(prefix)
            })
        };
        started("helm-")
    }
}

pub async fn observe(site: &Site<'_>, spec: &RollSpec) -> Observation {
    let looked = async {
        let roll = Roll::new(site, spec).await?;
        roll.wait_for_orphans().await?;
        roll.look().await
    };
    looked.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

pub async fn act(site: &Site<'_>, spec: &RollSpec) -> Result<Outputs, Failure> {
    let roll = Roll::new(site, spec).await?;
    remove_leftover_values(&site.folder);
    let previous = roll.prepare().await?;
    process::create_folder(&site.folder)?;
    let folder = tempfile::Builder::new().prefix("values-").tempdir_in(&site.folder)?;
    let resolver = site.resolver();
    let values = ValuesFiles::write(roll.release, &site.cx.base, folder.path(), &resolver)?;
    let source = ChartSource::new(roll.release, &site.cx.base);
    let package = source.fetch(&roll.helm, &spec.version, folder.path()).await?;
    let args = roll.upgrade_args(&package, &values);

    site.progress(format!("helm {} upgrades to {}", roll.helm.version, spec.version));
    let watcher =
        Watcher::new(site, &roll.cluster, &roll.release.namespace, &roll.release.workloads).await;
    let name = format!("helm-upgrade-{}", site.cx.attempt);
    let work = roll.helm.run(args, &site.folder, &name, roll.timeout() * PHASES, &site.cx.cancel);
    let (done, seen) = watcher.during(work).await;
    let done = done?;
    if !done.success() {
        return Err(roll.failed(&done, &seen, &name, previous).await);
    }
    roll.finish(previous, &seen).await.map_err(Failure::after_effect)
}

/// Files with values that a killed orthid left: they may be secret.
fn remove_leftover_values(folder: &Path) {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    for entry in entries {
        if entry.file_name().to_string_lossy().starts_with("values-") {
            // What can't be removed is 0600 in a 0700 folder.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

impl Roll<'_> {
    fn upgrade_args(&self, package: &Path, values: &ValuesFiles) -> Vec<OsString> {
        let upgrade = Upgrade {
            release: &self.release.name,
            namespace: &self.release.namespace,
            chart: ChartReference {
                chart: package.display().to_string(),
                repository: None,
                version: None,
            },
            policy: self.release.values.policy,
            values: &values.paths,
        };
        let apply = Apply {
            atomic: self.spec.atomic,
            timeout: self.timeout(),
            description: &format!("{} attempt={}", self.description_stem(), self.site.cx.attempt),
            labels: &self.labels(),
        };
        let mut args = upgrade.apply(self.helm.major(), &apply);
        args.extend(self.force_conflicts());
        args
    }

    /// Helm succeeded: is it so, and on every pod?
    async fn finish(&self, previous: u32, seen: &Seen) -> Result<Outputs, Failure> {
        let revisions = self.releases.revisions().await?;
        let newest = newest(&revisions)?;
        if newest.status != "deployed" || newest.number <= previous {
            return Err(Failure::unknown(format!(
                "helm reported success, but revision {} of the release is {}",
                newest.number, newest.status
            )));
        }
        if let Err(reason) = self.settled(SETTLE_TIMEOUT).await? {
            let message =
                format!("helm reported success, but the rollout is not complete: {reason}");
            return Err(Failure::permanent(message).with_evidence(seen.evidence.clone()));
        }
        self.forget_quiescence().await?;
        Ok(self.outputs(newest.number, previous))
    }

    /// Classifies a failed Helm by what it left.
    async fn failed(&self, done: &Finished, seen: &Seen, name: &str, previous: u32) -> Failure {
        let words = done.last_words(self.site.redactor);
        let mut evidence = self.site.child_evidence(name);
        evidence.extend(seen.evidence.iter().cloned());
        let mut message = format!("helm upgrade failed: {words}");
        for line in &seen.diagnosis {
            message.push_str("\n  ");
            message.push_str(line);
        }
        let revisions = match self.releases.revisions().await {
            Ok(revisions) => revisions,
            Err(error) => {
                return Failure::unknown(format!("{message}\n{error}")).with_evidence(evidence);
            }
        };
        let newest = match newest(&revisions) {
            Ok(newest) => newest,
            Err(failure) => return failure.with_evidence(evidence),
        };
        let interrupted = done.why != Ended::Itself;
        let failure = if newest.is_pending() {
            Failure::unknown(format!("{message}\nThe release is {}.", newest.status))
        } else if newest.number <= previous {
            match interrupted || is_passing(&words) {
                true => Failure::transient(message),
                false => Failure::permanent(message),
            }
        } else if newest.status == "deployed" {
            let number = newest.number;
            Failure::permanent(format!(
                "{message}\nHelm rolled back: revision {number} is deployed."
            ))
        } else {
            Failure::permanent(format!(
                "{message}\nRevision {} is {}.",
                newest.number, newest.status
            ))
        };
        failure.with_evidence(evidence)
    }
}

/// Helm's words for an API server that did not answer, before it changed anything.
fn is_passing(words: &str) -> bool {
    let passing = [
        "connection refused",
        "cluster unreachable",
        "i/o timeout",
        "TLS handshake timeout",
        "EOF",
        "the server is currently unable to handle the request",
        "too many requests",
    ];
    passing.iter().any(|text| words.to_lowercase().contains(&text.to_lowercase()))
}

fn newest(revisions: &[Revision]) -> Result<&Revision, Failure> {
    revisions.last().ok_or_else(|| Failure::permanent("the release is not installed any more"))
}
