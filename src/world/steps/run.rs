//! The run step: any command, as an argument vector.
//!
//! # Flow
//! The command runs in a session of its own, without a terminal, with the plan's environment added. Its exit code is held
//! against `exit_codes`; the last line of its stdout that is a JSON object becomes the outputs. One that holds a secret of the
//! plan, or that `sensitive_outputs` names, is sensitive: records keep what reads it again, not the value.
//!
//! # Guarantees
//! No shell. What it wrote is kept, redacted. The step is over when everything that the command started is, in whichever
//! session or group; a timeout ends all of it. What an earlier orthid left at work is waited for, never doubled, and has no
//! more time than the step. A command that ended well while no orthid was there keeps its outputs.
//!
//! # Assumptions
//! `observe` tells the truth: exit 0 is done, 1 is not done, all else unknown. Without `observe`, only
//! `idempotent = true` allows repeating.
//!
//! # Caveats
//! With `detached = true`, what the command leaves at work after a good exit code is left, and said in the report.
//!
//! # Errors
//! An unexpected exit code is permanent. An end by interrupt or timeout is unknown, or transient where the command
//! is idempotent. What could not be started has done nothing: it is not undone, and tried again where the machine lacked
//! something. A sensitive value among the arguments is refused: arguments are public on the machine; use `env`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::journal::Failure;
use crate::model::{Arg, Outputs, RunSpec};
use crate::run::Observation;
use crate::text::secret::HIDDEN;
use crate::world::failure::{permanent, transient, unknown};
use crate::world::printed::{self, outputs};
use crate::world::process::{self, Ended, Finished, Job, Rest, Voice, named};
use crate::world::site::Site;

/// Bound on an `observe` command.
const OBSERVE_TIMEOUT: Duration = Duration::from_secs(300);
const GRACE: Duration = Duration::from_secs(20);

pub async fn observe(site: &Site<'_>, spec: &RunSpec) -> Observation {
    let left = left(site, "command");
    site.clear_leftovers();
    let Some(command) = &spec.observe else { return judged(site, spec, left) };
    let job = match prepared(site, spec, command, "observe") {
        Ok(job) => Job { rest: Rest::End, timeout: OBSERVE_TIMEOUT, ..job },
        Err(failure) => return Observation::Unknown(failure.message),
    };
    let done = match process::run(&job, &site.cx.cancel, site.redactor).await {
        Ok(done) => done,
        Err(error) => return Observation::Unknown(error.to_string()),
    };
    match (done.why, done.status.code()) {
        (Ended::TimedOut | Ended::Outlived, _) => {
            Observation::Unknown("the `observe` command did not end in time".to_owned())
        }
        (Ended::Cancelled, _) => {
            Observation::Unknown("the `observe` command was interrupted".to_owned())
        }
        (Ended::Itself, Some(0)) => Observation::Done(match left {
            // What the command itself reported; `observe` stands in where nobody knows.
            Some(Left { status, outputs: Some(outputs) })
                if is_success(spec, status) && !outputs.is_empty() =>
            {
                outputs
            }
            _ => match outputs(&done.stdout) {
                Ok(outputs) => outputs,
                Err(failure) => return Observation::Unknown(failure.message),
            },
        }),
        (Ended::Itself, Some(1)) => Observation::NotDone,
        (Ended::Itself, _) => Observation::Unknown(format!(
            "the `observe` command ended with {}: {}",
            done.status,
            done.last_words(site.redactor)
        )),
    }
}

/// What can be said where there is no `observe`: by how the command ended, if it ended by itself.
fn judged(site: &Site<'_>, spec: &RunSpec, left: Option<Left>) -> Observation {
    let address = &site.cx.step.address;
    let question = match left {
        Some(Left { status, outputs: Some(outputs) }) if is_success(spec, status) => {
            return Observation::Done(outputs);
        }
        _ if spec.idempotent => return Observation::NotDone,
        Some(Left { status, .. }) if is_success(spec, status) => format!(
            "{address} ended well, and its outputs hold secrets that went with the orthid that ran it, or can't be kept"
        ),
        Some(Left { status, .. }) => {
            format!("{address} ended by itself with {status}; look whether its effect is there")
        }
        None => format!(
            "{address} has no `observe` and is not `idempotent`; look whether its effect is there"
        ),
    };
    Observation::Unknown(question)
}

pub async fn act(site: &Site<'_>, spec: &RunSpec) -> Result<Outputs, Failure> {
    site.clear_leftovers();
    let name = format!("command-{}", site.cx.attempt);
    let done = start(site, spec, &spec.command, &name).await?;
    finished(site, spec, &done, &name)?;
    outputs(&done.stdout)
}

/// The undo has no `observe` of its own: while the effect can be seen, it has not happened.
pub async fn observe_undo(site: &Site<'_>, spec: &RunSpec) -> Observation {
    let undone = left(site, "undo").is_some_and(|left| is_success(spec, left.status));
    if undone && spec.observe.is_none() {
        site.clear_leftovers();
        return Observation::Done(Outputs::new());
    }
    match observe(site, spec).await {
        Observation::NotDone if spec.observe.is_some() => Observation::Done(Outputs::new()),
        Observation::NotDone | Observation::Done(_) => Observation::NotDone,
        Observation::Unknown(reason) => Observation::Unknown(reason),
    }
}

pub async fn undo(site: &Site<'_>, spec: &RunSpec) -> Result<(), Failure> {
    site.clear_leftovers();
    let command = spec.undo.as_ref();
    let command = command.ok_or_else(|| permanent("this step has no `undo` command"))?;
    let name = format!("undo-{}", site.cx.attempt);
    let done = start(site, spec, command, &name).await?;
    finished(site, spec, &done, &name)
}

