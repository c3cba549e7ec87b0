//! Starting a child, and waiting where the machine has nothing to start it with.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::unix::pipe;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;

use super::files::create_folder;
use super::job::Job;
use super::keeper;
use super::marker::{self, Marker};
use super::tree::{self, ATTEMPT, RUN, STEP, Tree};
use super::wait::Running;
use crate::journal::FailureClass;

/// How long a machine that lacks descriptors, processes or memory is given.
const PATIENCE: Duration = Duration::from_secs(300);
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// A child that was not started: nothing of it has happened.
#[derive(Debug, thiserror::Error)]
#[error("{} can't be run: {error}", .program.display())]
pub struct NotStarted {
    pub program: PathBuf,
    #[source]
    pub error: io::Error,
}

impl NotStarted {
    /// Whether another try may do: the machine lacks something that others give back.
    pub fn class(&self) -> FailureClass {
        match self.error.raw_os_error().map(Errno::from_raw) {
            Some(
                Errno::EAGAIN
                | Errno::EMFILE
                | Errno::ENFILE
                | Errno::ENOMEM
                | Errno::ENOSPC
                | Errno::EDQUOT
                | Errno::EINTR
                | Errno::EIO
                | Errno::ESTALE
                | Errno::ETXTBSY
                | Errno::ECANCELED,
            ) => FailureClass::Transient,
            Some(_) | None => FailureClass::Permanent,
        }
    }
}

/// Whether somebody else's end gives back what is lacking, in a moment.
fn is_lack(error: &io::Error) -> bool {
    let lacks = [Errno::EAGAIN, Errno::EMFILE, Errno::ENFILE, Errno::ENOMEM, Errno::ETXTBSY];
    error.raw_os_error().is_some_and(|code| lacks.contains(&Errno::from_raw(code)))
}

/// Starts something, again and again while the machine lacks what that takes.
pub(super) async fn patiently<T>(
    job: &Job,
    cancel: &CancellationToken,
    mut start: impl FnMut() -> io::Result<T>,
) -> Result<T, NotStarted> {
    let not_started = |error| NotStarted { program: job.program.clone(), error };
    let (mut pause, longest) = PAUSE;
    let mut waited = Duration::ZERO;
    loop {
        let error = match create_folder(&job.folder).and_then(|()| start()) {
            Ok(started) => return Ok(started),
            Err(error) => error,
        };
        if !is_lack(&error) || waited >= PATIENCE.min(job.timeout) {
            return Err(not_started(error));
        }
        if waited >= longest {
            job.voice.say(&format!("waiting until it can be started: {error}"));
        }
        tokio::select! {
            () = cancel.cancelled() => return Err(not_started(Errno::ECANCELED.into())),
            () = tokio::time::sleep(pause) => waited += pause,
        }
        pause = (pause * 2).min(longest);
    }
}

/// Starts a child under its keeper.
pub(super) fn start(job: &Job, stdout: Stdio, stderr: Stdio) -> io::Result<Running> {
    #[expect(clippy::disallowed_methods, reason = "this module is where children are started")]
    let mut command = std::process::Command::new(&job.program);
    command.args(&job.args).env_clear().envs(&job.env);
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    if let Some(work) = &job.work {
        command.env(RUN, &work.run).env(STEP, &work.step).env(ATTEMPT, &job.name);
    }
    if let Some(dir) = &job.workdir {
        command.current_dir(dir);
    }
    let report = keeper::stand_between(&mut command, job, nix::unistd::getpid())?;
    let report = pipe::Receiver::from_owned_fd(report)?;
    let mut command = Command::from(command);
    let keeper = command.spawn()?;
    // With the command goes our end of what only the keeper writes to.
    drop(command);
    let tree = Tree {
        keeper: mark(&keeper, job),
        name: Some(job.name.clone()),
        work: job.work.clone(),
        is_ours: true,
    };
    Ok(Running { keeper, report, tree })
}

/// What the marker of our own child says.
fn mark(keeper: &tokio::process::Child, job: &Job) -> Option<Marker> {
    let pid = keeper.id().and_then(|pid| i32::try_from(pid).ok())?;
    Some(Marker {
        program: job.program.display().to_string(),
        place: marker::place().to_owned(),
        timeout_ms: u64::try_from(job.timeout.as_millis()).unwrap_or(u64::MAX),
        pid,
        start_time: tree::start_time_of(pid)?,
    })
}
