//! The outside: Helm, Kubernetes, PostgreSQL, HTTP, processes; and a simulated world with faults on demand.
//!
//! Every step kind is observed, acted on and undone through [`World`]; the executor knows nothing else of the outside.

mod backup;
mod chart;
mod destination;
mod environment;
mod error;
mod exec;
mod failure;
mod helm;
mod http;
mod job;
mod kubernetes;
mod migrate;
mod migrations;
mod observe;
mod package;
mod postgres;
mod probe;
mod process;
mod real;
mod redactor;
mod release;
mod render;
mod resolve;
mod restore;
mod roll;
mod run;
pub mod simulated;
mod site;
mod smoke;
mod verify;
mod watcher;
mod workload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::journal::{Failure, RunId};
use crate::model::{Address, Outputs, Step};
use crate::plan::Plan;

pub use environment::Environment;
pub use error::WorldError;
pub use observe::{StatusCommand, Wanted, observe};
pub use real::RealWorld;
pub use redactor::Redactor;

/// What looking at the world said of one step.
#[derive(Clone, Debug, PartialEq)]
pub enum Observation {
    /// The effect is there; these are the outputs it would have reported.
    Done(Outputs),
    /// Nothing of the effect is there, or what is there is safe to repeat over.
    NotDone,
    /// It can't be told; the text says what a person should look at.
    Unknown(String),
}

/// What one attempt at one step may use.
#[derive(Clone, Debug)]
pub struct StepContext {
    pub run: RunId,
    pub plan: Arc<Plan>,
    pub step: Step,
    pub attempt: u32,
    /// Outputs of every finished step that this one may read.
    pub outputs: Arc<BTreeMap<Address, Outputs>>,
    /// Folder of this run's evidence; the step writes below it.
    pub evidence: PathBuf,
    /// The plan file's folder: relative paths of the plan start here.
    pub base: PathBuf,
    /// Cancelled when the attempt must end soon (interrupt, timeout, lost lease).
    pub cancel: CancellationToken,
    /// Cancelled when the steps that a probe runs beside have all finished: it ends and reports. Means nothing to
    /// other kinds.
    pub finish: CancellationToken,
    pub progress: mpsc::Sender<Progress>,
}

/// A line of live progress; never journalled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    pub step: Address,
    pub message: String,
}

/// The contract between the executor and the outside. `observe*` never change anything.
#[async_trait::async_trait]
pub trait World: Send + Sync {
    async fn observe(&self, cx: &StepContext) -> Observation;
    async fn act(&self, cx: &StepContext) -> Result<Outputs, Failure>;
    /// Has the undo of this step happened?
    async fn observe_undo(&self, cx: &StepContext) -> Observation;
    async fn undo(&self, cx: &StepContext) -> Result<(), Failure>;
}
