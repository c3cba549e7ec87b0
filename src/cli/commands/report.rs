//! `orthid report`: what became of a plan, as text, Markdown, HTML or JSON.

use std::path::PathBuf;

use crate::cli::Context;
use crate::cli::output::terminal;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::write::{Readers, write};
use crate::render::report as render;
use crate::run::Report;

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
    let report = Report::new(&state.stored(args.run.as_deref()).await?);
    if let Some(path) = &args.html {
        write(path, render::html(&report).as_bytes(), Readers::Everyone)?;
        return Ok(exit(&report));
    }
    let text = match (args.json, args.markdown) {
        (true, _) => format!("{:#}\n", render::json(&report)),
        (false, true) => render::markdown(&report),
        (false, false) => render::text(&report, cx.terminal.width),
    };
    terminal::result(&text)?;
    Ok(exit(&report))
}

/// The exit of a command that has shown this run.
pub fn exit(report: &Report) -> Exit {
    if !report.has_unproved_approval() {
        return Exit::Done;
    }
    terminal::note(
        "the journal holds an approval that nobody entitled signed: orthid writes none like it, so \
         somebody else wrote to the state store",
    );
    Exit::Stale
}
