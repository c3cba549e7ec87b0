//! Carrying a run out from the command line: signals, live display, outcome → exit code. Shared by
//! `apply` and `resume`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::output::live::Mode;
use crate::cli::output::screen::Screen;
use crate::cli::output::terminal;
use crate::cli::shared::approvals;
use crate::cli::shared::approvals::ApprovalArgs;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::holder::holder;
use crate::cli::shared::keys::SignArgs;
use crate::cli::shared::refusals::run_error;
use crate::cli::shared::signals::{Heard, Signals};
use crate::cli::shared::state::State;
use crate::journal::RunStatus;
use crate::model::Address;
use crate::run::{Conditions, Control, Deps, Job, LeaseTimes, Options, Outcome, SystemClock};
use crate::text::secret::Redactor;
use crate::world::{Environment, RealWorld};
use crate::{run, text};

/// How long the display may stand still at the end of a run before it is given up: nobody reads.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same where somebody wants the program to end.
const HURRIED: Duration = Duration::from_secs(1);
/// How long a run that was told to stop now may take to.
const ABORT: Duration = Duration::from_secs(6);

/// How a run is carried out; shared by `apply` and `resume`.
#[derive(clap::Args, Clone, Debug)]
pub struct RunArgs {
    /// Steps that run side by side at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub parallelism: u16,

    #[command(flatten)]
    pub watch: WatchArgs,

    #[command(flatten)]
    pub approvals: ApprovalArgs,

    #[command(flatten)]
    pub sign: SignArgs,
}

/// How a run is shown and how long it may take; shared by all commands that carry one out.
#[derive(clap::Args, Clone, Debug)]
pub struct WatchArgs {
    /// One JSON object an event on stdout, instead of progress on stderr
    #[arg(long)]
    pub json: bool,

    /// Only the outcome
    #[arg(long, short, conflicts_with = "json")]
    pub quiet: bool,

    /// Pause the run after this long, as an interrupt would (10m, 1h30m)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub timeout: Option<Duration>,
}

/// What is asked of a run.
#[derive(Debug)]
pub enum Opening {
    Start { plan_bytes: Vec<u8> },
    Resume,
    RollBack,
}

/// What is carried out, and with what.
#[derive(Debug)]
pub struct Execution<'a> {
    pub state: &'a State,
    pub job: Job,
    pub opening: Opening,
    pub base: PathBuf,
    pub environment: Environment,
    pub redactor: Redactor,
    pub args: &'a RunArgs,
    /// What a person found of steps that the run could not tell of.
    pub answers: BTreeMap<Address, bool>,
}

/// Carries a run out until it ends or is interrupted.
pub async fn execute(execution: Execution<'_>, cx: &Context) -> Result<Exit, CommandError> {
    let Execution { state, job, mut opening, base, environment, redactor, args, answers } =
        execution;
    state.prepare()?;
    let deps = dependencies(state, &environment, redactor);
    let holder = holder(&environment);
    let mut approvals = args.approvals.gather(&job, &holder.who)?;
    let sign_key = args.sign.key()?;
    let wanted = match opening {
        Opening::Start { .. } | Opening::Resume => RunStatus::Succeeded,
        Opening::RollBack => RunStatus::RolledBack,
    };
    let mut signals = Signals::listen()?;
    loop {
        let options = Options {
            parallelism: usize::from(args.parallelism.max(1)),
            lease: LeaseTimes::default(),
            holder: holder.clone(),
            evidence: state.evidence(&job.run),
            base: base.clone(),
            timeout: args.watch.timeout,
            control: Control::default(),
            notices: None,
            approvals: approvals.clone(),
            answers: answers.clone(),
            sign_key: sign_key.clone(),
        };
        let outcome = watched(&deps, options, &job, opening, args, cx, &mut signals).await?;
        if let Outcome::WaitingForApproval(steps) = &outcome
            && cx.terminal.interactive
            && !args.watch.json
        {
            match approvals::ask(&job.plan, steps, &holder.who, &mut signals).await? {
                None => return finish(Outcome::Interrupted, &job, wanted),
                Some(said) if said.is_empty() => {}
                Some(said) => {
                    approvals.extend(said);
                    opening = Opening::Resume;
                    continue;
                }
            }
        }
        return finish(outcome, &job, wanted);
    }
}

