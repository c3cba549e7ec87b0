//! Where a command finds the state store, and the folder that evidence is kept in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::shared::error::CommandError;
use crate::cli::shared::execute::run_error;
use crate::cli::shared::exit::Exit;
use crate::journal::RunId;
use crate::run::StoredRun;
use crate::store::{self, Lease, RunSummary, Store, StoreError};

/// The folder that belongs to orthid, in the working directory.
const FOLDER: &str = ".orthid";
/// Runs looked through when a run is named by the beginning of its id.
const LISTED_RUNS: u32 = 1_000;

/// `--state`, shared by every command that reads or writes runs.
#[derive(clap::Args, Clone, Debug)]
pub struct StateArgs {
    /// State store: sqlite:PATH or postgres://… (default: .orthid/state.db in the working directory)
    #[arg(long, env = "ORTHID_STATE", value_name = "URL", hide_env_values = true)]
    pub state: Option<String>,
}

/// An open store and the folder beside it.
pub struct State {
    pub store: Arc<dyn Store>,
    folder: PathBuf,
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let State { store: _, folder } = self;
        f.debug_struct("State").field("folder", folder).finish_non_exhaustive()
    }
}

impl StateArgs {
    /// Opens the store, making the embedded one where there is none yet.
    pub async fn open(&self) -> Result<State, CommandError> {
        let folder = PathBuf::from(FOLDER);
        let url = self
            .state
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", folder.join("state.db").display()));
        Ok(State { store: store::open(&url).await.map_err(store_error)?, folder })
    }

    /// Opens a store for what is nice to know. One that is not there, or not to be reached, is none.
    pub async fn open_if_there(&self) -> Option<State> {
        self.open_existing().await.ok()
    }

    /// Opens a store that must be there already: for commands that only look.
    pub async fn open_existing(&self) -> Result<State, CommandError> {
        if self.state.is_none() && !Path::new(FOLDER).join("state.db").exists() {
            return Err(CommandError::with_help(
                "there is no run here: .orthid/state.db does not exist",
                "run this in the folder where `orthid apply` was run, or name the store with --state",
            ));
        }
        self.open().await
    }
}

impl State {
    /// Evidence of one run: logs, manifests, checksums.
    pub fn evidence(&self, run: &RunId) -> PathBuf {
        self.folder.join("runs").join(&run.0)
    }

    /// The run that was asked for, by its id or the beginning of it; the newest where none was named.
    pub async fn find_run(&self, wanted: Option<&str>) -> Result<RunSummary, CommandError> {
        let runs = self.store.runs(LISTED_RUNS).await.map_err(store_error)?;
        let Some(wanted) = wanted else {
            return runs.into_iter().next().ok_or_else(|| {
                CommandError::with_help(
                    "no run was recorded here yet",
                    "`orthid apply PLAN` starts one",
                )
            });
        };
        let mut matching: Vec<RunSummary> =
            runs.into_iter().filter(|run| run.id.0.starts_with(wanted)).collect();
        match (matching.pop(), matching.len()) {
            (Some(run), 0) => Ok(run),
            (Some(_), more) => Err(CommandError::with_help(
                format!("{} runs begin with `{wanted}`", more + 1),
                "give more of the id; `orthid status --all` lists the runs",
            )),
            (None, _) => Err(CommandError::with_help(
                format!("there is no run `{wanted}`"),
                "`orthid status --all` lists the runs",
            )),
        }
    }
}

impl State {
    /// The run that was asked for, as [`State::find_run`] finds it, with its plan and its journal.
    pub async fn stored(&self, wanted: Option<&str>) -> Result<StoredRun, CommandError> {
        let summary = self.find_run(wanted).await?;
        StoredRun::load(&*self.store, summary).await.map_err(run_error)
    }
}

/// A store's refusal, with the exit code that scripts know it by and the way out.
pub fn store_error(error: StoreError) -> CommandError {
    let text = error.to_string();
    match error {
        StoreError::LeaseHeld(lease) => {
            let report = miette::miette!(
                code = "orthid::run::lease_held",
                help = held_help(&lease),
                "{text}"
            );
            CommandError::new(Exit::LeaseHeld, report)
        }
        StoreError::Fenced { .. } => {
            let report = miette::miette!(
                code = "orthid::run::fenced",
                help = "another process took the run over, or its lease was ended by `orthid unlock`; \
                        nothing was written since. `orthid status` shows how it stands",
                "{text}"
            );
            CommandError::new(Exit::LeaseHeld, report)
        }
        StoreError::PlanConsumed { digest: _, run } => {
            let report = miette::miette!(
                code = "orthid::plan::consumed",
                help = format!(
                    "a plan applies at most once. See how that run ended with `orthid report {run}`; \
                     to go on, make a new plan"
                ),
                "{text}"
            );
            CommandError::new(Exit::Stale, report)
        }
        StoreError::BrokenJournal { run, reason: _ } => broken_journal(&run, &text),
        StoreError::NoSuchRun(_)
        | StoreError::NoSuchLease(_)
        | StoreError::NewerFormat { .. }
        | StoreError::Refused(_)
        | StoreError::Unavailable(_) => {
            CommandError::from(miette::miette!(code = "orthid::store", "{text}"))
        }
    }
}

/// A journal that was damaged or written by somebody else. Nothing may be built on it.
pub fn broken_journal(run: &RunId, text: &str) -> CommandError {
    let report = miette::miette!(
        code = "orthid::run::journal_broken",
        help = format!(
            "nothing was done. `orthid log {run}` shows what can be read of it; put the state store \
             back from a copy, or undo by hand what the run did"
        ),
        "{text}"
    );
    CommandError::new(Exit::Stale, report)
}

fn held_help(lease: &Lease) -> String {
    format!(
        "wait for it to end. If its process is gone for good, the lease ends by itself at {}; \
         `orthid unlock {}` ends it now",
        lease.expires_at, lease.id
    )
}
