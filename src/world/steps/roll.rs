//! The roll step: `helm upgrade` to one version, watched, and found again after a crash.
//!
//! # Flow
//! Read the newest revision; run Helm with the run and step in the revision's description and labels; meanwhile read progress
//! and keep what failing pods say; afterwards check the rollout ourselves.
//!
//! # Guarantees
//! A revision of ours is recognised by its labels, so a resumed run adopts it and makes no second one. A Helm that outlived
//! its orthid is waited for. A release that another left pending is never touched. What a failing pod said is kept before
//! anything is rolled back.
//!
//! # Assumptions
//! Helm's release storage is the only lock: its newest revision is `pending-*` while Helm works.
//!
//! # Caveats
//! A Helm that was killed with its orthid leaves a pending revision; it is rolled back by number, never by deleting its
//! Secret, and that costs two revisions. Helm counts `--timeout` for each of its phases.
//!
//! # Errors
//! Permanent where Helm failed and the release is as before (atomic) or failed; unknown where Helm's end was not seen.

use std::collections::BTreeMap;
use std::time::Duration;

use semver::Version;
use serde_json::json;

use crate::journal::{Failure, FailureClass};
use crate::model::{Outputs, RollSpec, VersionOf};
use crate::run::Observation;
use crate::world::failure::{permanent, unknown};
use crate::world::helm::chart::ChartSource;
use crate::world::helm::release::{Releases, Revision};
use crate::world::helm::render::ValuesFiles;
use crate::world::helm::{self, Apply, Helm, Upgrade};
use crate::world::kubernetes::watcher::Watcher;
use crate::world::kubernetes::{Cluster, workload};
use crate::world::process::{self, Ended, Job};
use crate::world::site::Site;

const RUN_LABEL: &str = "orthid-run";
const STEP_LABEL: &str = "orthid-step";
/// Bound on the rollout check after Helm said that it is complete.
const SETTLE: Duration = Duration::from_secs(120);

/// Everything that one attempt needs.
struct Desk {
    cluster: Cluster,
    helm: Helm,
    releases: Releases,
}

async fn desk(site: &Site<'_>) -> Result<Desk, Failure> {
    let cluster = site.cluster().await?;
    let helm = site.helm().await?;
    let releases = site.releases(&cluster, &helm)?;
    Ok(Desk { cluster, helm, releases })
}

fn is_ours(site: &Site<'_>, revision: &Revision) -> bool {
    revision.labels.get(RUN_LABEL) == Some(&site.cx.run.0)
        && revision.labels.get(STEP_LABEL) == Some(&site.step_short())
}

pub async fn observe(site: &Site<'_>, spec: &RollSpec) -> Observation {
    look(site, spec).await.unwrap_or_else(|failure| Observation::Unknown(failure.message))
}

async fn look(site: &Site<'_>, spec: &RollSpec) -> Result<Observation, Failure> {
    let desk = desk(site).await?;
    let revisions = desk.releases.revisions().await?;
    let Some(newest) = revisions.last() else {
        return Ok(Observation::Unknown("the release is not installed any more".to_owned()));
    };
    match (is_ours(site, newest), newest.status.as_str()) {
        (true, "deployed") => {
            settle(site, &desk.cluster).await?;
            Ok(Observation::Done(outputs(&desk, newest, spec).await?))
        }
        // Its Helm is dead: the next attempt puts the release right first.
        (true, _) => Ok(Observation::NotDone),
        (false, _) if newest.is_pending() => Ok(Observation::Unknown(foreign(newest))),
        (false, _) => Ok(Observation::NotDone),
    }
}

fn foreign(newest: &Revision) -> String {
    format!(
        "revision {} is {} and is not this run's: another Helm is at work, or died at it",
        newest.number, newest.status
    )
}

/// One Helm command of this step.
fn helm_job(site: &Site<'_>, desk: &Desk, spec: &RollSpec, name: &str) -> Job {
    let timeout = Duration::from_millis(spec.helm_bound_ms());
    Job { timeout, ..site.job(desk.helm.program.clone(), name) }
}

