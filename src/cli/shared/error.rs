//! How a command fails: a report for a person, and an exit code for a script.

use std::fmt;
use std::path::Path;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, Report};

use crate::cli::output::terminal::Terminal;
use crate::cli::shared::exit::Exit;
use crate::lang::Diagnostics;
use crate::plan::PlanError;
use crate::text::secret::Redactor;

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

    /// The error as it is printed, without secrets. They are taken out before lines are wrapped.
    pub fn render(&self, terminal: Terminal, redactor: &Redactor) -> String {
        let mut text = String::new();
        match &self.problem {
            Problem::Said => {}
            Problem::Report(report) => {
                // Writing to a String does not fail.
                let clean = Clean::new(report.as_ref(), redactor);
                let _ = handler(terminal).render_report(&mut text, &clean);
            }
            Problem::Plan(found) => text = found.render(terminal.width, terminal.stderr_color),
        }
        redactor.without_secrets(&text)
    }
}

/// A diagnostic without secrets.
#[derive(Debug)]
struct Clean<'a> {
    inner: &'a dyn Diagnostic,
    message: String,
    help: Option<String>,
    cause: Option<Box<Cause>>,
}

/// What an error came from, without secrets.
#[derive(Debug)]
struct Cause {
    message: String,
    next: Option<Box<Cause>>,
}

impl<'a> Clean<'a> {
    fn new(inner: &'a dyn Diagnostic, redactor: &Redactor) -> Clean<'a> {
        Clean {
            inner,
            message: redactor.clean(&inner.to_string()),
            help: inner.help().map(|help| redactor.clean(&help.to_string())),
            cause: Cause::of(inner.source(), redactor),
        }
    }
}

impl Cause {
    fn of(error: Option<&dyn std::error::Error>, redactor: &Redactor) -> Option<Box<Cause>> {
        let error = error?;
        let message = redactor.clean(&error.to_string());
        Some(Box::new(Cause { message, next: Cause::of(error.source(), redactor) }))
    }
}

impl fmt::Display for Clean<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Clean<'_> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl std::error::Error for Cause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.next.as_deref().map(|cause| cause as _)
    }
}

impl Diagnostic for Clean<'_> {
    fn code<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.inner.code()
    }

    fn severity(&self) -> Option<miette::Severity> {
        self.inner.severity()
    }

    fn help<'b>(&'b self) -> Option<Box<dyn fmt::Display + 'b>> {
        self.help.as_ref().map(|help| Box::new(help) as _)
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        self.inner.source_code()
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = miette::LabeledSpan> + '_>> {
        self.inner.labels()
    }

    fn related<'b>(&'b self) -> Option<Box<dyn Iterator<Item = &'b dyn Diagnostic> + 'b>> {
        self.inner.related()
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
