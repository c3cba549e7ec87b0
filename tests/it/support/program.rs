//! The built program, as tests call it.

use std::path::Path;
use std::process::Command;

/// Where an instrumented program writes its coverage.
const COVERAGE: &str = "LLVM_PROFILE_FILE";

/// `orthid` in a folder, with nothing in its environment that could change what it does.
pub fn orthid(folder: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("orthid"));
    command.current_dir(folder).env_clear();
    if let Some(file) = std::env::var_os(COVERAGE) {
        command.env(COVERAGE, file);
    }
    command
}
