//! Undoing a roll: `helm rollback` to the revision that was live before.

use super::release_state::{State, state};
use super::{PHASES, Roll, SETTLE_TIMEOUT, newest};
use crate::model::{Outputs, RollSpec, StepSpec};
use crate::run::Failure;
use crate::world::helm::rollback;
use crate::world::release::Revision;
use crate::world::site::Site;
use crate::world::{Observation, workload};

impl Roll<'_> {
    /// The revision that was live before this step: as the step told, else as the history tells.
    fn previous(&self, revisions: &[Revision]) -> Result<u32, Failure> {
        let told = self.site.cx.outputs.get(&self.site.cx.step.address);
        let told = told.and_then(|outputs| outputs.get("previous_revision")?.as_u64());
        if let Some(number) = told.and_then(|number| u32::try_from(number).ok()) {
            return Ok(number);
        }
        let labels = self.labels();
        let is_ours = |r: &Revision| labels.iter().all(|(k, v)| r.labels.get(k) == Some(v));
        let first = revisions.iter().find(|revision| is_ours(revision));
        let served = |r: &&Revision| {
            first.is_none_or(|first| r.number < first.number)
                && matches!(r.status.as_str(), "deployed" | "superseded")
        };
        let previous = revisions.iter().rev().find(served).map(|revision| revision.number);
        previous.ok_or_else(|| Failure::permanent("the history names no revision to go back to"))
    }

    /// Is the revision of before in force again, by its own number or by a rollback to it?
    async fn is_back(&self, revisions: &[Revision], previous: u32) -> Result<bool, Failure> {
        let newest = newest(revisions)?;
        let Some(live) = revisions.iter().rev().find(|r| r.status == "deployed") else {
            return Ok(false);
        };
        if newest.is_pending() || live.number < previous {
            return Ok(false);
        }
        if live.number == previous {
            // A failed revision above it may have changed objects: then going back has still to be done.
            return Ok(newest.number == previous);
        }
        let record = self.releases.get(live.number).await?;
        Ok(newest.number == live.number
            && record.info.description == format!("Rollback to {previous}"))
    }

    /// Will the undo of a migration of this hop put the database back? Until then the app of before can't serve.
    fn database_comes_later(&self) -> bool {
        let hop = self.site.cx.step.hop;
        self.site.cx.plan.steps.iter().filter(|step| step.hop == hop).any(|step| {
            let restores = step.rollback.as_ref().is_some_and(|r| r.restore.is_some());
            matches!(&step.spec, StepSpec::Migrate(migrate) if migrate.breaking && restores)
        })
    }
}

pub async fn observe_undo(site: &Site<'_>, spec: &RollSpec) -> Observation {
    let looked = async {
        let roll = Roll::new(site, spec).await?;
        roll.wait_for_orphans().await?;
        let revisions = roll.releases.revisions().await?;
        let previous = roll.previous(&revisions)?;
        if !roll.is_back(&revisions, previous).await? {
            let foreign = matches!(state(&revisions, &roll.labels()), State::Foreign { .. });
            return Ok(match foreign && !roll.was_started_here() {
                true => Observation::Unknown(format!(
                    "somebody else works on release `{}`",
                    roll.release.name
                )),
                false => Observation::NotDone,
            });
        }
        if roll.database_comes_later() {
            return Ok(Observation::Done(Outputs::new()));
        }
        Ok(match roll.settled(SETTLE_TIMEOUT).await? {
            Ok(()) => Observation::Done(Outputs::new()),
            Err(_) => Observation::NotDone,
        })
    };
    looked.await.unwrap_or_else(|failure: Failure| Observation::Unknown(failure.message))
}

/// Rolls back to the revision of before; one that is back already is only waited for. Where a migration's undo will put
/// the database back afterwards, the app is kept at zero until then.
pub async fn undo(site: &Site<'_>, spec: &RollSpec) -> Result<(), Failure> {
    let roll = Roll::new(site, spec).await?;
    roll.wait_for_orphans().await?;
    let revisions = roll.releases.revisions().await?;
    let previous = roll.previous(&revisions)?;
    let newest = newest(&revisions)?;
    let labels = roll.labels();
    let ours_pending = newest.is_pending() && roll.was_started_here();
    let is_foreign = matches!(state(&revisions, &labels), State::Foreign { .. });
    if is_foreign && !ours_pending {
        return Err(Failure::permanent(format!(
            "revision {} of release `{}` is {}, and not by this run",
            newest.number, roll.release.name, newest.status
        ))
        .with_help("wait until nobody works on the release, then resume"));
    }
    let later = roll.database_comes_later();
    if !roll.is_back(&revisions, previous).await? {
        if later {
            roll.quiesce().await?;
        }
        roll.roll_back(previous, later).await?;
    }
    if later {
        return roll.quiesce().await;
    }
    match roll.settled(SETTLE_TIMEOUT).await? {
        Ok(()) => Ok(()),
        Err(reason) => Err(Failure::permanent(format!(
            "revision {previous} is in force again and its rollout is not complete: {reason}"
        ))),
    }
}

impl Roll<'_> {
    async fn quiesce(&self) -> Result<(), Failure> {
        for name in &self.release.workloads {
            let cancel = &self.site.cx.cancel;
            workload::quiesce(&self.cluster, &self.release.namespace, name, SETTLE_TIMEOUT, cancel)
                .await?;
        }
        Ok(())
    }

    async fn roll_back(&self, previous: u32, later: bool) -> Result<(), Failure> {
        self.site.progress(format!("helm rolls back to revision {previous}"));
        let mut args =
            rollback(&self.release.name, &self.release.namespace, previous, self.timeout());
        if later {
            // Nothing would become ready before the database is back.
            args.retain(|arg| arg != "--wait");
        }
        args.extend(self.force_conflicts());
        let name = format!("helm-rollback-{}", self.site.cx.attempt);
        let timeout = self.timeout() * PHASES;
        let done =
            self.helm.run(args, &self.site.folder, &name, timeout, &self.site.cx.cancel).await?;
        if done.success() {
            return Ok(());
        }
        let words = done.last_words(self.site.redactor);
        Err(Failure::unknown(format!("helm rollback to revision {previous} failed: {words}"))
            .with_evidence(self.site.child_evidence(&name)))
    }
}
