//! `orthid apply`: carries out a saved plan, or plans, asks, and carries out.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::cli::output::terminal;
use crate::cli::shared::confirm::{Confirm, ConfirmArgs};
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::execute::{Execution, Opening, RunArgs, execute};
use crate::cli::shared::exit::Exit;
use crate::cli::shared::facts::Subject;
use crate::cli::shared::refusals::store_error;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::state::{State, StateArgs};
use crate::cli::shared::unset::refuse_unset;
use crate::cli::shared::{environment, facts, planning, saved};
use crate::journal::RunId;
use crate::plan::{Level, SavedPlan, StaleFact};
use crate::render::plan as render;
use crate::run::Job;
use crate::store::StoreError;
use crate::text::secret::Redactor;
use crate::world::Environment;
use crate::world::files::read_confined;

/// Carry out a plan
#[derive(clap::Args, Debug)]
#[command(after_help = "\
A saved plan asks nothing: it was reviewed. It applies at most once, and only to the world it was made from. From HCL, the
plan is made, shown, and `yes` is asked for.

Examples:
  orthid apply upgrade.plan
  orthid apply plans/orthid-2.7.hcl
  orthid apply plans/orthid-2.7.hcl -auto-approve --json")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    confirm: ConfirmArgs,

    /// Accept that past the plan's point of no return going back loses data: the plan's digest, or
    /// the beginning of it
    #[arg(long, value_name = "DIGEST")]
    accept_point_of_no_return: Option<String>,

    /// Refuse any other plan than the one with this digest, the whole of it: what was reviewed is what runs
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,

    #[command(flatten)]
    run_args: RunArgs,

    #[command(flatten)]
    state: StateArgs,
}

const CONFIRM: Confirm = Confirm {
    question: "Carry out this plan?",
    unattended: "this plan was not reviewed, and nobody is here to be asked",
    way_out: "save it with `orthid plan -out FILE` and apply that, or add -auto-approve",
    cancelled: "apply was cancelled",
};

pub async fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    if args.confirm.is_given() || saved::is_saved(&args.source.file) {
        // Nobody is asked, so nobody has to have read the plan.
        terminal::bound_notes();
    }
    let environment = environment::read();
    let redactor = cx.redactor.clone();
    let (saved, bytes, base) = match saved::is_saved(&args.source.file) {
        true => {
            let (saved, bytes) = saved::read(&args.source.file)?;
            let base = saved::base(&saved.base)?;
            (saved, bytes, base)
        }
        false => {
            let made = planning::make(&args.source, None, &args.state, &environment, &redactor, cx)
                .await?;
            terminal::note(&render::text(&made.saved, cx.terminal.style()));
            let bytes = made.saved.to_bytes();
            (made.saved, bytes, made.base)
        }
    };
    refuse_another(args, &saved)?;
    Subject::of_plan(&saved.plan, &base).make_known(&environment, &redactor);
    refuse_secrets(&redactor, &bytes)?;
    refuse_blocked(&saved)?;
    if saved.plan.steps.is_empty() {
        terminal::note("nothing to do: the release is at the target already");
        return Ok(Exit::Done);
    }
    refuse_unset(&saved.plan, &environment, |_| true)?;
    let state = args.state.open().await?;
    refuse_consumed(&state, &saved).await?;
    accept_point_of_no_return(args, &saved)?;
    match saved::is_saved(&args.source.file) {
        true => refuse_stale(&saved, &base, &environment, &redactor).await?,
        false => args.confirm.ask(&CONFIRM, cx)?,
    }
    let job = Job {
        run: RunId(uuid::Uuid::now_v7().to_string()),
        plan_digest: saved.digest.clone(),
        subject: saved.subject(),
        plan: Arc::new(saved.plan),
    };
    let opening = Opening::Start { plan_bytes: bytes };
    let (args, state) = (&args.run_args, &state);
    let answers = BTreeMap::new();
    execute(Execution { state, job, opening, base, environment, redactor, args, answers }, cx).await
}

/// A plan is stored with its run. One that was made where a secret was not known may hold it.
fn refuse_secrets(redactor: &Redactor, bytes: &[u8]) -> Result<(), CommandError> {
    if !redactor.holds(&String::from_utf8_lossy(bytes)) {
        return Ok(());
    }
    let report = miette::miette!(
        code = "orthid::plan::holds_secret",
        help = "nothing was changed. Plan again where the variables that the plan reads are set, and \
                have that plan reviewed; remove this file",
        "the plan holds a secret that it reads from the environment: it was made where that was not known"
    );
    Err(CommandError::new(Exit::Blocked, report))
}

