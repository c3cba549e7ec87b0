//! Waiting for a command and everything that it started; ending all of it.

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Child;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::job::{Ended, Job};
use super::marker;
use super::tree::{Process, Tree, named};
use crate::text::duration;

/// When a tree is first looked at for what a person should know, and how often after that.
const FIRST_LOOK: Duration = Duration::from_secs(1);
const LOOKS: Duration = Duration::from_secs(5);
/// How soon after the command's end it is said what it left at work.
const BEHIND: Duration = Duration::from_millis(300);
/// How long processes have to be gone after SIGKILL.
const KILLED: Duration = Duration::from_secs(5);
/// How often SIGKILL is sent in that time: a process may have been started meanwhile.
const KILLS: Duration = Duration::from_millis(100);

/// A command under its keeper.
#[derive(Debug)]
pub(super) struct Running {
    pub keeper: Child,
    pub report: pipe::Receiver,
    pub tree: Tree,
}

/// How a tree came to its end.
#[derive(Debug)]
pub(super) struct Over {
    pub status: ExitStatus,
    pub why: Ended,
    /// What the command left at work when it ended, as last seen.
    pub behind: Vec<Process>,
    /// What could not be ended.
    pub still: Vec<Process>,
}

/// Waits until the whole tree is over; ends it where the time is over or the attempt is cancelled.
pub(super) async fn wait(running: &mut Running, job: &Job, cancel: &CancellationToken) -> Over {
    let Running { keeper, report, tree } = running;
    let mut ended = None;
    let mut behind = Vec::new();
    let gone = async {
        let keeper = keeper.wait().await;
        // Somebody killed the keeper: what it kept goes on.
        if keeper.is_ok_and(|status| status.signal().is_some()) {
            tree.gone().await;
        }
    };
    tokio::pin!(gone);
    let time_over = tokio::time::sleep(job.timeout);
    tokio::pin!(time_over);
    let mut look = tokio::time::interval_at(Instant::now() + FIRST_LOOK, LOOKS);
    let mut is_deaf = false;
    let reason = loop {
        tokio::select! {
            biased;
            () = &mut gone => break None,
            heard = hear(report), if ended.is_none() && !is_deaf => {
                is_deaf = heard.is_none();
                ended = heard;
                if let Some(status) = ended {
                    if job.rest.is_ended_after(status) {
                        break Some(Ended::Itself);
                    }
                    look.reset_after(BEHIND);
                }
            }
            () = cancel.cancelled() => break Some(Ended::Cancelled),
            () = &mut time_over => break Some(Ended::TimedOut),
            _ = look.tick() => behind = say(tree, job, ended),
        }
    };
    if ended.is_none() && reason.is_none() && !is_deaf {
        ended = hear(report).await;
    }
    let mut why = reason.unwrap_or(Ended::Itself);
    let mut still = Vec::new();
    if reason.is_some() {
        if ended.is_some() && why == Ended::TimedOut {
            why = Ended::Outlived;
        }
        let grace = match why {
            Ended::Itself => job.grace.min(Duration::from_secs(2)),
            Ended::Cancelled | Ended::TimedOut | Ended::Outlived => {
                marker::told(&job.folder, &job.name, why.word());
                job.grace
            }
        };
        still = end(tree, grace, &mut gone).await.err().unwrap_or_default();
        if ended.is_none() && still.is_empty() && !is_deaf {
            ended = hear(report).await;
        }
    }
    // Where nobody told how it ended, it was killed together with its keeper.
    let status = ended.unwrap_or_else(|| ExitStatus::from_raw(nix::libc::SIGKILL));
    if job.rest.is_left_after(status) && reason.is_none() {
        behind = tree.processes().unwrap_or_default();
    }
    Over { status, why, behind, still }
}

