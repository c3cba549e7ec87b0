//! Children: argv, never a shell; each in its own process group; output into files, so that a child outlives orthid
//! unharmed when orthid is killed.
//!
//! Flow: the child's pid and start time are written to a marker beside its output before anything waits on it. A
//! later orthid that finds the marker can tell whether that very process still lives ([`orphan`]) and wait for it
//! instead of starting another.
//!
//! Guarantees: secrets arrive only by environment or 0600 files; what is kept of the output is redacted; on
//! cancellation the whole group gets SIGTERM, after a grace period SIGKILL.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use super::redactor::Redactor;

/// At most this much of each output stream is kept.
const OUTPUT_LIMIT: u64 = 4 << 20;
/// How often a process that is not our child is looked at.
const POLL: Duration = Duration::from_millis(200);

/// A child to be run.
#[derive(Clone)]
pub struct Job {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment of the child.
    pub env: BTreeMap<String, String>,
    pub workdir: Option<PathBuf>,
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

/// What is written about a running child, for an orthid that comes later.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub program: String,
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: tells this process from a later one with the same pid.
    pub start_time: u64,
}

/// A child of an earlier orthid that still runs.
#[derive(Clone, Debug)]
pub struct Orphan {
    pub marker: Marker,
    path: PathBuf,
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
    let mut child = command(job)
        .stdout(Stdio::from(private_file(&out)?))
        .stderr(Stdio::from(private_file(&err)?))
        .spawn()?;
    let marker = mark(job, &child)?;
    let (status, why) = wait(&mut child, job, cancel).await?;
    let stdout = tail(&out)?;
    let stderr = tail(&err)?;
    keep_redacted(&out, &stdout, redactor)?;
    keep_redacted(&err, &stderr, redactor)?;
    remove_marker(&marker);
    Ok(Finished { status, why, stdout, stderr })
}

/// A child whose stdout the caller reads. It dies with orthid, because nobody would read on.
#[derive(Debug)]
pub struct Piped {
    child: Child,
    marker: PathBuf,
    err: PathBuf,
    job: Job,
}

/// Starts a child whose stdout is a pipe; [`Piped::finish`] must be called.
pub fn pipe(job: &Job) -> io::Result<Piped> {
    create_folder(&job.folder)?;
    let err = job.folder.join(format!("{}.err", job.name));
    let child = command(job)
        .stdout(Stdio::piped())
        .stderr(Stdio::from(private_file(&err)?))
        .kill_on_drop(true)
        .spawn()?;
    let marker = mark(job, &child)?;
    Ok(Piped { child, marker, err, job: job.clone() })
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
        remove_marker(&self.marker);
        Ok(Finished { status, why, stdout: String::new(), stderr })
    }
}

/// The child that an earlier orthid left running under this folder and name, if it still lives.
pub fn orphan(folder: &Path, name: &str) -> Option<Orphan> {
    let path = folder.join(format!("{name}.child"));
    let marker: Marker = serde_json::from_slice(&read(&path).ok()?).ok()?;
    if start_time(marker.pid) == Some(marker.start_time) {
        return Some(Orphan { marker, path });
    }
    remove_marker(&path);
    None
}

/// Every child that an earlier orthid left running under this folder.
pub fn orphans(folder: &Path) -> Vec<Orphan> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).filter_map(|entry| {
        let path = entry.path();
        let is_marker = path.extension().is_some_and(|e| e == "child");
        is_marker.then(|| path.file_stem().map(|s| s.to_string_lossy().into_owned())).flatten()
    });
    names.filter_map(|name| orphan(folder, &name)).collect()
}

impl Orphan {
    /// Waits for the orphan's end; false where it outlived the bound.
    pub async fn wait(&self, bound: Duration, cancel: &CancellationToken) -> bool {
        let deadline = tokio::time::Instant::now() + bound;
        while start_time(self.marker.pid) == Some(self.marker.start_time) {
            if tokio::time::Instant::now() >= deadline || cancel.is_cancelled() {
                return false;
            }
            tokio::time::sleep(POLL).await;
        }
        remove_marker(&self.path);
        true
    }
}

fn command(job: &Job) -> Command {
    #[expect(clippy::disallowed_methods, reason = "this module is where children are started")]
    let mut command = std::process::Command::new(&job.program);
    command.args(&job.args).env_clear().envs(&job.env).stdin(Stdio::null());
    if let Some(dir) = &job.workdir {
        command.current_dir(dir);
    }
    let mut command = Command::from(command);
    command.process_group(0);
    command
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

fn mark(job: &Job, child: &Child) -> io::Result<PathBuf> {
    let path = job.folder.join(format!("{}.child", job.name));
    let pid = child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or_default();
    let marker = Marker {
        program: job.program.display().to_string(),
        pid,
        start_time: start_time(pid).unwrap_or_default(),
    };
    write_private(&path, serde_json::to_string(&marker)?.as_bytes())?;
    Ok(path)
}

fn remove_marker(path: &Path) {
    // A marker that stays is harmless: its start time matches no living process.
    let _ = std::fs::remove_file(path);
}

/// When the process was started, in clock ticks since boot; none where it is gone or a zombie.
fn start_time(pid: i32) -> Option<u64> {
    let stat = read(Path::new(&format!("/proc/{pid}/stat"))).ok()?;
    let stat = String::from_utf8_lossy(&stat).into_owned();
    // The second field is the name in parentheses and may hold anything, spaces and parentheses included.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

pub fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
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

/// Replaces a raw stream by its redacted form; an empty one leaves no file.
fn keep_redacted(path: &Path, text: &str, redactor: &Redactor) -> io::Result<()> {
    if text.is_empty() {
        return std::fs::remove_file(path);
    }
    write_private(path, redactor.clean(text).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(folder: &Path, program: &str, args: &[&str]) -> Job {
        Job {
            program: PathBuf::from(program),
            args: args.iter().map(OsString::from).collect(),
            env: BTreeMap::from([("SECRET".to_owned(), "hunter2".to_owned())]),
            workdir: None,
            folder: folder.to_path_buf(),
            name: "child".to_owned(),
            timeout: Duration::from_secs(10),
            grace: Duration::from_millis(300),
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
        assert!(orphan(dir.path(), "child").is_none());
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
            if start_time(grandchild).is_none() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the grandchild outlived its group");
    }

    #[tokio::test]
    async fn a_living_orphan_is_recognised_and_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = command(&job(dir.path(), "/bin/sleep", &["0.6"])).spawn().unwrap();
        mark(&job(dir.path(), "/bin/sleep", &[]), &child).unwrap();
        let found = orphan(dir.path(), "child").expect("the child lives");
        let cancel = CancellationToken::new();
        assert!(!found.wait(Duration::from_millis(50), &cancel).await);
        let waiter = tokio::spawn(async move { child.wait().await });
        assert!(found.wait(Duration::from_secs(5), &cancel).await);
        waiter.await.unwrap().unwrap();
        assert!(orphan(dir.path(), "child").is_none());
    }

    #[test]
    fn another_process_with_the_same_pid_is_no_orphan() {
        let dir = tempfile::tempdir().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let marker = Marker { program: "helm".into(), pid: own, start_time: 1 };
        write_private(
            &dir.path().join("child.child"),
            serde_json::to_string(&marker).unwrap().as_bytes(),
        )
        .unwrap();
        assert!(orphan(dir.path(), "child").is_none());
    }
}
