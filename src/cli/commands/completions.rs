//! `orthid completions`: a completion script for a shell.

use clap_complete::Shell;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;

/// Print a completion script for a shell
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  orthid completions bash > /etc/bash_completion.d/orthid")]
pub struct Args {
    shell: Shell,
}

pub fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut (cx.definition)(), "orthid", &mut script);
    terminal::result_bytes(&script)?;
    Ok(Exit::Done)
}
