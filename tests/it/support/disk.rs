//! A disk that fails on demand, under a child process: `disk.c`, built when it is first needed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What happens at one counted call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The call fails with EIO.
    Eio { stays: bool },
    /// The call fails with ENOSPC.
    Full { stays: bool },
    /// Half of a write is done, then ENOSPC.
    Torn { stays: bool },
    /// The machine goes out: whatever no fsync has covered is lost.
    Power,
    /// The same on a disk whose fsync does nothing.
    PowerOnALyingDisk,
}

/// Puts the disk under a command: calls on files whose path contains `files` are counted in the file `count`.
pub fn under(command: &mut Command, files: &str, count: &Path) {
    command.env("LD_PRELOAD", library()).env("DISK_FILES", files).env("DISK_COUNT", count);
}

/// Makes the fault happen at the `at`th counted call, from 1.
pub fn strike(command: &mut Command, fault: Fault, at: u64) {
    let (name, stays) = match fault {
        Fault::Eio { stays } => ("eio", stays),
        Fault::Full { stays } => ("enospc", stays),
        Fault::Torn { stays } => ("torn", stays),
        Fault::Power | Fault::PowerOnALyingDisk => ("power", false),
    };
    command.env("DISK_FAULT", name).env("DISK_AT", at.to_string());
    if stays {
        command.env("DISK_STAYS", "1");
    }
    if fault == Fault::PowerOnALyingDisk {
        command.env("DISK_LIES", "1");
    }
}

/// How many calls were counted.
pub fn counted(count: &Path) -> u64 {
    std::fs::metadata(count).map_or(0, |found| found.len())
}

fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join("disk.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/disk.c");
        // Under a name of its own first: another test process may be building it too.
        let building = library.with_extension(format!("so.{}", std::process::id()));
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"])
            .args([&building, &source])
            .status()
            .expect("a C compiler is needed");
        assert!(built.success());
        std::fs::rename(building, &library).unwrap();
        library
    })
}
