//! The contract between the executor and the outside: what a step is given, and what the outside answers.
//!
//! Must not: know any of the outside's systems; whoever implements [`World`] does.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::journal::{Failure, RunId};
use crate::model::{Address, Outputs, Step};
use crate::plan::Plan;

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
    /// What the report must say of this attempt besides its outcome.
    pub remarks: Remarks,
    /// Only looking: nothing is waited for, ended or tidied up.
    pub hands_off: bool,
}

/// What the report must say of an attempt besides its outcome. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Remarks(Arc<Mutex<Vec<String>>>);

impl Remarks {
    pub fn add(&self, remark: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(remark);
    }

    pub fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
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