/// The command's wait status, once the keeper tells it; none where it never will.
async fn hear(report: &mut pipe::Receiver) -> Option<ExitStatus> {
    let mut status = [0; 4];
    report.read_exact(&mut status).await.ok()?;
    Some(ExitStatus::from_raw(i32::from_ne_bytes(status)))
}

/// Says what a person should know of a tree that takes its time. Returns what is at work after the
/// command's own end.
fn say(tree: &Tree, job: &Job, ended: Option<ExitStatus>) -> Vec<Process> {
    // Where `/proc` can't be read now, there is nothing to say.
    let Ok(processes) = tree.processes() else { return Vec::new() };
    if let Some(text) = stopped(tree, &processes) {
        job.voice.say(&text);
    } else if let Some(status) = ended
        && !processes.is_empty()
    {
        job.voice.say(&format!(
            "its command has ended ({status}), and processes that it started are still at work: {}",
            named(&processes)
        ));
    }
    if ended.is_some() { processes } else { Vec::new() }
}

/// What is said of processes that a signal has stopped.
pub(super) fn stopped(tree: &Tree, processes: &[Process]) -> Option<String> {
    let all = processes.iter().cloned().chain(tree.living_keeper());
    let stopped: Vec<Process> = all.filter(Process::is_stopped).collect();
    if stopped.is_empty() {
        return None;
    }
    let pids: Vec<String> = stopped.iter().map(|process| process.pid.to_string()).collect();
    Some(format!(
        "stopped by a signal: process {}; `kill -CONT {}` lets it go on",
        named(&stopped),
        pids.join(" ")
    ))
}

/// Ends a tree: told to, given a little time, then killed. Errors: what is still there.
pub(super) async fn end(
    tree: &Tree,
    grace: Duration,
    gone: impl Future<Output = ()>,
) -> Result<(), Vec<Process>> {
    tokio::pin!(gone);
    tree.signal(Signal::SIGTERM);
    // A stopped process hears nothing before it goes on.
    tree.signal(Signal::SIGCONT);
    if tokio::time::timeout(grace, &mut gone).await.is_ok() {
        return Ok(());
    }
    let mut waited = Duration::ZERO;
    while waited < KILLED {
        tree.signal(Signal::SIGKILL);
        if tokio::time::timeout(KILLS, &mut gone).await.is_ok() {
            return Ok(());
        }
        waited += KILLS;
    }
    Err(tree.processes().unwrap_or_default())
}

/// What an earlier orthid's command is still at, and until when it may be.
#[derive(Debug)]
pub(super) struct Late<'a> {
    pub tree: &'a Tree,
    pub folder: &'a Path,
    pub name: Option<&'a str>,
    /// From now.
    pub bound: Duration,
    pub grace: Duration,
}

impl Late<'_> {
    /// Waits until it is over, and ends it where its time is over. Errors: what is still there.
    pub(super) async fn wait(
        &self,
        mut say: impl FnMut(String),
        cancel: &CancellationToken,
    ) -> Result<(), Vec<Process>> {
        let gone = self.tree.gone();
        tokio::pin!(gone);
        let deadline = tokio::time::sleep(self.bound);
        tokio::pin!(deadline);
        let mut look = tokio::time::interval(LOOKS);
        loop {
            tokio::select! {
                biased;
                () = &mut gone => return Ok(()),
                () = cancel.cancelled() => return Err(self.tree.processes().unwrap_or_default()),
                () = &mut deadline => break,
                _ = look.tick() => {
                    let processes = self.tree.processes().unwrap_or_default();
                    say(stopped(self.tree, &processes).unwrap_or_else(|| format!(
                        "waiting for what an earlier orthid started, for {} at most: process {}",
                        duration::print(self.bound),
                        named(&processes)
                    )));
                }
            }
        }
        if let Some(name) = self.name {
            marker::told(self.folder, name, Ended::TimedOut.word());
        }
        say("the time of what an earlier orthid started is over: it is told to end".to_owned());
        end(self.tree, self.grace, gone).await
    }
}
