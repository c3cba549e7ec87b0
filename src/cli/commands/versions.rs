//! `orthid versions`: what the chart source offers, and how to come there.

use std::path::PathBuf;

use comfy_table::presets::NOTHING;
use comfy_table::{ContentArrangement, Table};

use crate::cli::Context;
use crate::cli::commands::plan as planning;
use crate::cli::output::terminal::{self, Terminal};
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::facts;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::plan::{Offer, Reach, Versions, versions};
use crate::text::safe::masked;
use crate::world::Redactor;

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
        Some(path) => planning::read_facts(path)?,
        None => {
            let (environment, redactor) = (facts::environment(), Redactor::default());
            planning::observe(&config, &text.base, &environment, &redactor).await?
        }
    };
    let Some(found) = versions(&config, &facts)? else {
        return Err(CommandError::with_help(
            "the plan upgrades nothing, so there are no versions to list",
            "name a plan with an `upgrade` and a `release` block",
        ));
    };
    let text = match args.json {
        true => {
            let mut document = serde_json::json!({"format_version": 1});
            let found = serde_json::to_value(&found).expect("versions are plain data");
            document.as_object_mut().into_iter().for_each(|all| {
                all.extend(found.as_object().cloned().unwrap_or_default());
            });
            format!("{document:#}\n")
        }
        false => plain(&found, cx.terminal),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}

fn plain(found: &Versions, terminal: Terminal) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(["version", "", "way"]);
    for offer in &found.offered {
        let mark = if offer.version == found.target { "the plan's target" } else { "" };
        table.add_row([offer.version.to_string(), mark.to_owned(), way(offer)]);
    }
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX));
    let lines = table.to_string();
    masked(&lines.lines().map(|line| format!("{}\n", line.trim())).collect::<String>())
}

fn way(offer: &Offer) -> String {
    match &offer.reach {
        Reach::Installed => "installed".to_owned(),
        Reach::Older => "older than what is installed".to_owned(),
        Reach::OutOfReach { reason } => reason.clone(),
        Reach::ByHops { hops } => {
            let hop = |hop: &crate::model::Hop| format!("{} ({})", hop.to, hop.kind.as_str());
            hops.iter().map(hop).collect::<Vec<_>>().join(" → ")
        }
    }
}
