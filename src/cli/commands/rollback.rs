//! `orthid rollback`: undoes what a run did, by the rollback edges of its plan.

use std::collections::BTreeMap;

use crate::cli::output::terminal;
use crate::cli::shared::approvals::ApprovalArgs;
use crate::cli::shared::confirm::{Confirm, ConfirmArgs};
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::execute::{Execution, Opening, RunArgs, WatchArgs, dependencies, execute};
use crate::cli::shared::exit::Exit;
use crate::cli::shared::facts::Subject;
use crate::cli::shared::holder::end_dead_lease;
use crate::cli::shared::keys::SignArgs;
use crate::cli::shared::refusals::{run_error, store_error};
use crate::cli::shared::state::{State, StateArgs};
use crate::cli::shared::unset::refuse_unset;
use crate::cli::shared::{environment, saved};
use crate::model::{Address, StepKind};
use crate::run;
use crate::run::{Job, Observation, Rollback, StoredRun, Undo};
use crate::store::RunSummary;
use crate::text::safe::masked;

/// Among as many runs a newer one of the same release is looked for.
const LOOKED_AT: u32 = 100;

/// Undo what a run did: the app's revision, and what else has a rollback edge
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A run that ended well, failed, paused or is stuck goes back to where its last hop began, as if
its last step had failed. Nothing is undone that is no longer as the run left it.

Example:
  orthid rollback                  # the newest run; shows what it would undo, and asks for `yes`
  orthid rollback 0198c2f4 -auto-approve")]
pub struct Args {
    /// A run's id, or the beginning of one; the newest run where none is given
    run: Option<String>,

    #[command(flatten)]
    confirm: ConfirmArgs,

    #[command(flatten)]
    watch: WatchArgs,

    #[command(flatten)]
    sign: SignArgs,

    #[command(flatten)]
    state: StateArgs,
}

const CONFIRM: Confirm = Confirm {
    question: "Undo this?",
    unattended: "nobody is here to be asked",
    way_out: "add -auto-approve to undo this; nothing was changed",
    cancelled: "rollback was cancelled",
};

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let state = args.state.open_existing().await?;
    let summary = state.find_run(args.run.as_deref()).await?;
    refuse_overtaken(&state, &summary).await?;
    let StoredRun { job, base, .. } =
        StoredRun::load(&*state.store, summary).await.map_err(run_error)?;
    let base = saved::base(&base)?;
    let environment = environment::read();
    let redactor = cx.redactor.clone();
    Subject::of_plan(&job.plan, &base).make_known(&environment, &redactor);
    let deps = dependencies(&state, &environment, redactor.clone());
    let evidence = state.evidence(&job.run);
    let planned = run::rollback(&deps, &job, base.clone(), evidence).await.map_err(run_error)?;
    refuse_impossible(&job, &planned)?;
    let undone = |reader: &str| planned.undo.iter().any(|undo| undo.address.to_string() == reader);
    refuse_unset(&job.plan, &environment, |reader| {
        undone(reader) || reader.starts_with("database.") || reader == "release"
    })?;
    terminal::note(&masked(&text(&job, &planned)));
    args.confirm.ask(&CONFIRM, cx)?;
    end_dead_lease(&state, &job.subject, &environment).await?;
    let opening = Opening::RollBack;
    let go = RunArgs {
        parallelism: 1,
        watch: args.watch.clone(),
        approvals: ApprovalArgs::default(),
        sign: args.sign.clone(),
    };
    let (args, state, answers) = (&go, &state, BTreeMap::new());
    execute(Execution { state, job, opening, base, environment, redactor, args, answers }, cx).await
}

/// What a later run did stands on what this one did.
async fn refuse_overtaken(state: &State, summary: &RunSummary) -> Result<(), CommandError> {
    let runs = state.store.runs(LOOKED_AT).await.map_err(store_error)?;
    let newest = runs.into_iter().find(|run| run.subject == summary.subject);
    match newest {
        Some(newest) if newest.id != summary.id => Err(CommandError::with_help(
            format!("run {} came after {} for the same release", newest.id, summary.id),
            format!("only the newest can be undone: `orthid rollback {}`", newest.id),
        )),
        Some(_) | None => Ok(()),
    }
}

fn refuse_impossible(job: &Job, planned: &Rollback) -> Result<(), CommandError> {
    if planned.undo.is_empty() {
        return Err(CommandError::with_help(
            format!("there is nothing to undo in run {}", job.run),
            "nothing that happened in it has a rollback edge: `orthid status` shows what happened, and \
             `orthid graph` the plan's edges",
        ));
    }
    for Undo { address, restores, undone, backup } in &planned.undo {
        let run = &job.run;
        match undone {
            None | Some(Observation::NotDone) => {}
            Some(Observation::Done(_)) => {
                return Err(CommandError::with_help(
                    format!("{address} is not as run {run} left it: it was undone since"),
                    "nothing was undone now; `orthid log` and `helm history` tell who did what",
                ));
            }
            Some(Observation::Unknown(why)) => {
                return Err(CommandError::with_help(
                    format!("{address} may not be as run {run} left it: {why}"),
                    "nothing was undone. `helm history` tells what came after; undo that first, or go back by hand",
                ));
            }
        }
        let why = match backup {
            None | Some(Observation::Done(_)) => continue,
            Some(Observation::NotDone) => "it is not there any more, or not whole".to_owned(),
            Some(Observation::Unknown(why)) => why.clone(),
        };
        let backup = restores.as_ref().map(Address::to_string).unwrap_or_default();
        return Err(CommandError::with_help(
            format!("the backup that undoing {address} restores, {backup}, can't be used: {why}"),
            "nothing was undone; put the backup back where the run left it, and try again",
        ));
    }
    Ok(())
}

/// What is about to happen, for the person who says yes to it.
fn text(job: &Job, planned: &Rollback) -> String {
    let mut text = format!("Run {} of {} will be undone:\n\n", job.run, job.plan.name);
    for Undo { address, restores, undone: _, backup: _ } in &planned.undo {
        let to = match (restores, rolled_from(job, address)) {
            (Some(backup), _) => {
                format!(
                    "restores {backup}; what was written since stays behind in the database it replaces"
                )
            }
            (None, Some(version)) => format!("back to {version}"),
            (None, None) => "undone".to_owned(),
        };
        text.push_str(&format!("  - {address}: {to}\n"));
    }
    for address in &planned.stays {
        text.push_str(&format!("    {address}: stays\n"));
    }
    text
}

/// The version that a roll's undo returns to.
fn rolled_from(job: &Job, address: &Address) -> Option<String> {
    let step = job.plan.steps.iter().find(|step| step.address == *address)?;
    let hop = job.plan.hops.get(step.hop?)?;
    (step.kind() == StepKind::Roll).then(|| hop.from.to_string())
}
