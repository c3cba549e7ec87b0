//! What is wrong with a plan's text, and where.
//!
//! Must not: print. [`Diagnostics::render`] gives text; the caller decides where it goes.

mod code;
mod drawing;
mod unreadable;

use std::collections::HashSet;
use std::fmt;

use crate::lang::{Sources, Span};
use crate::text::closest::closest;
use crate::text::safe;
use crate::text::safe::shortened;

pub use code::Code;

/// More than this many are counted, not kept: nobody reads the hundredth, and hostile input makes
/// millions.
pub const MAX_DIAGNOSTICS: usize = 100;

/// The longest message; names in messages come from the input and may be megabytes.
const MAX_MESSAGE_CHARS: usize = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    Error,
    Warning,
}

/// A place in a source with what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    pub span: Span,
    pub text: String,
}

/// One thing that is wrong. The first label is the place where it is wrong; others show what it
/// collides with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub code: Code,
    pub severity: Severity,
    pub message: String,
    pub labels: Vec<Label>,
    pub help: Option<String>,
    /// Where a secret stands in the text: it is not shown.
    secret: Option<Span>,
}

impl Diagnostic {
    pub fn new(code: Code, message: impl AsRef<str>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: printable(message.as_ref()),
            labels: Vec::new(),
            help: None,
            secret: None,
        }
    }

    pub fn warning(code: Code, message: impl AsRef<str>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::new(code, message) }
    }

    #[must_use]
    pub fn label(mut self, span: Span, text: impl AsRef<str>) -> Diagnostic {
        self.labels.push(Label { span, text: printable(text.as_ref()) });
        self
    }

    /// A label at a secret, which no error shows.
    #[must_use]
    pub fn label_secret(mut self, span: Span, text: impl AsRef<str>) -> Diagnostic {
        self.secret = Some(span);
        self.label(span, text)
    }

    #[must_use]
    pub fn help(mut self, text: impl AsRef<str>) -> Diagnostic {
        self.help = Some(printable(text.as_ref()));
        self
    }

    /// Adds `did you mean …?` where one of the candidates is close to what was written.
    #[must_use]
    pub fn suggest<'a>(self, written: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        match closest(written, known) {
            Some(close) => self.help(format!("did you mean `{close}`?")),
            None => self,
        }
    }

    /// Where it is wrong.
    pub fn place(&self) -> Option<Span> {
        self.labels.first().map(|label| label.span)
    }
}

/// Everything that is wrong, with the sources that the places are in. Sorted by file and offset
/// when read.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    sources: Sources,
    found: Vec<Diagnostic>,
    seen: HashSet<(Code, Option<Span>, String)>,
    suppressed: usize,
}

impl Diagnostics {
    pub fn new(sources: Sources) -> Diagnostics {
        Diagnostics { sources, ..Diagnostics::default() }
    }

    /// Adds one, unless the same was said of the same place.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.found.len() >= MAX_DIAGNOSTICS {
            self.suppressed += 1;
            return;
        }
        if let Some(span) = diagnostic.secret {
            self.sources = self.sources.masked(span);
        }
        let key = (diagnostic.code, diagnostic.place(), diagnostic.message.clone());
        if self.seen.insert(key) {
            self.found.push(diagnostic);
            self.found.sort_by_key(|d| (d.place().is_none(), d.place()));
        }
    }

    pub fn extend(&mut self, others: Diagnostics) {
        self.suppressed += others.suppressed;
        for diagnostic in others.found {
            self.push(diagnostic);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.found.iter()
    }

    pub fn len(&self) -> usize {
        self.found.len()
    }

    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    pub fn has_errors(&self) -> bool {
        self.suppressed > 0 || self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// How many more there were than are kept.
    pub fn suppressed(&self) -> usize {
        self.suppressed
    }

    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// `Ok` where nothing is an error.
    pub fn into_result<T>(self, value: T) -> Result<T, Diagnostics> {
        if self.has_errors() { Err(self) } else { Ok(value) }
    }
}

/// One line for each: `plan.hcl:3:5: error: … [orthid::config::…]`.
impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, diagnostic) in self.found.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            if let Some((source, span)) =
                diagnostic.place().and_then(|span| Some((self.sources.get(span)?, span)))
            {
                let (line, column) = source.line_column(span.start as usize);
                write!(f, "{}:{line}:{column}: ", safe::escaped(&source.path))?;
            }
            let level = match diagnostic.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, "{level}: {} [{}]", diagnostic.message, diagnostic.code)?;
        }
        if self.suppressed > 0 {
            write!(f, "\nand {} more", self.suppressed)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Text that is safe on a terminal and of bounded length.
fn printable(text: &str) -> String {
    safe::escaped(&shortened(text, MAX_MESSAGE_CHARS))
}

/// A name as it is quoted in a message: shortened, so that the message stays readable.
pub(in crate::lang) fn shown(name: &str) -> String {
    const LONGEST: usize = 60;
    shortened(name, LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_are_never_kept() {
        let diagnostic = Diagnostic::new(Code::Syntax, "a\u{1b}[31m\u{202e}b").help("\u{9b}x");
        assert_eq!(diagnostic.message, r"a\u{1b}[31m\u{202e}b");
        assert_eq!(diagnostic.help.as_deref(), Some(r"\u{9b}x"));
    }

    #[test]
    fn what_is_too_much_is_counted() {
        let mut diagnostics = Diagnostics::default();
        for n in 0..MAX_DIAGNOSTICS + 5 {
            diagnostics.push(Diagnostic::new(Code::Syntax, format!("{n}")));
        }
        assert_eq!((diagnostics.len(), diagnostics.suppressed()), (MAX_DIAGNOSTICS, 5));
    }
}
