//! `orthid observe`: records the facts that a plan rests on, to plan elsewhere.

use std::path::PathBuf;

use super::Context;
use super::args::SourceArgs;
use super::error::CommandError;
use super::exit::Exit;
use super::output::{self, Readers};
use super::plan_text::PlanText;
use super::{observing, plan as planning, terminal};
use crate::facts::recording;
use crate::world::Redactor;

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
    let environment = observing::environment();
    let redactor = Redactor::default();
    let text = PlanText::read(&args.source)?;
    let config = text.load(cx)?;
    let facts = planning::observe(&config, &text.base, &environment, &redactor).await?;
    let bytes = recording::write(&facts);
    match &args.out {
        Some(path) => output::write(path, &bytes, Readers::Owner)?,
        None => terminal::result(&String::from_utf8_lossy(&bytes))?,
    }
    Ok(Exit::Done)
}
