//! Diagnostics as people read them, drawn by miette.
//!
//! Must not: show a control character of the source, or more than a window of a very long line.

use std::fmt;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};

use crate::lang::{Diagnostic, Diagnostics, Label, Severity, Source, Span};
use crate::text::safe;

/// Lines longer than this are shown through a window.
const LONG_LINE_BYTES: usize = 300;
/// What is shown before the place on such a line.
const BEFORE_BYTES: usize = 60;
/// Labels farther apart than this are drawn one after the other.
const FAR_BYTES: usize = 16 << 10;

impl Diagnostics {
    /// All of them as a report. Width in columns; colour only where the reader's terminal has it.
    pub fn render(&self, width: usize, colour: bool) -> String {
        let theme =
            if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(width)
            .with_context_lines(1)
            .with_links(false);
        let mut out = String::new();
        for (index, diagnostic) in self.iter().enumerate() {
            if index > 0 {
                out.push('\n');
            }
            let drawing = Drawing::of(diagnostic, self);
            // Writing to a String can't fail, and a drawing's labels lie inside its excerpt.
            let drawn = handler.render_report(&mut out, &drawing);
            assert!(drawn.is_ok(), "a label lies outside of its excerpt: {diagnostic:?}");
        }
        if self.suppressed() > 0 {
            out.push_str(&format!("\n  and {} more\n", self.suppressed()));
        }
        out.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
    }
}

/// One diagnostic with the pieces of source that it shows.
#[derive(Debug)]
struct Drawing {
    code: Option<String>,
    severity: miette::Severity,
    message: String,
    help: Option<String>,
    excerpt: Option<Excerpt>,
    labels: Vec<LabeledSpan>,
    related: Vec<Drawing>,
}

impl Drawing {
    fn of(diagnostic: &Diagnostic, all: &Diagnostics) -> Drawing {
        let located: Vec<(&Label, &Source)> = diagnostic
            .labels
            .iter()
            .filter_map(|label| Some((label, all.sources().get(label.span)?)))
            .collect();
        let mut groups: Vec<(Vec<&Label>, &Source)> = Vec::new();
        for (label, source) in located {
            match groups.iter_mut().find(|(labels, _)| are_near(labels[0].span, label.span, source))
            {
                Some((labels, _)) => labels.push(label),
                None => groups.push((vec![label], source)),
            }
        }
        let mut groups = groups.into_iter();
        let first = groups.next();
        let related = groups
            .map(|(labels, source)| {
                Drawing {
                    code: None,
                    severity: miette::Severity::Advice,
                    message: labels[0].text.clone(),
                    help: None,
                    related: Vec::new(),
                    labels: vec![],
                    excerpt: None,
                }
                .showing(&labels, source)
            })
            .collect();
        let drawing = Drawing {
            code: Some(diagnostic.code.to_string()),
            severity: match diagnostic.severity {
                Severity::Error => miette::Severity::Error,
                Severity::Warning => miette::Severity::Warning,
            },
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            excerpt: None,
            labels: Vec::new(),
            related,
        };
        match first {
            Some((labels, source)) => drawing.showing(&labels, source),
            None => drawing,
        }
    }

    fn showing(mut self, labels: &[&Label], source: &Source) -> Drawing {
        let excerpt = Excerpt::around(labels, source);
        self.labels = labels
            .iter()
            .enumerate()
            .map(|(index, label)| {
                let range = excerpt.inside(label.span, source);
                let text = Some(label.text.clone()).filter(|text| !text.is_empty());
                let span = SourceSpan::from(range);
                if index == 0 {
                    LabeledSpan::new_primary_with_span(text, span)
                } else {
                    LabeledSpan::new_with_span(text, span)
                }
            })
            .collect();
        self.excerpt = Some(excerpt);
        self
    }
}

/// Whether both can be drawn in one excerpt.
fn are_near(a: Span, b: Span, source: &Source) -> bool {
    if a.file != b.file || a.start.abs_diff(b.start) as usize > FAR_BYTES {
        return false;
    }
    let first = source.line_column(a.start.min(b.start) as usize).0;
    let last = source.line_column(a.start.max(b.start) as usize).0;
    (first..=last).all(|line| source.line_range(line).len() <= LONG_LINE_BYTES)
}

/// A piece of a source, made safe to print, that knows where it was cut from.
#[derive(Debug)]
struct Excerpt {
    name: String,
    text: String,
    /// Offset of the piece in the source.
    start: usize,
    /// Zero-based line of the piece's first line.
    line: usize,
    /// Characters left of the piece on its first line.
    column: usize,
}

impl Excerpt {
    fn around(labels: &[&Label], source: &Source) -> Excerpt {
        let places = labels.iter().map(|label| label.span.start as usize);
        let first = source.line_column(places.clone().min().unwrap_or(0)).0;
        let last = source.line_column(places.max().unwrap_or(0)).0;
        let is_long = |line: usize| source.line_range(line).len() > LONG_LINE_BYTES;
        let range = if is_long(first) {
            window(source, first, labels[0].span.start as usize)
        } else {
            let from = if first > 1 && !is_long(first - 1) { first - 1 } else { first };
            let to = if last < source.line_count() && !is_long(last + 1) { last + 1 } else { last };
            source.line_range(from).start..source.line_range(to).end
        };
        let (line, column) = source.line_column(range.start);
        let text = source.text.get(range.clone()).unwrap_or("");
        Excerpt {
            name: safe::escaped(&source.path),
            text: safe::masked(text),
            start: range.start,
            line: line - 1,
            column: column - 1,
        }
    }

    /// A span of the source as a range of the excerpt; cut at the end of its first line.
    fn inside(&self, span: Span, source: &Source) -> std::ops::Range<usize> {
        let clip = |at: usize| at.saturating_sub(self.start).min(self.text.len());
        let line = source.line_column(span.start as usize).0;
        let end = (span.end as usize).min(source.line_range(line).end).max(span.start as usize);
        clip(span.start as usize)..clip(end)
    }
}

/// A bounded piece of a long line, on character boundaries.
fn window(source: &Source, line: usize, at: usize) -> std::ops::Range<usize> {
    let range = source.line_range(line);
    let mut start = at.saturating_sub(BEFORE_BYTES).max(range.start);
    let mut end = (start + LONG_LINE_BYTES / 2).min(range.end);
    while !source.text.is_char_boundary(start) {
        start -= 1;
    }
    while !source.text.is_char_boundary(end) {
        end -= 1;
    }
    start..end.max(start)
}

impl SourceCode for Excerpt {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let inner = self.text.as_str().read_span(span, before, after)?;
        let column = if inner.line() == 0 { inner.column() + self.column } else { inner.column() };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.clone(),
            inner.data(),
            *inner.span(),
            inner.line() + self.line,
            column,
            inner.line_count(),
        )))
    }
}

impl fmt::Display for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Drawing {}

impl miette::Diagnostic for Drawing {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.code.as_ref().map(|code| Box::new(code) as Box<dyn fmt::Display>)
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(self.severity)
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.excerpt.as_ref().map(|excerpt| excerpt as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }

    fn related<'a>(&'a self) -> Option<Box<dyn Iterator<Item = &'a dyn miette::Diagnostic> + 'a>> {
        if self.related.is_empty() {
            return None;
        }
        Some(Box::new(self.related.iter().map(|drawing| drawing as &dyn miette::Diagnostic)))
    }
}
