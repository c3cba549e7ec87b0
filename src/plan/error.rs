//! Why there is no plan: the file is wrong, or what it asks for can't be had.

use std::fmt;

use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};

use crate::lang::{Config, Diagnostics, Span};
use crate::path::PathError;

/// Why there is no plan. A plan that must not be applied is a plan all the same: its findings say
/// so.
#[derive(Debug)]
pub enum PlanError {
    /// The file's text is wrong.
    Config(Diagnostics),
    /// The text is right, and the world is another than it was written for.
    Refused(Box<Refusal>),
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PlanError::Config(diagnostics) => diagnostics.fmt(f),
            PlanError::Refused(refusal) => refusal.fmt(f),
        }
    }
}

impl std::error::Error for PlanError {}

impl From<Diagnostics> for PlanError {
    fn from(diagnostics: Diagnostics) -> PlanError {
        PlanError::Config(diagnostics)
    }
}

impl From<Refusal> for PlanError {
    fn from(refusal: Refusal) -> PlanError {
        PlanError::Refused(Box::new(refusal))
    }
}

/// One reason, with the place in the file that it is about and the way out.
#[derive(Debug)]
pub struct Refusal {
    code: &'static str,
    message: String,
    help: String,
    place: Option<Place>,
}

#[derive(Debug)]
struct Place {
    source: NamedSource<String>,
    label: LabeledSpan,
}

impl Refusal {
    pub fn new(code: &'static str, message: impl Into<String>, help: impl Into<String>) -> Refusal {
        Refusal { code, message: message.into(), help: help.into(), place: None }
    }

    /// Shows the place of the file that this is about.
    #[must_use]
    pub fn at(mut self, config: &Config, span: Option<Span>, label: &str) -> Refusal {
        let source = span.and_then(|span| Some((span, config.sources.get(span)?)));
        self.place = source.map(|(span, source)| Place {
            source: NamedSource::new(&source.path, source.text.to_string()),
            label: LabeledSpan::new_with_span(Some(label.to_owned()), span.range()),
        });
        self
    }

    pub fn code(&self) -> &'static str {
        self.code
    }
}

impl From<&PathError> for Refusal {
    fn from(error: &PathError) -> Refusal {
        Refusal::new(error.code(), error.to_string(), error.help())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

impl Diagnostic for Refusal {
    fn code(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(self.code))
    }

    fn help(&self) -> Option<Box<dyn fmt::Display + '_>> {
        Some(Box::new(&self.help))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.place.as_ref().map(|place| &place.source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let place = self.place.as_ref()?;
        Some(Box::new(std::iter::once(place.label.clone())))
    }
}
