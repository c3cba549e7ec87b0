//! `orthid log`: a run's journal, record by record.

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::refusals::{run_error, store_error};
use crate::cli::shared::reports;
use crate::cli::shared::state::StateArgs;
use crate::render::event;
use crate::run::{Report, StoredRun};

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
    let loaded = StoredRun::load(&*state.store, summary.clone()).await;
    let refused = loaded.as_ref().map(|run| run.state.refused.clone()).unwrap_or_default();
    let (records, ended) = match loaded {
        Ok(run) => (run.records.clone(), Ok(reports::exit(&Report::new(&run)))),
        // What is there is shown, and then what is wrong with it.
        Err(error) => {
            let records = state.store.records(&summary.id, 0).await.map_err(store_error)?;
            (records, Err(run_error(error)))
        }
    };
    let mut text = String::new();
    if args.json {
        text.push_str(&event::json_head());
    }
    for record in &records {
        match args.json {
            true => text.push_str(&format!("{}\n", event::json_line(record))),
            false => {
                text.push_str(&format!("{}\n", event::log_line(record, refused.get(&record.seq))))
            }
        }
    }
    terminal::result(&text)?;
    ended
}
