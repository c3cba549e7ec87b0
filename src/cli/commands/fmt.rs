//! `orthid fmt`: rewrites plan files in canonical layout.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::cli::shared::files::MAX_PLAN_BYTES;
use crate::cli::shared::write::{Readers, write};
use crate::lang;
use crate::lang::Source;
use crate::text::safe::masked;
use crate::world::files::read_regular;

/// Rewrite plan files in canonical layout
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Lists the files that changed. With --check nothing is written, and the exit code is 3 where a file would change.

Examples:
  orthid fmt
  orthid fmt -check -diff -recursive plans
  orthid fmt - < plan.hcl")]
pub struct Args {
    /// Files, folders (their .hcl files), or - for standard input; the current folder when absent
    #[arg(value_name = "FILE")]
    targets: Vec<PathBuf>,

    /// Only tell whether files would change: exit code 3 where one would
    #[arg(long)]
    check: bool,

    /// Show what changes
    #[arg(long)]
    diff: bool,

    /// Folders below the named ones too
    #[arg(long)]
    recursive: bool,

    /// Write the files
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    write: bool,

    /// List the files whose layout differs
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    list: bool,
}

/// What is to be done with each file.
struct Job {
    write: bool,
    list: bool,
    diff: bool,
    check: bool,
}

/// What became of one file.
enum Outcome {
    Same,
    Differs,
    Unreadable,
}

pub fn run(args: Args, cx: &Context) -> Result<Exit, CommandError> {
    let Args { targets, check, diff, recursive, write, list } = args;
    let job = Job { write: write && !check, list, diff, check };
    let mut outcomes = Vec::new();
    if targets.iter().any(|target| target.as_os_str() == "-") {
        if targets.len() > 1 {
            return Err(CommandError::with_help(
                "standard input can't be formatted together with files",
                "format it alone: orthid fmt -",
            ));
        }
        outcomes.push(standard_input(&job, cx)?);
    } else {
        for path in files(&targets, recursive)? {
            outcomes.push(file(&path, &job, cx)?);
        }
    }
    let any = |wanted: fn(&Outcome) -> bool| outcomes.iter().any(wanted);
    if any(|outcome| matches!(outcome, Outcome::Unreadable)) {
        return Ok(Exit::Error);
    }
    let differs = any(|outcome| matches!(outcome, Outcome::Differs));
    Ok(if check && differs { Exit::Unformatted } else { Exit::Done })
}

fn standard_input(job: &Job, cx: &Context) -> Result<Outcome, CommandError> {
    let name = Path::new("standard input");
    let mut bytes = Vec::new();
    let input = std::io::stdin().lock();
    input
        .take(MAX_PLAN_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| CommandError::io("read", name, &error))?;
    let Some((before, after)) = formatted(name, bytes, cx) else { return Ok(Outcome::Unreadable) };
    match (job.diff, job.check) {
        (true, _) => terminal::result(&difference(name, &before, &after))?,
        (false, false) => terminal::result(&after)?,
        (false, true) => {}
    }
    Ok(if before == after { Outcome::Same } else { Outcome::Differs })
}

fn file(path: &Path, job: &Job, cx: &Context) -> Result<Outcome, CommandError> {
    let bytes = read_regular(path, MAX_PLAN_BYTES)
        .map_err(|error| CommandError::io("read", path, &error))?;
    let Some((before, after)) = formatted(path, bytes, cx) else { return Ok(Outcome::Unreadable) };
    if before == after {
        return Ok(Outcome::Same);
    }
    if job.list {
        terminal::result(&masked(&format!("{}\n", path.display())))?;
    }
    if job.diff {
        terminal::result(&difference(path, &before, &after))?;
    }
    if job.write {
        write(path, after.as_bytes(), Readers::Everyone)?;
    }
    Ok(Outcome::Differs)
}

/// The text before and after; what is wrong with it goes to stderr.
fn formatted(path: &Path, bytes: Vec<u8>, cx: &Context) -> Option<(String, String)> {
    let source = Source::from_bytes(path.display().to_string(), bytes);
    let formatted = source.and_then(|source| {
        let after = lang::fmt::format(&source)?;
        Ok((source.text.to_string(), after))
    });
    match formatted {
        Ok(texts) => Some(texts),
        Err(diagnostics) => {
            let terminal = cx.terminal;
            terminal::note(&diagnostics.render(terminal.width, terminal.stderr_color));
            None
        }
    }
}

fn difference(path: &Path, before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    let (old, new) = (format!("old/{}", path.display()), format!("new/{}", path.display()));
    let text = diff.unified_diff().context_radius(3).header(&old, &new).to_string();
    masked(&text)
}

/// The files that are named, and the `.hcl` files of the folders that are.
fn files(targets: &[PathBuf], recursive: bool) -> Result<Vec<PathBuf>, CommandError> {
    let mut found = Vec::new();
    let mut pending = match targets {
        [] => vec![(PathBuf::from("."), true)],
        named => named.iter().rev().map(|target| (target.clone(), true)).collect(),
    };
    while let Some((path, named)) = pending.pop() {
        if !path.is_dir() {
            found.push(path);
        } else if named || recursive {
            let mut inside = entries(&path)?;
            inside.reverse();
            pending.extend(inside.into_iter().map(|path| (path, false)));
        }
    }
    Ok(found)
}

/// What a folder holds that concerns us, in order: `.hcl` files and folders, without hidden ones
/// and links.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, CommandError> {
    let failed = |error| CommandError::io("list", folder, &error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let kind = entry.file_type().map_err(failed)?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if !name.starts_with('.') && (kind.is_dir() || (kind.is_file() && name.ends_with(".hcl"))) {
            let path = entry.path();
            paths.push(path.strip_prefix("./").map(Path::to_owned).unwrap_or(path));
        }
    }
    paths.sort();
    Ok(paths)
}