/// How the newest attempt ended that nobody waited for, and what it printed.
struct Left {
    status: ExitStatus,
    /// None where they are not known any more, or can't be kept.
    outputs: Option<Outputs>,
}

fn left(site: &Site<'_>, stem: &str) -> Option<Left> {
    let name = process::newest(&site.folder, stem)?;
    let remains = process::remains(&site.folder, &name)?;
    let outputs = outputs(&remains.stdout).ok().filter(|outputs| {
        let hides = |value: &Value| value.to_string().contains(HIDDEN);
        !remains.is_redacted || !outputs.values().any(hides)
    });
    Some(Left { status: remains.status, outputs })
}

fn is_success(spec: &RunSpec, status: ExitStatus) -> bool {
    status.code().is_some_and(|code| successes(spec).contains(&code))
}

fn successes(spec: &RunSpec) -> Vec<i32> {
    match spec.exit_codes.is_empty() {
        true => vec![0],
        false => spec.exit_codes.clone(),
    }
}

async fn start(
    site: &Site<'_>,
    spec: &RunSpec,
    command: &[Arg],
    name: &str,
) -> Result<Finished, Failure> {
    let job = prepared(site, spec, command, name).map_err(Failure::not_begun)?;
    let rest = match spec.detached {
        true => Rest::Leave(successes(spec)),
        false => Rest::Await,
    };
    let job = Job { rest, ..job };
    let done = process::run(&job, &site.cx.cancel, site.redactor).await;
    done.map_err(|error| Failure::from(error).not_begun())
}

/// The command with its arguments and its environment. Nothing has begun yet.
fn prepared(site: &Site<'_>, spec: &RunSpec, command: &[Arg], name: &str) -> Result<Job, Failure> {
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
    let job = site.job(program, name);
    let (learned, redactor) = (spec.clone(), site.redactor.clone());
    // What the step calls secret is one from now on, in its own output too.
    let hear = move |stdout: &str| {
        printed::learn(&learned, stdout, &redactor);
    };
    Ok(Job {
        args: args.iter().map(OsString::from).collect(),
        env,
        workdir: Some(workdir),
        grace: GRACE,
        voice: Voice { learn: Some(Arc::new(hear)), ..job.voice.clone() },
        ..job
    })
}

fn find(env: &BTreeMap<String, String>, program: &str) -> Result<PathBuf, Failure> {
    Ok(crate::world::Environment::new(env.clone()).program(program)?)
}

fn finished(site: &Site<'_>, spec: &RunSpec, done: &Finished, name: &str) -> Result<(), Failure> {
    let evidence = site.child_evidence(name);
    let cut = |reason: String| match spec.idempotent {
        true => transient(reason),
        false => unknown(reason),
    };
    if !done.still.is_empty() {
        let still = named(&done.still);
        return Err(unknown(format!("what the command started can't be ended: process {still}"))
            .with_evidence(evidence));
    }
    let failure = match (done.why, done.status.code()) {
        (Ended::Cancelled, _) => cut("the command was interrupted".to_owned()),
        (Ended::TimedOut, _) => cut("the command did not end in time".to_owned()),
        (Ended::Outlived, _) => cut(format!(
            "the command ended with {}, and what it left at work did not end in time: process {}",
            done.status,
            named(&done.behind)
        ))
        .help("`detached = true` leaves at work what is meant to stay"),
        (Ended::Itself, Some(code)) if successes(spec).contains(&code) => {
            if spec.detached && !done.behind.is_empty() {
                let behind = named(&done.behind);
                site.cx.remarks.add(format!("left at work on purpose: process {behind}"));
            }
            if asked_at_a_terminal(&done.stderr) {
                site.cx.remarks.add(format!("it wanted to ask somebody. {}", no_terminal(site)));
            }
            return Ok(());
        }
        (Ended::Itself, Some(code)) => refused(site, done, code),
        (Ended::Itself, None) => cut(format!("the command ended by {}", done.status)),
    };
    Err(failure.with_evidence(evidence))
}

fn refused(site: &Site<'_>, done: &Finished, code: i32) -> Failure {
    let silent = done.stderr.trim().is_empty() && done.stdout.trim().is_empty();
    let words = match silent {
        true => "it said nothing".to_owned(),
        false => done.last_words(site.redactor),
    };
    let failure = permanent(format!("the command exited with {code}: {words}"));
    match asked_at_a_terminal(&done.stderr) {
        true => failure.help(no_terminal(site)),
        false => failure,
    }
}

fn no_terminal(site: &Site<'_>) -> String {
    format!(
        "commands have no terminal to ask at. Make {} ask nothing: `ssh -o BatchMode=yes`, `sudo -n`, \
         `GIT_TERMINAL_PROMPT=0`, a flag such as `--yes`; what it asked for goes into `env` or a file",
        site.cx.step.address
    )
}

/// Whether a program says that it wanted to ask somebody, in the words of shells, OpenSSH, sudo,
/// git, gpg and su.
fn asked_at_a_terminal(stderr: &str) -> bool {
    const WORDS: [&str; 9] = [
        "/dev/tty",
        "a terminal is required",
        "must be run from a terminal",
        "no tty present",
        "not a tty",
        "not a terminal",
        "Host key verification failed",
        "terminal prompts disabled",
        "Inappropriate ioctl for device",
    ];
    WORDS.iter().any(|words| stderr.contains(words))
}
