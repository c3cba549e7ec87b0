//! `orthid report`: what became of a plan, as text, Markdown, HTML or JSON.

use std::path::PathBuf;

use crate::cli::Context;
use crate::cli::output::terminal;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::saved;
use crate::cli::shared::state::{State, StateArgs, store_error};
use crate::cli::shared::write::{Readers, write};
use crate::render::report as render;
use crate::run::{Report, RunState};
use crate::store::RunSummary;

/// Report a run: planned against actual, who, when
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid report                        # the newest run, as text
  orthid report 0198c2f4 --markdown    # for the change ticket
  orthid report --html report.html")]
pub struct Args {
    /// A run's id, or the beginning of one; the newest run where none is given
    run: Option<String>,

    /// As Markdown
    #[arg(long, conflicts_with_all = ["json", "html"])]
    markdown: bool,

    /// As one self-contained page, written to FILE
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,

    /// As one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let report = load(&state, args.run.as_deref()).await?;
    if let Some(path) = &args.html {
        write(path, render::html(&report).as_bytes(), Readers::Everyone)?;
        return Ok(Exit::Done);
    }
    let text = match (args.json, args.markdown) {
        (true, _) => format!("{:#}\n", render::json(&report)),
        (false, true) => render::markdown(&report),
        (false, false) => render::text(&report, cx.terminal.width),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}

/// Reads a run and verifies its journal: every record's place, hash and transition.
pub async fn load(state: &State, wanted: Option<&str>) -> Result<Report, CommandError> {
    let summary = state.find_run(wanted).await?;
    of_run(state, summary).await
}

/// The same of a run that was found already.
pub async fn of_run(state: &State, summary: RunSummary) -> Result<Report, CommandError> {
    let records = state.store.records(&summary.id, 0).await.map_err(store_error)?;
    let saved = saved::of_run(state, &summary).await?;
    RunState::fold(summary.id.clone(), summary.plan_digest.clone(), &records)
        .map_err(|error| CommandError::from(miette::miette!("{error}")))?;
    Report::new(&saved.plan, &records).ok_or_else(|| {
        CommandError::from(miette::miette!("the journal of run {} has no beginning", summary.id))
    })
}
