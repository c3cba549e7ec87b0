//! The one async loop: owns a run's state, writes its journal, starts tasks and hears from them.
//!
//! Flow: gather what tasks reported → decide what begins → one append for all of it → begin → wait.
//!
//! Guarantees: no effect begins before its record is durable; nothing is written after the lease was lost; dropping the
//! future stops everything as a `kill -9` would, and a later [`resume`] goes on.

mod begin;
mod journal_writer;
mod run_loop;
mod tasks;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::approval::GivenApproval;
use super::envelope::SigningKey;
use super::lease::{LeaseKeeper, LeaseTimes, Moment};
use super::state::BrokenJournal;
use crate::graph::{GraphError, StepGraph};
use crate::journal::{Clock, Record, RunId, RunStatus};
use crate::model::{Address, Outputs, Residual};
use crate::plan::{Plan, SavedPlanError};
use crate::run::{Progress, World};
use crate::store::{Holder, Store, StoreError};
use crate::text::secret::Redactor;
pub(in crate::run) use begin::outputs_for;
use run_loop::Run;

/// Decides a `when` that was not known at plan time.
pub type Conditions =
    Arc<dyn Fn(&Residual, &BTreeMap<Address, Outputs>) -> Result<bool, String> + Send + Sync>;

/// What a run needs of the rest of the program.
#[derive(Clone)]
pub struct Deps {
    pub store: Arc<dyn Store>,
    pub world: Arc<dyn World>,
    pub clock: Arc<dyn Clock>,
    pub conditions: Conditions,
    /// What no record may hold.
    pub redactor: Redactor,
}

impl std::fmt::Debug for Deps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Deps").finish_non_exhaustive()
    }
}

/// Which plan is run, and under which lease.
#[derive(Clone, Debug)]
pub struct Job {
    pub run: RunId,
    pub plan: Arc<Plan>,
    pub plan_digest: String,
    /// What the lease protects.
    pub subject: String,
}

/// Stops a run from outside.
#[derive(Clone, Debug, Default)]
pub struct Control {
    /// Start nothing new; let what runs end; pause.
    pub interrupt: CancellationToken,
    /// Stop now.
    pub abort: CancellationToken,
}

#[derive(Clone, Debug)]
pub struct Options {
    /// Steps that run side by side; probes and approvals do not count.
    pub parallelism: usize,
    pub lease: LeaseTimes,
    pub holder: Holder,
    /// Folder for this run's evidence.
    pub evidence: PathBuf,
    /// The plan file's folder.
    pub base: PathBuf,
    /// Bound on the whole run; past it the run pauses.
    pub timeout: Option<Duration>,
    pub control: Control,
    /// Hears every record once it is durable, and progress.
    pub notices: Option<mpsc::UnboundedSender<Notice>>,
    /// Approvals given in advance or at a prompt: step → who.
    pub approvals: BTreeMap<Address, Vec<GivenApproval>>,
    /// What a person found where the run could not tell by itself: did the step's effect (or, where its undo is in
    /// question, the undo) happen?
    pub answers: BTreeMap<Address, bool>,
    /// Vouches for the records that this process writes.
    pub sign_key: Option<Arc<SigningKey>>,
}

impl Options {
    /// A run that nobody hears and that keeps nothing, as its plan says and no more.
    pub fn new(holder: Holder) -> Options {
        Options {
            parallelism: 10,
            lease: LeaseTimes::default(),
            holder,
            evidence: PathBuf::new(),
            base: PathBuf::new(),
            timeout: None,
            control: Control::default(),
            notices: None,
            approvals: BTreeMap::new(),
            answers: BTreeMap::new(),
            sign_key: None,
        }
    }
}

/// What a run tells while it goes on.
#[derive(Clone, Debug)]
pub enum Notice {
    Record(Record),
    Progress(Progress),
}

/// How a call to [`start`] or [`resume`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Finished(RunStatus),
    /// Paused by an interrupt or the run's timeout.
    Interrupted,
    /// Interrupted while the store was asked for the lease: nothing was written.
    NotBegun,
    WaitingForApproval(Vec<Address>),
    /// Another has the lease now; nothing was written since.
    LeaseLost,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Journal(#[from] BrokenJournal),
    #[error("the plan's steps make no graph: {0}")]
    Graph(#[from] GraphError),
    #[error("run {run} has ended ({}): there is nothing to go on with", .status.text())]
    Ended { run: RunId, status: RunStatus },
    #[error(transparent)]
    Plan(#[from] SavedPlanError),
    /// Told to stop while the store did not answer: the journal is as it was.
    #[error("the run was stopped while its store did not answer")]
    Stopped,
    /// What the store holds of a run does not fit together: somebody wrote to it who was not orthid.
    #[error("run {run} was changed in the state store: {}", .differing.join("; "))]
    Tampered { run: RunId, differing: Vec<String> },
}

/// Creates a run and carries it out.
pub async fn start(
    deps: &Deps,
    options: Options,
    job: &Job,
    plan_bytes: Vec<u8>,
) -> Result<Outcome, RunError> {
    open(deps, options, job, Opening::Start(plan_bytes)).await
}

/// Takes a run up where its journal ends.
pub async fn resume(deps: &Deps, options: Options, job: &Job) -> Result<Outcome, RunError> {
    open(deps, options, job, Opening::Resume).await
}

/// Undoes what happened in a run, wherever its journal ends: by its rollback edges, as if its last step had failed.
pub async fn roll_back(deps: &Deps, options: Options, job: &Job) -> Result<Outcome, RunError> {
    open(deps, options, job, Opening::RollBack).await
}

/// How a process takes a run in hand.
#[derive(Clone, Debug)]
enum Opening {
    /// It creates the run, with this plan's bytes.
    Start(Vec<u8>),
    Resume,
    RollBack,
}

async fn open(
    deps: &Deps,
    options: Options,
    job: &Job,
    opening: Opening,
) -> Result<Outcome, RunError> {
    let graph = StepGraph::from_steps(job.plan.steps.clone())?;
    let Some(keeper) = take_lease(deps, &options, &job.subject).await? else {
        return Ok(Outcome::NotBegun);
    };
    let mut run = Run::new(deps, options, job, &graph, keeper);
    match run.open(opening).await {
        Ok(()) => run.carry_out().await,
        Err(error) => run.give_up(error).await,
    }
}

/// None where the run is told to stop before the store answers.
async fn take_lease(
    deps: &Deps,
    options: &Options,
    subject: &str,
) -> Result<Option<LeaseKeeper>, RunError> {
    let asked = Moment::now(&*deps.clock);
    let lease = tokio::select! {
        biased;
        lease = deps.store.acquire_lease(subject, &options.holder, options.lease.ttl) => lease?,
        () = options.control.interrupt.cancelled() => return Ok(None),
    };
    let (store, clock) = (Arc::clone(&deps.store), Arc::clone(&deps.clock));
    Ok(Some(LeaseKeeper::new(store, clock, lease, options.lease, asked)))
}
