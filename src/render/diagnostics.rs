//! Diagnostics for programs: JSON in the shape of `terraform validate -json`, and SARIF 2.1.0 for
//! code hosts.
//!
//! People get [`Diagnostics::render`]. The formats are stable: fields are only ever added.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use serde::Serialize;

use crate::lang::{Code, Diagnostic, Diagnostics, Label, Severity, Source};
use crate::text::safe::masked;

/// Longest line that a snippet carries, in bytes; a longer one is cut at both ends of the place.
const MAX_SNIPPET_BYTES: usize = 400;

/// Version of the JSON document.
const FORMAT_VERSION: &str = "1.0";

#[derive(Serialize)]
struct Document<'a> {
    format_version: &'static str,
    valid: bool,
    error_count: usize,
    warning_count: usize,
    /// Errors beyond those that are listed.
    suppressed: usize,
    diagnostics: Vec<Entry<'a>>,
}

#[derive(Serialize)]
struct Entry<'a> {
    severity: &'static str,
    code: &'static str,
    summary: &'a str,
    detail: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    range: Option<Range>,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<Snippet>,
    /// What else is concerned.
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    message: &'a str,
    range: Range,
}

#[derive(Serialize)]
struct Range {
    filename: String,
    start: Position,
    end: Position,
}

/// Lines and columns (in characters) from 1, bytes from 0.
#[derive(Clone, Copy, Serialize)]
struct Position {
    line: usize,
    column: usize,
    byte: usize,
}

#[derive(Serialize)]
struct Snippet {
    code: String,
    start_line: usize,
    /// Bytes into `code`.
    highlight_start_offset: usize,
    highlight_end_offset: usize,
}

/// The document that `--json` prints, with a line end.
pub fn json(diagnostics: &Diagnostics) -> String {
    let count = |severity| diagnostics.iter().filter(|d| d.severity == severity).count();
    let document = Document {
        format_version: FORMAT_VERSION,
        valid: !diagnostics.has_errors(),
        error_count: count(Severity::Error) + diagnostics.suppressed(),
        warning_count: count(Severity::Warning),
        suppressed: diagnostics.suppressed(),
        diagnostics: diagnostics.iter().map(|diagnostic| entry(diagnostic, diagnostics)).collect(),
    };
    pretty(&document)
}

fn pretty(document: &impl Serialize) -> String {
    let text = serde_json::to_string_pretty(document);
    text.expect("the document has no map with keys that are not text") + "\n"
}

fn entry<'a>(diagnostic: &'a Diagnostic, all: &Diagnostics) -> Entry<'a> {
    let Diagnostic { code, severity, message, labels, help, .. } = diagnostic;
    let first = labels.first().and_then(|label| located(label, all));
    Entry {
        severity: match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: code.as_str(),
        summary: message,
        detail: help.as_deref().unwrap_or_default(),
        range: first.as_ref().map(|(source, label)| range(source, label)),
        snippet: first.as_ref().map(|(source, label)| snippet(source, label)),
        related: labels
            .iter()
            .skip(1)
            .filter_map(|label| located(label, all))
            .map(|(source, label)| Related { message: &label.text, range: range(source, label) })
            .collect(),
    }
}

fn located<'a, 'b>(label: &'a Label, all: &'b Diagnostics) -> Option<(&'b Source, &'a Label)> {
    Some((all.sources().get(label.span)?, label))
}

fn range(source: &Source, label: &Label) -> Range {
    let position = |byte: usize| {
        let (line, column) = source.line_column(byte);
        Position { line, column, byte }
    };
    let place = label.span.range();
    Range { filename: masked(&source.path), start: position(place.start), end: position(place.end) }
}

/// The line on which the place begins, or as much around the place as is short enough.
fn snippet(source: &Source, label: &Label) -> Snippet {
    let text = &source.text;
    let place = label.span.range();
    let at = place.start.min(text.len());
    let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let line_end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    let earliest = at.saturating_sub(MAX_SNIPPET_BYTES / 4);
    let start = floor(text, line_start.max(earliest));
    let end = floor(text, line_end.min(start + MAX_SNIPPET_BYTES));
    Snippet {
        code: masked(&text[start..end]),
        start_line: source.line_column(at).0,
        highlight_start_offset: at - start,
        highlight_end_offset: place.end.clamp(at, end.max(at)) - start,
    }
}

