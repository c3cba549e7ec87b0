//! Where an embedded store's file may live: made private, never on a network file system.
//!
//! Must not: know what the file holds.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::StoreError;

/// Makes the file (0600) and its folder (0700) where they are missing. An existing file keeps its bytes and mode.
///
/// # Errors
/// [`StoreError::Refused`] where the folder is on a network file system: SQLite's write-ahead log needs memory
/// shared by all its users and locks that are kept, and these give neither across machines.
pub(super) fn prepare(path: &Path) -> Result<(), StoreError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|error| {
        StoreError::Refused(format!("the folder {} can't be made: {error}", parent.display()))
    })?;
    refuse_network(parent)?;
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(StoreError::Refused(format!(
            "the state file {} can't be made: {error}",
            path.display()
        ))),
    }
}

#[cfg(target_os = "linux")]
fn refuse_network(folder: &Path) -> Result<(), StoreError> {
    let found = nix::sys::statfs::statfs(folder).map_err(|error| {
        StoreError::Refused(format!("the folder {} can't be examined: {error}", folder.display()))
    })?;
    match network_file_system(found.filesystem_type().0 as u32) {
        None => Ok(()),
        Some(name) => Err(StoreError::Refused(format!(
            "the folder {} is on {name}, where SQLite can't keep its promises: use a local disk, or keep the state in \
             PostgreSQL with --state postgres://…",
            folder.display()
        ))),
    }
}

/// Only Linux tells a file system's kind by a number that is worth a list.
#[cfg(not(target_os = "linux"))]
fn refuse_network(_folder: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// File systems that are shared between machines, or may be (FUSE, 9p), by `statfs(2)`'s magic number.
#[cfg(target_os = "linux")]
fn network_file_system(magic: u32) -> Option<&'static str> {
    const NETWORK: [(u32, &str); 15] = [
        (0x0000_6969, "NFS"),
        (0x0000_517b, "SMB"),
        (0xff53_4d42, "CIFS"),
        (0xfe53_4d42, "SMB2"),
        (0x0000_564c, "NCP"),
        (0x5346_414f, "AFS"),
        (0x6b41_4653, "AFS"),
        (0x7375_7245, "Coda"),
        (0x0102_1997, "9p"),
        (0x00c3_6400, "Ceph"),
        (0x0bd0_0bd0, "Lustre"),
        (0x0116_1970, "GFS2"),
        (0x7461_636f, "OCFS2"),
        (0x786f_4256, "a VirtualBox shared folder"),
        (0x6573_5546, "FUSE"),
    ];
    NETWORK.iter().find(|(known, _)| *known == magic).map(|(_, name)| *name)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_it_makes_is_private_and_what_it_finds_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/state.db");
        prepare(&path).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);

        std::fs::File::create(&path).unwrap().set_len(7).unwrap();
        prepare(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 7);
    }

    #[test]
    fn network_file_systems_are_told_by_name_and_local_ones_pass() {
        assert_eq!(network_file_system(0x6969), Some("NFS"));
        assert_eq!(network_file_system(0xff53_4d42), Some("CIFS"));
        assert_eq!(network_file_system(0x6573_5546), Some("FUSE"));
        // ext4, xfs, btrfs, tmpfs, overlayfs
        for local in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630] {
            assert_eq!(network_file_system(local), None);
        }
    }
}
