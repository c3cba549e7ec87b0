//! Files that commands write: whole or not there, whatever happens meanwhile.

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::{fs, io};

use crate::cli::shared::error::CommandError;

/// Who may read a new file. One that is replaced keeps its permissions.
#[derive(Clone, Copy, Debug)]
pub enum Readers {
    /// Its owner: it holds manifests, values, recorded facts or what a run did.
    Owner,
    /// Whoever the umask lets.
    Everyone,
}

impl Readers {
    fn mode(self) -> u32 {
        match self {
            Readers::Owner => 0o600,
            Readers::Everyone => 0o666,
        }
    }
}

/// Writes under a temporary name and renames. Links are followed; pipes and devices are written to
/// as they are.
pub fn write(path: &Path, bytes: &[u8], readers: Readers) -> Result<(), CommandError> {
    replace(path, bytes, readers).map_err(|error| CommandError::io("write", path, &error))
}

fn replace(path: &Path, bytes: &[u8], readers: Readers) -> io::Result<()> {
    let there = fs::metadata(path).ok();
    if there.as_ref().is_some_and(|there| !there.is_file()) {
        return fs::write(path, bytes);
    }
    let path = if there.is_some() { fs::canonicalize(path)? } else { path.to_owned() };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let mut beside = tempfile::Builder::new()
        .permissions(Permissions::from_mode(readers.mode()))
        .tempfile_in(folder)?;
    beside.write_all(bytes)?;
    if let Some(there) = there {
        beside.as_file().set_permissions(there.permissions())?;
    }
    beside.as_file().sync_all()?;
    beside.persist(&path)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_file_is_replaced_whole_and_keeps_its_permissions() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("plan"), dir.path().join("link"));
        write(&file, b"one", Readers::Owner).unwrap();
        assert_eq!(mode(&file), 0o600);
        fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("plan", &link).unwrap();
        write(&link, b"two", Readers::Owner).unwrap();
        assert_eq!((fs::read(&file).unwrap(), mode(&file)), (b"two".to_vec(), 0o640));
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "nothing temporary stays");
    }

    #[test]
    fn a_pipe_stays_a_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let reader = std::thread::spawn({
            let pipe = pipe.clone();
            move || fs::read(pipe).unwrap()
        });
        write(&pipe, b"through", Readers::Everyone).unwrap();
        assert_eq!(reader.join().unwrap(), b"through");
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = write(Path::new("/nowhere/page.html"), b"", Readers::Everyone).unwrap_err();
        assert!(format!("{:?}", error).contains("/nowhere/page.html"));
    }
}
