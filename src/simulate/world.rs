//! A simulated outside with faults on demand, behind the same contract as the real one.
//!
//! Deterministic: the same seed, plan and faults give the same run, in virtual time. What the world is ([`Site`]) survives
//! the processes that work on it ([`SimulatedWorld`], one for each [`Life`]), as a cluster survives a `kill -9` of orthid.
//! It also watches the executor: an effect without its durable intent, an effect that happens twice, a finished step that
//! runs again are violations, whatever the run's own journal says.
//!
//! Must not: know what is expected of a run; whoever scripts the faults does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;

use super::{Fault, Faults, Life, Model, Moment, Phase, VirtualClock};
use crate::journal::{Clock, Event, Failure, FailureClass, Record, RunId};
use crate::model::{Address, Outputs, Place, Step};
use crate::plan::Plan;
use crate::run::{Observation, StepContext, World};

/// How long a child goes on after the process that started it was killed.
const ORPHAN_MS: u64 = 5_000;

/// Reads what is durable of a run's journal, past whatever a process's own store pretends.
pub type Ledger =
    Arc<dyn Fn(RunId) -> BoxFuture<'static, Result<Vec<Record>, String>> + Send + Sync>;

/// Everything outside of the processes that work on it.
pub struct Site {
    clock: VirtualClock,
    ledger: Ledger,
    seed: u64,
    /// Children outlive the process that started them, and finish what they began.
    orphans: bool,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    model: Model,
    faults: Faults,
    /// Steps whose child still works, with the elapsed time at which it is done.
    at_work: BTreeMap<Address, (Duration, StepContext)>,
    acts: BTreeMap<Address, u32>,
    /// Undos that did something, in order.
    undone: Vec<Address>,
    violations: Vec<String>,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("seed", &self.seed).finish_non_exhaustive()
    }
}

impl Site {
    pub fn new(plan: &Plan, seed: u64, orphans: bool, clock: VirtualClock, ledger: Ledger) -> Site {
        let inner = Inner { model: Model::before(plan), ..Inner::default() };
        Site { clock, ledger, seed, orphans, inner: Mutex::new(inner) }
    }

    pub fn model(&self) -> Model {
        self.inner().model.clone()
    }

    /// How often acting on a step began.
    pub fn acts(&self, step: &Address) -> u32 {
        self.inner().acts.get(step).copied().unwrap_or(0)
    }

    /// Steps whose undo did something, in that order.
    pub fn undone(&self) -> Vec<Address> {
        self.inner().undone.clone()
    }

    pub fn violations(&self) -> Vec<String> {
        self.inner().violations.clone()
    }

    pub fn with_faults<T>(&self, change: impl FnOnce(&mut Faults) -> T) -> T {
        change(&mut self.inner().faults)
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn violated(&self, what: String) {
        self.inner().violations.push(what);
    }

    /// From 50 ms to 2 s, the same for the same attempt in every run of a seed (FNV-1a).
    fn half_time(&self, cx: &StepContext) -> Duration {
        let mut hash = 0xcbf2_9ce4_8422_2325u64 ^ self.seed;
        for byte in cx.step.address.to_string().bytes().chain([cx.attempt as u8]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Duration::from_millis(25 + hash % 975)
    }

    fn complete(&self, cx: &StepContext) -> Outputs {
        let mut inner = self.inner();
        let completed = inner.model.complete(cx);
        completed.unwrap_or_else(|violation| {
            inner.violations.push(violation);
            Outputs::new()
        })
    }
}

/// The outside as one process sees it.
#[derive(Clone, Debug)]
pub struct SimulatedWorld {
    site: Arc<Site>,
    life: Life,
}

/// A child at work. Dropped before it was told that it is done, its process was killed.
struct Child<'a> {
    site: &'a Site,
    cx: Option<StepContext>,
}

impl Drop for Child<'_> {
    fn drop(&mut self) {
        if let Some(cx) = self.cx.take()
            && self.site.orphans
        {
            let done = self.site.clock.elapsed() + Duration::from_millis(ORPHAN_MS);
            self.site.inner().at_work.insert(cx.step.address.clone(), (done, cx));
        }
    }
}

impl SimulatedWorld {
    pub fn new(site: Arc<Site>, life: Life) -> SimulatedWorld {
        SimulatedWorld { site, life }
    }

