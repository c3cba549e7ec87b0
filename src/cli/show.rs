//! `orthid show`: a saved plan, as it was reviewed.

use std::path::PathBuf;

use super::Context;
use super::error::CommandError;
use super::exit::Exit;
use super::{plan as planning, saved, terminal};
use crate::plan::render;

/// Show a saved plan
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid show upgrade.plan
  orthid show upgrade.plan --json | jq .digest")]
pub struct Args {
    /// A file that `orthid plan -out` wrote
    #[arg(value_name = "PLAN")]
    plan: PathBuf,

    /// As one JSON document
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let (saved, _) = saved::read(&args.plan)?;
    let text = match args.json {
        true => format!("{:#}\n", render::json(&saved)),
        false => render::text(&saved, planning::style(cx.terminal)),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}
