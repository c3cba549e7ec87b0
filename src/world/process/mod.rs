//! Children: argv, never a shell; each in its own process group; output into files, so that a child outlives orthid
//! unharmed when orthid is killed.
//!
//! Flow: the child writes its pid and start time to a marker beside its output before it becomes the program that is
//! run. A later orthid that finds the marker can tell whether that very process still lives ([`orphans`]) and wait for
//! it instead of starting another.
//!
//! Guarantees: secrets arrive only by environment or 0600 files; what is kept of the output is redacted; on
//! cancellation the whole group gets SIGTERM, after a grace period SIGKILL.

mod marker;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::text::secret::Redactor;
pub use marker::{clear_leftover, leftovers, orphans};

/// At most this much of each output stream is kept.
const OUTPUT_LIMIT: u64 = 4 << 20;

/// A child to be run.
#[derive(Clone)]
pub struct Job {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment of the child.
    pub env: BTreeMap<String, String>,
    pub workdir: Option<PathBuf>,
    /// An open file that the child gets as `/proc/self/fd/N`: gone when the last of its readers is.
    pub inherit: Option<Arc<OwnedFd>>,
    /// Folder for this child's output and marker; created when missing.
    pub folder: PathBuf,
    /// Stem of the files in `folder`: `helm-upgrade` gives `helm-upgrade.out`, `.err`, `.child`.
    pub name: String,
    pub timeout: Duration,
    /// From SIGTERM to SIGKILL.
    pub grace: Duration,
}

impl std::fmt::Debug for Job {
    /// Without arguments and environment, which may be secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("program", &self.program)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// How a child ended.
#[derive(Clone, Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub why: Ended,
    /// The last part of each stream, unredacted: for parsing, never for showing.
    pub stdout: String,
    pub stderr: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Itself,
    Cancelled,
    TimedOut,
}

impl Finished {
    pub fn success(&self) -> bool {
        self.status.success()
    }

    /// Something else ended it, by a signal: what it would have said is not known.
    pub fn was_killed(&self) -> bool {
        self.status.code().is_none()
    }

    /// The last lines of stderr (or of stdout where stderr is silent), redacted, for an error message.
    pub fn last_words(&self, redactor: &Redactor) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(8)..].join("\n");
        let tail = redactor.clean(&tail);
        if tail.is_empty() { format!("{}", self.status) } else { tail }
    }
}

/// Runs a child to its end.
pub async fn run(
    job: &Job,
    cancel: &CancellationToken,
    redactor: &Redactor,
) -> io::Result<Finished> {
    let out = job.folder.join(format!("{}.out", job.name));
    let err = job.folder.join(format!("{}.err", job.name));
    create_folder(&job.folder)?;
    let mut child = command(job)?
        .stdout(Stdio::from(private_file(&out)?))
        .stderr(Stdio::from(private_file(&err)?))
        .spawn()?;
    let (status, why) = wait(&mut child, job, cancel).await?;
    let stdout = tail(&out)?;
    let stderr = tail(&err)?;
    keep_redacted(&out, &stdout, redactor)?;
    keep_redacted(&err, &stderr, redactor)?;
    marker::remove(&marker::path(&job.folder, &job.name));
    Ok(Finished { status, why, stdout, stderr })
}

/// A child whose stdout the caller reads. It dies with orthid, because nobody would read on.
#[derive(Debug)]
pub struct Piped {
    child: Child,
    err: PathBuf,
    job: Job,
}

/// Starts a child whose stdout is a pipe; [`Piped::finish`] must be called.
pub fn pipe(job: &Job) -> io::Result<Piped> {
    create_folder(&job.folder)?;
    let err = job.folder.join(format!("{}.err", job.name));
    let child = command(job)?
        .stdout(Stdio::piped())
        .stderr(Stdio::from(private_file(&err)?))
        .kill_on_drop(true)
        .spawn()?;
    Ok(Piped { child, err, job: job.clone() })
}

impl Piped {
    pub fn stdout(&mut self) -> Option<tokio::process::ChildStdout> {
        self.child.stdout.take()
    }

    pub async fn finish(
        mut self,
        cancel: &CancellationToken,
        redactor: &Redactor,
    ) -> io::Result<Finished> {
        let (status, why) = wait(&mut self.child, &self.job, cancel).await?;
        let stderr = tail(&self.err)?;
        keep_redacted(&self.err, &stderr, redactor)?;
        marker::remove(&marker::path(&self.job.folder, &self.job.name));
        Ok(Finished { status, why, stdout: String::new(), stderr })
    }
}

fn command(job: &Job) -> io::Result<Command> {
    #[expect(clippy::disallowed_methods, reason = "this module is where children are started")]
    let mut command = std::process::Command::new(&job.program);
    command.args(&job.args).env_clear().envs(&job.env).stdin(Stdio::null());
    if let Some(dir) = &job.workdir {
        command.current_dir(dir);
    }
    marker::write_by_child(&mut command, job, nix::unistd::getpid())?;
    let mut command = Command::from(command);
    command.process_group(0);
    Ok(command)
}

