//! Markers: which child runs for a step, for an orthid that comes after one that was killed.
//!
//! Guarantees: a program that runs is marked. The child writes the marker itself, between fork and exec, and becomes the
//! program only if the orthid that forked it is still there after that. So whoever comes later either finds the marker,
//! or nothing was started.

use std::ffi::{CStr, CString};
use std::io::{self, Cursor, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::sys::stat::Mode;
use nix::unistd::{self, Pid};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::{Job, read, redact_output, remove_output};
use crate::text::secret::Redactor;

/// How often a process that is not our child is looked at.
const POLL: Duration = Duration::from_millis(200);

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
}

pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.child"))
}

/// Makes the child that this command forks mark itself, unless `orthid` is not its parent any more.
pub(super) fn write_by_child(
    command: &mut std::process::Command,
    job: &Job,
    orthid: Pid,
) -> io::Result<()> {
    // The child enters its working folder first.
    let path = std::path::absolute(path(&job.folder, &job.name))?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let program = serde_json::to_string(&job.program.display().to_string())?;
    let head = format!("{{\"program\":{program}");
    let inherit = job.inherit.clone();
    #[expect(
        unsafe_code,
        reason = "the only way to run something in the child before it is the program"
    )]
    // SAFETY: after the fork of a process with threads only async-signal-safe functions may be called. The closure opens,
    // reads and writes files by system calls, and allocates nothing: what it needs was made here.
    unsafe {
        command.pre_exec(move || {
            mark(&path, head.as_bytes(), orthid)?;
            match &inherit {
                Some(file) => keep_open(file),
                None => Ok(()),
            }
        });
    }
    Ok(())
}

/// Lets the program that the child becomes have an open file.
fn keep_open(file: &OwnedFd) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

fn mark(path: &CStr, head: &[u8], orthid: Pid) -> io::Result<()> {
    let mut stat = [0u8; 1024];
    let read = unistd::read(open(c"/proc/self/stat", OFlag::O_RDONLY, Mode::empty())?, &mut stat)?;
    let start_time = started(&stat[..read]).ok_or(Errno::ENODATA)?;
    let mut tail = [0u8; 80];
    let mut end = Cursor::new(&mut tail[..]);
    write!(end, ",\"pid\":{},\"start_time\":{start_time}}}", unistd::getpid())?;
    let length = end.position() as usize;
    let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    for part in [head, &tail[..length]] {
        if unistd::write(&file, part)? != part.len() {
            return Err(Errno::ENOSPC.into());
        }
    }
    // An orthid that was killed until here may have a successor that saw no marker.
    if unistd::getppid() != orthid {
        return Err(Errno::ECHILD.into());
    }
    Ok(())
}

/// The child that an earlier orthid left running under this folder and name, if it still lives.
pub(super) fn orphan(folder: &Path, name: &str) -> Option<Orphan> {
    let marker: Marker = serde_json::from_slice(&read(&path(folder, name)).ok()?).ok()?;
    (start_time(marker.pid) == Some(marker.start_time)).then_some(Orphan { marker })
}

/// Every child that an earlier orthid left running under this folder.
pub fn orphans(folder: &Path) -> Vec<Orphan> {
    marked(folder).iter().filter_map(|name| orphan(folder, name)).collect()
}

/// The children of an earlier orthid that have ended since. Nobody redacted what they wrote.
pub fn leftovers(folder: &Path) -> Vec<String> {
    let mut names = marked(folder);
    names.retain(|name| orphan(folder, name).is_none());
    names
}

/// Redacts what such a child wrote, or, without a redactor that knows its secrets, removes it.
pub fn clear_leftover(folder: &Path, name: &str, redactor: Option<&Redactor>) {
    let cleared = match redactor {
        Some(redactor) => redact_output(folder, name, redactor),
        None => remove_output(folder, name),
    };
    // The marker goes last: where the disk is full, the next orthid tries again.
    if cleared.is_ok() {
        remove(&path(folder, name));
    }
}

/// Names of the children that are marked in this folder.
fn marked(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let names = entries.filter_map(Result::ok).filter_map(|entry| {
        let path = entry.path();
        let is_marker = path.extension().is_some_and(|e| e == "child");
        is_marker.then(|| path.file_stem().map(|s| s.to_string_lossy().into_owned())).flatten()
    });
    names.collect()
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
        true
    }
}

