//! Files and folders that only their owner reads.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use nix::sys::memfd::{MFdFlags, memfd_create};

pub fn create_folder(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// Makes a folder of orthid's own: for its owner alone, and left alone by git.
pub fn private_folder(path: &Path) -> io::Result<()> {
    create_folder(path)?;
    let ignore = path.join(".gitignore");
    if !ignore.exists() {
        write_private(&ignore, b"# Made by orthid: nothing here is for git.\n*\n")?;
    }
    Ok(())
}

/// A file that is nowhere but in memory, for [`super::Job::inherit`].
pub fn memory_file(content: &[u8]) -> io::Result<OwnedFd> {
    use std::io::Write;
    let file = memfd_create(c"orthid", MFdFlags::MFD_CLOEXEC)?;
    let mut file = std::fs::File::from(file);
    file.write_all(content)?;
    Ok(file.into())
}

/// Creates or truncates a file that only its owner reads.
pub fn private_file(path: &Path) -> io::Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::io::Write;
    let mut file = private_file(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[expect(clippy::disallowed_methods, reason = "the outside is read here")]
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    std::fs::read(path)
}
