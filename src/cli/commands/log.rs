//! `orthid log`: a run's journal, record by record.

use crate::cli::Context;
use crate::cli::output::live::{self, json_line};
use crate::cli::output::terminal;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::state::{StateArgs, store_error};
use crate::journal::{Event, Record};
use crate::text::safe::masked;

/// Print a run's journal
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Example:
  orthid log                       # the newest run
  orthid log 0198c2f4 --json | jq 'select(.type == \"step_failed\")'")]
pub struct Args {
    /// A run's id, or the beginning of one; the newest run where none is given
    run: Option<String>,

    /// One JSON object a line
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, _cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let summary = state.find_run(args.run.as_deref()).await?;
    let records = state.store.records(&summary.id, 0).await.map_err(store_error)?;
    let mut text = String::new();
    if args.json {
        text.push_str(&live::json_head());
    }
    for record in &records {
        match args.json {
            true => text.push_str(&format!("{}\n", json_line(record))),
            false => text.push_str(&format!("{}\n", masked(&plain_line(record)))),
        }
    }
    terminal::result(&text)?;
    Ok(Exit::Done)
}

fn plain_line(record: &Record) -> String {
    let Record { run: _, seq, epoch, at, event, previous: _ } = record;
    format!("{seq:>5}  {at}  e{epoch}  {}", event_text(event))
}

fn event_text(event: &Event) -> String {
    match event {
        Event::RunCreated { plan_digest, steps } => {
            format!("run_created      plan {plan_digest}, {steps} steps")
        }
        Event::LeaseTaken { holder } => format!("lease_taken      by {holder}"),
        Event::RollbackRequested { holder } => format!("rollback_requested by {holder}"),
        Event::StepStarted { step, attempt, intent: _ } => {
            format!("step_started     {step} (attempt {attempt})")
        }
        Event::StepSucceeded { step, outputs: _, adopted } => {
            format!("step_succeeded   {step}{}", if *adopted { " (adopted)" } else { "" })
        }
        Event::StepFailed { step, failure } => {
            format!("step_failed      {step} {}", live::failure_text(failure))
        }
        Event::StepSkipped { step, reason } => format!("step_skipped     {step}: {reason}"),
        Event::UndoStarted { step, attempt } => {
            format!("undo_started     {step} (attempt {attempt})")
        }
        Event::UndoSucceeded { step } => format!("undo_succeeded   {step}"),
        Event::UndoFailed { step, failure } => {
            format!("undo_failed      {step} {}", live::failure_text(failure))
        }
        Event::ApprovalGiven { step, by, statement: _ } => {
            format!("approval_given   {step} by {by}")
        }
        Event::AnswerGiven { step, by, happened } => {
            format!(
                "answer_given     {step} {} by {by}",
                if *happened { "done" } else { "not-done" }
            )
        }
        Event::RunPaused { reason } => format!("run_paused       {reason}"),
        Event::RunFinished { status } => {
            format!("run_finished     {}", status.text())
        }
    }
}
