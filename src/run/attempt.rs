//! One attempt at one step, or at its undo, from the durable record to a known outcome.
//!
//! Must not: write to the journal; it reports to the executor's loop, which does.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::lease::LeaseGuard;
use super::schedule::backoff;
use crate::journal::{Clock, Failure, FailureClass, Intent};
use crate::model::{Address, Outputs};
use crate::run::{Observation, StepContext, World};
use crate::text::duration;

/// How long a step that was told to end may take to do so: longer than the grace that any child is
/// given.
const GRACE: Duration = Duration::from_secs(60);
/// How long a look that nobody needs any more may take to end.
const LOOK_GRACE: Duration = Duration::from_secs(3);
/// Bound on an effect whose step gives none, and on every undo: restoring a large database takes
/// longer than the step that made it necessary, and cutting it short helps nobody.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

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
    /// Not begun, because the run is ending or its lease could not be confirmed: the journal keeps
    /// it as started.
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

/// Looks at what can't be told, before a person is asked.
const LOOKS: u32 = 3;

/// What an attempt may do besides looking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    ObserveAndAct,
    /// The run is ending: find out what happened, and begin nothing.
    ObserveOnly,
}

/// What is known of an undo before it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoAfter {
    /// The step succeeded: its effect is there.
    Success,
    /// The step failed: there may be nothing to undo, or a part.
    Failure,
    /// An earlier attempt at the undo has no recorded outcome, or failed.
    Undo,
}

/// One attempt with what it needs.
pub struct Attempt {
    pub world: Arc<dyn World>,
    pub clock: Arc<dyn Clock>,
    /// Its `cancel` is a child of `stop`, which a timeout cancels alone.
    pub cx: StepContext,
    /// Cancelled when the run must stop at once.
    pub stop: CancellationToken,
    /// Cancelled when the run is to pause: what only looks is over then.
    pub interrupt: CancellationToken,
    pub guard: LeaseGuard,
    /// What a person found: taken where the world can't tell.
    pub answer: Option<bool>,
}

#[derive(Clone, Copy, Debug)]
enum Question {
    Step,
    Undo,
}

/// What came of looking.
enum Seen {
    Whole(Observation),
    /// The run is to pause: the journal keeps the step as it was, and a resume looks again.
    Cut,
}

impl Attempt {
    pub async fn step(self, intent: Intent, scope: Scope) -> Report {
        let step = self.cx.step.address.clone();
        if intent == Intent::ObserveFirst {
            match self.observe(Question::Step).await {
                Seen::Cut => return Report::Abandoned { step },
                Seen::Whole(Observation::Done(outputs)) => {
                    return Report::Succeeded { step, outputs, adopted: true };
                }
                Seen::Whole(Observation::NotDone) => {}
                Seen::Whole(Observation::Unknown(question)) => {
                    return Report::Failed { step, failure: unclear(&question) };
                }
            }
        }
        if scope == Scope::ObserveOnly {
            let message = "nothing of it was there, and the run is ending: it was not begun again";
            return Report::Failed { step, failure: Failure::transient(message) };
        }
        if !self.may_begin().await {
            return Report::Abandoned { step };
        }
        let acted = self.bounded(self.cx.step.timeout_ms, self.world.act(&self.cx)).await;
        match acted {
            Ok(outputs) => Report::Succeeded { step, outputs, adopted: false },
            Err(failure) if failure.class == FailureClass::Unknown => {
                match self.observe(Question::Step).await {
                    Seen::Cut => Report::Abandoned { step },
                    Seen::Whole(Observation::Done(outputs)) => {
                        Report::Succeeded { step, outputs, adopted: true }
                    }
                    Seen::Whole(Observation::NotDone) => {
                        Report::Failed { step, failure: nothing_there(failure) }
                    }
                    Seen::Whole(Observation::Unknown(question)) => {
                        Report::Failed { step, failure: with_question(failure, &question) }
                    }
                }
            }
            Err(failure) => Report::Failed { step, failure },
        }
    }

    pub async fn undo(self, after: UndoAfter) -> Report {
        let step = self.cx.step.address.clone();
        if after != UndoAfter::Success {
            match (self.observe(Question::Undo).await, after) {
                (Seen::Cut, _) => return Report::Abandoned { step },
                (Seen::Whole(Observation::Done(_)), _) => return Report::Undone { step },
                (Seen::Whole(Observation::NotDone), _) => {}
                // The step ended by itself and said that it failed. What it left is what its
                // rollback edge is for.
                (Seen::Whole(Observation::Unknown(_)), UndoAfter::Failure)
                    if !self.cx.step.is_observable() => {}
                (Seen::Whole(Observation::Unknown(question)), _) => {
                    return Report::UndoFailed { step, failure: unclear(&question) };
                }
            }
        }
        if !self.may_begin().await {
            return Report::Abandoned { step };
        }
        match self.bounded(None, self.world.undo(&self.cx)).await {
            Ok(()) => Report::Undone { step },
            Err(failure) if failure.class == FailureClass::Unknown => {
                match self.observe(Question::Undo).await {
                    Seen::Cut => Report::Abandoned { step },
                    Seen::Whole(Observation::Done(_)) => Report::Undone { step },
                    Seen::Whole(Observation::NotDone) => {
                        Report::UndoFailed { step, failure: nothing_there(failure) }
                    }
                    Seen::Whole(Observation::Unknown(question)) => {
                        Report::UndoFailed { step, failure: with_question(failure, &question) }
                    }
                }
            }
            Err(failure) => Report::UndoFailed { step, failure },
        }
    }

