//! `orthid status`: how a run stands, or which runs there are.

use serde_json::json;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::refusals::{run_error, store_error};
use crate::cli::shared::state::{State, StateArgs};
use crate::cli::shared::{environment, reports};
use crate::model::json::Exact;
use crate::render::report as render;
use crate::run::{Report, RunError, Standing, StoredRun};
use crate::store::{Lease, RunSummary};
use crate::text::safe::masked;

/// Runs that `--all` lists.
const LISTED: u32 = 100;

/// Show how a run stands
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid status                    # the newest run
  orthid status --all              # every run, newest first
  orthid status 0198c2f4 --json | jq .outcome")]
pub struct Args {
    /// A run's id, or the beginning of one; the newest run where none is given
    run: Option<String>,

    /// List the runs, newest first
    #[arg(long, conflicts_with = "run")]
    all: bool,

    /// As one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, _cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    if args.all {
        return list(&state, args.json).await;
    }
    let summary = state.find_run(args.run.as_deref()).await?;
    let lease = state.store.lease(&summary.subject).await.map_err(store_error)?;
    let lease = lease.filter(is_alive);
    let held: Vec<String> = lease
        .iter()
        .map(|lease| format!("{} (pid {})", lease.holder.who, lease.holder.pid))
        .collect();
    let report = match StoredRun::load(&*state.store, summary.clone()).await {
        Ok(run) => Report::new(&run),
        Err(error) => return unverified(args, &state, &summary, &held, error).await,
    };
    let text = match args.json {
        true => {
            let mut document = render::json(&report);
            document["leases"] = json!(held);
            format!("{:#}\n", Exact(&document))
        }
        false => render::status(&report, &held),
    };
    terminal::result(&text)?;
    Ok(reports::exit(&report))
}

/// Shows what a store says of a run that does not hold together, and ends with the reason.
async fn unverified(
    args: &Args,
    state: &State,
    summary: &RunSummary,
    held: &[String],
    error: RunError,
) -> Result<Exit, CommandError> {
    let records = state.store.records(&summary.id, 0).await.map_err(store_error)?;
    let reason = error.to_string();
    let RunSummary { id, subject, plan_digest, created_at } = summary;
    let run = render::Unverified {
        run: &id.0,
        subject,
        plan_digest,
        created_at,
        standing: Standing::of(&records),
        records: records.len() as u64,
        reason: &reason,
    };
    terminal::result(&match args.json {
        true => format!("{:#}\n", render::unverified_json(&run, held)),
        false => render::unverified(&run, held),
    })?;
    Err(run_error(error))
}

/// A holder that died leaves a lease that expires.
fn is_alive(lease: &Lease) -> bool {
    lease.expires_at.parse().is_ok_and(|expires: jiff::Timestamp| expires > environment::now())
}

async fn list(state: &State, json: bool) -> Result<Exit, CommandError> {
    let runs = state.store.runs(LISTED).await.map_err(store_error)?;
    let mut rows = Vec::new();
    for summary in runs {
        let standing = match StoredRun::load(&*state.store, summary.clone()).await {
            Ok(run) => Some(Standing::of(&run.records)),
            Err(RunError::Tampered { .. } | RunError::Journal(_) | RunError::Plan(_)) => None,
            Err(error) => return Err(run_error(error)),
        };
        rows.push((summary, standing));
    }
    let text = match json {
        true => {
            let rows: Vec<_> = rows
                .iter()
                .map(|(run, standing)| {
                    let outcome = standing.map_or(json!("tampered"), render::standing_code);
                    json!({"run": run.id.0, "subject": run.subject, "created_at": run.created_at,
                           "outcome": outcome})
                })
                .collect();
            format!("{:#}\n", json!({"format_version": 1, "runs": rows}))
        }
        false => rows
            .iter()
            .map(|(run, standing)| {
                let standing = standing
                    .map_or("tampered (`orthid status ID` says how)", render::standing_text);
                format!("{}  {}  {}  {standing}\n", run.id, run.created_at, run.subject)
            })
            .collect(),
    };
    terminal::result(&masked(&text))?;
    Ok(Exit::Done)
}
