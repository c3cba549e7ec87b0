//! A plan, a simulated world and a store, on which processes begin, are killed and take over from each other.
//!
//! Must not: judge what happened; [`super::judge`] does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::mortal::{Mortal, MortalStore, Troubles};
use super::{Life, SimulatedWorld, Site, VirtualClock};
use crate::journal::{Clock, Event, Record, RunId, RunStatus};
use crate::model::{Address, Outputs, Residual, StepSpec};
use crate::plan::Plan;
use crate::run::approval::{self, approve_steps};
use crate::run::envelope::SigningKey;
use crate::run::{
    Control, Deps, GivenApproval, Job, LeaseTimes, Options, Outcome, RunError, World, resume,
    roll_back, start,
};
use crate::store::{Holder, Store, StoreError};
use crate::text::secret::Redactor;

/// Bound on one process in virtual time: no plan of a rehearsal takes a month.
const LONGEST: Duration = Duration::from_secs(31 * 24 * 3600);

/// The name that stands under the approvals of a rehearsal.
const APPROVER: &str = "rehearsal";

/// How a process ended.
#[derive(Debug)]
pub enum Ended {
    Returned(Result<Outcome, RunError>),
    /// Killed, with the moment in words.
    Killed(String),
    /// It was still at it when a virtual month had passed.
    NeverEnded,
}

pub struct Stage {
    pub clock: VirtualClock,
    pub site: Arc<Site>,
    /// The durable one, behind every process's own.
    pub store: Arc<dyn Store>,
    pub job: Job,
    pub troubles: Arc<Troubles>,
    pub parallelism: usize,
    /// Interrupts by process: none, or after how long, and whether for the second time.
    pub interrupts: Vec<Option<Interrupt>>,
    /// A run that ended well is rolled back by the process after.
    pub rolls_back: bool,
    /// What processes have in place of the store.
    seen: Arc<dyn Store>,
    /// What processes have in place of the world.
    disguise: Option<Disguise>,
}

/// Makes the world that processes see of the simulated one.
pub type Disguise = Arc<dyn Fn(Arc<dyn World>) -> Arc<dyn World> + Send + Sync>;

/// A signal that a process gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupt {
    pub after: Duration,
    /// Stop now, rather than when what is under way has ended.
    pub at_once: bool,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("job", &self.job).finish_non_exhaustive()
    }
}

