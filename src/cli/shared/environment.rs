//! The process's surroundings: environment variables, the clock, the working directory.

use std::path::{Path, PathBuf};

use crate::world::Environment;

/// The invocation's environment, read once.
pub fn read() -> Environment {
    let vars = std::env::vars_os().filter_map(|(name, value)| {
        // A variable that is not UTF-8 is as good as unset.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    Environment::new(vars.collect())
}

/// The time of day, for what is recorded and compared.
pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// One variable. A value that is not UTF-8 is as good as unset.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A path as it will be found again: relative to the working directory where it lies below it.
pub fn shown(path: &Path) -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&current) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    }
}
