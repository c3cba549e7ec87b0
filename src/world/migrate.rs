//! The migrate step.
//!
//! # Flow
//! Where the step asks for it, the release's workloads are scaled to zero first. By Job: a one-off Job is made from the
//! live workload's pod template with the target release's image; its containers ask for the schema's state, migrate,
//! and ask again. By exec: the same three commands run in a ready pod.
//!
//! # Guarantees
//! Done means that the app's own status command, asked after, lists nothing as pending; an exit code alone is not
//! trusted. The Job's name comes from run and step: a resumed run finds it, waits for it and starts no second one.
//! Logs of every container are kept before a Job is removed.
//!
//! # Assumptions
//! Migrations only go forward, and a second run of the command is a no-op. The status command prints what
//! [`migrations`](super::migrations) reads.
//!
//! # Caveats
//! The Job has none of the workload's labels, so that no Service sends it requests; a NetworkPolicy that goes by those
//! labels does not let it through. Sidecars that are plain containers are left out: a Job with them would never end.
//!
//! # Errors
//! A failing command is permanent, with its last words and the logs. A stream that is cut, or a Job that does not end in
//! time, is unknown: the status then tells.

mod by_exec;
mod by_job;

use std::time::Duration;

use serde_json::json;

use super::Observation;
use super::backup::Sidecar;
use super::kubernetes::Cluster;
use super::site::Site;
use super::verify::dump_of;
use super::{restore, workload};
use crate::facts::MigrationFacts;
use crate::model::{Address, MigrateSpec, MigrateVia, Outputs, StepSpec};
use crate::run::Failure;

/// Bound on one migration where the step gives none.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// Bound on pods going away.
const QUIESCE_TIMEOUT: Duration = Duration::from_secs(300);
/// Bound on the app serving again after a restore.
const SERVE_TIMEOUT: Duration = Duration::from_secs(300);

/// What one way of migrating works with.
struct Migration<'a> {
    site: &'a Site<'a>,
    spec: &'a MigrateSpec,
    cluster: Cluster,
    namespace: &'a str,
    workload: &'a str,
    timeout: Duration,
}

/// The schema's state before and after.
struct Told {
    before: MigrationFacts,
    after: MigrationFacts,
}

impl<'a> Migration<'a> {
    async fn new(site: &'a Site<'a>, spec: &'a MigrateSpec) -> Result<Migration<'a>, Failure> {
        let release = site.release()?;
        let workload = spec.workload.as_ref().or(release.workloads.first());
        let workload = workload
            .ok_or_else(|| Failure::permanent("the release names no workload to migrate from"))?;
        Ok(Migration {
            site,
            spec,
            cluster: site.cluster().await?,
            namespace: &release.namespace,
            workload,
            timeout: site.cx.step.timeout_ms.map_or(TIMEOUT, Duration::from_millis),
        })
    }

    /// The planner resolves `auto`; where it could not, a Job works in every case.
    fn by_exec(&self) -> bool {
        match self.spec.via {
            MigrateVia::Exec => true,
            MigrateVia::Job | MigrateVia::Auto => false,
        }
    }

    fn outputs(&self, told: &Told) -> Outputs {
        let applied: Vec<&String> =
            told.after.applied.iter().filter(|name| !told.before.applied.contains(name)).collect();
        Outputs::from([
            ("applied".to_owned(), json!(applied)),
            ("schema".to_owned(), json!(told.after.schema)),
            ("via".to_owned(), json!(if self.by_exec() { "exec" } else { "job" })),
        ])
    }

    /// Holds the state after the migration to what the plan promised.
    fn judge(&self, told: &Told) -> Result<Outputs, Failure> {
        if !told.after.pending.is_empty() {
            return Err(Failure::permanent(format!(
                "the command returned, and still pending are: {}",
                told.after.pending.join(", ")
            ))
            .with_help("run the status command by hand; the logs are in the evidence folder"));
        }
        let missing: Vec<&str> = self
            .spec
            .pending
            .iter()
            .filter(|name| !told.after.applied.contains(name))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return Ok(self.outputs(told));
        }
        Err(Failure::permanent(format!(
            "the image that migrated does not know: {}",
            missing.join(", ")
        ))
        .with_help("set `via = \"job\"`: the target release's image carries them"))
    }

    async fn quiesce(&self) -> Result<(), Failure> {
        for workload in &self.site.release()?.workloads {
            self.site.progress(format!("scaling {workload} to zero"));
            let cancel = &self.site.cx.cancel;
            workload::quiesce(&self.cluster, self.namespace, workload, QUIESCE_TIMEOUT, cancel)
                .await?;
        }
        Ok(())
    }

