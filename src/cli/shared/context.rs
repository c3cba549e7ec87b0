//! What every command is given besides its own arguments.

use crate::cli::output::terminal::Terminal;
use crate::text::secret::Redactor;

#[derive(Clone, Debug)]
pub struct Context {
    pub terminal: Terminal,
    /// The secrets that are known, which nothing may show.
    pub redactor: Redactor,
    /// The command line's definition, for manual pages and completions.
    pub definition: fn() -> clap::Command,
}
