//! `orthid plan`: what would be done, for a person who reviews it or a program that does.

use std::path::{Path, PathBuf};

use crate::cli::Context;
use crate::cli::output::terminal::{self, Terminal};
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::facts::{self, Subject};
use crate::cli::shared::files::read_regular;
use crate::cli::shared::history;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::write::{Readers, write};
use crate::facts::{Facts, recording};
use crate::lang::Config;
use crate::model::Step;
use crate::plan::{self, Plan, SavedPlan};
use crate::render::page::Style;
use crate::render::plan as render;
use crate::text::secret::Redactor;
use crate::world::{Environment, WorldError};

/// Largest recording of facts, in bytes.
const MAX_FACTS_BYTES: u64 = 256 * 1024 * 1024;

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
    let environment = facts::environment();
    let redactor = cx.redactor.clone();
    let facts = args.facts.as_deref().map(read_facts).transpose()?;
    let made = make(&args.source, facts, &args.state, &environment, &redactor, cx).await?;
    let saved = &made.saved;
    if let Some(path) = &args.out {
        write(path, &saved.to_bytes(), Readers::Owner)?;
    }
    if let Some(path) = &args.html {
        write_page(path, saved)?;
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
        (false, false) => render::text(saved, style(terminal)),
    }
}

pub fn write_page(path: &Path, saved: &SavedPlan) -> Result<(), CommandError> {
    write(path, render::html(saved).as_bytes(), Readers::Everyone)
}

pub fn style(terminal: Terminal) -> Style {
    Style { colour: terminal.stdout_color, width: terminal.width }
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

/// A plan that was just made, and the folder its relative paths start in.
#[derive(Debug)]
pub struct Made {
    pub saved: SavedPlan,
    pub base: PathBuf,
}

/// Loads the file, observes the world where no recording was given, and plans. Earlier runs only tell how long it may take.
pub async fn make(
    source: &SourceArgs,
    facts: Option<Facts>,
    state: &StateArgs,
    environment: &Environment,
    redactor: &Redactor,
    cx: &Context,
) -> Result<Made, CommandError> {
    let text = PlanText::read(source)?;
    let config = text.load(cx)?;
    let facts = match facts {
        Some(facts) => {
            // The recording was made elsewhere, where other secrets were known.
            let steps = config.validate_steps()?;
            subject(&config, &text.base, &steps).reveal(environment, redactor);
            redactor.without_known(facts).map_err(secret_in_facts)?
        }
        None => observe(&config, &text.base, environment, redactor).await?,
    };
    let mut plan = plan::plan(&config, &facts)?;
    if let Some(state) = state.open_if_there().await {
        plan.expected_ms = history::expected(&state, &plan).await;
    }
    let base = facts::shown(&text.base).display().to_string();
    let saved = SavedPlan::new(plan, &facts, &base);
    Ok(Made { saved, base: text.base })
}

/// Observes what a configuration rests on.
pub async fn observe(
    config: &Config,
    base: &Path,
    environment: &Environment,
    redactor: &Redactor,
) -> Result<Facts, CommandError> {
    let steps = config.validate_steps()?;
    facts::observe(environment, redactor, subject(config, base, &steps)).await
}

fn subject<'a>(config: &'a Config, base: &'a Path, steps: &'a [Step]) -> Subject<'a> {
    Subject {
        base,
        release: config.release.as_ref(),
        target: config.upgrade.as_ref().map(|upgrade| &upgrade.to),
        databases: &config.databases,
        steps,
    }
}

fn secret_in_facts(error: serde_json::Error) -> CommandError {
    let error = WorldError::SecretInFacts { reason: error.to_string() };
    CommandError::from(miette::Report::new(error))
}

pub fn read_facts(path: &Path) -> Result<Facts, CommandError> {
    let bytes = read_regular(path, MAX_FACTS_BYTES)
        .map_err(|error| CommandError::io("read", path, &error))?;
    recording::read(&bytes).map_err(|error| {
        let report = miette::Report::new(error);
        CommandError::new(Exit::Error, report.wrap_err(format!("cannot use {}", path.display())))
    })
}