    /// A child of an earlier process is waited for, never doubled.
    async fn wait_for_orphan(&self, cx: &StepContext) {
        let address = &cx.step.address;
        let Some((done, _)) = self.site.inner().at_work.get(address).cloned() else { return };
        self.site.clock.sleep(done.saturating_sub(self.site.clock.elapsed())).await;
        let ended = self.site.inner().at_work.remove(address);
        if let Some((_, cx)) = ended {
            self.site.complete(&cx);
        }
    }

    /// Holds the executor to its word: the intent is durable, what it waits for is over, and the step did not finish.
    async fn watch(&self, cx: &StepContext, phase: Phase) {
        let address = &cx.step.address;
        let records = {
            let _held = self.site.clock.hold();
            (self.site.ledger)(cx.run.clone()).await
        };
        let records = match records {
            Ok(records) => records,
            Err(error) => {
                return self.site.violated(format!("{address} began unrecorded: {error}"));
            }
        };
        let last = records.iter().rev().find(|record| record.event.step() == Some(address));
        let intended = match (last.map(|record| &record.event), phase) {
            (Some(Event::StepStarted { attempt, .. }), Phase::Act) => *attempt == cx.attempt,
            (Some(Event::UndoStarted { attempt, .. }), Phase::Undo) => *attempt == cx.attempt,
            (_, _) => false,
        };
        if !intended {
            self.site.violated(format!("{address}: {phase:?} began without its durable intent"));
        }
        let finished = |step: &Address| {
            records.iter().any(|record| match &record.event {
                Event::StepSucceeded { step: done, .. } | Event::StepSkipped { step: done, .. } => {
                    done == step
                }
                _ => false,
            })
        };
        if phase == Phase::Act && finished(address) {
            self.site.violated(format!("{address} had finished and ran again"));
        }
        let failed = |step: &Address| {
            records.iter().any(|record| {
                matches!(&record.event, Event::StepFailed { step: failed, .. } if failed == step)
            })
        };
        for dependency in &cx.step.depends_on {
            if phase == Phase::Act && !finished(dependency) && !failed(dependency) {
                self.site.violated(format!("{address} began before {dependency} was over"));
            }
        }
        if self.site.inner().at_work.contains_key(address) {
            self.site.violated(format!("{address} began while an earlier child was at work"));
        }
    }

    /// Half of an effect's time, longer where it is slow, shorter where it is cancelled.
    async fn work(&self, cx: &StepContext, slow: Duration) -> Result<(), Failure> {
        let time = self.site.half_time(cx) + slow;
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(Failure::unknown("it was told to end")),
            () = self.site.clock.sleep(time) => Ok(()),
        }
    }

    async fn cross(&self, cx: &StepContext, what: &str) {
        self.life.cross(|| format!("{what} {}", cx.step.address)).await;
    }

    async fn crash_if(&self, fault: Option<Fault>, moment: Moment, cx: &StepContext) {
        if fault == Some(Fault::Crash(moment)) {
            self.life.die(format!("crash {moment:?} {}", cx.step.address)).await;
        }
    }

    /// Faults that fall before anything of an effect is there.
    async fn early(&self, fault: Option<Fault>, cx: &StepContext) -> Result<(), Failure> {
        self.crash_if(fault, Moment::Before, cx).await;
        match fault {
            Some(Fault::Error(class)) => Err(failure(class, "it did not go well")),
            Some(Fault::LostBefore) => Err(Failure::unknown("no answer came")),
            Some(Fault::Hang { after: false }) => {
                cx.cancel.cancelled().await;
                Err(Failure::unknown("it was told to end"))
            }
            Some(Fault::ClockJump(by)) => {
                self.site.clock.jump(by);
                Ok(())
            }
            Some(Fault::Flapping) => Err(Failure::transient("not ready: 503")),
            Some(
                Fault::Half(_)
                | Fault::ReplyLost
                | Fault::Hang { after: true }
                | Fault::Slow(_)
                | Fault::DiskFull
                | Fault::Crash(_),
            )
            | None => Ok(()),
        }
    }

    /// Faults that fall when the effect is there and its answer is not.
    async fn late(&self, fault: Option<Fault>, cx: &StepContext) -> Result<(), Failure> {
        self.crash_if(fault, Moment::After, cx).await;
        match fault {
            Some(Fault::ReplyLost) => Err(Failure::unknown("the answer was lost")),
            Some(Fault::Hang { after: true }) => {
                cx.cancel.cancelled().await;
                Err(Failure::unknown("it was told to end"))
            }
            Some(_) | None => Ok(()),
        }
    }

    async fn probe(&self, cx: &StepContext) -> Result<Outputs, Failure> {
        tokio::select! {
            biased;
            () = cx.cancel.cancelled() => Err(Failure::transient("the probe was told to stop")),
            () = cx.finish.cancelled() => {
                Ok(Outputs::from([("failures".to_owned(), serde_json::Value::from(0))]))
            }
        }
    }

    async fn look(
        &self,
        cx: &StepContext,
        see: impl Fn(&Model, &Step) -> Observation,
    ) -> Observation {
        self.cross(cx, "look at").await;
        self.wait_for_orphan(cx).await;
        let fault = self.site.inner().faults.take(Phase::Observe, &cx.step.address);
        match fault {
            Some(Fault::ClockJump(by)) => self.site.clock.jump(by),
            Some(Fault::Slow(time)) => self.site.clock.sleep(time).await,
            Some(Fault::Crash(moment)) => {
                self.life.die(format!("crash {moment:?} looking at {}", cx.step.address)).await;
            }
            Some(_) => return Observation::Unknown("it did not answer".to_owned()),
            None => {}
        }
        see(&self.site.inner().model, &cx.step)
    }
}

