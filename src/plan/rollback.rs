//! Rollback edges: what the file asks for, held against what can be proved.
//!
//! The unit of unwinding is the hop: a hop that has ended is a release that serves, and a failure
//! of a later hop returns to it. An edge of a roll is promised where the app of the hop's start is
//! proved to run on the schema of its end, or where a migration's edge restores the schema. An edge
//! of a migration that the old app runs on is not needed: the database stays, and no write is lost.

use super::Level;
use super::checks::{Check, Report};
use super::migration::{Compatibility, SchemaChange};
use super::outcome::{PointOfNoReturn, RollbackEdge, WithheldEdge};
use super::situation::Situation;
use crate::model::{Address, Hop, Step, StepSpec, WayBack};

/// Edges that are promised, in topological order of their steps, and those that are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edges {
    pub promised: Vec<RollbackEdge>,
    pub withheld: Vec<WithheldEdge>,
}

/// Judges every edge and takes those that are not promised from their steps.
pub fn resolve(
    steps: &mut [Step],
    situation: &Situation<'_>,
    changes: &[SchemaChange],
    report: &mut Report,
) -> Edges {
    let mut edges = Edges::default();
    let restored = restored_hops(steps, changes);
    for step in steps.iter_mut() {
        let Some(rollback) = step.rollback.clone() else {
            missing_edge(step, report);
            continue;
        };
        let hop = step.hop.and_then(|hop| Some((&situation.hops.get(hop)?.hop, &changes[hop])));
        let judged = match (step.kind().traits().way_back, hop) {
            (WayBack::Restore, Some((hop, change))) => {
                migrate_edge(&step.address, rollback.restore.as_ref(), hop, change)
            }
            (WayBack::Revision, Some((hop, change))) => {
                let restores = restored.contains(&hop.index);
                roll_edge(situation, hop, change, restores)
            }
            (WayBack::Restore | WayBack::Revision, None) => {
                Err(("the step belongs to no hop".to_owned(), false))
            }
            (WayBack::Own { action, proof }, _) => own_edge(&step.spec, action, proof),
            (WayBack::None, _) => {
                Err((format!("a {} step changes nothing that serves", step.kind()), true))
            }
        };
        let address = step.address.clone();
        match judged {
            Ok((action, proof)) => edges.promised.push(RollbackEdge {
                step: address,
                restores: rollback.restore,
                action,
                proof,
            }),
            Err((reason, needless)) => {
                step.rollback = None;
                if !needless {
                    let message = format!("the rollback of {address} can't be promised: {reason}");
                    let help = "schema ranges in the chart's releases.yaml prove it, or a `rollback \
                                { restore = … }` of a verified backup on the migrate step";
                    report
                        .find(Check::RollbackProved, Level::Warning, message)
                        .step(&address)
                        .help(help);
                }
                edges.withheld.push(WithheldEdge { step: address, reason, needless });
            }
        }
    }
    atomic_rolls(steps, changes, report);
    edges
}

type Judged = Result<(String, String), (String, bool)>;

/// Hops in which a migration's edge brings the schema back.
fn restored_hops(steps: &[Step], changes: &[SchemaChange]) -> Vec<usize> {
    let restoring = steps.iter().filter(|step| step.restores().is_some());
    let hops = restoring.filter_map(|step| step.hop);
    hops.filter(|hop| changes.get(*hop).is_some_and(|change| !is_proved(change))).collect()
}

pub(super) fn is_proved(change: &SchemaChange) -> bool {
    match change.compatibility {
        Compatibility::Proved(_) => true,
        // Nothing is pending, so nothing changes under the old app.
        Compatibility::Unknown(_) => change.told && change.pending.is_empty(),
        Compatibility::Broken(_) => false,
    }
}