/// One go at a run, shown while it lasts, listening to signals.
async fn watched(
    deps: &Deps,
    mut options: Options,
    job: &Job,
    opening: Opening,
    args: &RunArgs,
    cx: &Context,
    signals: &mut Signals,
) -> Result<Outcome, CommandError> {
    let (notices, mut inbox) = mpsc::unbounded_channel();
    options.notices = Some(notices);
    let control = options.control.clone();
    let expected = job.plan.expected_ms.iter();
    let expected = expected.map(|(step, ms)| (step.clone(), Duration::from_millis(*ms))).collect();
    let mode = Mode::choose(args.watch.json, args.watch.quiet, cx.terminal);
    let screen = Screen::open(mode, expected);
    // A task of the runtime, so that the run and its steps wake each other without a detour through
    // this thread.
    let (deps, job) = (deps.clone(), job.clone());
    let mut work = tokio::spawn(async move {
        match opening {
            Opening::Start { plan_bytes } => run::start(&deps, options, &job, plan_bytes).await,
            Opening::Resume => run::resume(&deps, options, &job).await,
            Opening::RollBack => run::roll_back(&deps, options, &job).await,
        }
    });
    let outcome = loop {
        tokio::select! {
            outcome = &mut work => break outcome,
            Some(notice) = inbox.recv() => screen.show(notice),
            heard = signals.next() => match heard {
                Heard::Interrupt | Heard::HangUp => told(heard, &control, &screen, signals),
                // Something of the run waits in a way that nothing ends.
                Heard::Reminder => {
                    work.abort();
                    break Ok(Ok(Outcome::Interrupted));
                }
            },
        }
    };
    while let Ok(notice) = inbox.try_recv() {
        screen.show(notice);
    }
    let patience = match control.interrupt.is_cancelled() {
        true => HURRIED,
        false => PATIENCE,
    };
    if !signals.or_done(screen.close(patience)).await {
        // What still holds a stream would hold the next word as well.
        terminal::mute();
    }
    match outcome {
        Ok(outcome) => outcome.map_err(run_error),
        Err(ended) => std::panic::resume_unwind(ended.into_panic()),
    }
}

/// First signal: start nothing new and pause. Second: stop now. A closed terminal counts as the
/// first, however often it says so.
fn told(heard: Heard, control: &Control, screen: &Screen, signals: &Signals) {
    match (control.interrupt.is_cancelled(), heard) {
        (false, _) => {
            screen.note(
                "interrupted: letting what runs end, starting nothing new; again to stop now",
            );
            control.interrupt.cancel();
        }
        (true, Heard::Interrupt) => {
            screen.note("stopping now");
            control.abort.cancel();
            signals.remind(ABORT);
        }
        (true, Heard::HangUp | Heard::Reminder) => {}
    }
}

pub fn dependencies(state: &State, environment: &Environment, redactor: Redactor) -> Deps {
    let world = RealWorld::new(environment.clone(), redactor.clone());
    let conditions: Conditions = Arc::new({
        let world = world.clone();
        move |residual, outputs| world.condition(residual, outputs)
    });
    Deps {
        store: Arc::clone(&state.store),
        world: Arc::new(world),
        clock: Arc::new(SystemClock::new()),
        conditions,
        redactor,
    }
}

/// Says what to do next, and with which code to exit. The end that was `wanted` is a good one.
fn finish(outcome: Outcome, job: &Job, wanted: RunStatus) -> Result<Exit, CommandError> {
    let run = &job.run.0;
    Ok(match outcome {
        Outcome::Finished(status) if status == wanted => Exit::Done,
        Outcome::Finished(status) => {
            let exit = Exit::from(status);
            match exit {
                Exit::Done => {}
                Exit::Stuck => terminal::note(&format!(
                    "fix what the error names, then `orthid resume {run}`; \
                     `orthid resume --explain` shows what it would do"
                )),
                Exit::Failed => terminal::note(&format!(
                    "`orthid report {run}` shows what happened; `orthid rollback {run}` undoes it"
                )),
                _ => terminal::note(&format!("`orthid report {run}` shows what happened")),
            }
            exit
        }
        Outcome::NotBegun => {
            terminal::note("interrupted before anything was begun");
            Exit::Interrupted
        }
        Outcome::Interrupted => {
            terminal::note(&format!("go on with `orthid resume {run}`"));
            Exit::Interrupted
        }
        Outcome::WaitingForApproval(steps) => {
            for step in steps {
                terminal::note(&approvals::way_out(&job.plan, &step, run));
            }
            Exit::WaitingForApproval
        }
        Outcome::LeaseLost => {
            terminal::note(&format!(
                "another process has taken this run over; nothing was written since. \
                 `orthid status {run}` shows how it stands"
            ));
            Exit::LeaseHeld
        }
    })
}

pub fn duration(text: &str) -> Result<Duration, String> {
    text::duration::parse(text).map(Duration::from_millis)
}
