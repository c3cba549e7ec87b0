//! The files of a plan.
//!
//! A folder's `*.hcl` files are one plan, merged; files named `*.vars.hcl` hold values for
//! `--var-file` and are left out. Every read is bounded and of a regular file.

use std::fs;
use std::path::{Path, PathBuf};

use crate::cli::shared::error::CommandError;
use crate::world::files::read_regular;

/// Largest plan, all of its files together, in bytes.
pub const MAX_PLAN_BYTES: u64 = 32 * 1024 * 1024;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("plan")).unwrap();
        fs::write(dir.path().join("plan/a.hcl"), "a").unwrap();
        fs::write(dir.path().join("plan/b.hcl"), "b").unwrap();
        fs::write(dir.path().join("plan/b.vars.hcl"), "c = 1").unwrap();
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
}