#[async_trait::async_trait]
impl World for SimulatedWorld {
    async fn observe(&self, cx: &StepContext) -> Observation {
        self.look(cx, Model::observe).await
    }

    async fn act(&self, cx: &StepContext) -> Result<Outputs, Failure> {
        self.watch(cx, Phase::Act).await;
        self.cross(cx, "before").await;
        let fault = {
            let mut inner = self.site.inner();
            *inner.acts.entry(cx.step.address.clone()).or_default() += 1;
            inner.faults.take(Phase::Act, &cx.step.address)
        };
        self.early(fault, cx).await?;
        if cx.step.kind().traits().place == Place::Beside {
            return self.probe(cx).await;
        }
        let mut child = Child { site: &self.site, cx: Some(cx.clone()) };
        let outcome = async {
            let slow = if let Some(Fault::Slow(time)) = fault { time } else { Duration::ZERO };
            self.work(cx, slow).await?;
            self.site.inner().model.half(&cx.step);
            self.cross(cx, "during").await;
            self.crash_if(fault, Moment::During, cx).await;
            match fault {
                Some(Fault::Half(class)) => return Err(failure(class, "it broke half way")),
                Some(Fault::DiskFull) => {
                    return Err(Failure::transient("no space left on device"));
                }
                Some(_) | None => {}
            }
            self.work(cx, Duration::ZERO).await?;
            Ok(self.site.complete(cx))
        }
        .await;
        child.cx = None;
        let outputs = outcome?;
        self.cross(cx, "after").await;
        self.late(fault, cx).await?;
        Ok(outputs)
    }

    async fn observe_undo(&self, cx: &StepContext) -> Observation {
        self.look(cx, Model::observe_undo).await
    }

    async fn undo(&self, cx: &StepContext) -> Result<(), Failure> {
        self.watch(cx, Phase::Undo).await;
        self.cross(cx, "before undoing").await;
        let fault = self.site.inner().faults.take(Phase::Undo, &cx.step.address);
        self.early(fault, cx).await?;
        let slow = if let Some(Fault::Slow(time)) = fault { time } else { Duration::ZERO };
        self.work(cx, slow).await?;
        self.crash_if(fault, Moment::During, cx).await;
        if let Some(Fault::Half(class)) = fault {
            return Err(failure(class, "undoing it broke half way"));
        }
        if fault == Some(Fault::DiskFull) {
            return Err(Failure::transient("no space left on device"));
        }
        {
            let mut inner = self.site.inner();
            inner.undone.push(cx.step.address.clone());
            if let Err(violation) = inner.model.undo(cx) {
                inner.violations.push(violation);
            }
        }
        self.cross(cx, "after undoing").await;
        self.late(fault, cx).await
    }
}

fn failure(class: FailureClass, message: &str) -> Failure {
    match class {
        FailureClass::Transient => Failure::transient(message),
        FailureClass::Permanent => Failure::permanent(message),
        FailureClass::Unknown => Failure::unknown(message),
    }
}