fn migrate_edge(
    step: &Address,
    restore: Option<&Address>,
    hop: &Hop,
    change: &SchemaChange,
) -> Judged {
    if change.told && change.pending.is_empty() {
        return Err(("no migration is pending: there is nothing to undo".to_owned(), true));
    }
    match (&change.compatibility, restore) {
        (Compatibility::Proved(proof), _) => {
            Err((format!("the database stays, and no write is lost: {proof}"), true))
        }
        (Compatibility::Broken(reason) | Compatibility::Unknown(reason), Some(restore)) => {
            let action =
                format!("restore {restore} over the database, as it was before {}", hop.to);
            Ok((action, format!("{restore} was restored and compared before {step}")))
                .map(|(action, proof)| (action, format!("{proof}; needed because {reason}")))
        }
        (Compatibility::Broken(reason) | Compatibility::Unknown(reason), None) => {
            Err((format!("{reason}, and no backup is named to restore"), false))
        }
    }
}

fn roll_edge(
    situation: &Situation<'_>,
    hop: &Hop,
    change: &SchemaChange,
    restores: bool,
) -> Judged {
    let revision = situation.facts.release.as_ref().map(|release| release.revision);
    let back = match (hop.index, revision) {
        (0, Some(revision)) => format!("helm rollback to revision {revision} ({})", hop.from),
        (_, _) => format!("helm rollback to the revision of {}", hop.from),
    };
    match &change.compatibility {
        _ if is_proved(change) && change.pending.is_empty() => {
            Ok((back, "the hop does not change the schema".to_owned()))
        }
        Compatibility::Proved(proof) => Ok((back, proof.clone())),
        Compatibility::Broken(_) | Compatibility::Unknown(_) if restores => {
            Ok((back, "the database is restored with it".to_owned()))
        }
        Compatibility::Broken(reason) | Compatibility::Unknown(reason) => {
            Err((reason.clone(), false))
        }
    }
}

fn own_edge(spec: &StepSpec, action: &str, proof: &str) -> Judged {
    match spec {
        StepSpec::Run(run) if run.undo.is_none() => {
            Err(("it gives no `undo` command".to_owned(), false))
        }
        _ => Ok((action.to_owned(), proof.to_owned())),
    }
}

/// A roll without a `rollback` block is the author's choice, and worth a word.
fn missing_edge(step: &Step, report: &mut Report) {
    if let StepSpec::Roll(_) = &step.spec {
        let message = format!("{} has no rollback edge", step.address);
        let help = "add `rollback {}`: without it a failure after the roll leaves the new release in \
                    place";
        report.find(Check::RollbackProved, Level::Note, message).step(&step.address).help(help);
    }
}

/// Helm's own rollback knows nothing of the schema: it would bring back an app that can't run on
/// it.
fn atomic_rolls(steps: &[Step], changes: &[SchemaChange], report: &mut Report) {
    report.checked(Check::RollbackProved);
    for step in steps {
        let StepSpec::Roll(roll) = &step.spec else { continue };
        let Some(change) = step.hop.and_then(|hop| changes.get(hop)) else { continue };
        if roll.atomic && !is_proved(change) {
            let message = format!(
                "{} is atomic: where it fails, Helm itself brings the old app back, onto a schema \
                 that it is not known to run on",
                step.address
            );
            let help = "leave `atomic` out; the run rolls back in the right order";
            report
                .find(Check::RollbackProved, Level::Warning, message)
                .step(&step.address)
                .help(help);
        }
    }
}

/// The first migration that can't be taken back: the old app does not run on its schema, as far as
/// is known, and no backup is restored.
pub fn point_of_no_return(steps: &[Step], changes: &[SchemaChange]) -> Option<PointOfNoReturn> {
    steps.iter().find_map(|step| {
        let StepSpec::Migrate(_) = &step.spec else { return None };
        let change = changes.get(step.hop?)?;
        if is_proved(change) || step.rollback.is_some() {
            return None;
        }
        let reason = match &change.compatibility {
            Compatibility::Broken(reason) | Compatibility::Unknown(reason) => reason.clone(),
            Compatibility::Proved(_) => return None,
        };
        Some(PointOfNoReturn { step: step.address.clone(), reason })
    })
}
