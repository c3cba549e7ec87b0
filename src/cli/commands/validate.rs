//! `orthid validate`: everything that is wrong with a plan's text, without a cluster.

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::{CommandError, Problem};
use crate::cli::shared::exit::Exit;
use crate::cli::shared::plan_text::PlanText;
use crate::cli::shared::source_args::SourceArgs;
use crate::graph;
use crate::lang::{Diagnostics, Severity};
use crate::render::diagnostics;

/// Check a plan's text, without a cluster
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Variables without a value are accepted: a plan can be right without being complete.

Examples:
  orthid validate upgrade.hcl
  orthid validate plans/ -json
  orthid validate upgrade.hcl -sarif > upgrade.sarif")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Print what is wrong as JSON, in the shape of `terraform validate -json`
    #[arg(long, conflicts_with = "sarif")]
    json: bool,

    /// Print what is wrong as SARIF 2.1.0, for code hosts
    #[arg(long)]
    sarif: bool,
}

/// Who reads the outcome.
enum Reader {
    Person,
    Json,
    Sarif,
}

pub fn run(args: Args, cx: &Context) -> Result<Exit, CommandError> {
    let Args { source, json, sarif } = args;
    let reader = match (json, sarif) {
        (false, false) => Reader::Person,
        (true, _) => Reader::Json,
        (false, true) => Reader::Sarif,
    };
    let found = match PlanText::read(&source) {
        Ok(text) => match graph::build_for_validation(text.inspect(false)) {
            Ok((graph, found)) => {
                // The program ends here: to take 100,000 steps apart again would be for nothing.
                std::mem::forget(graph);
                found
            }
            Err(found) => found,
        },
        Err(CommandError { exit: _, problem: Problem::Plan(found) }) => *found,
        Err(other) => return Err(other),
    };
    match reader {
        Reader::Person if found.is_empty() => terminal::result("The plan is valid.\n")?,
        Reader::Person => {
            terminal::note(&found.render(cx.terminal.width, cx.terminal.stderr_color));
            terminal::note(&summary(&found));
        }
        Reader::Json => terminal::result(&diagnostics::json(&found))?,
        Reader::Sarif => terminal::result(&diagnostics::sarif(&found))?,
    }
    Ok(if found.has_errors() { Exit::Error } else { Exit::Done })
}

fn summary(found: &Diagnostics) -> String {
    let errors =
        found.iter().filter(|d| d.severity == Severity::Error).count() + found.suppressed();
    let warnings = found.len() + found.suppressed() - errors;
    let count = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
    match (errors, warnings) {
        (0, warnings) => format!("The plan is valid, with {}.", count(warnings, "warning")),
        (errors, 0) => count(errors, "error"),
        (errors, warnings) => format!("{}, {}", count(errors, "error"), count(warnings, "warning")),
    }
}
