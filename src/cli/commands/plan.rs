//! `orthid plan`: what would be done, for a person who reviews it or a program that does.

use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::output::terminal::Terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::write::{Readers, write};
use crate::cli::shared::{environment, facts, planning};
use crate::plan::{Plan, SavedPlan};
use crate::render::plan as render;

/// Show what an upgrade would do, and save it for `apply`
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Nothing is changed. Planning looks at the cluster, the chart source and the databases, or at a recording of them.

Examples:
  orthid plan plans/orthid-2.7.hcl
  orthid plan plans/orthid-2.7.hcl -out upgrade.plan
  orthid plan plans/orthid-2.7.hcl --facts facts.json --json | jq .findings")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Plan from a recording made by `orthid observe`, without access to the cluster
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,

    /// Save the plan for `orthid apply`
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// As one JSON document
    #[arg(long, conflicts_with = "markdown")]
    json: bool,

    /// As Markdown, for a pull request's comment
    #[arg(long)]
    markdown: bool,

    #[command(flatten)]
    state: StateArgs,

    /// Also write one self-contained page, the graph drawn
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Exit with 2 when there is something to do
    #[arg(long)]
    detailed_exitcode: bool,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let environment = environment::read();
    let redactor = cx.redactor.clone();
    let facts = args.facts.as_deref().map(facts::read).transpose()?;
    let made =
        planning::make(&args.source, facts, &args.state, &environment, &redactor, cx).await?;
    let saved = &made.saved;
    if let Some(path) = &args.out {
        write(path, &saved.to_bytes(), Readers::Owner)?;
    }
    if let Some(path) = &args.html {
        write(path, render::html(saved).as_bytes(), Readers::Owner)?;
    }
    terminal::result(&shown(args, saved, cx.terminal))?;
    if let Some(path) = &args.out {
        terminal::note(&format!("saved to {0}; apply it with `orthid apply {0}`", path.display()));
    }
    Ok(exit_of(&saved.plan, args.detailed_exitcode))
}

fn shown(args: &Args, saved: &SavedPlan, terminal: Terminal) -> String {
    match (args.json, args.markdown) {
        (true, _) => format!("{:#}\n", render::json(saved)),
        (false, true) => render::markdown(saved),
        (false, false) => render::text(saved, terminal.style()),
    }
}

fn exit_of(plan: &Plan, detailed: bool) -> Exit {
    if plan.is_blocked() {
        Exit::Blocked
    } else if detailed && plan.has_changes() {
        Exit::Changes
    } else {
        Exit::Done
    }
}
