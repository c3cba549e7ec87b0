//! What an orthid that was killed left at work for a step, and what it left behind.

use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::marker::{self, Written};
use super::output::Output;
use super::tree::{self, Process, Tree, Work};
use super::wait::Late;
use crate::text::secret::Redactor;

/// A command of an earlier orthid that is not over.
#[derive(Debug)]
pub struct Orphan {
    tree: Tree,
    folder: PathBuf,
    /// None where the marker is gone: then its processes are known by their variables.
    name: Option<String>,
    /// How long it may still take.
    bound: Duration,
}

/// Every command of this work that an earlier orthid left, and that is not over. `at_most` bounds
/// those whose marker is gone.
///
/// # Errors
/// Where the processes can't be listed: then nobody knows.
pub fn orphans(folder: &Path, work: &Work, at_most: Duration) -> std::io::Result<Vec<Orphan>> {
    let here = marker::place();
    let mut found = Vec::new();
    let mut known = Vec::new();
    for name in marker::names(folder) {
        let Some(Written { marker, is_over, .. }) = marker::written(folder, &name) else {
            continue;
        };
        let bound = marker.timeout().saturating_sub(tree::age(marker.start_time));
        let is_here = marker.place == here;
        let tree = Tree {
            keeper: Some(marker),
            name: Some(name.clone()),
            work: Some(work.clone()),
            is_ours: false,
        };
        known.push(name.clone());
        if is_over || !is_here || tree.is_gone()? {
            continue;
        }
        found.push(Orphan { tree, folder: folder.to_owned(), name: Some(name), bound });
    }
    found.extend(unmarked(folder, work, at_most, &known)?);
    Ok(found)
}

/// Processes that have the work's variables and whose marker was removed together with the
/// evidence.
fn unmarked(
    folder: &Path,
    work: &Work,
    at_most: Duration,
    known: &[String],
) -> std::io::Result<Vec<Orphan>> {
    let mut oldest = std::collections::BTreeMap::<String, Duration>::new();
    for process in tree::all()?.values() {
        if let Some((found, attempt)) = tree::marks(process.pid)
            && found == *work
            && !known.contains(&attempt)
        {
            let age = oldest.entry(attempt).or_default();
            *age = process.age().max(*age);
        }
    }
    let orphans = oldest.into_iter().map(|(attempt, age)| Orphan {
        tree: Tree { keeper: None, name: Some(attempt), work: Some(work.clone()), is_ours: false },
        folder: folder.to_owned(),
        name: None,
        bound: at_most.saturating_sub(age),
    });
    let mut living = Vec::new();
    for orphan in orphans {
        if !orphan.tree.is_gone()? {
            living.push(orphan);
        }
    }
    Ok(living)
}

impl Orphan {
    /// What is at work.
    pub fn processes(&self) -> Vec<Process> {
        self.tree.processes().unwrap_or_default()
    }

    /// Waits for its end; ends it where its time is over. Errors: what is still there.
    pub async fn wait(
        &self,
        say: impl FnMut(String),
        grace: Duration,
        cancel: &CancellationToken,
    ) -> Result<(), Vec<Process>> {
        let Orphan { tree, folder, name, bound } = self;
        let late = Late { tree, folder, name: name.as_deref(), bound: *bound, grace };
        late.wait(say, cancel).await
    }
}

/// How a command ended by itself while nobody was there to hear it, and what it printed.
#[derive(Debug)]
pub struct Remains {
    pub status: ExitStatus,
    /// For parsing, never for showing.
    pub stdout: String,
    /// What was printed is not there as it was printed any more.
    pub is_redacted: bool,
}

/// The newest command of this stem (`command` for `command-1`, `command-2`) that began.
pub fn newest(folder: &Path, stem: &str) -> Option<String> {
    let number = |name: &String| name.strip_prefix(stem)?.strip_prefix('-')?.parse::<u32>().ok();
    let names = marker::names(folder).into_iter();
    names.filter_map(|name| Some((number(&name)?, name))).max().map(|(_, name)| name)
}

/// What a command of this name left; none where it never ended, or was told to.
pub fn remains(folder: &Path, name: &str) -> Option<Remains> {
    let Written { was_told, ended, is_kept, .. } = marker::written(folder, name)?;
    let status = ended.filter(|_| !was_told)?;
    let output = Output::open(folder.join(format!("{name}.out")));
    let stdout = output.and_then(|mut output| output.read().ok()).unwrap_or_default();
    Some(Remains { status, stdout, is_redacted: is_kept })
}

/// The commands of an earlier orthid that have ended since. Nobody redacted what they wrote.
pub fn leftovers(folder: &Path) -> Vec<String> {
    let mut names = marker::names(folder);
    names.retain(|name| {
        marker::written(folder, name).is_none_or(|Written { marker, is_over, is_kept, .. }| {
            let is_here = marker.place == marker::place();
            let tree = Tree { keeper: Some(marker), name: None, work: None, is_ours: false };
            !is_kept && (is_over || !is_here || tree.is_gone().unwrap_or(false))
        })
    });
    names
}

/// Redacts what such a command wrote, or, without a redactor that knows its secrets, removes it.
/// Returns what could not be kept, in words.
pub fn clear_leftover(folder: &Path, name: &str, redactor: Option<&Redactor>) -> Vec<String> {
    let mut lost = Vec::new();
    for stream in ["out", "err"] {
        let Some(mut output) = Output::open(folder.join(format!("{name}.{stream}"))) else {
            continue;
        };
        let cleared = match redactor {
            Some(redactor) => {
                let text = output.read().unwrap_or_default();
                output.keep(&text, redactor)
            }
            None => output.remove(),
        };
        lost.extend(cleared.err());
    }
    marker::kept(folder, name);
    lost
}

#[cfg(test)]
mod tests {
    use super::super::files::{read, write_private};
    use super::*;

    #[test]
    fn what_a_child_wrote_that_nobody_waited_for_is_redacted_once_it_has_ended() {
        let dir = tempfile::tempdir().unwrap();
        let redactor = Redactor::default();
        redactor.register("hunter2");
        let own = nix::unistd::getpid().as_raw();
        let started = tree::start_time_of(own).unwrap();
        for (start_time, known, kept) in [
            (started, Some(&redactor), Some("with hunter2")),
            (1, Some(&redactor), Some("with (sensitive value)")),
            (1, None, None),
        ] {
            let line = format!(
                r#"{{"program":"helm","place":"{}","timeout_ms":1,"pid":{own},"start_time":{start_time}}}"#,
                marker::place()
            );
            write_private(&marker::path(dir.path(), "child"), format!("{line}\n").as_bytes())
                .unwrap();
            write_private(&dir.path().join("child.out"), b"with hunter2").unwrap();
            for name in leftovers(dir.path()) {
                clear_leftover(dir.path(), &name, known);
            }
            let left = read(&dir.path().join("child.out")).ok();
            assert_eq!(left.as_deref(), kept.map(str::as_bytes));
            assert_eq!(leftovers(dir.path()).len(), 0, "it is done once");
        }
    }

    #[test]
    fn the_newest_attempt_is_found_by_its_number() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["command-2", "command-10", "undo-11", "command-x", "observe"] {
            write_private(&marker::path(dir.path(), name), b"").unwrap();
        }
        assert_eq!(newest(dir.path(), "command").as_deref(), Some("command-10"));
        assert_eq!(newest(dir.path(), "helm"), None);
    }
}
