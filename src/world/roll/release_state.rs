//! Reading what a roll left in the release, and repairing what a dead Helm left pending.

use super::{Roll, newest};
use crate::run::Failure;
use crate::world::Observation;
use crate::world::helm::rollback;
use crate::world::release::Revision;

/// What a release's history says of one roll. Pure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The newest revision is this step's, and deployed.
    Deployed { revision: u32, previous: u32 },
    /// The newest revision is this step's, and pending.
    Pending { revision: u32, previous: u32 },
    /// Somebody else's operation is under way, or was left.
    Foreign { revision: u32, status: String },
    /// Nothing of this step is in force; the deployed revision is `previous`.
    Absent { previous: u32 },
    /// No revision is deployed.
    NothingDeployed,
}

/// Judges a history by the labels of this step.
pub(super) fn state(
    revisions: &[Revision],
    labels: &std::collections::BTreeMap<String, String>,
) -> State {
    let is_ours = |revision: &Revision| {
        labels.iter().all(|(name, value)| revision.labels.get(name) == Some(value))
    };
    let live = |revision: &&Revision| revision.status == "deployed";
    let Some(newest) = revisions.last() else { return State::NothingDeployed };
    let first_ours = revisions.iter().find(|revision| is_ours(revision));
    // Served before this step began: deployed then, superseded since.
    let served = |revision: &&Revision| {
        first_ours.is_none_or(|first| revision.number < first.number)
            && matches!(revision.status.as_str(), "deployed" | "superseded")
    };
    let previous = revisions.iter().rev().find(served).map(|revision| revision.number);
    let revision = newest.number;
    match (is_ours(newest), newest.is_pending(), previous) {
        (true, true, Some(previous)) if newest.status == "pending-upgrade" => {
            State::Pending { revision, previous }
        }
        (_, true, _) => State::Foreign { revision, status: newest.status.clone() },
        (true, false, Some(previous)) if newest.status == "deployed" => {
            State::Deployed { revision, previous }
        }
        (_, false, _) => match revisions.iter().rev().find(live) {
            Some(live) => State::Absent { previous: live.number },
            None => State::NothingDeployed,
        },
    }
}

