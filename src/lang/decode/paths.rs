//! Paths in a plan, which stay in its folder.

use crate::lang::diagnostic::shown;
use crate::lang::{Code, Diagnostic};

/// Whether a path leads out of the folder that it is relative to. Symbolic links are the caller's
/// to check.
pub(in crate::lang) fn outside(path: &str) -> bool {
    let path = path.replace('\\', "/");
    path.starts_with('/')
        || path.starts_with('~')
        || path.as_bytes().get(1) == Some(&b':')
        || path.split('/').any(|part| part == "..")
}

pub(in crate::lang) fn path_escape(path: &str) -> Diagnostic {
    let message = format!("`{}` leads out of the plan's folder", shown(path));
    Diagnostic::new(Code::PathEscape, message)
        .help("a plan reads files only of its own folder, by paths relative to it")
}