pub(super) fn remove(path: &Path) {
    // A marker that stays is harmless: its start time matches no living process.
    let _ = std::fs::remove_file(path);
}

/// When the process was started, in clock ticks since boot; none where it is gone or a zombie.
pub(super) fn start_time(pid: i32) -> Option<u64> {
    started(&read(Path::new(&format!("/proc/{pid}/stat"))).ok()?)
}

/// Field 22 of a `stat`. Allocates nothing.
fn started(stat: &[u8]) -> Option<u64> {
    // The second field is the name in parentheses and may hold anything, spaces and parentheses included.
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat[name_ends + 1..].split(u8::is_ascii_whitespace).filter(|f| !f.is_empty());
    if fields.next()? == b"Z" {
        return None;
    }
    std::str::from_utf8(fields.nth(18)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::{command, tests::job, write_private};
    use super::*;

    #[tokio::test]
    async fn a_child_is_marked_as_soon_as_it_runs_and_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let mut child = command(&job(dir.path(), "/bin/sleep", &["0.6"])).unwrap().spawn().unwrap();
        let found = orphan(dir.path(), "child").expect("the child lives");
        assert_eq!(found.marker.program, "/bin/sleep");
        assert_eq!(u32::try_from(found.marker.pid).ok(), child.id());
        let cancel = CancellationToken::new();
        assert!(!found.wait(Duration::from_millis(50), &cancel).await);
        let waiter = tokio::spawn(async move { child.wait().await });
        assert!(found.wait(Duration::from_secs(5), &cancel).await);
        waiter.await.unwrap().unwrap();
        assert!(orphan(dir.path(), "child").is_none());
    }

    #[test]
    fn a_child_whose_orthid_is_gone_never_becomes_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let effect = dir.path().join("effect");
        #[expect(clippy::disallowed_methods, reason = "what is tested is how children are started")]
        let mut command = std::process::Command::new("/usr/bin/touch");
        command.arg(&effect);
        let another = Pid::from_raw(i32::MAX);
        write_by_child(&mut command, &job(dir.path(), "/usr/bin/touch", &[]), another).unwrap();
        assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(Errno::ECHILD as i32));
        assert!(!effect.exists());
        assert!(orphan(dir.path(), "child").is_none());
    }

    #[test]
    fn what_a_child_wrote_that_nobody_waited_for_is_redacted_once_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let redactor = Redactor::default();
        redactor.register("hunter2");
        let own = i32::try_from(std::process::id()).unwrap();
        let started = start_time(own).unwrap();
        for (start_time, known, kept) in [
            (started, Some(&redactor), Some("with hunter2")),
            (1, Some(&redactor), Some("with (sensitive value)")),
            (1, None, None),
        ] {
            let marker = Marker { program: "helm".into(), pid: own, start_time };
            let text = serde_json::to_string(&marker).unwrap();
            write_private(&dir.path().join("child.child"), text.as_bytes()).unwrap();
            write_private(&dir.path().join("child.out"), b"with hunter2").unwrap();
            for name in leftovers(dir.path()) {
                clear_leftover(dir.path(), &name, known);
            }
            let left = read(&dir.path().join("child.out")).ok();
            assert_eq!(left.as_deref(), kept.map(str::as_bytes));
        }
        assert!(!dir.path().join("child.child").exists());
    }

    #[test]
    fn a_marker_that_was_not_finished_is_none() {
        let dir = tempfile::tempdir().unwrap();
        write_private(&dir.path().join("child.child"), b"{\"program\":\"/bin/sl").unwrap();
        assert!(orphan(dir.path(), "child").is_none());
    }

    #[test]
    fn another_process_with_the_same_pid_is_no_orphan() {
        let dir = tempfile::tempdir().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let marker = Marker { program: "helm".into(), pid: own, start_time: 1 };
        let text = serde_json::to_string(&marker).unwrap();
        write_private(&dir.path().join("child.child"), text.as_bytes()).unwrap();
        assert!(orphan(dir.path(), "child").is_none());
    }
}