impl Roll<'_> {
    /// What the release says of this step, once no Helm of ours runs any more.
    pub(super) async fn look(&self) -> Result<Observation, Failure> {
        let revisions = self.releases.revisions().await?;
        match state(&revisions, &self.labels()) {
            State::Deployed { revision, previous } => self.judge_deployed(revision, previous).await,
            State::Pending { revision, .. } if self.was_started_here() => {
                self.site.progress(format!(
                    "revision {revision} was left pending by a helm that is gone"
                ));
                Ok(Observation::NotDone)
            }
            State::Pending { revision, .. } => Ok(Observation::Unknown(format!(
                "revision {revision} of release `{}` is pending-upgrade; the helm that does it was started by this run on \
                 another machine. Once it is certain that it does not run any more: `helm rollback {} REVISION`",
                self.release.name, self.release.name
            ))),
            State::Foreign { revision, status } => Ok(Observation::Unknown(format!(
                "revision {revision} of release `{}` is {status}, and not by this step: somebody else works on it, or a \
                 helm was killed. See `helm history {} -n {}`",
                self.release.name, self.release.name, self.release.namespace
            ))),
            State::Absent { .. } | State::NothingDeployed => Ok(Observation::NotDone),
        }
    }

    /// Our labels stay on later revisions that others make, so the description and the version must agree as well.
    async fn judge_deployed(&self, revision: u32, previous: u32) -> Result<Observation, Failure> {
        let record = self.releases.get(revision).await?;
        let ours = record.info.description.starts_with(&self.description_stem());
        let version =
            record.chart.metadata.version.trim_start_matches('v') == self.spec.version.to_string();
        if !ours || !version {
            return Ok(Observation::NotDone);
        }
        match self.settled(super::SETTLE_TIMEOUT).await? {
            Ok(()) => Ok(Observation::Done(self.outputs(revision, previous))),
            Err(reason) => Ok(Observation::Unknown(format!(
                "revision {revision} is deployed and its rollout is not complete: {reason}"
            ))),
        }
    }

    /// Makes the release ready for an upgrade; returns the revision that is live.
    pub(super) async fn prepare(&self) -> Result<u32, Failure> {
        self.wait_for_orphans().await?;
        let revisions = self.releases.revisions().await?;
        match state(&revisions, &self.labels()) {
            State::Pending { revision, previous } if self.was_started_here() => {
                self.repair(revision, previous).await?;
                let revisions = self.releases.revisions().await?;
                Ok(newest(&revisions)?.number)
            }
            State::Pending { revision, .. } => Err(Failure::unknown(format!(
                "revision {revision} is pending-upgrade by a helm of this run on another machine"
            ))),
            State::Foreign { revision, status } => Err(Failure::permanent(format!(
                "revision {revision} of release `{}` is {status}: another operation is in progress, or was killed",
                self.release.name
            ))
            .with_help(format!(
                "wait for it; or, when nothing works on it any more, `helm rollback {} REVISION -n {}` with the last deployed revision",
                self.release.name, self.release.namespace
            ))),
            // An attempt that Helm reports as done and that is repeated all the same: its revision is the one before.
            State::Deployed { previous, .. } | State::Absent { previous } => Ok(previous),
            State::NothingDeployed => Err(Failure::permanent(format!(
                "release `{}` has no deployed revision to upgrade from",
                self.release.name
            ))),
        }
    }

    /// `helm rollback` works from pending and settles the record; deleting the Secret would lose the history.
    async fn repair(&self, pending: u32, previous: u32) -> Result<(), Failure> {
        self.site.progress(format!(
            "repairing: revision {pending} was left pending; rolling back to {previous}"
        ));
        let mut args =
            rollback(&self.release.name, &self.release.namespace, previous, self.timeout());
        args.extend(self.force_conflicts());
        let name = format!("helm-repair-{}", self.site.cx.attempt);
        let run = self.helm.run(
            args,
            &self.site.folder,
            &name,
            self.timeout() * super::PHASES,
            &self.site.cx.cancel,
        );
        let done = run.await?;
        if done.success() {
            return Ok(());
        }
        let words = done.last_words(self.site.redactor);
        Err(Failure::unknown(format!("the pending release could not be repaired: {words}"))
            .with_evidence(self.site.child_evidence(&name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// `3:deployed!` is revision 3, deployed, with our labels.
    fn check(history: &str, expected: State) {
        let labels = BTreeMap::from([("orthid-run".to_owned(), "r".to_owned())]);
        let revisions: Vec<Revision> = history
            .split_whitespace()
            .map(|word| {
                let (number, status) = word.split_once(':').unwrap();
                let ours = status.ends_with('!');
                Revision {
                    number: number.parse().unwrap(),
                    status: status.trim_end_matches('!').to_owned(),
                    labels: if ours { labels.clone() } else { BTreeMap::new() },
                }
            })
            .collect();
        assert_eq!(state(&revisions, &labels), expected, "{history}");
    }

    #[test]
    fn a_history_tells_how_a_roll_stands() {
        check("1:superseded 2:deployed", State::Absent { previous: 2 });
        check(
            "1:superseded 2:deployed 3:pending-upgrade!",
            State::Pending { revision: 3, previous: 2 },
        );
        check(
            "1:superseded 2:superseded 3:deployed!",
            State::Deployed { revision: 3, previous: 2 },
        );
        check("1:deployed 2:failed!", State::Absent { previous: 1 });
        check("1:superseded 2:failed! 3:deployed", State::Absent { previous: 3 });
        check(
            "1:superseded 2:failed! 3:superseded 4:deployed!",
            State::Deployed { revision: 4, previous: 1 },
        );
        check(
            "1:deployed 2:pending-upgrade",
            State::Foreign { revision: 2, status: "pending-upgrade".into() },
        );
        check(
            "1:deployed 2:pending-rollback!",
            State::Foreign { revision: 2, status: "pending-rollback".into() },
        );
        check("1:failed", State::NothingDeployed);
    }
}
