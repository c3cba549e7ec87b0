//! Saved plans: read from a file, checked, and found their folder again.

use std::path::{Path, PathBuf};

use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::plan::SavedPlan;
use crate::world::files::read_regular;

/// Largest saved plan, in bytes. It holds rendered manifests of every hop.
const MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Reads a saved plan file. A changed byte is refused.
pub fn read(path: &Path) -> Result<(SavedPlan, Vec<u8>), CommandError> {
    let bytes =
        read_regular(path, MAX_BYTES).map_err(|error| CommandError::io("read", path, &error))?;
    Ok((parse(&bytes)?, bytes))
}

fn parse(bytes: &[u8]) -> Result<SavedPlan, CommandError> {
    SavedPlan::parse(bytes)
        .map_err(|error| CommandError::new(Exit::Stale, miette::Report::new(error)))
}

/// Whether this file is a saved plan, rather than HCL.
pub fn is_saved(path: &Path) -> bool {
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut head = [0u8; 1];
    path.is_file() && std::io::Read::read_exact(&mut &file, &mut head).is_ok() && head == *b"{"
}

/// The folder that relative paths of a plan start in, as the plan names it.
pub fn base(named: &str) -> Result<PathBuf, CommandError> {
    let folder = PathBuf::from(named);
    std::fs::canonicalize(&folder).map_err(|error| {
        CommandError::with_help(
            format!("the plan's folder `{}` is not here: {error}", folder.display()),
            "run this in the folder that `orthid plan` was run in, or give it with --chdir",
        )
    })
}
