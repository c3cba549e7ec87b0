//! Approvals that a run is given: in files, by name, or at a prompt. Shared by `apply` and
//! `resume`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::output::terminal;
use crate::cli::shared::environment;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::keys::MAX_BYTES;
use crate::cli::shared::signals::Signals;
use crate::model::{Address, StepSpec};
use crate::plan::Plan;
use crate::run::approval::{ApprovalError, approve_steps, verify};
use crate::run::{GivenApproval, Job};
use crate::world::files::read_regular;

#[derive(clap::Args, Clone, Debug, Default)]
pub struct ApprovalArgs {
    /// An approval that `orthid approve` signed; may be given again
    #[arg(long, value_name = "FILE")]
    approval: Vec<PathBuf>,

    /// Say yes to this approve step, one that lists no keys; may be given again
    #[arg(long, value_name = "STEP")]
    approve: Vec<Address>,
}

impl ApprovalArgs {
    /// Everything that was given, each part checked against the plan. `who` is at the keyboard.
    pub fn gather(
        &self,
        job: &Job,
        who: &str,
    ) -> Result<BTreeMap<Address, Vec<GivenApproval>>, CommandError> {
        let mut given: BTreeMap<Address, Vec<GivenApproval>> = BTreeMap::new();
        for path in &self.approval {
            for (step, approval) in read(path, job)? {
                given.entry(step).or_default().push(approval);
            }
        }
        let gates = approve_steps(&job.plan);
        for step in &self.approve {
            match gates.get(step) {
                Some([]) => {
                    given.insert(step.clone(), vec![spoken(who)]);
                }
                Some(_) => {
                    return Err(CommandError::with_help(
                        format!("{step} is approved by a key that it lists, not by name"),
                        "have it signed: `orthid approve PLAN -key FILE -out approval.json`, and \
                         give that with -approval approval.json",
                    ));
                }
                None => return Err(no_such_step(&job.plan, step)),
            }
        }
        Ok(given)
    }
}

fn spoken(who: &str) -> GivenApproval {
    GivenApproval { by: who.to_owned(), statement: String::new() }
}

fn no_such_step(plan: &Plan, step: &Address) -> CommandError {
    let names: Vec<String> = approve_steps(plan).keys().map(ToString::to_string).collect();
    let help = match names.is_empty() {
        true => "the plan has none".to_owned(),
        false => format!("it has {}", names.join(", ")),
    };
    CommandError::with_help(format!("the plan has no approve step `{step}`"), help)
}

fn read(path: &Path, job: &Job) -> Result<BTreeMap<Address, GivenApproval>, CommandError> {
    let bytes =
        read_regular(path, MAX_BYTES).map_err(|error| CommandError::io("read", path, &error))?;
    verify(&bytes, &job.plan_digest, &job.plan, environment::now()).map_err(|error| {
        let exit = match error {
            ApprovalError::AnotherPlan(_) => Exit::Stale,
            ApprovalError::NotAnApproval(_)
            | ApprovalError::NotSigned
            | ApprovalError::NoSuchStep(_)
            | ApprovalError::AnotherStep(_)
            | ApprovalError::Expired(_)
            | ApprovalError::KeyNotAllowed { .. } => Exit::Error,
        };
        let report = miette::miette!(
            code = "orthid::run::approval",
            help = "nothing was approved. Have this plan approved: `orthid approve PLAN -key FILE`",
            "{} is refused: {error}",
            path.display()
        );
        CommandError::new(exit, report)
    })
}

/// Asks the person at the terminal about those of the waiting steps that list no keys; none where a
/// signal came first.
pub async fn ask(
    plan: &Plan,
    waiting: &[Address],
    who: &str,
    signals: &mut Signals,
) -> Result<Option<BTreeMap<Address, Vec<GivenApproval>>>, CommandError> {
    let gates = approve_steps(plan);
    let mut given = BTreeMap::new();
    for step in waiting.iter().filter(|step| gates.get(step).is_some_and(|keys| keys.is_empty())) {
        let question = format!("Go on past {step}?");
        match signals.or_answer(move || terminal::says_yes(&question)).await {
            Some(Ok(true)) => drop(given.insert(step.clone(), vec![spoken(who)])),
            Some(Ok(false)) => {}
            // A terminal that can't be read was closed.
            Some(Err(_)) | None => {
                // The line of the prompt has no end yet.
                terminal::note("");
                return Ok(None);
            }
        }
    }
    Ok(Some(given))
}

/// What a person does about a step that waits.
pub fn way_out(plan: &Plan, step: &Address, run: &str) -> String {
    let gate = plan.steps.iter().find(|it| it.address == *step).map(|it| &it.spec);
    match gate {
        Some(StepSpec::Approve(gate)) if !gate.keys.is_empty() => {
            let many = match gate.needed() {
                1 => "an approval".to_owned(),
                needed => format!("{needed} approvals, by different keys,"),
            };
            format!(
                "waiting for {many} of {step}: `orthid approve PLAN -key FILE -out approval.json`, \
                 then `orthid resume {run} -approval approval.json`"
            )
        }
        Some(_) | None => format!(
            "waiting for an approval of {step}: `orthid resume {run} -approve '{step}'` gives it"
        ),
    }
}