async fn wait(
    child: &mut Child,
    job: &Job,
    cancel: &CancellationToken,
) -> io::Result<(ExitStatus, Ended)> {
    let why = tokio::select! {
        status = child.wait() => return Ok((status?, Ended::Itself)),
        () = cancel.cancelled() => Ended::Cancelled,
        () = tokio::time::sleep(job.timeout) => Ended::TimedOut,
    };
    signal_group(child, Signal::SIGTERM);
    let status = match tokio::time::timeout(job.grace, child.wait()).await {
        Ok(status) => status?,
        Err(_) => {
            signal_group(child, Signal::SIGKILL);
            child.wait().await?
        }
    };
    Ok((status, why))
}

fn signal_group(child: &Child, signal: Signal) {
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        // The group may be gone already: then there is nothing to signal.
        let _ = killpg(Pid::from_raw(pid), signal);
    }
}

pub fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a folder of orthid's own: for its owner alone, and left alone by git.
pub fn private_folder(path: &Path) -> io::Result<()> {
    create_folder(path)?;
    let ignore = path.join(".gitignore");
    if !ignore.exists() {
        write_private(&ignore, b"# Made by orthid: nothing here is for git.\n*\n")?;
    }
    Ok(())
}

/// A file that is nowhere but in memory, for [`Job::inherit`].
pub fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    use std::io::Write;
    let file = memfd_create(c"orthid", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(content)?;
    Ok(file.into())
}

/// Creates or truncates a file that only its owner reads.
pub fn private_file(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = private_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "the outside is read here")]
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = std::fs::File::open(path)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(OUTPUT_LIMIT)))?;
    let mut bytes = Vec::new();
    file.take(OUTPUT_LIMIT).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Redacts what a child wrote: again, where more is known to be secret now, or at last, where its orthid was killed.
pub fn redact_output(folder: &Path, name: &str, redactor: &Redactor) -> io::Result<()> {
    output_files(folder, name).try_for_each(|path| keep_redacted(&path, &tail(&path)?, redactor))
}

fn remove_output(folder: &Path, name: &str) -> io::Result<()> {
    output_files(folder, name).try_for_each(std::fs::remove_file)
}

/// The files that hold what a child wrote.
fn output_files(folder: &Path, name: &str) -> impl Iterator<Item = PathBuf> {
    let paths = ["out", "err"].map(|stream| folder.join(format!("{name}.{stream}")));
    paths.into_iter().filter(|path| path.is_file())
}

/// Replaces a raw stream by its redacted form; an empty one leaves no file.
fn keep_redacted(path: &Path, text: &str, redactor: &Redactor) -> io::Result<()> {
    if text.is_empty() {
        return std::fs::remove_file(path);
    }
    write_private(path, redactor.clean(text).as_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    pub(super) fn job(folder: &Path, program: &str, args: &[&str]) -> Job {
        Job {
            program: PathBuf::from(program),
            args: args.iter().map(OsString::from).collect(),
            env: BTreeMap::from([("SECRET".to_owned(), "hunter2".to_owned())]),
            workdir: None,
            inherit: None,
            folder: folder.to_path_buf(),
            name: "child".to_owned(),
            timeout: Duration::from_secs(10),
            grace: Duration::from_millis(300),
        }
    }

    #[tokio::test]
    async fn a_file_in_memory_is_read_by_its_child_and_by_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let file = memory_file(b"values").unwrap();
        let path = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mut job = job(dir.path(), "/bin/cat", &[&path]);
        let other = run(&job, &CancellationToken::new(), &Redactor::default()).await.unwrap();
        assert!(!other.success(), "{other:?}");
        job.inherit = Some(Arc::new(file));
        for _ in 0..2 {
            let done = run(&job, &CancellationToken::new(), &Redactor::default()).await.unwrap();
            assert_eq!(done.stdout, "values");
        }
    }

    #[tokio::test]
    async fn output_is_kept_without_secrets() {
        let dir = tempfile::tempdir().unwrap();
        let redactor = Redactor::default();
        redactor.register("hunter2");
        let done = run(&job(dir.path(), "/usr/bin/env", &[]), &CancellationToken::new(), &redactor)
            .await
            .unwrap();
        assert!(done.success());
        assert_eq!(done.stdout, "SECRET=hunter2\n");
        let kept = String::from_utf8(read(&dir.path().join("child.out")).unwrap()).unwrap();
        assert!(!kept.contains("hunter2"), "{kept}");
        assert!(marker::orphan(dir.path(), "child").is_none());
    }

    #[tokio::test]
    async fn cancelling_ends_the_whole_group_even_when_it_ignores_sigterm() {
        let dir = tempfile::tempdir().unwrap();
        let cancel = CancellationToken::new();
        let script = "trap '' TERM; sleep 60 & echo $!; sleep 60";
        let job = job(dir.path(), "/bin/sh", &["-c", script]);
        let canceller = cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(300)).await;
            canceller.cancel();
        });
        let done = run(&job, &cancel, &Redactor::default()).await.unwrap();
        assert_eq!(done.why, Ended::Cancelled);
        let grandchild: i32 = done.stdout.trim().parse().unwrap();
        for _ in 0..50 {
            if marker::start_time(grandchild).is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the grandchild outlived its group");
    }
}
