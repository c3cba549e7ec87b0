//! The command line. The only place that prints, reads the environment or exits.
//!
//! `commands/` has one file a command, `shared/` what several of them need, `output/` the terminal.
//! Results go to stdout through [`terminal::result`]; everything else goes to stderr.

#![allow(
    clippy::disallowed_methods,
    reason = "the command line is the boundary that reads files and the environment"
)]

pub mod args;
pub mod commands;
pub mod output;
pub mod shared;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Cli;
use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use output::terminal::{self, Terminal};
use shared::context::Context;
use shared::environment;
use shared::error::CommandError;
use shared::exit::Exit;

use crate::text::secret::Redactor;
use crate::world::SENSITIVE_OUTPUT;

/// Keeps what this process holds in memory out of core dumps, and from debuggers of the same user.
fn harden() {
    // Where the system refuses, nothing is worse than before.
    let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
    let _ = prctl::set_dumpable(false);
}

/// Runs the command line, `argv[0]` included, and says how it ended.
pub fn main(argv: Vec<OsString>) -> ExitCode {
    harden();
    let cli = match args::parse(argv) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let redactor = Redactor::default();
    let vars = environment::read().vars;
    redactor.register_environment(vars.iter().map(|(name, value)| (&**name, &**value)));
    for (name, value) in vars.iter().filter(|(name, _)| name.starts_with(SENSITIVE_OUTPUT)) {
        redactor.register_variable(name, value);
    }
    terminal::guard(&redactor);
    let terminal = Terminal::detect(cli.no_color, &environment::variable);
    let cx = Context { terminal, redactor, definition: args::definition };
    match enter(&cli).and_then(|()| commands::dispatch(cli.command, &cx)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let text = error.render(cx.terminal, &cx.redactor);
            if !text.is_empty() {
                terminal::note(&text);
            }
            error.exit.into()
        }
    }
}

/// `--help` and `--version` are results; a wrong argument is an error with exit code 1.
fn usage(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    match (error.use_stderr(), shown) {
        (false, Ok(())) => Exit::Done.into(),
        (false, Err(broken)) if broken.kind() == std::io::ErrorKind::BrokenPipe => {
            Exit::Done.into()
        }
        (false, Err(_)) | (true, _) => Exit::Error.into(),
    }
}

fn enter(cli: &Cli) -> Result<(), CommandError> {
    match &cli.chdir {
        Some(dir) => std::env::set_current_dir(dir)
            .map_err(|error| CommandError::io("enter the folder", dir, &error)),
        None => Ok(()),
    }
}