async fn outputs(desk: &Desk, ours: &Revision, spec: &RollSpec) -> Result<Outputs, Failure> {
    let release = desk.releases.get(ours.number).await?;
    let mut outputs = Outputs::from([
        ("revision".to_owned(), json!(ours.number)),
        ("version".to_owned(), json!(spec.version.to_string())),
    ]);
    if let Some(previous) = previous_in(&release.info.description) {
        outputs.insert("previous_revision".to_owned(), json!(previous));
    }
    Ok(outputs)
}

/// `orthid run=… step=… from=3` → 3.
fn previous_in(description: &str) -> Option<u32> {
    description.split_whitespace().find_map(|word| word.strip_prefix("from="))?.parse().ok()
}

pub async fn act(site: &Site<'_>, spec: &RollSpec) -> Result<Outputs, Failure> {
    let desk = desk(site).await?;
    let previous = serving_revision(site, &desk, spec).await?;
    let release = site.release()?;
    process::create_folder(&site.folder)?;
    let values = ValuesFiles::write(release, &site.cx.base, &site.resolver())?;
    let upgrade = Upgrade {
        release: &release.name,
        namespace: &release.namespace,
        chart: ChartSource::new(release, &site.cx.base).reference(&spec.version),
        policy: release.values.policy,
        values: &values.paths,
    };
    let run = &site.cx.run.0;
    let step = &site.cx.step.address;
    let description = format!("orthid run={run} step={step} from={previous}");
    let labels = BTreeMap::from([
        (RUN_LABEL.to_owned(), run.clone()),
        (STEP_LABEL.to_owned(), site.step_short()),
    ]);
    let apply = Apply {
        atomic: spec.atomic,
        timeout: Duration::from_millis(spec.helm_timeout_ms),
        description: &description,
        labels: &labels,
    };
    let args = upgrade.apply(desk.helm.major(), &apply);
    let name = format!("helm-upgrade-{}", site.cx.attempt);
    let cancel = &site.cx.cancel;
    let job = Job { inherit: values.set.clone(), ..helm_job(site, &desk, spec, &name) };
    let helm = desk.helm.run(args, job, cancel);
    let mut watcher = Watcher::new(site, &desk.cluster);
    let done = tokio::select! {
        done = helm => done?,
        () = watcher.watch() => unreachable!("watching has no end"),
    };
    let evidence: Vec<String> =
        site.child_evidence(&name).into_iter().chain(watcher.kept).collect();
    let newest = desk.releases.revisions().await.map_err(|e| Failure::from(e).after_effect())?;
    let ours = newest.iter().rev().find(|revision| is_ours(site, revision));
    match (done.success(), ours) {
        (true, Some(ours)) => {
            resume_workloads(site, &desk.cluster).await?;
            settle(site, &desk.cluster).await?;
            outputs(&desk, ours, spec).await
        }
        (true, None) => Err(unknown("helm succeeded, and its revision is not there")),
        (false, _) if done.why != Ended::Itself || done.was_killed() => {
            Err(unknown("helm was stopped before it ended").with_evidence(evidence))
        }
        (false, _) => {
            let words = done.last_words(site.redactor);
            // An atomic upgrade that fails is rolled back by Helm itself, as long as it can reach the cluster.
            let abandoned = spec.atomic && newest.last().is_some_and(|last| is_ours(site, last));
            let failure = match abandoned || helm::lost_the_cluster(&done.stderr) {
                true => unknown(format!("helm lost the cluster on the way: {words}")),
                false => permanent(format!("helm upgrade to {} failed: {words}", spec.version)),
            };
            Err(failure.with_evidence(evidence))
        }
    }
}

