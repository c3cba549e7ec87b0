//! `orthid schema`: the language for programs and for the book.

use crate::cli::output::terminal;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::lang;

/// Print the plan language as a JSON Schema
#[derive(clap::Args, Debug)]
#[command(after_help = "\
The schema describes the structure of HCL's JSON form, in which a block is an object under its kind and its labels.

Examples:
  orthid schema > orthid.schema.json
  orthid schema -format markdown")]
pub struct Args {
    #[arg(long, value_enum, default_value_t = Format::Json)]
    format: Format,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    /// JSON Schema 2020-12
    Json,
    /// The reference that the book prints
    Markdown,
}

pub fn run(args: Args) -> Result<Exit, CommandError> {
    let text = match args.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&lang::docs::json_schema::json_schema());
            text.expect("a JSON value prints as JSON") + "\n"
        }
        Format::Markdown => lang::docs::reference::markdown(),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}
