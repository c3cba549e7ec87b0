//! Where a command finds the state store, and the folder that evidence is kept in.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::shared::error::CommandError;
use crate::cli::shared::refusals::{run_error, store_error};
use crate::journal::RunId;
use crate::run::StoredRun;
use crate::store;
use crate::store::{RunSummary, Store};
use crate::world;

/// The folder that belongs to orthid, in the working directory.
const FOLDER: &str = ".orthid";
/// Runs looked through when a run is named by the beginning of its id.
const LISTED_RUNS: u32 = 1_000;

/// `--state`, shared by every command that reads or writes runs.
#[derive(clap::Args, Clone, Debug)]
pub struct StateArgs {
    /// State store: sqlite:PATH or postgres://… (default: .orthid/state.db in the working
    /// directory)
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
        refuse_foreign(&folder)?;
        let url = self
            .state
            .clone()
            .unwrap_or_else(|| format!("sqlite:{}", folder.join("state.db").display()));
        Ok(State { store: store::open(&url).await.map_err(store_error)?, folder })
    }

    /// Opens a store for what is nice to know. One that is not there, or not to be reached, is
    /// none.
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

/// A state folder of somebody else's could say anything of a run, and hear what this one writes.
fn refuse_foreign(folder: &Path) -> Result<(), CommandError> {
    let Ok(found) = std::fs::metadata(folder) else { return Ok(()) };
    let own = nix::unistd::geteuid();
    // `sudo orthid` in one's own folder is meant.
    let behind_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse::<u32>().ok());
    if found.uid() == own.as_raw() || (own.is_root() && behind_sudo == Some(found.uid())) {
        return Ok(());
    }
    let whose = folder.display();
    Err(CommandError::with_help(
        format!("{whose} belongs to uid {}, and you are uid {own}", found.uid()),
        format!(
            "run orthid as its owner or in a folder of your own; `chown -R {own} {whose}` takes it over"
        ),
    ))
}

impl State {
    /// Makes the folder that evidence is kept in, for its owner alone and not for git.
    pub fn prepare(&self) -> Result<(), CommandError> {
        world::private_folder(&self.folder)
            .map_err(|error| CommandError::io("make the folder", &self.folder, &error))
    }

    /// Evidence of one run: logs, manifests, checksums.
    pub fn evidence(&self, run: &RunId) -> PathBuf {
        self.folder.join("runs").join(&run.0)
    }

    /// The run that was asked for, by its id or the beginning of it; the newest where none was
    /// named.
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
