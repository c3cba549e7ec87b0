//! What a command writes: files that orthid holds open, so that what was said is known whatever
//! becomes of their names.
//!
//! Guarantees: what stays under the name is redacted, and is another file than the one that was
//! written to: a process that was left in the background can't write into it. Evidence that can't
//! be kept costs a note, never the outcome.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use super::files::{create_folder, private_file};
use crate::text::secret::Redactor;

/// At most this much of each output stream is kept.
const LIMIT: u64 = 4 << 20;

/// One stream of a command.
#[derive(Debug)]
pub(super) struct Output {
    path: PathBuf,
    file: File,
}

impl Output {
    /// A new, empty file that only its owner reads.
    pub(super) fn create(path: PathBuf) -> io::Result<Output> {
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        Ok(Output { file: options.open(&path)?, path })
    }

    /// What an earlier orthid's command wrote; none where that is gone.
    pub(super) fn open(path: PathBuf) -> Option<Output> {
        Some(Output { file: File::open(&path).ok()?, path })
    }

    /// The command's own handle.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(Stdio::from(self.file.try_clone()?))
    }

    /// The last part of what was written, as it was written.
    pub(super) fn read(&mut self) -> io::Result<String> {
        let length = self.file.metadata()?.len();
        self.file.seek(SeekFrom::Start(length.saturating_sub(LIMIT)))?;
        let mut bytes = Vec::new();
        (&self.file).take(LIMIT).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Leaves nothing of it. Errors: in words.
    pub(super) fn remove(self) -> Result<(), String> {
        let path = self.path;
        remove(&path).map_err(|error| format!("{} could not be removed: {error}", path.display()))
    }

    /// Puts the redacted text in the place of what was written; nothing where there is none.
    /// Errors: in words.
    pub(super) fn keep(self, text: &str, redactor: &Redactor) -> Result<(), String> {
        let Output { path, file } = self;
        let said = |error: io::Error| format!("{} could not be kept: {error}", path.display());
        if text.is_empty() {
            return remove(&path).map_err(said);
        }
        let clean = redactor.clean(text);
        let clean = last(&clean, LIMIT as usize);
        let beside = path.with_extension("partial");
        let first = fill(&beside, clean).and_then(|()| std::fs::rename(&beside, &path));
        if first.is_ok() {
            return Ok(());
        }
        let _ = std::fs::remove_file(&beside);
        // There may be no room for both, and what was written must not stay as it is.
        let emptied =
            remove(&path).or_else(|_| File::options().write(true).open(&path)?.set_len(0));
        drop(file);
        emptied.and_then(|()| fill(&path, clean)).map_err(|error| {
            let _ = std::fs::remove_file(&path);
            said(error)
        })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn fill(path: &Path, text: &str) -> io::Result<()> {
    // The command may have removed the folder.
    path.parent().map_or(Ok(()), create_folder)?;
    private_file(path)?.write_all(text.as_bytes())
}

/// The last `most` bytes of a text, from a character's beginning.
fn last(text: &str, most: usize) -> &str {
    let mut from = text.len().saturating_sub(most);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    &text[from..]
}

#[cfg(test)]
mod tests {
    use super::super::files::read;
    use super::*;

    fn written(path: &Path, text: &str) -> Output {
        let output = Output::create(path.to_owned()).unwrap();
        (&output.file).write_all(text.as_bytes()).unwrap();
        output
    }

    #[test]
    fn what_was_written_is_known_and_kept_whatever_became_of_its_name() {
        type Harm = fn(&Path);
        let cases: &[(&str, Harm, bool)] = &[
            ("left alone", |_| {}, true),
            ("removed", |path| std::fs::remove_file(path).unwrap(), true),
            (
                "folder removed",
                |path| std::fs::remove_dir_all(path.parent().unwrap()).unwrap(),
                true,
            ),
            (
                "a folder in its place",
                |path| {
                    std::fs::remove_file(path).unwrap();
                    std::fs::create_dir_all(path.join("full")).unwrap();
                },
                false,
            ),
        ];
        let redactor = Redactor::default();
        redactor.register("hunter2");
        for (what, harm, is_kept) in cases {
            let dir = tempfile::tempdir().unwrap();
            let folder = dir.path().join("step");
            create_folder(&folder).unwrap();
            let path = folder.join("child.out");
            let mut output = written(&path, "with hunter2\n");
            harm(&path);
            let text = output.read().unwrap();
            assert_eq!(text, "with hunter2\n", "{what}");
            let kept = output.keep(&text, &redactor);
            assert_eq!(kept.is_ok(), *is_kept, "{what}: {kept:?}");
            if *is_kept {
                let found = String::from_utf8(read(&path).unwrap()).unwrap();
                assert_eq!(found, "with (sensitive value)\n", "{what}");
            }
        }
    }

    #[test]
    fn who_still_writes_does_not_write_into_what_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("child.out");
        let mut output = written(&path, "first\n");
        let mut behind = output.file.try_clone().unwrap();
        let text = output.read().unwrap();
        output.keep(&text, &Redactor::default()).unwrap();
        behind.write_all(b"hunter2\n").unwrap();
        assert_eq!(String::from_utf8(read(&path).unwrap()).unwrap(), "first\n");
    }

    #[test]
    fn the_last_part_begins_with_a_character() {
        assert_eq!(last("äöü", 4), "öü");
        assert_eq!(last("äöü", 3), "ü");
        assert_eq!(last("abc", 9), "abc");
    }
}
