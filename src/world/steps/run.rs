//! The run step: any command, as an argument vector.
//!
//! # Flow
//! The command runs in its own process group with the plan's environment added. Its exit code is held against
//! `exit_codes`; the last line of its stdout that is a JSON object becomes the outputs. One that holds a secret of the
//! plan, or that `sensitive_outputs` names, is sensitive: records keep what reads it again, not the value.
//!
//! # Guarantees
//! No shell. What it wrote is kept, redacted. An earlier orthid's child that still runs is waited for, never doubled.
//!
//! # Assumptions
//! `observe` tells the truth: exit 0 is done, 1 is not done, all else unknown. Without `observe`, only
//! `idempotent = true` allows repeating.
//!
//! # Caveats
//! A command that leaves processes in other groups leaves them behind.
//!
//! # Errors
//! An unexpected exit code is permanent. An end by interrupt or timeout is unknown, or transient where the command
//! is idempotent. A sensitive value among the arguments is refused: arguments are public on the machine; use `env`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::journal::Failure;
use crate::model::{Arg, Outputs, RunSpec};
use crate::run::Observation;
use crate::world::failure::{permanent, transient, unknown};
use crate::world::process::{self, Ended, Finished, Job};
use crate::world::site::Site;

/// Bound on a command where the step gives none.
const TIMEOUT: Duration = Duration::from_secs(24 * 3600);
/// Bound on an `observe` command.
const OBSERVE_TIMEOUT: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(20);

pub async fn observe(site: &Site<'_>, spec: &RunSpec) -> Observation {
    match ended_orphans(site).await {
        Ok(()) => {}
        Err(failure) => return Observation::Unknown(failure.message),
    }
    let Some(command) = &spec.observe else {
        return match spec.idempotent {
            true => Observation::NotDone,
            false => Observation::Unknown(format!(
                "{} has no `observe` and is not `idempotent`; look whether its effect is there",
                site.cx.step.address
            )),
        };
    };
    let cancel = CancellationToken::new();
    match start(site, spec, command, "observe", OBSERVE_TIMEOUT, &cancel).await {
        Ok(done) if done.why == Ended::TimedOut => {
            Observation::Unknown("the `observe` command did not end in time".to_owned())
        }
        Ok(done) => match done.status.code() {
            Some(0) => Observation::Done(outputs(&done.stdout)),
            Some(1) => Observation::NotDone,
            Some(_) | None => Observation::Unknown(format!(
                "the `observe` command ended with {}: {}",
                done.status,
                done.last_words(site.redactor)
            )),
        },
        Err(failure) => Observation::Unknown(failure.message),
    }
}

pub async fn act(site: &Site<'_>, spec: &RunSpec) -> Result<Outputs, Failure> {
    let name = format!("command-{}", site.cx.attempt);
    let done = start(site, spec, &spec.command, &name, TIMEOUT, &site.cx.cancel).await?;
    finished(site, spec, &done, &name)?;
    Ok(outputs(&done.stdout))
}

/// The undo has no `observe` of its own: while the effect can be seen, it has not happened.
pub async fn observe_undo(site: &Site<'_>, spec: &RunSpec) -> Observation {
    match observe(site, spec).await {
        Observation::NotDone if spec.observe.is_some() => Observation::Done(Outputs::new()),
        Observation::NotDone | Observation::Done(_) => Observation::NotDone,
        Observation::Unknown(reason) => Observation::Unknown(reason),
    }
}

pub async fn undo(site: &Site<'_>, spec: &RunSpec) -> Result<(), Failure> {
    let command = spec.undo.as_ref();
    let command = command.ok_or_else(|| permanent("this step has no `undo` command"))?;
    let name = format!("undo-{}", site.cx.attempt);
    let done = start(site, spec, command, &name, TIMEOUT, &site.cx.cancel).await?;
    finished(site, spec, &done, &name)
}