/// The character boundary at or before an offset.
fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// What may stand in a URI's path besides letters and digits.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// The SARIF log that `--sarif` prints, with a line end.
pub fn sarif(diagnostics: &Diagnostics) -> String {
    let rules: Vec<serde_json::Value> = Code::ALL
        .iter()
        .map(|code| {
            serde_json::json!({
                "id": code.as_str(),
                "shortDescription": { "text": code.title() },
            })
        })
        .collect();
    let results: Vec<serde_json::Value> =
        diagnostics.iter().map(|diagnostic| sarif_result(diagnostic, diagnostics)).collect();
    pretty(&serde_json::json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "orthid",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": rules,
                }
            },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }]
    }))
}

fn sarif_result(diagnostic: &Diagnostic, all: &Diagnostics) -> serde_json::Value {
    let Diagnostic { code, severity, message, labels, help, .. } = diagnostic;
    let text = match help {
        Some(help) => format!("{message}\n{help}"),
        None => message.clone(),
    };
    let mut locations = labels.iter().filter_map(|label| located(label, all)).map(location);
    let first: Vec<_> = locations.next().into_iter().collect();
    serde_json::json!({
        "ruleId": code.as_str(),
        "ruleIndex": Code::ALL.iter().position(|known| known == code),
        "level": match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        "message": { "text": text },
        "locations": first,
        "relatedLocations": locations.collect::<Vec<_>>(),
    })
}

fn location((source, label): (&Source, &Label)) -> serde_json::Value {
    let Range { filename: _, start, end } = range(source, label);
    serde_json::json!({
        "physicalLocation": {
            "artifactLocation": { "uri": utf8_percent_encode(&source.path, PATH).to_string() },
            "region": {
                "startLine": start.line,
                "startColumn": start.column,
                "endLine": end.line,
                "endColumn": end.column,
                "byteOffset": start.byte,
                "byteLength": end.byte - start.byte,
            }
        },
        "message": { "text": label.text },
    })
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::lang::{Sources, Span};

    fn diagnostics(text: &str, places: &[(u32, u32)]) -> Diagnostics {
        let sources = Sources::new(vec![Source::new("plans/a b.hcl", text)]);
        let mut diagnostics = Diagnostics::new(sources);
        let mut diagnostic =
            Diagnostic::new(Code::UnknownReference, "there is no `x`").help("did you mean `y`?");
        for (n, (start, end)) in places.iter().enumerate() {
            let span = Span { file: 0, start: *start, end: *end };
            diagnostic = diagnostic.label(span, format!("place {n}"));
        }
        diagnostics.push(diagnostic);
        diagnostics.push(Diagnostic::warning(Code::PolicyReason, "a warning without a place"));
        diagnostics
    }

    #[test]
    fn json_has_terraforms_shape() {
        let found = diagnostics("a = 1\nö = x + \u{1b}[31m\n", &[(11, 12), (0, 1)]);
        expect_file!["./snapshots/diagnostics.json"].assert_eq(&json(&found));
        let none = serde_json::from_str::<serde_json::Value>(&json(&Diagnostics::default()));
        assert_eq!(none.unwrap()["valid"], true);
    }

    #[test]
    fn sarif_names_file_line_and_rule() {
        let log: serde_json::Value =
            serde_json::from_str(&sarif(&diagnostics("a = 1\nö = x\n", &[(11, 12), (0, 1)])))
                .unwrap();
        let run = &log["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), Code::ALL.len());
        expect_file!["./snapshots/diagnostics.sarif"].assert_eq(&format!("{:#}\n", run["results"]));
    }

    #[test]
    fn snippets_of_long_lines_are_cut() {
        let text = format!("{}x{}", "ä".repeat(5_000), "ö".repeat(5_000));
        let found = diagnostics(&text, &[(10_000, 10_001)]);
        let document: serde_json::Value = serde_json::from_str(&json(&found)).unwrap();
        let snippet = &document["diagnostics"][0]["snippet"];
        let code = snippet["code"].as_str().unwrap();
        assert!(code.len() <= MAX_SNIPPET_BYTES, "{}", code.len());
        let from = snippet["highlight_start_offset"].as_u64().unwrap() as usize;
        let to = snippet["highlight_end_offset"].as_u64().unwrap() as usize;
        assert_eq!(&code[from..to], "x");
    }
}
