//! Files that a plan names.
//!
//! Every read is bounded, of a regular file, and cannot leave the plan's folder by `..`, an absolute path or a link.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

/// Largest file that a plan may name, in bytes.
pub const MAX_FILE_BYTES: u64 = 4 * 1024 * 1024;

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
#[allow(clippy::disallowed_methods, reason = "tests write the files that are read")]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plan")).unwrap();
        fs::write(dir.path().join("plan/a.hcl"), "a").unwrap();
        fs::write(dir.path().join("secret"), "s").unwrap();
        dir
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
