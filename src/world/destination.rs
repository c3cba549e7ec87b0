//! Where backups go: a folder. Its name and the room it has.

use std::path::{Path, PathBuf};

use super::error::WorldError;

/// The folder that a backup step's `to` names.
///
/// # Errors
/// An object store's URL is refused: only folders are supported.
pub fn folder(base: &Path, to: &str) -> Result<PathBuf, WorldError> {
    match to.split_once("://") {
        None => Ok(base.join(to)),
        Some(("file", path)) => Ok(PathBuf::from(path)),
        Some(_) => Err(WorldError::DestinationUnsupported { to: to.to_owned() }),
    }
}

/// Free bytes for this user on the file system that holds, or will hold, the folder.
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let existing = folder.ancestors().find(|path| path.is_dir())?;
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let stat = nix::sys::statvfs::statvfs(existing).ok()?;
    Some(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_taken_and_object_stores_refused() {
        assert_eq!(folder(Path::new("/plan"), "backups").unwrap(), Path::new("/plan/backups"));
        assert_eq!(folder(Path::new("/plan"), "/var/b").unwrap(), Path::new("/var/b"));
        assert_eq!(folder(Path::new("/plan"), "file:///var/b").unwrap(), Path::new("/var/b"));
        assert!(folder(Path::new("/plan"), "s3://bucket/x").is_err());
    }

    #[test]
    fn room_is_told_for_folders_that_do_not_exist_yet() {
        let dir = tempfile::tempdir().unwrap();
        assert!(free_bytes(&dir.path().join("a/b/c")).unwrap() > 0);
    }
}
