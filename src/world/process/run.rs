//! Running a child to the end of its tree, with what it wrote kept.

use tokio_util::sync::CancellationToken;

use super::job::{Finished, Job};
use super::marker;
use super::output::Output;
use super::start::{self, NotStarted};
use super::wait::{self, Over, Running};
use crate::text::secret::Redactor;

/// Runs a child to the end of its whole tree.
///
/// # Errors
/// Where it never started.
pub async fn run(
    job: &Job,
    cancel: &CancellationToken,
    redactor: &Redactor,
) -> Result<Finished, NotStarted> {
    let (mut running, [mut out, mut err]) = start::patiently(job, cancel, || {
        let streams = [job.output("out")?, job.output("err")?];
        let running = start::start(job, streams[0].stdio()?, streams[1].stdio()?)?;
        Ok((running, streams))
    })
    .await?;
    let over = wait::wait(&mut running, job, cancel).await;
    let (stdout, stderr) = (heard(&mut out, job), heard(&mut err, job));
    if let Some(learn) = &job.voice.learn {
        learn(&stdout);
    }
    for (text, stream) in [(&stdout, out), (&stderr, err)] {
        keep(stream, text, job, redactor);
    }
    marker::kept(&job.folder, &job.name);
    Ok(finished(over, stdout, stderr))
}

fn finished(over: Over, stdout: String, stderr: String) -> Finished {
    let Over { status, why, behind, still } = over;
    Finished { status, why, stdout, stderr, behind, still }
}

/// What a stream said.
fn heard(stream: &mut Output, job: &Job) -> String {
    stream.read().unwrap_or_else(|error| {
        job.voice.note(&format!("what {} said can't be read: {error}", job.name));
        String::new()
    })
}

/// Keeps a stream as evidence, redacted. What can't be kept is noted: evidence is not the outcome.
fn keep(stream: Output, text: &str, job: &Job, redactor: &Redactor) {
    if let Err(lost) = stream.keep(text, redactor) {
        job.voice.note(&format!("evidence is missing: {lost}"));
    }
}

/// A child whose stdout the caller reads. Its tree dies with this value, because nobody would read
/// on.
#[derive(Debug)]
pub struct Piped {
    running: Running,
    err: Option<Output>,
    job: Job,
    is_over: bool,
}

/// Starts a child whose stdout is a pipe; [`Piped::finish`] must be called.
///
/// # Errors
/// Where it never started.
pub async fn pipe(job: &Job, cancel: &CancellationToken) -> Result<Piped, NotStarted> {
    let (running, err) = start::patiently(job, cancel, || {
        let err = job.output("err")?;
        Ok((start::start(job, std::process::Stdio::piped(), err.stdio()?)?, err))
    })
    .await?;
    Ok(Piped { running, err: Some(err), job: job.clone(), is_over: false })
}

impl Piped {
    pub fn stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.running.keeper.stdout.take()
    }

    pub async fn finish(mut self, cancel: &CancellationToken, redactor: &Redactor) -> Finished {
        let over = wait::wait(&mut self.running, &self.job, cancel).await;
        self.is_over = true;
        let mut stderr = String::new();
        if let Some(mut err) = self.err.take() {
            stderr = heard(&mut err, &self.job);
            keep(err, &stderr, &self.job, redactor);
        }
        marker::kept(&self.job.folder, &self.job.name);
        finished(over, String::new(), stderr)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        if !self.is_over {
            self.running.tree.signal(nix::sys::signal::Signal::SIGKILL);
        }
    }
}
