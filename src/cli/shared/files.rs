//! Reads plan files and the files they name, and nothing outside the plan's folder.
//!
//! A folder's `*.hcl` files are one plan, merged; files named `*.vars.hcl` hold values for `--var-file` and are left
//! out. Every read is bounded, of a regular file, and cannot leave the folder by `..`, an absolute path or a link.

use std::fs;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use crate::cli::shared::error::CommandError;

/// Largest plan, all of its files together, in bytes.
pub const MAX_PLAN_BYTES: u64 = 32 * 1024 * 1024;
/// Largest file that `file()` or a values list may name, in bytes.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;
/// Most files that a plan's folder may hold.
const MAX_PLAN_FILES: usize = 1_000;

/// The text of a plan, before anything understood it.
#[derive(Clone, Debug)]
pub struct PlanFiles {
    /// The plan's folder, without links; relative paths of the plan start here.
    pub base: PathBuf,
    /// The file's or folder's stem: what a runbook without an `upgrade` block is called.
    pub name: String,
    /// Path as a person would write it, and content, sorted by path.
    pub files: Vec<(String, Vec<u8>)>,
}

impl PlanFiles {
    pub fn read(path: &Path) -> Result<PlanFiles, CommandError> {
        let real = fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
        let is_folder = real.is_dir();
        let base = match (is_folder, real.parent()) {
            (false, Some(parent)) => parent.to_owned(),
            (true, _) | (false, None) => real.clone(),
        };
        let name = real
            .file_stem()
            .map_or_else(|| "plan".to_owned(), |stem| stem.to_string_lossy().into_owned());
        let paths = if is_folder { plan_files_in(path)? } else { vec![path.to_owned()] };
        let mut left = MAX_PLAN_BYTES;
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let bytes = read_regular(&path, left).map_err(|error| unreadable(&path, &error))?;
            left -= bytes.len() as u64;
            let shown = path.strip_prefix("./").unwrap_or(&path);
            files.push((shown.display().to_string(), bytes));
        }
        Ok(PlanFiles { base, name, files })
    }
}

fn plan_files_in(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let listing = fs::read_dir(folder).map_err(|error| unreadable(folder, &error))?;
    let mut paths = Vec::new();
    for entry in listing {
        let path = entry.map_err(|error| unreadable(folder, &error))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_plan = name.ends_with(".hcl") && !name.ends_with(".vars.hcl");
        if is_plan && !name.starts_with('.') && path.is_file() {
            paths.push(path);
        }
        if paths.len() > MAX_PLAN_FILES {
            return Err(CommandError::with_help(
                format!("{} holds more than {MAX_PLAN_FILES} .hcl files", folder.display()),
                "name the plan's own file or folder",
            ));
        }
    }
    if paths.is_empty() {
        return Err(CommandError::with_help(
            format!("there is no plan in {}: it holds no .hcl file", folder.display()),
            "name a plan file, or write a first one with `orthid init`",
        ));
    }
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, error: &std::io::Error) -> CommandError {
    CommandError::with_help(
        format!("cannot read {}: {error}", path.display()),
        "name a plan file, or a folder that holds one",
    )
}

/// Reads a file that the plan names by a path relative to its folder.
///
/// # Errors
/// In words for a diagnostic: the path leaves the folder, is not a regular file, is too large, or can't be read.
pub fn read_confined(base: &Path, relative: &str) -> Result<Vec<u8>, String> {
    let path = Path::new(relative);
    let plain = |component| matches!(component, Component::Normal(_) | Component::CurDir);
    if !path.components().all(plain) {
        return Err(format!("`{relative}` leaves the plan's folder: only files below it are read"));
    }
    let failed = |error: std::io::Error| format!("cannot read `{relative}`: {error}");
    let real = fs::canonicalize(base.join(path)).map_err(failed)?;
    if !real.starts_with(base) {
        return Err(format!("`{relative}` is a link out of the plan's folder"));
    }
    read_regular(&real, MAX_FILE_BYTES).map_err(failed)
}

/// Reads a regular file of at most `limit` bytes. A FIFO or a device is refused without waiting for it.
pub fn read_regular(path: &Path, limit: u64) -> std::io::Result<Vec<u8>> {
    let refuse = |reason: String| std::io::Error::new(std::io::ErrorKind::InvalidInput, reason);
    let file = File::options()
        .read(true)
        .custom_flags(nix::libc::O_NONBLOCK | nix::libc::O_CLOEXEC)
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Err(refuse("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(refuse(format!("it is larger than the {limit} bytes that are allowed")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plan")).unwrap();
        fs::write(dir.path().join("plan/a.hcl"), "a").unwrap();
        fs::write(dir.path().join("plan/b.hcl"), "b").unwrap();
        fs::write(dir.path().join("plan/b.vars.hcl"), "c = 1").unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        dir
    }

    #[test]
    fn a_folder_is_its_plan_files_in_order() {
        let dir = folder();
        let plan = PlanFiles::read(&dir.path().join("plan")).unwrap();
        let contents: Vec<&[u8]> = plan.files.iter().map(|(_, bytes)| &bytes[..]).collect();
        assert_eq!(contents, [b"a", b"b"]);
        assert_eq!(plan.name, "plan");
    }

    #[test]
    fn reads_stay_in_the_folder() {
        let dir = folder();
        let base = fs::canonicalize(dir.path().join("plan")).unwrap();
        std::os::unix::fs::symlink("../secret", base.join("link")).unwrap();
        std::os::unix::fs::symlink("a.hcl", base.join("inside")).unwrap();
        assert_eq!(read_confined(&base, "./a.hcl").unwrap(), b"a");
        assert_eq!(read_confined(&base, "inside").unwrap(), b"a");
        for outside in ["../secret", "link", "/etc/hostname", "x/../../secret"] {
            let error = read_confined(&base, outside).unwrap_err();
            assert!(error.contains("plan's folder"), "{outside}: {error}");
        }
    }

    #[test]
    fn devices_and_large_files_are_refused() {
        let dir = folder();
        let fifo = dir.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(read_regular(&fifo, 10).is_err());
        assert!(read_regular(Path::new("/dev/zero"), 10).is_err());
        fs::write(dir.path().join("large"), [b'x'; 11]).unwrap();
        assert!(read_regular(&dir.path().join("large"), 10).is_err());
        assert_eq!(read_regular(&dir.path().join("large"), 11).unwrap().len(), 11);
    }
}
