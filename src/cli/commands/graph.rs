//! `orthid graph`: the step graph with its rollback edges, drawn.

use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::plan_text;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::write::{Readers, write};
use crate::graph;
use crate::render::graph as draw;

/// Draw a plan's steps, their order and their rollback edges
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Needs no cluster: the steps of one hop to the plan's target are drawn. Dotted lines join a probe with the steps it runs
beside; dashed red lines are rollback edges.

Examples:
  orthid graph upgrade.hcl
  orthid graph upgrade.hcl -format mermaid
  orthid graph upgrade.hcl -format svg -out upgrade.svg")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Language of the drawing
    #[arg(long, value_enum, default_value_t = Format::Dot)]
    format: Format,

    /// Write to this file instead of stdout
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Dot,
    Mermaid,
    Svg,
}

impl From<Format> for draw::Format {
    fn from(format: Format) -> draw::Format {
        match format {
            Format::Dot => draw::Format::Dot,
            Format::Mermaid => draw::Format::Mermaid,
            Format::Svg => draw::Format::Svg,
        }
    }
}

pub fn run(args: Args, cx: &Context) -> Result<Exit, CommandError> {
    let Args { source, format, out } = args;
    let (graph, warnings) = graph::build_for_validation(PlanText::read(&source)?.inspect(false))?;
    plan_text::warn(&warnings, cx);
    let drawing = draw::draw(&graph, &[], format.into());
    match out {
        Some(path) => write(&path, drawing.as_bytes(), Readers::Everyone)?,
        None => terminal::result(&drawing)?,
    }
    Ok(Exit::Done)
}
