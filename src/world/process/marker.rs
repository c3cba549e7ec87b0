//! Markers: what runs for a step, and how it ended, for an orthid that comes after one that was
//! killed.
//!
//! The first line is written by the keeper before the program begins, and says which process the
//! keeper is. Later lines say that the program was told to end, how it ended, and that its whole
//! tree is over.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::LazyLock;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::files::read;

/// The first line without its end, which only the keeper knows.
#[derive(Serialize)]
struct Head<'a> {
    program: &'a str,
    place: &'a str,
    timeout_ms: u64,
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub program: String,
    /// The boot and the pid namespace that the process ids count in.
    pub place: String,
    pub timeout_ms: u64,
    /// The keeper's process id, which is its session's id too.
    pub pid: i32,
    /// Field 22 of `/proc/PID/stat`: tells this process from a later one with the same pid.
    pub start_time: u64,
}

/// A later line.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// orthid told the program to end, and why.
    Told(String),
    /// The program's wait status.
    Ended(i32),
    /// Nothing of the tree is left, or what is left was left on purpose.
    Over(bool),
    /// What it wrote is redacted.
    Kept(bool),
}

/// A marker as far as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub marker: Marker,
    pub was_told: bool,
    pub ended: Option<ExitStatus>,
    pub is_over: bool,
    pub is_kept: bool,
}

impl Marker {
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

pub(super) fn path(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.child"))
}

/// The bytes that the keeper begins its marker with.
pub(super) fn head(program: &Path, timeout: Duration) -> io::Result<Vec<u8>> {
    let program = program.display().to_string();
    let timeout_ms = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX);
    let head = Head { program: &program, place: place(), timeout_ms };
    let mut bytes = serde_json::to_vec(&head)?;
    bytes.pop();
    Ok(bytes)
}

/// This boot and this pid namespace: a pid means nothing in another.
pub(super) fn place() -> &'static str {
    static PLACE: LazyLock<String> = LazyLock::new(|| {
        let boot = read(Path::new("/proc/sys/kernel/random/boot_id")).unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        format!("{} {}", String::from_utf8_lossy(&boot).trim(), namespace.display())
    });
    &PLACE
}

/// What was written under this name; none where no program began.
pub(super) fn written(folder: &Path, name: &str) -> Option<Written> {
    let bytes = read(&path(folder, name)).ok()?;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let marker = serde_json::from_slice(lines.next()?).ok()?;
    let mut written =
        Written { marker, was_told: false, ended: None, is_over: false, is_kept: false };
    // A line that was not finished says nothing.
    for line in lines.filter_map(|line| serde_json::from_slice(line).ok()) {
        match line {
            Line::Told(_) => written.was_told = true,
            Line::Ended(status) => {
                written.ended = Some(std::os::unix::process::ExitStatusExt::from_raw(status));
            }
            Line::Over(is_over) => written.is_over = is_over,
            Line::Kept(is_kept) => written.is_kept = is_kept,
        }
    }
    Some(written)
}

/// The names under which programs were begun in this folder.
pub(super) fn names(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.filter_map(Result::ok).map(|entry| entry.path());
    let markers = paths.filter(|path| path.extension().is_some_and(|ending| ending == "child"));
    let mut names: Vec<String> = markers
        .filter_map(|path| path.file_stem().map(|name| name.to_string_lossy().into_owned()))
        .collect();
    names.sort();
    names
}

/// Notes that the program was told to end: from now on its exit code is not its own.
pub(super) fn told(folder: &Path, name: &str, why: &str) {
    note(folder, name, &Line::Told(why.to_owned()));
}

/// Notes that what it wrote is redacted.
pub(super) fn kept(folder: &Path, name: &str) {
    note(folder, name, &Line::Kept(true));
}

/// A marker that is gone takes no note.
fn note(folder: &Path, name: &str, line: &Line) {
    let Ok(mut line) = serde_json::to_vec(line) else { return };
    line.push(b'\n');
    let file = std::fs::OpenOptions::new().append(true).open(path(folder, name));
    let _ = file.and_then(|mut file| file.write_all(&line));
}

#[cfg(test)]
mod tests {
    use super::super::files::write_private;
    use super::*;

    #[test]
    fn a_marker_is_read_as_far_as_it_was_written() {
        let head = r#"{"program":"helm","place":"here","timeout_ms":5000,"pid":7,"start_time":99}"#;
        /// Told to end, ended with, over.
        type Seen = Option<(bool, Option<i32>, bool)>;
        let cases: &[(&str, Seen)] = &[
            ("", None),
            (r#"{"program":"/bin/sl"#, None),
            ("\n", Some((false, None, false))),
            ("\n{\"ended\":0}\n", Some((false, Some(0), false))),
            ("\n{\"ended\":768}\n{\"over\":true}\n", Some((false, Some(3), true))),
            ("\n{\"told\":\"timeout\"}\n{\"ended\":15}\n{\"over\":tr", Some((true, None, false))),
        ];
        for (tail, expected) in cases {
            let dir = tempfile::tempdir().unwrap();
            let text = match expected {
                None => (*tail).to_owned(),
                Some(_) => format!("{head}{tail}"),
            };
            write_private(&path(dir.path(), "child"), text.as_bytes()).unwrap();
            let found = written(dir.path(), "child");
            let seen = found.map(|it| (it.was_told, it.ended.and_then(|s| s.code()), it.is_over));
            assert_eq!(seen, *expected, "{text}");
            assert_eq!(names(dir.path()), ["child"]);
        }
    }

    #[test]
    fn what_was_told_stands_in_the_marker() {
        let dir = tempfile::tempdir().unwrap();
        told(dir.path(), "child", "timeout");
        assert!(!path(dir.path(), "child").exists(), "no marker comes from a note alone");
        let head = r#"{"program":"helm","place":"here","timeout_ms":5000,"pid":7,"start_time":99}"#;
        write_private(&path(dir.path(), "child"), format!("{head}\n").as_bytes()).unwrap();
        told(dir.path(), "child", "timeout");
        assert!(written(dir.path(), "child").unwrap().was_told);
    }
}