/// Holds the plan to the digest that was reviewed, where one was given.
fn refuse_another(args: &Args, saved: &SavedPlan) -> Result<(), CommandError> {
    let Some(reviewed) = &args.digest else { return Ok(()) };
    if reviewed.eq_ignore_ascii_case(&saved.digest) {
        return Ok(());
    }
    let report = miette::miette!(
        code = "orthid::plan::not_reviewed",
        help = "nothing was done. `orthid show PLAN -json | jq -r .digest` prints the digest of a saved plan; one that is \
                made anew has another",
        "the plan is {}, and --digest names {reviewed}",
        saved.digest
    );
    Err(CommandError::new(Exit::Stale, report))
}

fn refuse_blocked(saved: &SavedPlan) -> Result<(), CommandError> {
    let blocking: Vec<String> = saved
        .plan
        .findings
        .iter()
        .filter(|finding| finding.level == Level::Blocking)
        .map(|finding| format!("{}: {}", finding.code, finding.message))
        .collect();
    if blocking.is_empty() {
        return Ok(());
    }
    let report = miette::miette!(
        code = "orthid::plan::blocked",
        help = "fix what each one names, then plan again",
        "the plan is blocked by {} finding(s):\n  {}",
        blocking.len(),
        blocking.join("\n  ")
    );
    Err(CommandError::new(Exit::Blocked, report))
}

async fn refuse_consumed(state: &State, saved: &SavedPlan) -> Result<(), CommandError> {
    let run = state.store.run_of_plan(&saved.digest).await.map_err(store_error)?;
    match run {
        None => Ok(()),
        Some(run) => {
            Err(store_error(StoreError::PlanConsumed { digest: saved.digest.clone(), run }))
        }
    }
}

fn accept_point_of_no_return(args: &Args, saved: &SavedPlan) -> Result<(), CommandError> {
    let Some(point) = &saved.plan.point_of_no_return else { return Ok(()) };
    let accepted = args.accept_point_of_no_return.as_deref();
    if accepted.is_some_and(|digest| digest.len() >= 8 && saved.digest.starts_with(digest)) {
        return Ok(());
    }
    let short = saved.digest.get(..16).unwrap_or(&saved.digest);
    let report = miette::miette!(
        code = "orthid::plan::point_of_no_return",
        help = format!(
            "read the plan's failure map; if that is acceptable, add --accept-point-of-no-return {short}"
        ),
        "this plan has a point of no return at {}: {}",
        point.step,
        point.reason
    );
    Err(CommandError::new(Exit::Blocked, report))
}

/// Looks again at everything that the plan rests on. Any difference is refused by name.
async fn refuse_stale(
    saved: &SavedPlan,
    base: &Path,
    environment: &Environment,
    redactor: &Redactor,
) -> Result<(), CommandError> {
    let plan = &saved.plan;
    let facts = facts::observe(environment, redactor, Subject::of_plan(plan, base)).await?;
    let mut differing: Vec<String> = saved
        .stale(&facts)
        .into_iter()
        .map(|StaleFact { fact, planned, now }| format!("{fact}: planned {planned}, now {now}"))
        .collect();
    differing.extend(changed_files(saved, base));
    if differing.is_empty() {
        return Ok(());
    }
    let report = miette::miette!(
        code = "orthid::plan::stale",
        help = "nothing was changed. Make a new plan and have it reviewed",
        "the plan is stale: the world is not the one it was made for\n  {}",
        differing.join("\n  ")
    );
    Err(CommandError::new(Exit::Stale, report))
}

/// Values files are read by the run, so they must be the ones that were reviewed.
fn changed_files(saved: &SavedPlan, base: &Path) -> Vec<String> {
    let Some(release) = &saved.plan.release else { return Vec::new() };
    let changed =
        release.values.files.iter().filter_map(|file| match read_confined(base, &file.path) {
            Ok(bytes) if hex::encode(Sha256::digest(&bytes)) == file.sha256 => None,
            Ok(_) => Some(format!("{}: its content has changed", file.path)),
            Err(reason) => Some(reason),
        });
    changed.collect()
}