async fn ended_orphans(site: &Site<'_>) -> Result<(), Failure> {
    for orphan in process::orphans(&site.folder) {
        site.progress(format!("waiting for process {} of an earlier orthid", orphan.marker.pid));
        if !orphan.wait(TIMEOUT, &site.cx.cancel).await {
            return Err(unknown(format!(
                "process {} ({}), started by an earlier orthid, still runs",
                orphan.marker.pid, orphan.marker.program
            )));
        }
    }
    site.clear_leftovers();
    Ok(())
}

async fn start(
    site: &Site<'_>,
    spec: &RunSpec,
    command: &[Arg],
    name: &str,
    timeout: Duration,
    cancel: &CancellationToken,
) -> Result<Finished, Failure> {
    let resolver = site.resolver();
    let mut words = Vec::new();
    for arg in command {
        let word = resolver.resolve("an argument", arg)?;
        // What a step printed counts as well: it may be known only now that it is a secret.
        if word.sensitive {
            return Err(permanent("a sensitive value stands among the arguments of a command")
                .help("pass it by `env`: every user of the machine can read arguments"));
        }
        words.push(word.text);
    }
    let mut env = site.env.for_command(&spec.pass_env);
    for (name, arg) in &spec.env {
        env.insert(name.clone(), resolver.text(&format!("variable `{name}`"), arg)?);
    }
    let workdir = site.cx.base.join(spec.workdir.as_deref().unwrap_or("."));
    let (program, args) = words.split_first().ok_or_else(|| permanent("the command is empty"))?;
    let program = match program.contains('/') {
        true => workdir.join(program),
        false => find(&env, program)?,
    };
    let job = Job {
        program,
        args: args.iter().map(OsString::from).collect(),
        env,
        workdir: Some(workdir),
        inherit: None,
        folder: site.folder.clone(),
        name: name.to_owned(),
        timeout,
        grace: GRACE,
    };
    let cannot = |e| permanent(format!("{} can't be run: {e}", job.program.display()));
    let done = process::run(&job, cancel, site.redactor).await.map_err(cannot)?;
    // What the step calls secret is one from now on, in its own output too.
    for (name, value) in outputs(&done.stdout) {
        if spec.sensitive_outputs.contains(&name) {
            site.redactor.register_value(&value);
        }
    }
    if !spec.sensitive_outputs.is_empty() {
        process::redact_output(&job.folder, &job.name, site.redactor)?;
    }
    Ok(done)
}

fn find(env: &BTreeMap<String, String>, program: &str) -> Result<PathBuf, Failure> {
    Ok(crate::world::Environment::new(env.clone()).program(program)?)
}

fn finished(site: &Site<'_>, spec: &RunSpec, done: &Finished, name: &str) -> Result<(), Failure> {
    let evidence = site.child_evidence(name);
    let cut = |reason: &str| match spec.idempotent {
        true => transient(reason),
        false => unknown(reason),
    };
    match done.why {
        Ended::Cancelled => Err(cut("the command was interrupted").with_evidence(evidence)),
        Ended::TimedOut => Err(cut("the command did not end in time").with_evidence(evidence)),
        Ended::Itself => match done.status.code() {
            Some(code) if spec.exit_codes.contains(&code) => Ok(()),
            Some(code) if spec.exit_codes.is_empty() && code == 0 => Ok(()),
            Some(code) => {
                let silent = done.stderr.trim().is_empty() && done.stdout.trim().is_empty();
                let words = match silent {
                    true => "it said nothing".to_owned(),
                    false => done.last_words(site.redactor),
                };
                Err(permanent(format!("the command exited with {code}: {words}"))
                    .with_evidence(evidence))
            }
            None => {
                Err(cut(&format!("the command ended by {}", done.status)).with_evidence(evidence))
            }
        },
    }
}

/// The last line that is a JSON object.
fn outputs(stdout: &str) -> Outputs {
    let objects = stdout.lines().rev().map(|line| serde_json::from_str::<Value>(line.trim()));
    let last = objects.filter_map(Result::ok).find_map(|value| match value {
        Value::Object(map) => Some(map),
        _ => None,
    });
    last.unwrap_or_default().into_iter().collect()
}