    /// Gives the workloads their replicas back and waits until they serve.
    async fn serve(&self) -> Result<(), Failure> {
        let workloads = &self.site.release()?.workloads;
        for workload in workloads {
            workload::resume(&self.cluster, self.namespace, workload).await?;
        }
        for workload in workloads {
            let cancel = &self.site.cx.cancel;
            let settled =
                workload::settled(&self.cluster, self.namespace, workload, SERVE_TIMEOUT, cancel);
            if let Err(reason) = settled.await? {
                return Err(Failure::permanent(format!("after the way back, {reason}"))
                    .with_help("see why the pods are not ready, then resume"));
            }
        }
        Ok(())
    }
}

pub async fn observe(site: &Site<'_>, spec: &MigrateSpec) -> Observation {
    let looked = async {
        let migration = Migration::new(site, spec).await?;
        match migration.by_exec() {
            true => migration.observe_exec().await,
            false => migration.observe_job().await,
        }
    };
    looked.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

pub async fn act(site: &Site<'_>, spec: &MigrateSpec) -> Result<Outputs, Failure> {
    if let Some(verified) = &spec.backup {
        // The verified id must be there: the step was made to depend on it.
        site.output(verified, "id")?;
    }
    let migration = Migration::new(site, spec).await?;
    if spec.quiesce {
        migration.quiesce().await?;
    }
    let told = match migration.by_exec() {
        true => migration.exec().await?,
        false => migration.job().await?,
    };
    migration.judge(&told)
}

/// Does undoing this step mean restoring its backup?
fn restores<'a>(site: &'a Site<'_>, spec: &MigrateSpec) -> Option<&'a Address> {
    let restore = site.cx.step.rollback.as_ref().and_then(|rollback| rollback.restore.as_ref());
    restore.filter(|_| spec.breaking)
}

/// The backup step behind a verify step, with its database.
fn source<'a>(site: &Site<'a>, verify: &Address) -> Result<(&'a Address, &'a str), Failure> {
    let step = site.cx.plan.steps.iter().find(|step| step.address == *verify);
    match step.map(|step| &step.spec) {
        Some(StepSpec::Verify(spec)) => Ok((&spec.backup, &site.backup(&spec.backup)?.database)),
        Some(_) | None => {
            Err(Failure::permanent(format!("{verify} is not a verify step of this plan")))
        }
    }
}

pub async fn observe_undo(site: &Site<'_>, spec: &MigrateSpec) -> Observation {
    let looked = async {
        let migration = Migration::new(site, spec).await?;
        if let Some(verify) = restores(site, spec) {
            let live = site.database(source(site, verify)?.1)?;
            if !restore::is_restored(site, &live).await? {
                return Ok(Observation::NotDone);
            }
        }
        for workload in &site.release()?.workloads {
            if workload::is_quiesced(&migration.cluster, migration.namespace, workload).await? {
                return Ok(Observation::NotDone);
            }
        }
        Ok(Observation::Done(Outputs::new()))
    };
    looked.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// A migration that the old app can run on stays: its undo only ends the quiescence. A breaking one is undone by
/// putting the verified backup in the database's place.
pub async fn undo(site: &Site<'_>, spec: &MigrateSpec) -> Result<(), Failure> {
    let migration = Migration::new(site, spec).await?;
    let Some(verify) = restores(site, spec) else {
        if spec.breaking {
            return Err(Failure::permanent(
                "this migration is breaking and names no backup to restore",
            )
            .with_help("restore the database by hand, or migrate forward, then resume"));
        }
        site.progress("the database stays as it is: the app of before runs on the new schema");
        return migration.serve().await;
    };
    migration.remove_job().await?;
    let (backup, database) = source(site, verify)?;
    let live = site.database(database)?;
    if !restore::is_restored(site, &live).await? {
        let dump = dump_of(site, backup)?;
        let sidecar = Sidecar::read(&dump)?;
        if super::backup::checksum(&dump).await? != site.output(verify, "id")? {
            return Err(Failure::permanent(format!(
                "{} is not the verified backup any more",
                dump.display()
            ))
            .with_help(
                "find the file whose SHA-256 is the backup's id, put it there, then resume",
            ));
        }
        let clients =
            site.clients(u32::try_from(sidecar.server_version / 10_000).unwrap_or(0)).await?;
        migration.quiesce().await?;
        restore::replace(site, &live, &clients, &dump, &sidecar)
            .await
            .map_err(Failure::after_effect)?;
    }
    migration.serve().await
}
