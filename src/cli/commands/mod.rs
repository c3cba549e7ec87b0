//! One file a command.
//!
//! Each has an `Args` (what clap parsed) and resolves it into what the command works on before it
//! does anything. A new command is a file with `Args` and `run`, a variant of [`Command`] and its
//! line in [`dispatch`].

pub mod apply;
pub mod approve;
pub mod completions;
pub mod fmt;
pub mod graph;
pub mod init;
pub mod log;
pub mod man;
pub mod observe;
pub mod plan;
pub mod rehearse;
pub mod report;
pub mod resume;
pub mod rollback;
pub mod schema;
pub mod show;
pub mod status;
pub mod unlock;
pub mod validate;
pub mod versions;

use clap::Subcommand;

use super::shared::context::Context;
use super::shared::error::CommandError;
use super::shared::exit::Exit;
use super::shared::runtime::wait;

#[derive(Debug, Subcommand)]
pub enum Command {
    Init(init::Args),
    Versions(versions::Args),
    Plan(plan::Args),
    Show(show::Args),
    Rehearse(rehearse::Args),
    Approve(approve::Args),
    Apply(apply::Args),
    Resume(resume::Args),
    Rollback(rollback::Args),
    Status(status::Args),
    Log(log::Args),
    Report(report::Args),
    Unlock(unlock::Args),
    Observe(observe::Args),
    Fmt(fmt::Args),
    Validate(validate::Args),
    Graph(graph::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

pub fn dispatch(command: Command, cx: &Context) -> Result<Exit, CommandError> {
    match command {
        Command::Init(args) => wait(init::run(args, cx)),
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
        Command::Completions(args) => completions::run(&args, cx),
        Command::Man(args) => man::run(&args, cx),
    }
}
