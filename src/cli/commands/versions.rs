//! `orthid versions`: what the chart source offers, and how to come there.

use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::{environment, facts};
use crate::plan::versions;
use crate::render::versions as render;

/// List the versions on offer and the hops to each
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Nothing is changed. The release and the chart source are looked at, or a recording of them.

Examples:
  orthid versions plans/orthid-2.7.hcl
  orthid versions plans/orthid-2.7.hcl --facts facts.json --json")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Use a recording made by `orthid observe`, without access to the cluster
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,

    /// As one JSON document
    #[arg(long)]
    json: bool,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let text = PlanText::read(&args.source)?;
    let config = text.load(cx)?;
    let facts = match &args.facts {
        Some(path) => facts::read(path)?,
        None => {
            let (environment, redactor) = (environment::read(), cx.redactor.clone());
            facts::of_config(&config, &text.base, &environment, &redactor).await?
        }
    };
    let Some(found) = versions(&config, &facts)? else {
        return Err(CommandError::with_help(
            "the plan upgrades nothing, so there are no versions to list",
            "name a plan with an `upgrade` and a `release` block",
        ));
    };
    let text = match args.json {
        true => format!("{:#}\n", render::json(&found)),
        false => render::text(&found, cx.terminal.width),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}
