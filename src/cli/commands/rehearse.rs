//! `orthid rehearse`: the real executor on a plan in a simulated world: what becomes of it,
//! whatever goes wrong.

use std::path::PathBuf;
use std::sync::Arc;

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::runtime::wait;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::state::StateArgs;
use crate::cli::shared::{environment, facts, planning, saved};
use crate::model::Address;
use crate::plan::Plan;
use crate::render::rehearsal;
use crate::simulate::{Rehearsal, rehearse};
use crate::text::closest::closest;

/// Rehearse a plan in a simulated world: every step failing, orthid killed at every moment
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Nothing outside is touched: the executor is the real one, the world and its clock are not. Without --facts, a plan from HCL
is made by looking at the cluster first, as `orthid plan` does; a saved plan and a runbook need none.

Examples:
  orthid rehearse plans/orthid-2.7.hcl --facts facts.json
  orthid rehearse upgrade.plan --crash-everywhere
  orthid rehearse upgrade.plan --fail roll.app --json")]
pub struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Plan from a recording made by `orthid observe`, without access to the cluster
    #[arg(long, value_name = "FILE")]
    facts: Option<PathBuf>,

    /// Let only this step fail; may be given again (default: each step in turn)
    #[arg(long, value_name = "STEP")]
    fail: Vec<Address>,

    /// Kill orthid at every journal write and every effect, and resume each time
    #[arg(long)]
    crash_everywhere: bool,

    /// As one JSON document
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    state: StateArgs,
}

pub fn run(args: &Args, cx: &Context) -> Result<Exit, CommandError> {
    let plan = Arc::new(plan(args, cx)?);
    let failing = match args.fail.is_empty() {
        true => plan.steps.iter().map(|step| step.address.clone()).collect(),
        false => known(&plan, &args.fail)?,
    };
    let outcome = rehearse(&plan, &failing, args.crash_everywhere);
    let text = match args.json {
        true => format!("{:#}\n", rehearsal::json(&plan, &outcome)),
        false => rehearsal::text(&plan, &outcome, cx.terminal.width),
    };
    terminal::result(&text)?;
    match broken(&outcome) {
        None => Ok(Exit::Done),
        Some(promise) => Err(CommandError::with_help(
            format!("the rehearsal broke a promise of orthid's: {promise}"),
            "do not carry this plan out; report this with the plan",
        )),
    }
}

fn plan(args: &Args, cx: &Context) -> Result<Plan, CommandError> {
    if saved::is_saved(&args.source.file) {
        return Ok(saved::read(&args.source.file)?.0.plan);
    }
    let facts = args.facts.as_deref().map(facts::read).transpose()?;
    let (environment, redactor) = (environment::read(), cx.redactor.clone());
    let making = planning::make(&args.source, facts, &args.state, &environment, &redactor, cx);
    Ok(wait(making)?.saved.plan)
}

/// The steps that are to fail, each of which the plan has.
fn known(plan: &Plan, wanted: &[Address]) -> Result<Vec<Address>, CommandError> {
    let names: Vec<String> = plan.steps.iter().map(|step| step.address.to_string()).collect();
    for step in wanted {
        let name = step.to_string();
        if names.contains(&name) {
            continue;
        }
        let listed = match names.is_empty() {
            true => "the plan has no step".to_owned(),
            false => format!("the plan's steps: {}", names.join(", ")),
        };
        let help = match closest(&name, names.iter().map(String::as_str)) {
            Some(close) => format!("did you mean `{close}`? {listed}"),
            None => listed,
        };
        return Err(CommandError::with_help(format!("the plan has no step `{name}`"), help));
    }
    Ok(wanted.to_vec())
}

/// What the executor itself did wrong, where it did.
fn broken(rehearsal: &Rehearsal) -> Option<String> {
    let rows = std::iter::once(&rehearsal.smooth).chain(&rehearsal.rows);
    let mut troubles = rows.flat_map(|row| row.trouble.iter().cloned());
    let others = rehearsal.kills.iter().flat_map(|kills| &kills.other);
    troubles.next().or_else(|| {
        others.map(|(moment, how)| format!("killed at {moment}, it ended otherwise: {how}")).next()
    })
}
