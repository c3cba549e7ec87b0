//! `orthid observe`: records the facts that a plan rests on, to plan elsewhere.

use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::write::{Readers, write};
use crate::cli::shared::{environment, facts};
use crate::facts::recording;

/// Record the facts that a plan rests on
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The recording holds no secrets. `orthid plan FILE --facts FACTS` plans from it where there is no access to the cluster.

Example:
  orthid observe plans/orthid-2.7.hcl --out facts.json")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Where to write the recording; standard output when absent
    #[arg(long, value_name = "FACTS")]
    out: Option<PathBuf>,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let environment = environment::read();
    let redactor = cx.redactor.clone();
    let text = PlanText::read(&args.source)?;
    let config = text.load(cx)?;
    let facts = facts::of_config(&config, &text.base, &environment, &redactor).await?;
    let bytes = recording::write(&facts);
    match &args.out {
        Some(path) => write(path, &bytes, Readers::Owner)?,
        None => terminal::result(&String::from_utf8_lossy(&bytes))?,
    }
    Ok(Exit::Done)
}
