//! One attempt at one step, or at its undo, from the durable record to a known outcome.
//!
//! Must not: write to the journal; it reports to the executor's loop, which does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::event::{Failure, FailureClass, Intent};
use super::lease::LeaseGuard;
use crate::model::{Address, Outputs};
use crate::world::{Observation, StepContext, World};

/// How long a step that was told to end may take to do so.
const GRACE: Duration = Duration::from_secs(20);

/// What a task tells the loop.
#[derive(Debug)]
pub enum Report {
    Succeeded {
        step: Address,
        outputs: Outputs,
        adopted: bool,
    },
    Failed {
        step: Address,
        failure: Failure,
    },
    Undone {
        step: Address,
    },
    UndoFailed {
        step: Address,
        failure: Failure,
    },
    /// Not begun, because the run is ending or its lease could not be confirmed: the journal keeps it as started.
    Abandoned {
        step: Address,
    },
}

impl Report {
    pub fn step(&self) -> &Address {
        match self {
            Report::Succeeded { step, .. }
            | Report::Failed { step, .. }
            | Report::Undone { step }
            | Report::UndoFailed { step, .. }
            | Report::Abandoned { step } => step,
        }
    }
}

/// What an attempt may do besides looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    ObserveAndAct,
    /// The run is ending: find out what happened, and begin nothing.
    ObserveOnly,
}

/// Attempts a step.
pub async fn step(
    world: Arc<dyn World>,
    cx: StepContext,
    intent: Intent,
    scope: Scope,
    guard: LeaseGuard,
) -> Report {
    let step = cx.step.address.clone();
    if intent == Intent::ObserveFirst {
        match world.observe(&cx).await {
            Observation::Done(outputs) => {
                return Report::Succeeded { step, outputs, adopted: true };
            }
            Observation::NotDone => {}
            Observation::Unknown(question) => {
                return Report::Failed { step, failure: unclear(&question) };
            }
        }
    }
    if scope == Scope::ObserveOnly {
        let message = "nothing of it was there, and the run is ending: it was not begun again";
        return Report::Failed { step, failure: Failure::transient(message) };
    }
    if cx.cancel.is_cancelled() || !guard.holds().await {
        return Report::Abandoned { step };
    }
    let acted = bounded(&cx, world.act(&cx)).await;
    match acted {
        Ok(outputs) => Report::Succeeded { step, outputs, adopted: false },
        Err(failure) if failure.class == FailureClass::Unknown => match world.observe(&cx).await {
            Observation::Done(outputs) => Report::Succeeded { step, outputs, adopted: true },
            Observation::NotDone => Report::Failed { step, failure: nothing_there(failure) },
            Observation::Unknown(question) => {
                Report::Failed { step, failure: with_question(failure, &question) }
            }
        },
        Err(failure) => Report::Failed { step, failure },
    }
}

/// Attempts a step's undo. `look_first`: an earlier attempt, or the step's own failure, may have undone it already.
pub async fn undo(
    world: Arc<dyn World>,
    cx: StepContext,
    look_first: bool,
    guard: LeaseGuard,
) -> Report {
    let step = cx.step.address.clone();
    if look_first {
        match world.observe_undo(&cx).await {
            Observation::Done(_) => return Report::Undone { step },
            Observation::NotDone => {}
            Observation::Unknown(question) => {
                return Report::UndoFailed { step, failure: unclear(&question) };
            }
        }
    }
    if cx.cancel.is_cancelled() || !guard.holds().await {
        return Report::Abandoned { step };
    }
    match bounded(&cx, world.undo(&cx)).await {
        Ok(()) => Report::Undone { step },
        Err(failure) if failure.class == FailureClass::Unknown => {
            match world.observe_undo(&cx).await {
                Observation::Done(_) => Report::Undone { step },
                Observation::NotDone => {
                    Report::UndoFailed { step, failure: nothing_there(failure) }
                }
                Observation::Unknown(question) => {
                    Report::UndoFailed { step, failure: with_question(failure, &question) }
                }
            }
        }
        Err(failure) => Report::UndoFailed { step, failure },
    }
}

/// Runs an effect under the step's timeout. One that does not end in time is told to, given a little time for it, and then
/// left; what became of it is unknown.
async fn bounded<T>(
    cx: &StepContext,
    effect: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let Some(timeout_ms) = cx.step.timeout_ms else { return effect.await };
    tokio::pin!(effect);
    tokio::select! {
        result = &mut effect => return result,
        () = tokio::time::sleep(Duration::from_millis(timeout_ms)) => {}
    }
    cx.cancel.cancel();
    match tokio::time::timeout(GRACE, effect).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) | Err(_) => Err(Failure {
            class: FailureClass::Unknown,
            message: format!("it did not end within its timeout of {timeout_ms} ms"),
            help: None,
            evidence: Vec::new(),
        }),
    }
}

/// An effect whose outcome was unknown turns out not to be there: repeating it is safe.
fn nothing_there(failure: Failure) -> Failure {
    let Failure { class: _, message, help, evidence } = failure;
    let message = format!("{message}; nothing of it is there");
    Failure { class: FailureClass::Transient, message, help, evidence }
}

fn unclear(question: &str) -> Failure {
    Failure {
        class: FailureClass::Unknown,
        message: format!("it can't be told whether this happened: {question}"),
        help: Some("look at it, put it right where needed, then `orthid resume`".to_owned()),
        evidence: Vec::new(),
    }
}

fn with_question(failure: Failure, question: &str) -> Failure {
    let Failure { class, message, help, evidence } = failure;
    let asked = unclear(question);
    Failure {
        class,
        message: format!("{message}; {}", asked.message),
        help: help.or(asked.help),
        evidence,
    }
}