/// The revision that serves now. A pending one that an earlier attempt of this step left behind is rolled back first.
async fn serving_revision(site: &Site<'_>, desk: &Desk, spec: &RollSpec) -> Result<u32, Failure> {
    let revisions = desk.releases.revisions().await?;
    let serving = |revisions: &[Revision]| {
        let serves = |r: &&Revision| matches!(r.status.as_str(), "deployed" | "superseded");
        revisions.iter().rev().find(serves).map(|revision| revision.number)
    };
    let newest = revisions.last().ok_or_else(|| permanent("the release is not installed"))?;
    let before = serving(&revisions)
        .ok_or_else(|| permanent("the release has no revision that was ever deployed"))?;
    refuse_another_version(site, desk, &revisions, before).await?;
    if !newest.is_pending() {
        return Ok(before);
    }
    if !is_ours(site, newest) {
        return Err(permanent(foreign(newest)).help(
            "wait for the other Helm; if it is dead, `helm rollback` to the last deployed revision",
        ));
    }
    site.progress(format!(
        "revision {} was left {}; rolling it back",
        newest.number, newest.status
    ));
    roll_back(site, desk, before, spec, true).await?;
    Ok(before)
}

/// Somebody may have upgraded since the plan was made, or while the run was paused: to go on would take that back.
async fn refuse_another_version(
    site: &Site<'_>,
    desk: &Desk,
    revisions: &[Revision],
    serving: u32,
) -> Result<(), Failure> {
    let of_this_run = |revision: &&Revision| {
        revision.number == serving && revision.labels.get(RUN_LABEL) == Some(&site.cx.run.0)
    };
    let hop = site.cx.step.hop.and_then(|index| site.cx.plan.hops.get(index));
    let Some(hop) = hop.filter(|_| !revisions.iter().any(|r| of_this_run(&r))) else {
        return Ok(());
    };
    let chart = desk.releases.get(serving).await?.chart.metadata;
    let found = match site.release()?.version_of {
        VersionOf::Chart => Some(chart.version),
        VersionOf::App => chart.app_version,
    };
    if found.as_deref().and_then(|version| Version::parse(version.trim_start_matches('v')).ok())
        == Some(hop.from.clone())
    {
        return Ok(());
    }
    let found = found.unwrap_or_else(|| "an unknown version".to_owned());
    Err(permanent(format!(
        "revision {serving} serves {found}, and this step goes from {} to {}: the release was changed by \
         somebody else",
        hop.from, hop.to
    ))
    .help("nothing was rolled; make a new plan for what is installed now"))
}

async fn roll_back(
    site: &Site<'_>,
    desk: &Desk,
    to: u32,
    spec: &RollSpec,
    wait: bool,
) -> Result<(), Failure> {
    let release = site.release()?;
    let timeout = Duration::from_millis(spec.helm_timeout_ms);
    let mut args = helm::rollback(&release.name, &release.namespace, to, timeout);
    if !wait {
        args.retain(|arg| arg != "--wait");
    }
    process::create_folder(&site.folder)?;
    let name = format!("helm-rollback-{}", site.cx.attempt);
    let job = helm_job(site, desk, spec, &name);
    let done = desk.helm.run(args, job, &site.cx.cancel).await?;
    if done.success() {
        return Ok(());
    }
    let evidence = site.child_evidence(&name);
    if done.why != Ended::Itself || done.was_killed() {
        return Err(unknown("helm rollback was stopped before it ended").with_evidence(evidence));
    }
    let words = done.last_words(site.redactor);
    if helm::lost_the_cluster(&done.stderr) {
        let lost = format!("helm lost the cluster while it rolled back: {words}");
        return Err(unknown(lost).with_evidence(evidence));
    }
    Err(permanent(format!("helm rollback to revision {to} failed: {words}"))
        .help(format!("see why, then `helm rollback {} {to}` or `orthid resume`", release.name))
        .with_evidence(evidence))
}

/// Pods that a migration scaled to zero serve again after the roll.
async fn resume_workloads(site: &Site<'_>, cluster: &Cluster) -> Result<(), Failure> {
    let release = site.release()?;
    for name in &release.workloads {
        workload::resume(cluster, &release.namespace, name)
            .await
            .map_err(|error| Failure::from(error).after_effect())?;
    }
    Ok(())
}