impl Stage {
    pub fn new(
        plan: &Arc<Plan>,
        run: &str,
        seed: u64,
        orphans: bool,
        clock: VirtualClock,
        store: Arc<dyn Store>,
    ) -> Stage {
        let ledger = Arc::clone(&store);
        let read = move |run: RunId| -> futures::future::BoxFuture<'static, _> {
            let ledger = Arc::clone(&ledger);
            Box::pin(
                async move { ledger.records(&run, 0).await.map_err(|error| error.to_string()) },
            )
        };
        let plan = &with_own_key(plan);
        let site = Arc::new(Site::new(plan, seed, orphans, clock.clone(), Arc::new(read)));
        let job = Job {
            run: RunId(run.to_owned()),
            plan: Arc::clone(plan),
            plan_digest: format!("rehearsal of {run}"),
            subject: format!("rehearsal/{run}"),
        };
        let seen = Arc::clone(&store);
        let (parallelism, interrupts) = (10, Vec::new());
        let troubles = Arc::default();
        Stage {
            clock,
            site,
            store,
            job,
            troubles,
            parallelism,
            interrupts,
            rolls_back: false,
            seen,
            disguise: None,
        }
    }

    /// Processes get this store, which may not keep what it promises; what is durable is still judged by the other.
    pub fn seeing_store(mut self, seen: Arc<dyn Store>) -> Stage {
        self.seen = seen;
        self
    }

    /// Processes get a world that may not be what it seems.
    pub fn seeing_world(mut self, disguise: Disguise) -> Stage {
        self.disguise = Some(disguise);
        self
    }

    pub fn deps(&self, life: &Life) -> Deps {
        Deps {
            store: Arc::new(MortalStore::new(
                Arc::clone(&self.seen),
                Mortal {
                    life: life.clone(),
                    clock: self.clock.clone(),
                    troubles: Arc::clone(&self.troubles),
                },
            )),
            world: self.world(life),
            clock: Arc::new(self.clock.clone()),
            conditions: Arc::new(whatever),
            redactor: Redactor::default(),
        }
    }

    fn world(&self, life: &Life) -> Arc<dyn World> {
        let world: Arc<dyn World> =
            Arc::new(SimulatedWorld::new(Arc::clone(&self.site), life.clone()));
        match &self.disguise {
            Some(disguise) => disguise(world),
            None => world,
        }
    }

    pub fn options(&self) -> Options {
        Options {
            parallelism: self.parallelism,
            lease: LeaseTimes::default(),
            holder: Holder { who: "rehearsal".to_owned(), pid: 1 },
            evidence: PathBuf::new(),
            base: PathBuf::new(),
            timeout: None,
            control: Control::default(),
            notices: None,
            approvals: self.approvals(),
            answers: BTreeMap::new(),
            sign_key: None,
        }
    }

    /// A yes to every gate: signed where the gate lists keys.
    fn approvals(&self) -> BTreeMap<Address, Vec<GivenApproval>> {
        let at = self.clock.now().to_string();
        let given = |(gate, keys): (Address, &[String])| {
            let mut envelope =
                approval::statement(&self.job.plan_digest, vec![gate.clone()], APPROVER, &at, None);
            for key in 0..keys.len() {
                own_key(key).add_to(&mut envelope);
            }
            let statement = match keys.is_empty() {
                true => String::new(),
                false => serde_json::to_string(&envelope).expect("an envelope is plain data"),
            };
            (gate, vec![GivenApproval { by: APPROVER.to_owned(), statement }])
        };
        approve_steps(&self.job.plan).into_iter().map(given).collect()
    }

    /// One process: it begins the run, or takes it up where it was begun, and lives until `life` ends.
    pub async fn process(&self, deps: &Deps, options: Options, life: &Life) -> Ended {
        let last = {
            let _held = self.clock.hold();
            let records = self.store.records(&self.job.run, 0).await;
            records.ok().map(|records| records.last().map(|record| record.event.clone()))
        };
        let ended_well = Event::RunFinished { status: RunStatus::Succeeded };
        let work = async {
            match last {
                None => start(deps, options, &self.job, self.job.run.0.clone().into_bytes()).await,
                Some(last) if self.rolls_back && last == Some(ended_well) => {
                    roll_back(deps, options, &self.job).await
                }
                Some(_) => resume(deps, options, &self.job).await,
            }
        };
        let ended = tokio::select! {
            biased;
            () = life.dead().cancelled() => Ended::Killed(life.died_at().unwrap_or_default()),
            returned = work => Ended::Returned(returned),
            () = self.clock.sleep(LONGEST) => Ended::NeverEnded,
        };
        // What was under way ends with its process, and before the next one begins.
        while Arc::strong_count(&deps.world) > 1 {
            tokio::task::yield_now().await;
        }
        ended
    }

    /// What `orthid unlock` does once the process that held the lease is known to be dead.
    pub async fn unlock(&self) -> Result<(), StoreError> {
        let _held = self.clock.hold();
        if let Some(lease) = self.store.lease(&self.job.subject).await? {
            self.store.break_lease(&lease.id).await?;
        }
        Ok(())
    }

    pub async fn records(&self) -> Result<Vec<Record>, StoreError> {
        let _held = self.clock.hold();
        match self.store.records(&self.job.run, 0).await {
            Err(StoreError::NoSuchRun(_)) => Ok(Vec::new()),
            read => read,
        }
    }
}

/// Signs for whoever holds a gate's keys, the n-th of them: nobody is asked in a rehearsal.
fn own_key(n: usize) -> SigningKey {
    let mut seed = [7; 32];
    seed[..8].copy_from_slice(&n.to_le_bytes());
    SigningKey::from_seed(seed)
}

/// The plan with the rehearsal's keys in place of those that its gates list, one for one.
fn with_own_key(plan: &Arc<Plan>) -> Arc<Plan> {
    if approve_steps(plan).values().all(|keys| keys.is_empty()) {
        return Arc::clone(plan);
    }
    let mut plan = Plan::clone(plan);
    for step in &mut plan.steps {
        if let StepSpec::Approve(gate) = &mut step.spec {
            gate.keys = (0..gate.keys.len()).map(|n| own_key(n).public().to_string()).collect();
        }
    }
    Arc::new(plan)
}

/// A condition that can't be computed without the real world holds: more of the plan is rehearsed that way.
fn whatever(_: &Residual, _: &BTreeMap<Address, Outputs>) -> Result<bool, String> {
    Ok(true)
}
