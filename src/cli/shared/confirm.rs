//! A person's yes before something is done.

use crate::cli::output::terminal;
use crate::cli::shared::context::Context;
use crate::cli::shared::error::CommandError;

#[derive(clap::Args, Clone, Copy, Debug)]
pub struct ConfirmArgs {
    /// Do not ask for `yes`
    #[arg(long)]
    auto_approve: bool,

    /// Ask for input where it is needed; with false, what would be asked is an error
    #[arg(long, value_name = "BOOL", default_value_t = true, action = clap::ArgAction::Set)]
    input: bool,
}

/// What is asked, and what is said where the answer is no or nobody can give one.
#[derive(Clone, Copy, Debug)]
pub struct Confirm {
    pub question: &'static str,
    /// The error where nobody is at the terminal, or input is off.
    pub unattended: &'static str,
    /// Its help.
    pub way_out: &'static str,
    /// The error after a no.
    pub cancelled: &'static str,
}

impl ConfirmArgs {
    /// Whether nobody is asked.
    pub fn is_given(self) -> bool {
        self.auto_approve
    }

    /// Asks, unless the answer was given as a flag. Anything but `yes` is an error.
    pub fn ask(self, what: &Confirm, cx: &Context) -> Result<(), CommandError> {
        if self.auto_approve {
            return Ok(());
        }
        if !self.input || !cx.terminal.interactive {
            return Err(CommandError::with_help(what.unattended, what.way_out));
        }
        match terminal::says_yes(what.question)? {
            true => Ok(()),
            false => Err(CommandError::with_help(what.cancelled, "nothing was changed")),
        }
    }
}
