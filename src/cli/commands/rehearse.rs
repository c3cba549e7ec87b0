//! `orthid rehearse`: the real executor on a plan in a simulated world: what becomes of it, whatever goes wrong.

use std::path::PathBuf;
use std::sync::Arc;

use comfy_table::presets::UTF8_HORIZONTAL_ONLY;
use comfy_table::{ContentArrangement, Table};
use serde_json::{Value, json};

use crate::cli::Context;
use crate::cli::commands::plan as planning;
use crate::cli::commands::wait;
use crate::cli::output::terminal::{self, Terminal};
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::facts;
use crate::cli::shared::saved;
use crate::cli::shared::source_args::SourceArgs;
use crate::cli::shared::state::StateArgs;
use crate::model::Address;
use crate::plan::Plan;
use crate::simulate::{Kills, Rehearsal, Row, rehearse};
use crate::text::safe::masked;
use crate::world::Redactor;

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
    let rehearsal = rehearse(&plan, &failing, args.crash_everywhere);
    let text = match args.json {
        true => format!("{:#}\n", to_json(&plan, &rehearsal)),
        false => plain(&plan, &rehearsal, cx.terminal),
    };
    terminal::result(&text)?;
    match broken(&rehearsal) {
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
    let facts = args.facts.as_deref().map(planning::read_facts).transpose()?;
    let (environment, redactor) = (facts::environment(), Redactor::default());
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
        let close = names.iter().max_by(|a, b| {
            strsim::jaro_winkler(a, &name).total_cmp(&strsim::jaro_winkler(b, &name))
        });
        let help = match close {
            Some(close) => {
                format!("did you mean `{close}`? The plan's steps: {}", names.join(", "))
            }
            None => "the plan has no step".to_owned(),
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

fn list(steps: &[Address]) -> String {
    match steps.is_empty() {
        true => "—".to_owned(),
        false => steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

fn ends(row: &Row) -> &'static str {
    match row.status {
        Some(status) => status.text(),
        None if row.trouble.is_empty() => "waits for an approval",
        None => "does not come to an end",
    }
}

fn failing(row: &Row) -> String {
    row.failing.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

fn point_of_no_return(plan: &Plan) -> Option<String> {
    plan.point_of_no_return.as_ref().map(|point| format!("{}: {}", point.step, point.reason))
}

fn plain(plan: &Plan, rehearsal: &Rehearsal, terminal: Terminal) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_HORIZONTAL_ONLY).set_header(["fails", "the run ends", "undone", "stays"]);
    for row in std::iter::once(&rehearsal.smooth).chain(&rehearsal.rows) {
        table.add_row([failing(row), ends(row).to_owned(), list(&row.undone), list(&row.left)]);
    }
    table
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(terminal.width).unwrap_or(u16::MAX));
    let mut text = format!("{table}\n\n");
    let point = point_of_no_return(plan).unwrap_or_else(|| "none".to_owned());
    text.push_str(&format!("Point of no return: {point}\n"));
    if let Some(step) = &rehearsal.first_that_stays
        && plan.point_of_no_return.is_none()
    {
        text.push_str(&format!("What {step} does stays when a later step fails.\n"));
    }
    if let Some(kills) = &rehearsal.kills {
        text.push_str(&format!(
            "Killed at {} moments and resumed: {} times the same end.\n",
            kills.moments, kills.same
        ));
    }
    let asked = asked(rehearsal);
    if asked.is_empty() {
        text.push_str("A person is never needed.\n");
    } else {
        text.push_str("\nA person is needed where\n");
    }
    for Asked { when, step, question } in asked {
        text.push_str(&format!("  {when}: {step}\n    {question}\n"));
    }
    masked(&text)
}

/// A state in which a person would be needed.
struct Asked {
    when: String,
    step: String,
    question: String,
}

fn asked(rehearsal: &Rehearsal) -> Vec<Asked> {
    let rows = std::iter::once(&rehearsal.smooth).chain(&rehearsal.rows);
    let failing = rows.flat_map(|row| {
        row.asked.iter().map(|(step, question)| Asked {
            when: format!("{} fails", self::failing(row)),
            step: step.to_string(),
            question: question.clone(),
        })
    });
    let killed = rehearsal.kills.iter().flat_map(|kills| &kills.asked);
    let killed = killed.map(|(moment, step, question)| Asked {
        when: format!("orthid is killed at {moment}"),
        step: step.to_string(),
        question: question.clone(),
    });
    failing.chain(killed).collect()
}

fn to_json(plan: &Plan, rehearsal: &Rehearsal) -> Value {
    let row = |row: &Row| {
        json!({
            "fails": row.failing,
            "status": row.status,
            "undone": row.undone,
            "stays": row.left,
            "trouble": row.trouble,
        })
    };
    let kills = |kills: &Kills| {
        let other = kills.other.iter().map(|(moment, end)| json!({"moment": moment, "end": end}));
        json!({
            "moments": kills.moments,
            "same_end": kills.same,
            "other_end": other.collect::<Vec<_>>(),
        })
    };
    let asked: Vec<Value> = asked(rehearsal)
        .into_iter()
        .map(|Asked { when, step, question }| {
            json!({"when": when, "step": step, "question": question})
        })
        .collect();
    json!({
        "format_version": 1,
        "smooth": row(&rehearsal.smooth),
        "failures": rehearsal.rows.iter().map(row).collect::<Vec<_>>(),
        "point_of_no_return": plan.point_of_no_return,
        "first_that_stays": rehearsal.first_that_stays,
        "kills": rehearsal.kills.as_ref().map(kills),
        "person_needed": asked,
    })
}
