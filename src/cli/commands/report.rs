//! `orthid report`: what became of a plan, as text, Markdown, HTML or JSON.

use std::path::PathBuf;

use askama::Template;
use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::json;

use crate::cli::Context;
use crate::cli::output::live::{failure_text, human};
use crate::cli::output::terminal::{self, Terminal};
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::saved;
use crate::cli::shared::state::{State, StateArgs, store_error};
use crate::cli::shared::write::{Readers, write};
use crate::run::{Report, RunState, Standing, StepOutcome as Outcome, StepReport};
use crate::store::RunSummary;
use crate::text::safe::masked;

/// Report a run: planned against actual, who, when
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid report                        # the newest run, as text
  orthid report 0198c2f4 --markdown    # for the change ticket
  orthid report --html report.html")]
pub struct Args {
    /// A run's id, or the beginning of one; the newest run where none is given
    run: Option<String>,

    /// As Markdown
    #[arg(long, conflicts_with_all = ["json", "html"])]
    markdown: bool,

    /// As one self-contained page, written to FILE
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    html: Option<PathBuf>,

    /// As one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let report = load(&state, args.run.as_deref()).await?;
    if let Some(path) = &args.html {
        let page = Page { report: &report }.render().map_err(|error| {
            CommandError::from(miette::miette!("cannot render the report: {error}"))
        })?;
        write(path, page.as_bytes(), Readers::Everyone)?;
        return Ok(Exit::Done);
    }
    let text = match (args.json, args.markdown) {
        (true, _) => format!("{:#}\n", to_json(&report)),
        (false, true) => markdown(&report),
        (false, false) => plain(&report, cx.terminal),
    };
    terminal::result(&text)?;
    Ok(Exit::Done)
}

/// Reads a run and verifies its journal: every record's place, hash and transition.
pub async fn load(state: &State, wanted: Option<&str>) -> Result<Report, CommandError> {
    let summary = state.find_run(wanted).await?;
    of_run(state, summary).await
}

/// The same of a run that was found already.
pub async fn of_run(state: &State, summary: RunSummary) -> Result<Report, CommandError> {
    let records = state.store.records(&summary.id, 0).await.map_err(store_error)?;
    let saved = saved::of_run(state, &summary).await?;
    RunState::fold(summary.id.clone(), summary.plan_digest.clone(), &records)
        .map_err(|error| CommandError::from(miette::miette!("{error}")))?;
    Report::new(&saved.plan, &records).ok_or_else(|| {
        CommandError::from(miette::miette!("the journal of run {} has no beginning", summary.id))
    })
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
}

pub fn standing_text(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "running, or its process died (`orthid resume` finds out)",
        Standing::Paused => "paused (`orthid resume` goes on)",
        Standing::Finished(status) => status.text(),
    }
}

/// The standing as programs read it.
pub fn standing_code(standing: Standing) -> serde_json::Value {
    match standing {
        Standing::Open => json!("open"),
        Standing::Paused => json!("paused"),
        Standing::Finished(status) => json!(status),
    }
}

fn head(report: &Report) -> Vec<(&'static str, String)> {
    let mut head = vec![
        ("run", report.run.to_string()),
        ("plan", format!("{} ({})", report.plan, report.plan_digest)),
    ];
    if let Some(versions) = &report.versions {
        head.push(("versions", versions.clone()));
    }
    head.push(("began", report.created_at.clone()));
    if let Some(took) = report.took {
        head.push(("took", human(took)));
    }
    let holders: Vec<String> =
        report.holders.iter().map(|(holder, epoch)| format!("{holder} (epoch {epoch})")).collect();
    head.push(("by", holders.join(", ")));
    for approval in &report.approvals {
        head.push(("approved", format!("{} by {} at {}", approval.step, approval.by, approval.at)));
    }
    for pause in &report.pauses {
        head.push(("paused", pause.clone()));
    }
    head.push(("journal", format!("{} records, hash chain verified", report.records)));
    head.push(("outcome", standing_text(report.standing).to_owned()));
    head
}

/// What a step handed on, and what it failed with, in one cell.
fn details(step: &StepReport) -> String {
    let mut parts: Vec<String> = step
        .outputs
        .iter()
        .map(|(name, value)| match value {
            serde_json::Value::String(text) => format!("{name} = {text}"),
            other => format!("{name} = {other}"),
        })
        .collect();
    if let Outcome::Skipped(reason) = &step.outcome {
        parts.push(reason.clone());
    }
    if let Some(failure) = &step.failure {
        parts.push(failure_text(failure));
    }
    parts.join("\n")
}

fn table(report: &Report) -> Table {
    let mut table = Table::new();
    table
        .load_style(UTF8_HORIZONTAL_ONLY)
        .set_header(["step", "outcome", "attempts", "took", "details"]);
    for step in &report.steps {
        table.add_row([
            masked(&step.address.to_string()),
            step.outcome.text().to_owned(),
            step.attempts.to_string(),
            step.took.map(human).unwrap_or_default(),
            masked(&details(step)),
        ]);
    }
    table
}

fn plain(report: &Report, terminal: Terminal) -> String {
    let mut text = String::new();
    for (name, value) in head(report) {
        text.push_str(&format!("{name:>9}  {}\n", masked(&value)));
    }
    let mut table = table(report);
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX));
    text.push_str(&format!("\n{table}\n"));
    text
}

fn markdown(report: &Report) -> String {
    let title = report.versions.as_deref().unwrap_or("runbook");
    let mut text = format!("## orthid: {} {title}\n\n", report.plan);
    for (name, value) in head(report) {
        text.push_str(&format!("- **{name}**: {}\n", masked(&value)));
    }
    text.push_str("\n| step | outcome | attempts | took | details |\n|---|---|---|---|---|\n");
    for step in &report.steps {
        let details = masked(&details(step)).replace('|', "\\|").replace('\n', "<br>");
        text.push_str(&format!(
            "| `{}` | {} | {} | {} | {details} |\n",
            step.address,
            step.outcome.text(),
            step.attempts,
            step.took.map(human).unwrap_or_default(),
        ));
    }
    text
}

pub fn to_json(report: &Report) -> serde_json::Value {
    let millis = |took: Option<std::time::Duration>| {
        took.and_then(|took| u64::try_from(took.as_millis()).ok())
    };
    json!({
        "format_version": 1,
        "run": report.run.0,
        "plan": report.plan,
        "plan_digest": report.plan_digest,
        "versions": report.versions,
        "created_at": report.created_at,
        "took_ms": millis(report.took),
        "outcome": standing_code(report.standing),
        "holders": report.holders.iter().map(|(who, epoch)| json!({"holder": who, "epoch": epoch})).collect::<Vec<_>>(),
        "approvals": report.approvals.iter().map(|a| json!({"step": a.step, "by": a.by, "at": a.at})).collect::<Vec<_>>(),
        "journal": { "records": report.records, "verified": true },
        "steps": report.steps.iter().map(|step| json!({
            "address": step.address,
            "outcome": step.outcome.text(),
            "attempts": step.attempts,
            "started_at": step.started_at,
            "took_ms": millis(step.took),
            "outputs": step.outputs,
            "failure": step.failure,
        })).collect::<Vec<_>>(),
    })
}

/// The style class of a step's outcome on the page.
fn class(step: &StepReport) -> &'static str {
    match step.outcome {
        Outcome::Succeeded | Outcome::Adopted | Outcome::Undone => "succeeded",
        Outcome::Failed | Outcome::UndoFailed => "failed",
        Outcome::NotStarted | Outcome::Started | Outcome::Skipped(_) | Outcome::Undoing => "",
    }
}
