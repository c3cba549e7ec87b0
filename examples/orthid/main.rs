//! A stand-in OrthID: a small but real identity service with what an upgrade can break.
//!
//! It signs people in with a password, gives out short-lived JWTs and refresh tokens, and keeps its users,
//! keys and tokens in PostgreSQL, whose schema its migrations change from release to release. One binary
//! acts as each release, by `ORTHID_RELEASE`, which its image sets.
//!
//! In reading order:
//! - [`releases`]: what each release is; the table that everything else asks.
//! - [`migrations`]: the schema and how it moves.
//! - [`config`], [`faults`]: what the service is told.
//! - [`store`], [`passwords`], [`tokens`]: what it keeps, compares and signs.
//! - [`api`], [`lifecycle`]: what it answers, and how it starts, becomes ready and ends.
//! - [`charts`]: apart from all that, a chart repository for one machine.
//!
//! Exit status: 0 done, 1 failed (one line on stderr says why), 2 misused, 143 stopped by a signal while migrating.

mod api;
mod charts;
mod clock;
mod config;
mod faults;
mod lifecycle;
mod log;
mod migrations;
mod passwords;
mod releases;
mod store;
mod tokens;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sqlx::postgres::PgPool;

use config::{Config, ServeArgs};
use faults::MigrateFaults;
use migrations::{Status, Target};
use releases::Release;
use store::Store;

/// The exit status of a shell's command that SIGTERM ended.
const STOPPED: u8 = 128 + 15;

#[derive(Parser)]
#[command(name = "orthid", about = "A stand-in OrthID: a small identity service to upgrade")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API.
    Serve {
        #[command(flatten)]
        service: Service,
        #[command(flatten)]
        given: Box<ServeArgs>,
    },
    /// Look at the schema, or bring it up.
    #[command(subcommand)]
    Migrate(Migrate),
    /// Serve a folder of packaged charts.
    ServeCharts {
        /// What `package` wrote.
        folder: PathBuf,
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:26080")]
        listen: SocketAddr,
    },
}

#[derive(Subcommand)]
enum Migrate {
    /// Apply every migration that this image carries and the database lacks.
    Up {
        #[command(flatten)]
        service: Service,
        #[command(flatten)]
        faults: MigrateFaults,
    },
    /// Create the schema that this release needs in an empty database; do nothing in any other.
    Init {
        #[command(flatten)]
        service: Service,
    },
    /// Show which migrations are applied and which are pending.
    Status {
        #[command(flatten)]
        service: Service,
        /// Print one JSON object: schema, applied, pending.
        #[arg(long)]
        json: bool,
    },
}

/// What every command of the service needs.
#[derive(clap::Args)]
struct Service {
    /// The release that this binary acts as.
    #[arg(long, env = "ORTHID_RELEASE", value_parser = Release::find)]
    release: &'static Release,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = match runtime {
        Ok(runtime) => runtime.block_on(run(cli.command)),
        Err(error) => Err(format!("no runtime: {error}")),
    };
    match done {
        Ok(status) => status,
        Err(message) => {
            say(&mut std::io::stderr(), &format!("orthid: {message}\n"));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<ExitCode, String> {
    match command {
        Command::Serve { service, given } => {
            let config = Config::resolve(service.release, *given)?;
            let store = Store::new(database()?, service.release);
            lifecycle::serve(service.release, config, store).await?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Migrate(Migrate::Up { service, faults }) => {
            migrate(service.release, Target::Newest, faults).await
        }
        Command::Migrate(Migrate::Init { service }) => {
            migrate(service.release, Target::FirstStart, MigrateFaults::default()).await
        }
        Command::Migrate(Migrate::Status { service, json }) => {
            let status = migrations::status(&database()?, service.release)
                .await
                .map_err(|error| format!("the status can't be read: {error}"))?;
            let text = if json { as_json(&status) } else { as_table(&status) };
            say(&mut std::io::stdout(), &text);
            Ok(ExitCode::SUCCESS)
        }
        Command::ServeCharts { folder, listen } => {
            charts::serve(folder, listen).await?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Migrates until done, or until told to stop, which a process with id 1 must look for itself.
async fn migrate(
    release: &'static Release,
    target: Target,
    faults: MigrateFaults,
) -> Result<ExitCode, String> {
    let pool = database()?;
    let mut applied = 0_u32;
    let committed = |name: &str| {
        applied += 1;
        say(&mut std::io::stdout(), &format!("applied {name}\n"));
    };
    tokio::select! {
        done = migrations::up(&pool, release, target, faults, committed) => {
            done.map_err(|error| format!("the migration failed and was rolled back: {error}"))?;
        }
        () = lifecycle::terminated() => {
            say(&mut std::io::stderr(), "orthid: stopped; what was under way is rolled back\n");
            return Ok(ExitCode::from(STOPPED));
        }
    }
    if applied == 0 {
        say(&mut std::io::stdout(), "nothing to apply\n");
    }
    Ok(ExitCode::SUCCESS)
}

/// The address comes by the environment only: a command line is there for every process to see.
#[expect(clippy::disallowed_methods, reason = "the service's own boundary to the environment")]
fn database() -> Result<PgPool, String> {
    let url = std::env::var("ORTHID_DATABASE_URL")
        .map_err(|_| "ORTHID_DATABASE_URL is not set".to_owned())?;
    store::pool(&url)
}

fn as_json(status: &Status) -> String {
    let json = serde_json::to_string(status).expect("names and a number have a JSON form");
    format!("{json}\n")
}

fn as_table(status: &Status) -> String {
    let applied = status.applied.iter().map(|name| (name, "applied"));
    let pending = status.pending.iter().map(|name| (name, "pending"));
    let mut text = format!("{:<28}{}\n", "MIGRATION", "STATE");
    for (name, state) in applied.chain(pending) {
        text.push_str(&format!("{name:<28}{state}\n"));
    }
    text.push_str(&format!("schema {}\n", status.schema));
    text
}

/// Prints. A reader that went away is no failure of what was done.
fn say(stream: &mut impl Write, text: &str) {
    drop(stream.write_all(text.as_bytes()).and_then(|()| stream.flush()));
}