    async fn may_begin(&self) -> bool {
        // The lease is asked last: nothing stands between its answer and the effect.
        let holds = async { !self.stop.is_cancelled() && self.guard.holds().await };
        let holds = tokio::select! {
            biased;
            holds = holds => holds,
            // A store that does not answer is asked again and again; a run that is to pause does
            // not wait for it.
            () = self.interrupt.cancelled() => false,
        };
        holds && !self.stop.is_cancelled()
    }

    /// Looks, and looks again while it can't be told: an API server that restarts answers a moment
    /// later. What nobody can look at is looked at once. A person's answer is taken where the world
    /// has none, and where only what an earlier process left tells. A run that is to pause looks no
    /// further.
    async fn observe(&self, question: Question) -> Seen {
        let is_observable = self.cx.step.is_observable();
        let looks = match self.answer.is_some() || !is_observable {
            true => 1,
            false => self.cx.step.retry.attempts.clamp(1, LOOKS),
        };
        for look in 1.. {
            let Seen::Whole(observed) = self.look(question).await else { return Seen::Cut };
            let is_answered = matches!(observed, Observation::Unknown(_)) || !is_observable;
            return Seen::Whole(match (observed, self.answer.filter(|_| is_answered)) {
                (Observation::Done(outputs), Some(true)) => Observation::Done(outputs),
                (_, Some(true)) => Observation::Done(Outputs::new()),
                (_, Some(false)) => Observation::NotDone,
                (Observation::Unknown(_), None) if look < looks && !self.stop.is_cancelled() => {
                    tokio::select! {
                        () = self.clock.sleep(backoff(&self.cx.step.retry, look)) => {}
                        () = self.stop.cancelled() => {}
                        () = self.interrupt.cancelled() => return Seen::Cut,
                    }
                    continue;
                }
                (observed, None) => observed,
            });
        }
        unreachable!("a look has an outcome")
    }

    /// Looks once.
    async fn look(&self, question: Question) -> Seen {
        if self.interrupt.is_cancelled() || self.stop.is_cancelled() {
            return Seen::Cut;
        }
        // The attempt's own token may have been cancelled by its timeout.
        let cancel = self.stop.child_token();
        let cx = StepContext { cancel: cancel.clone(), ..self.cx.clone() };
        let observed = async {
            match question {
                Question::Step => self.world.observe(&cx).await,
                Question::Undo => self.world.observe_undo(&cx).await,
            }
        };
        tokio::pin!(observed);
        tokio::select! {
            biased;
            observed = &mut observed => return Seen::Whole(observed),
            () = self.interrupt.cancelled() => {}
            () = self.clock.sleep(LONGEST) => {
                let message = "looking at it took longer than a day".to_owned();
                return Seen::Whole(Observation::Unknown(message));
            }
        }
        cancel.cancel();
        tokio::select! {
            biased;
            _ = observed => {}
            () = self.clock.sleep(LOOK_GRACE) => {}
        }
        Seen::Cut
    }

    /// Runs an effect under its timeout. One that does not end in time is told to, given a little
    /// time for it, and then left; what became of it is unknown.
    async fn bounded<T>(
        &self,
        timeout_ms: Option<u64>,
        effect: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let timeout = timeout_ms.map_or(LONGEST, Duration::from_millis);
        tokio::pin!(effect);
        tokio::select! {
            biased;
            result = &mut effect => return result,
            () = self.clock.sleep(timeout) => {}
        }
        self.cx.cancel.cancel();
        let late = tokio::select! {
            biased;
            result = effect => Some(result),
            () = self.clock.sleep(GRACE) => None,
        };
        let waited = duration::print(timeout);
        let message = format!("it did not end within its timeout of {waited}");
        match late {
            Some(Ok(done)) => Ok(done),
            Some(Err(failure)) if failure.not_begun => Err(failure),
            Some(Err(failure)) => Err(Failure { message, class: FailureClass::Unknown, ..failure }),
            None => Err(Failure::unknown(message)),
        }
    }
}

/// An effect whose outcome was unknown turns out not to be there: repeating it is safe.
fn nothing_there(failure: Failure) -> Failure {
    let message = format!("{}; nothing of it is there", failure.message);
    Failure { class: FailureClass::Transient, message, ..failure }
}

fn unclear(question: &str) -> Failure {
    Failure {
        class: FailureClass::Unknown,
        message: format!("orthid can't tell whether this happened: {question}"),
        help: Some(
            "look at it. If it can be made certain, put it right, then `orthid resume`; if you know the answer, \
             `orthid resume --happened STEP` or `--not-happened STEP`"
                .to_owned(),
        ),
        evidence: Vec::new(),
        not_begun: false,
    }
}

fn with_question(failure: Failure, question: &str) -> Failure {
    let asked = unclear(question);
    Failure {
        message: format!("{}; {}", failure.message, asked.message),
        help: failure.help.or(asked.help),
        ..failure
    }
}
