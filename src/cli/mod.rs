//! The command line: one file a command. The only place that prints, reads the environment or exits.
//!
//! Each command file has an `Args` (what clap parsed) and resolves it into what the command works on before it does
//! anything. Results go to stdout through [`terminal::result`]; everything else goes to stderr.
//!
//! A new command is a file with `Args` and `run`, a variant of [`args::Command`] and its line in [`dispatch`].

#![allow(
    clippy::disallowed_methods,
    reason = "the command line is the boundary that reads files and the environment"
)]

pub mod apply;
pub mod approve;
pub mod args;
pub mod carry;
pub mod completions;
pub mod diagnostics;
pub mod error;
pub mod exit;
pub mod fmt;
pub mod given;
pub mod graph;
pub mod history;
pub mod init;
pub mod live;
pub mod log;
pub mod man;
pub mod observe;
pub mod observing;
pub mod output;
pub mod plan;
pub mod plan_text;
pub mod rehearse;
pub mod report;
pub mod resume;
mod rollback;
pub mod saved;
pub mod schema;
pub mod show;
pub mod source;
pub mod state;
pub mod status;
pub mod terminal;
pub mod unlock;
pub mod validate;
pub mod versions;

use std::ffi::OsString;
use std::process::ExitCode;

use args::{Cli, Command};
use error::CommandError;
use exit::Exit;
use terminal::Terminal;

/// What every command is given besides its own arguments.
#[derive(Clone, Copy, Debug)]
pub struct Context {
    pub terminal: Terminal,
}

/// Runs the command line, `argv[0]` included, and says how it ended.
pub fn main(argv: Vec<OsString>) -> ExitCode {
    let cli = match args::parse(argv) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let cx = Context { terminal: Terminal::detect(cli.no_color, &environment) };
    match enter(&cli).and_then(|()| dispatch(cli.command, &cx)) {
        Ok(exit) => exit.into(),
        Err(error) => {
            let text = error.render(cx.terminal);
            if !text.is_empty() {
                terminal::note(&text);
            }
            error.exit.into()
        }
    }
}

fn dispatch(command: Command, cx: &Context) -> Result<Exit, CommandError> {
    match command {
        Command::Init(args) => wait(init::run(args)),
        Command::Observe(args) => wait(observe::run(&args, cx)),
        Command::Plan(args) => wait(plan::run(&args, cx)),
        Command::Versions(args) => wait(versions::run(&args, cx)),
        Command::Show(args) => show::run(&args, cx),
        Command::Rehearse(args) => rehearse::run(&args, cx),
        Command::Approve(args) => approve::run(&args, cx),
        Command::Apply(args) => wait(apply::run(&args, cx)),
        Command::Resume(args) => wait(resume::run(&args, cx)),
        Command::Rollback(args) => wait(rollback::run(&args, cx)),
        Command::Status(args) => wait(status::run(&args, cx)),
        Command::Log(args) => wait(log::run(&args, cx)),
        Command::Report(args) => wait(report::run(&args, cx)),
        Command::Unlock(args) => wait(unlock::run(&args, cx)),
        Command::Validate(args) => validate::run(args, cx),
        Command::Graph(args) => graph::run(args, cx),
        Command::Schema(args) => schema::run(args),
        Command::Fmt(args) => fmt::run(args, cx),
        Command::Completions(args) => completions::run(&args),
        Command::Man(args) => man::run(&args),
    }
}

/// Runs a command that waits for the outside.
fn wait<T>(command: impl Future<Output = Result<T, CommandError>>) -> Result<T, CommandError> {
    // One of two may wait for the disk: the embedded store writes on the thread that asks.
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime.worker_threads(2).enable_all().build()?;
    let result = runtime.block_on(command);
    // A task that is stuck in a system call does not keep the program.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
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

/// The environment as commands see it: values that are not UTF-8 are as good as unset.
pub fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
