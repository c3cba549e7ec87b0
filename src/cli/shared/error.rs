//! How a command fails: a report for a person, and an exit code for a script.

use std::fmt;
use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme, Report};

use crate::cli::output::terminal::Terminal;
use crate::cli::shared::exit::Exit;
use crate::lang::Diagnostics;
use crate::plan::PlanError;

/// A command's failure.
#[derive(Debug)]
pub struct CommandError {
    pub exit: Exit,
    pub problem: Problem,
}

/// What there is to show.
#[derive(Debug)]
pub enum Problem {
    /// Everything was said already.
    Said,
    Report(Report),
    /// What is wrong with a plan's text.
    Plan(Box<Diagnostics>),
}

impl CommandError {
    /// Everything was said; only the exit code is left.
    pub fn silent(exit: Exit) -> CommandError {
        CommandError { exit, problem: Problem::Said }
    }

    pub fn new(exit: Exit, report: Report) -> CommandError {
        CommandError { exit, problem: Problem::Report(report) }
    }

    /// An error in words, with the way out.
    pub fn with_help(message: impl fmt::Display, help: impl fmt::Display) -> CommandError {
        CommandError::new(
            Exit::Error,
            miette::miette!(help = help.to_string(), "{}", message.to_string()),
        )
    }

    /// An I/O error that names what was attempted on which file.
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> CommandError {
        CommandError::from(miette::miette!("cannot {doing} {}: {error}", path.display()))
    }

    pub fn render(&self, terminal: Terminal) -> String {
        let mut text = String::new();
        match &self.problem {
            Problem::Said => {}
            Problem::Report(report) => {
                // Writing to a String does not fail.
                let _ = handler(terminal).render_report(&mut text, report.as_ref());
            }
            Problem::Plan(found) => text = found.render(terminal.width, terminal.stderr_color),
        }
        text
    }
}

impl From<Diagnostics> for CommandError {
    fn from(found: Diagnostics) -> CommandError {
        CommandError { exit: Exit::Error, problem: Problem::Plan(Box::new(found)) }
    }
}

impl From<PlanError> for CommandError {
    fn from(error: PlanError) -> CommandError {
        match error {
            PlanError::Config(diagnostics) => diagnostics.into(),
            PlanError::Refused(refusal) => Report::new(*refusal).into(),
        }
    }
}

impl From<Report> for CommandError {
    fn from(report: Report) -> CommandError {
        CommandError::new(Exit::Error, report)
    }
}

impl From<std::io::Error> for CommandError {
    fn from(error: std::io::Error) -> CommandError {
        CommandError::from(miette::miette!("cannot write the result: {error}"))
    }
}

/// The one look of errors on this command line.
pub fn handler(terminal: Terminal) -> GraphicalReportHandler {
    let theme = if terminal.stderr_color {
        GraphicalTheme::unicode()
    } else {
        GraphicalTheme::unicode_nocolor()
    };
    GraphicalReportHandler::new_themed(theme).with_width(terminal.width).with_links(false)
}
