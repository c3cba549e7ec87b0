//! `orthid man`: manual pages, one a command.

use std::fs;
use std::path::PathBuf;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;

/// Write manual pages, one a command, into a folder
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  orthid man /usr/local/share/man/man1")]
pub struct Args {
    /// Folder to write into; made where it is missing
    dir: PathBuf,
}

pub fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let dir = &args.dir;
    fs::create_dir_all(dir).map_err(|error| CommandError::io("make the folder", dir, &error))?;
    clap_mangen::generate_to((cx.definition)(), dir)
        .map_err(|error| CommandError::io("write manual pages into", dir, &error))?;
    terminal::note(&format!("Wrote manual pages into {}.", dir.display()));
    Ok(Exit::Done)
}
