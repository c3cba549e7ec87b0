//! What a child is, and how it ended.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use super::output::Output;
use super::tree::{Process, Work};
use crate::text::secret::Redactor;

/// Bound on a child whose job gives none.
pub const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// A child to be run.
#[derive(Clone)]
pub struct Job {
    pub program: PathBuf,
    pub args: Vec<OsString>,
    /// The whole environment of the child, but for what says whose work it does.
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
    pub work: Option<Work>,
    pub rest: Rest,
    pub voice: Voice,
}

/// What becomes of processes that are still at work when the program has ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Rest {
    /// They belong to the work, which is over when they are.
    #[default]
    Await,
    /// The program has answered: they are ended.
    End,
    /// They are left after these exit codes, and ended after others.
    Leave(Vec<i32>),
}

impl Rest {
    pub(super) fn is_left_after(&self, status: ExitStatus) -> bool {
        match (self, status.code()) {
            (Rest::Leave(codes), Some(code)) => codes.contains(&code),
            (Rest::Leave(_), None) | (Rest::Await | Rest::End, _) => false,
        }
    }

    pub(super) fn is_ended_after(&self, status: ExitStatus) -> bool {
        match self {
            Rest::Await => false,
            Rest::End => true,
            Rest::Leave(_) => !self.is_left_after(status),
        }
    }
}

/// Somebody who hears a text.
type Ear = Arc<dyn Fn(&str) + Send + Sync>;

/// Whoever hears of a child while it runs.
#[derive(Clone, Default)]
pub struct Voice {
    /// Lines of live progress.
    pub progress: Option<Ear>,
    /// What the report must say of it.
    pub note: Option<Ear>,
    /// Hears stdout before it is redacted: it may hold secrets that only the caller can tell.
    pub learn: Option<Ear>,
}

impl Voice {
    pub(super) fn say(&self, text: &str) {
        if let Some(progress) = &self.progress {
            progress(text);
        }
    }

    pub(super) fn note(&self, text: &str) {
        if let Some(note) = &self.note {
            note(text);
        }
    }
}

impl Job {
    /// A child with no arguments and no environment, whose whole tree is waited for.
    pub fn new(program: PathBuf, folder: &Path, name: &str) -> Job {
        Job {
            program,
            args: Vec::new(),
            env: BTreeMap::new(),
            workdir: None,
            inherit: None,
            folder: folder.to_owned(),
            name: name.to_owned(),
            timeout: LONGEST,
            grace: Duration::from_secs(5),
            work: None,
            rest: Rest::Await,
            voice: Voice::default(),
        }
    }

    pub(super) fn output(&self, stream: &str) -> io::Result<Output> {
        Output::create(self.folder.join(format!("{}.{stream}", self.name)))
    }
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

/// How a child ended, with all that it started.
#[derive(Clone, Debug)]
pub struct Finished {
    pub status: ExitStatus,
    pub why: Ended,
    /// The last part of each stream, unredacted: for parsing, never for showing.
    pub stdout: String,
    pub stderr: String,
    /// What was at work when the program had ended, as last seen.
    pub behind: Vec<Process>,
    /// What could not be ended.
    pub still: Vec<Process>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Itself,
    Cancelled,
    TimedOut,
    /// The program ended by itself, and what it left at work was ended when the time was over.
    Outlived,
}

impl Ended {
    pub(super) fn word(self) -> &'static str {
        match self {
            Ended::Itself => "end",
            Ended::Cancelled => "cancelled",
            Ended::TimedOut => "timeout",
            Ended::Outlived => "outlived",
        }
    }
}

impl Finished {
    pub fn success(&self) -> bool {
        self.status.success() && self.why == Ended::Itself
    }

    /// Something else ended it, by a signal: what it would have said is not known.
    pub fn was_killed(&self) -> bool {
        self.status.signal().is_some()
    }

    /// The last lines of stderr (or of stdout where stderr is silent), redacted, for an error
    /// message.
    pub fn last_words(&self, redactor: &Redactor) -> String {
        let text = if self.stderr.trim().is_empty() { &self.stdout } else { &self.stderr };
        let lines: Vec<&str> = text.lines().filter(|l| !l.trim().is_empty()).collect();
        let tail = lines[lines.len().saturating_sub(8)..].join("\n");
        let tail = redactor.clean(&tail);
        if tail.is_empty() { format!("{}", self.status) } else { tail }
    }
}
