//! Source texts and the places in them.
//!
//! Must not: read files; the caller hands in the bytes.

use std::sync::Arc;

/// The largest source that is looked at.
pub const MAX_SOURCE_BYTES: usize = 64 << 20;

/// One file of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// As shown to people: relative to where they are.
    pub path: String,
    pub text: Arc<str>,
    /// Offset of the first byte of every line.
    lines: Arc<[u32]>,
}

impl Source {
    pub fn new(path: impl Into<String>, text: impl Into<Arc<str>>) -> Source {
        let text: Arc<str> = text.into();
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        let lines = std::iter::once(0).chain(starts).map(|at| at as u32).collect();
        Source { path: path.into(), text, lines }
    }

    /// One-based line and column (in characters) of a byte offset.
    pub fn line_column(&self, offset: usize) -> (usize, usize) {
        let offset = offset.min(self.text.len());
        let line = self.lines.partition_point(|start| *start as usize <= offset);
        let start = self.lines[line - 1] as usize;
        let column = self.text.get(start..offset).map_or(0, |text| text.chars().count());
        (line, column + 1)
    }

    /// Byte range of a one-based line, without its line ending.
    pub(super) fn line_range(&self, line: usize) -> std::ops::Range<usize> {
        let start = self.lines[line - 1] as usize;
        let end = self.lines.get(line).map_or(self.text.len(), |next| *next as usize - 1);
        start..end.max(start)
    }

    /// How many lines the text has.
    pub(super) fn line_count(&self) -> usize {
        self.lines.len()
    }
}

fn asterisks(secret: &str) -> String {
    let all = !secret.contains('"');
    let (mut inside, mut escaped) = (false, false);
    let mut hidden = String::with_capacity(secret.len());
    for c in secret.chars() {
        let ends = c == '"' && !escaped;
        match c {
            '\n' => hidden.push('\n'),
            _ if all || (inside && !ends) => hidden.push_str(&"*".repeat(c.len_utf8())),
            _ => hidden.push(c),
        }
        inside ^= ends;
        escaped = c == '\\' && !escaped;
    }
    hidden
}

/// All sources of one plan; a [`Span`] names one by its position.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources(Arc<Vec<Source>>);

impl Sources {
    pub fn new(sources: Vec<Source>) -> Sources {
        Sources(Arc::new(sources))
    }

    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, span: Span) -> Option<&Source> {
        self.0.get(span.file as usize)
    }

    /// The same sources with the texts between quotes of a span, or all of it where there are none,
    /// written as asterisks. Every offset stays.
    pub(super) fn masked(&self, span: Span) -> Sources {
        let mut sources = Vec::clone(&self.0);
        let range = span.start as usize..span.end as usize;
        if let Some(source) = sources.get_mut(span.file as usize)
            && let Some(secret) = source.text.get(range.clone())
        {
            let text = &source.text;
            let hidden = asterisks(secret);
            let whole = [&text[..range.start], hidden.as_str(), &text[range.end..]].concat();
            *source = Source::new(source.path.clone(), whole);
        }
        Sources(Arc::new(sources))
    }

    /// The text that a span covers; empty for a span of another set of sources.
    pub fn text(&self, span: Span) -> &str {
        self.get(span)
            .and_then(|source| source.text.get(span.start as usize..span.end as usize))
            .unwrap_or("")
    }
}

/// A byte range of one source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    pub file: u32,
    pub start: u32,
    pub end: u32,
}

impl Span {
    /// From the start of this span to the end of the other.
    pub fn to(self, other: Span) -> Span {
        Span { file: self.file, start: self.start, end: other.end.max(self.start) }
    }

    /// The range, with offsets of a `usize`.
    pub fn range(self) -> std::ops::Range<usize> {
        self.start as usize..self.end as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_are_counted_from_one_in_characters() {
        let source = Source::new("a.hcl", "äb\ncd\n");
        let places: Vec<_> = [0, 2, 3, 4, 5, 7].map(|at| source.line_column(at)).into();
        assert_eq!(places, [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1)]);
        assert_eq!(source.line_range(2), 4..6);
    }
}