/// Helm's own wait can be satisfied too early: the rollout counts when every pod is new and available.
async fn settle(site: &Site<'_>, cluster: &Cluster) -> Result<(), Failure> {
    let release = site.release()?;
    for name in &release.workloads {
        workload::settled(cluster, &release.namespace, name, SETTLE, &site.cx.cancel)
            .await
            .map_err(|error| Failure::from(error).after_effect())?
            .map_err(|reason| permanent(format!("the rollout is not complete: {reason}")))?;
    }
    Ok(())
}

pub async fn observe_undo(site: &Site<'_>) -> Observation {
    let found = async {
        let desk = desk(site).await?;
        let revisions = desk.releases.revisions().await?;
        let Some(from) = rolled_from(site, &desk, &revisions).await? else {
            return Ok(Observation::Done(Outputs::new()));
        };
        let Some(newest) = revisions.last() else { return Ok(Observation::NotDone) };
        let is_ours = is_ours(site, newest);
        let number = newest.number;
        let newest = desk.releases.get(number).await?.info;
        let is_rollback = newest.description == format!("Rollback to {from}");
        Ok::<_, Failure>(match (newest.status.as_str(), is_rollback, is_ours) {
            ("deployed", true, _) => serves_again(site, &desk).await?,
            ("deployed", false, false) => Observation::Unknown(format!(
                "revision {number} is deployed and is not this run's: somebody changed the release since"
            )),
            (_, _, _) => Observation::NotDone,
        })
    };
    found.await.unwrap_or_else(|failure| Observation::Unknown(failure.message))
}

/// A rollback that Helm has ended is done when its pods serve, as in [`undo`].
async fn serves_again(site: &Site<'_>, desk: &Desk) -> Result<Observation, Failure> {
    let done = Observation::Done(Outputs::new());
    if restore_follows(site) || site.cx.hands_off {
        return Ok(done);
    }
    match settle(site, &desk.cluster).await {
        Ok(()) => Ok(done),
        Err(failure) if failure.class == FailureClass::Permanent => Ok(Observation::NotDone),
        Err(failure) => Err(failure),
    }
}

/// The revision that was live before this step; none where the step made no revision.
async fn rolled_from(
    site: &Site<'_>,
    desk: &Desk,
    revisions: &[Revision],
) -> Result<Option<u32>, Failure> {
    let Some(ours) = revisions.iter().rev().find(|revision| is_ours(site, revision)) else {
        return Ok(None);
    };
    let description = desk.releases.get(ours.number).await?.info.description;
    match previous_in(&description) {
        Some(previous) => Ok(Some(previous)),
        // Helm replaces the description of a revision that failed.
        None => {
            let serves = |r: &&Revision| matches!(r.status.as_str(), "deployed" | "superseded");
            let before = revisions.iter().rev().filter(|r| r.number < ours.number).find(serves);
            Ok(before.map(|revision| revision.number))
        }
    }
}

pub async fn undo(site: &Site<'_>, spec: &RollSpec) -> Result<(), Failure> {
    let desk = desk(site).await?;
    let revisions = desk.releases.revisions().await?;
    let Some(from) = rolled_from(site, &desk, &revisions).await? else { return Ok(()) };
    // The old app does not become ready before the database is restored, which comes next.
    let wait = !restore_follows(site);
    site.progress(format!("rolling back to revision {from}"));
    roll_back(site, &desk, from, spec, wait).await?;
    if wait { settle(site, &desk.cluster).await } else { Ok(()) }
}

/// Whether a backup is restored after this step is undone: a migration of the same hop takes its schema back.
fn restore_follows(site: &Site<'_>) -> bool {
    let mut hop = site.cx.plan.steps.iter().filter(|step| step.hop == site.cx.step.hop);
    hop.any(|step| step.restores().is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_revision_before_is_read_from_the_description() {
        assert_eq!(previous_in(r#"orthid run=r step=roll.app["2.7.1"] from=12"#), Some(12));
        assert_eq!(previous_in("Rollback to 3"), None);
    }
}
