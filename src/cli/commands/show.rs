//! `orthid show`: a saved plan, as it was reviewed.

use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::saved;
use crate::cli::shared::write::{Readers, write};
use crate::render::plan as render;

/// Show a saved plan
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid show upgrade.plan
  orthid show upgrade.plan --json | jq .digest
  orthid show upgrade.plan --html plan.html")]
pub struct Args {
    /// A file that `orthid plan -out` wrote
    #[arg(value_name = "PLAN")]
    plan: PathBuf,

    /// As one JSON document
    #[arg(long, conflicts_with_all = ["markdown", "html"])]
    json: bool,

    /// As Markdown, for a pull request's comment
    #[arg(long, conflicts_with = "html")]
    markdown: bool,

    /// As one self-contained page, written to FILE
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let (saved, _) = saved::read(&args.plan)?;
    if let Some(path) = &args.html {
        write(path, render::html(&saved).as_bytes(), Readers::Owner)?;
        return Ok(Exit::Done);
    }
    let text = match (args.json, args.markdown) {
        (true, _) => format!("{:#}\n", render::json(&saved)),
        (false, true) => render::markdown(&saved),
        (false, false) => render::text(&saved, cx.terminal.style()),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}
