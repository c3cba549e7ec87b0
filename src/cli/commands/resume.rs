//! `orthid resume`: goes on with a run that was interrupted, or that a person has put right.

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::execute::{Execution, Opening, RunArgs, dependencies, execute};
use crate::cli::shared::exit::Exit;
use crate::cli::shared::facts::Subject;
use crate::cli::shared::holder::end_dead_lease;
use crate::cli::shared::refusals::run_error;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::{environment, saved};
use crate::model::Address;
use crate::render::report::records;
use crate::run;
use crate::run::{Explained, Observation, StoredRun};
use crate::text::safe::masked;

/// Go on with a run that was interrupted or is stuck
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Each step that was started and has no recorded end is looked at before anything is done.

Example:
  orthid resume --explain          # what it finds and what it would do; changes nothing
  orthid resume                    # the newest run
  orthid resume 0198c2f4
  orthid resume --happened run.notify")]
pub struct Args {
    /// A run's id, or the beginning of one; the newest run where none is given
    run: Option<String>,

    /// Print what was found and what would be done; do nothing
    #[arg(long)]
    explain: bool,

    /// You looked, and this step's effect (or the undo that is under way) is there; may be given
    /// again
    #[arg(long, value_name = "STEP")]
    happened: Vec<Address>,

    /// You looked, and nothing of this step's effect (or of its undo) is there; may be given again
    #[arg(long, value_name = "STEP")]
    not_happened: Vec<Address>,

    #[command(flatten)]
    run_args: RunArgs,

    #[command(flatten)]
    state: StateArgs,
}

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let StoredRun { job, base, state: so_far, .. } = state.stored(args.run.as_deref()).await?;
    for (seq, why) in &so_far.refused {
        let refused =
            format!("record {seq} of the journal is NOT VERIFIED, and counts for nothing: {why}");
        terminal::note(&masked(&refused));
    }
    // A run that was signed before has no other records, unless a process was killed.
    if !so_far.vouched.is_empty() {
        for (first, last) in run::unvouched(&so_far.vouched, so_far.seq, &[]) {
            let records = records(first, last);
            terminal::note(&format!(
                "{records} of the journal: no key vouches for them; a process was killed, or \
                 somebody else wrote them"
            ));
        }
    }
    let base = saved::base(&base)?;
    let environment = environment::read();
    let redactor = cx.redactor.clone();
    Subject::of_plan(&job.plan, &base).make_known(&environment, &redactor);
    if args.explain {
        let deps = dependencies(&state, &environment, redactor);
        let evidence = state.evidence(&job.run);
        let explained = run::explain(&deps, &job, base, evidence).await.map_err(run_error)?;
        terminal::result(&masked(&text(&explained)))?;
        return Ok(Exit::Done);
    }
    let opening = Opening::Resume;
    let happened = args.happened.iter().map(|step| (step.clone(), true));
    let answers = happened.chain(args.not_happened.iter().map(|s| (s.clone(), false))).collect();
    end_dead_lease(&state, &job.subject, &environment).await?;
    let (args, state) = (&args.run_args, &state);
    execute(Execution { state, job, opening, base, environment, redactor, args, answers }, cx).await
}

fn text(explained: &[Explained]) -> String {
    if explained.is_empty() {
        return "nothing is open: a resume would start what is ready\n".to_owned();
    }
    let lines = explained.iter().map(|Explained { address, stood, found, would }| {
        let found = match found {
            None => "not looked at".to_owned(),
            Some(Observation::Done(_)) => "done".to_owned(),
            Some(Observation::NotDone) => "not done".to_owned(),
            Some(Observation::Unknown(why)) => format!("unknown: {why}"),
        };
        format!("{address}\n  the journal says: {stood}\n  the world says:   {found}\n  resume would:     {would}\n")
    });
    lines.collect()
}
