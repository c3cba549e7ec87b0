//! `orthid report`: what became of a plan, as text, Markdown, HTML or JSON.

use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::reports;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::write::{Readers, write};
use crate::model::PublicKey;
use crate::model::json::Exact;
use crate::render::report as render;
use crate::run::Report;

/// Report a run: planned against actual, who, when
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid report                        # the newest run, as text
  orthid report 0198c2f4 --markdown    # for the change ticket
  orthid report --html report.html
  orthid report --signed-by 3r1yCPnkj3oZfjtUUbuFSHXzSQTTfIAUXdJMEm1uPeo=   # the key of `--sign-key`")]
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

    /// Exit with 3 unless this public key, or another that is given so, vouches for every record
    #[arg(long, value_name = "KEY")]
    signed_by: Vec<PublicKey>,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let report = Report::new(&state.stored(args.run.as_deref()).await?);
    if let Some(path) = &args.html {
        write(path, render::html(&report).as_bytes(), Readers::Owner)?;
        return Ok(exit_where_signed_by(&report, &args.signed_by));
    }
    let text = match (args.json, args.markdown) {
        (true, _) => format!("{:#}\n", Exact(&render::json(&report))),
        (false, true) => render::markdown(&report),
        (false, false) => render::text(&report, cx.terminal.width),
    };
    terminal::result(&text)?;
    Ok(exit_where_signed_by(&report, &args.signed_by))
}

/// Every record must be vouched for by one of the keys that the reader trusts, where any was named.
fn exit_where_signed_by(report: &Report, keys: &[PublicKey]) -> Exit {
    let exit = reports::exit(report);
    let unsigned = report.unvouched(keys);
    if keys.is_empty() || unsigned.is_empty() {
        return exit;
    }
    let rows: Vec<String> =
        unsigned.into_iter().map(|(first, last)| render::records(first, last)).collect();
    terminal::note(&format!(
        "no key that --signed-by names vouches for {} of the journal",
        rows.join(", ")
    ));
    Exit::Stale
}
