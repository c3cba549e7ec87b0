//! Templates: quoted strings and heredocs, with `${…}`, `%{ if }`, `%{ for }` and the `~` strip
//! marks.

use std::sync::Arc;

use crate::lang::syntax::ast::{Expr, Kind, Part, PartFor, PartIf};
use crate::lang::syntax::parser::{Parsed, Parser};
use crate::lang::{Code, Diagnostic, Span, Value};

/// Where a template ends, and how its text is read.
#[derive(Clone, Copy)]
enum Mode {
    /// At `"`; with backslash escapes.
    Quoted,
    /// At the parser's end; every line loses this many leading blanks.
    Heredoc { dedent: usize },
}

/// Which directive ended a run of parts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Text,
    Else,
    Endif,
    Endfor,
}

impl Ended {
    fn as_str(self) -> &'static str {
        match self {
            Ended::Text => "the end of the text",
            Ended::Else => "else",
            Ended::Endif => "endif",
            Ended::Endfor => "endfor",
        }
    }
}

/// Parts of a template as they are collected.
#[derive(Default)]
struct Parts {
    parts: Vec<Part>,
    text: String,
    /// The next text loses its leading blanks.
    strip: bool,
}

impl Parts {
    fn push_str(&mut self, text: &str) {
        let text = if self.strip { text.trim_start() } else { text };
        if !text.is_empty() {
            self.strip = false;
            self.text.push_str(text);
        }
    }

    fn flush(&mut self, strip_end: bool) {
        let text = std::mem::take(&mut self.text);
        let text = if strip_end { text.trim_end() } else { &text };
        if !text.is_empty() {
            self.parts.push(Part::Text(Arc::from(text)));
        }
    }
}

impl<'a> Parser<'a> {
    pub fn quoted(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        self.pos += 1;
        let (parts, ended) = self.parts(Mode::Quoted, false)?;
        self.no_stray_end(start, ended)?;
        assert!(self.peek() == Some(b'"'), "a quoted template ends at its quote");
        self.pos += 1;
        self.node(start, template(parts))
    }

    pub fn heredoc(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        self.pos += 2;
        let indented = self.eat("-");
        let Some((delimiter, delimiter_span)) = self.name() else {
            return self.expected("a name after `<<`, which ends the heredoc");
        };
        self.eat("\r");
        if !self.eat("\n") {
            return self.expected("the end of the line after a heredoc's name");
        }
        let body_start = self.pos;
        let Some((body_end, after)) = self.heredoc_end(&delimiter) else {
            return Err(Box::new(
                Diagnostic::new(Code::Syntax, format!("the heredoc `{delimiter}` does not end"))
                    .label(delimiter_span, "opened here")
                    .help(format!("end it with `{delimiter}` on a line of its own")),
            ));
        };
        let body = &self.text[body_start..body_end];
        let dedent = if indented { indentation(body) } else { 0 };
        let end = std::mem::replace(&mut self.end, body_end);
        let mode = Mode::Heredoc { dedent };
        self.skip_indent(mode);
        let parsed = self.parts(mode, false);
        self.end = end;
        let (parts, ended) = parsed?;
        self.no_stray_end(start, ended)?;
        self.pos = after;
        self.node(start, template(parts))
    }

    /// Where a heredoc's body ends, and where its end mark does.
    pub fn heredoc_end(&self, delimiter: &str) -> Option<(usize, usize)> {
        let mut at = self.pos;
        while at <= self.end {
            let line = &self.text[at..self.end];
            let len = line.find('\n').unwrap_or(line.len());
            let trimmed = line[..len].trim_start_matches([' ', '\t']);
            if trimmed.trim_end_matches([' ', '\t', '\r']) == delimiter {
                let indent = len - trimmed.len();
                return Some((at, at + indent + delimiter.len()));
            }
            at += len + 1;
        }
        None
    }

    fn no_stray_end(&self, start: usize, ended: Ended) -> Parsed<()> {
        if ended == Ended::Text {
            return Ok(());
        }
        let message = format!("`%{{ {} }}` without a directive that it could end", ended.as_str());
        Err(Box::new(
            Diagnostic::new(Code::Syntax, message).label(self.span(start), "in this template"),
        ))
    }

    /// Parts up to the template's end, or to the end of the directive that ends them. With `strip`
    /// the first text loses its leading blanks.
    fn parts(&mut self, mode: Mode, strip: bool) -> Parsed<(Vec<Part>, Ended)> {
        let mut out = Parts { strip, ..Parts::default() };
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\', '$', '%', '\n']).unwrap_or(rest.len());
            out.push_str(&rest[..plain]);
            self.pos += plain;
            let Some(byte) = self.peek() else {
                if let Mode::Quoted = mode {
                    return self.error("a string is not closed");
                }
                out.flush(false);
                return Ok((out.parts, Ended::Text));
            };
            match (byte, mode) {
                (b'"', Mode::Quoted) => {
                    out.flush(false);
                    return Ok((out.parts, Ended::Text));
                }
                (b'\n', Mode::Quoted) => {
                    return Err(Box::new(
                        Diagnostic::new(Code::Syntax, "a string is not closed on its line")
                            .label(self.here(), "the line ends here")
                            .help(
                                "close it with `\"`; text of several lines is a heredoc: `<<EOT`",
                            ),
                    ));
                }
                (b'\\', Mode::Quoted) => {
                    let start = self.pos;
                    match self.escape() {
                        Ok(c) => out.push_str(c.encode_utf8(&mut [0; 4])),
                        Err(diagnostic) => {
                            // The string goes on, so that what else is wrong with it is found too.
                            self.found.push(*diagnostic);
                            self.pos = start + 1;
                        }
                    }
                }
                (b'\n', Mode::Heredoc { .. }) => {
                    out.push_str("\n");
                    self.pos += 1;
                    self.skip_indent(mode);
                }
                (b'$', _) if self.at("${") => self.interpolation(&mut out)?,
                (b'%', _) if self.at("%{") => {
                    if let Some(ended) = self.directive(&mut out, mode)? {
                        return Ok((out.parts, ended));
                    }
                }
                (b'$' | b'%', _) => {
                    // `$${` and `%%{` are `${` and `%{` as text.
                    let escaped = self.at("$${") || self.at("%%{");
                    out.push_str(&self.rest()[..1]);
                    self.pos += 1;
                    if escaped {
                        out.push_str("{");
                        self.pos += 2;
                    }
                }
                _ => {
                    out.push_str(&self.rest()[..1]);
                    self.pos += 1;
                }
            }
        }
    }

    fn skip_indent(&mut self, mode: Mode) {
        let Mode::Heredoc { dedent } = mode else { return };
        let blanks =
            self.rest().bytes().take(dedent).take_while(|b| matches!(b, b' ' | b'\t')).count();
        self.pos += blanks;
    }

    fn escape(&mut self) -> Parsed<char> {
        let bad = |parser: &Self, from: usize| {
            let span = Span { start: from as u32, ..parser.here() };
            Err(Box::new(
                Diagnostic::new(Code::Syntax, "this is not an escape sequence")
                    .label(span, "here")
                    .help(r#"there are \n, \r, \t, \", \\, \uNNNN and \UNNNNNNNN"#),
            ))
        };
        let start = self.pos;
        self.pos += 1;
        let Some(byte) = self.peek() else { return bad(self, start) };
        let digits = match byte {
            b'n' | b'r' | b't' | b'"' | b'\\' => {
                self.pos += 1;
                return Ok(match byte {
                    b'n' => '\n',
                    b'r' => '\r',
                    b't' => '\t',
                    other => char::from(other),
                });
            }
            b'u' => 4,
            b'U' => 8,
            _ => return bad(self, start),
        };
        let hex = self.rest().get(1..1 + digits);
        let code = hex
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
            .and_then(char::from_u32);
        match code {
            Some(c) => {
                self.pos += 1 + digits;
                Ok(c)
            }
            None => bad(self, start),
        }
    }

    fn interpolation(&mut self, out: &mut Parts) -> Parsed<()> {
        let start = self.pos;
        self.pos += 2;
        out.flush(self.eat("~"));
        out.strip = false;
        let expr = self.with_multiline(true, |parser| {
            parser.blank()?;
            let expr = parser.expr()?;
            parser.blank()?;
            Ok(expr)
        })?;
        out.strip = self.eat("~");
        self.close_sequence(start, "${")?;
        out.parts.push(Part::Value(expr));
        Ok(())
    }

    fn close_sequence(&mut self, start: usize, opening: &str) -> Parsed<()> {
        if self.eat("}") {
            return Ok(());
        }
        let opened =
            Span { start: start as u32, end: (start + opening.len()) as u32, ..self.here() };
        let message = format!("expected `}}`, found {}", self.found_here());
        Err(Box::new(
            Diagnostic::new(Code::Syntax, message)
                .label(self.here(), "here")
                .label(opened, format!("to close this `{opening}`")),
        ))
    }

    /// A directive at the cursor: one that opens is read to its end; one that ends the current
    /// parts is returned.
    fn directive(&mut self, out: &mut Parts, mode: Mode) -> Parsed<Option<Ended>> {
        let start = self.pos;
        self.pos += 2;
        out.flush(self.eat("~"));
        out.strip = false;
        self.with_multiline(true, Self::blank)?;
        let word_at = self.pos;
        let word = self.name().map(|(name, _)| name);
        match word.as_deref() {
            Some("if") => {
                let part = self.nested(|parser| parser.if_directive(start, mode))?;
                let (part, strip) = part;
                out.parts.push(Part::If(Box::new(part)));
                out.strip = strip;
                Ok(None)
            }
            Some("for") => {
                self.pos = word_at;
                let part = self.nested(|parser| parser.for_directive(start, mode))?;
                let (part, strip) = part;
                out.parts.push(Part::For(Box::new(part)));
                out.strip = strip;
                Ok(None)
            }
            Some("else") => Ok(Some(Ended::Else)),
            Some("endif") => Ok(Some(Ended::Endif)),
            Some("endfor") => Ok(Some(Ended::Endfor)),
            _ => {
                self.pos = word_at;
                self.expected("`if`, `else`, `endif`, `for` or `endfor`")
            }
        }
    }

    /// The blanks, `~` and `}` that end a directive; whether there was a `~`.
    fn directive_end(&mut self, start: usize) -> Parsed<bool> {
        self.with_multiline(true, Self::blank)?;
        let strip = self.eat("~");
        self.close_sequence(start, "%{")?;
        Ok(strip)
    }

    /// Parts of a directive's body, up to and past the directive that ends them.
    fn directive_body(
        &mut self,
        start: usize,
        strip: bool,
        mode: Mode,
    ) -> Parsed<(Vec<Part>, Ended, bool)> {
        let (parts, ended) = self.parts(mode, strip)?;
        if ended == Ended::Text {
            let opened = Span { start: start as u32, end: start as u32 + 2, ..self.here() };
            return Err(Box::new(
                Diagnostic::new(Code::Syntax, "a template directive is not ended")
                    .label(opened, "opened here")
                    .help("end it with `%{ endif }` or `%{ endfor }`"),
            ));
        }
        let strip = self.directive_end(start)?;
        Ok((parts, ended, strip))
    }

    fn if_directive(&mut self, start: usize, mode: Mode) -> Parsed<(PartIf, bool)> {
        let condition = self.with_multiline(true, |parser| {
            parser.blank()?;
            parser.expr()
        })?;
        let strip = self.directive_end(start)?;
        let (then, mut ended, mut strip) = self.directive_body(start, strip, mode)?;
        let mut otherwise = Vec::new();
        if ended == Ended::Else {
            (otherwise, ended, strip) = self.directive_body(start, strip, mode)?;
        }
        if ended != Ended::Endif {
            return self.error(format!("expected `endif`, found `{}`", ended.as_str()));
        }
        Ok((PartIf { condition, then, otherwise }, strip))
    }

    fn for_directive(&mut self, start: usize, mode: Mode) -> Parsed<(PartFor, bool)> {
        let (key, value, collection) =
            self.with_multiline(true, |parser| parser.loop_variables("for"))?;
        let strip = self.directive_end(start)?;
        let (body, ended, strip) = self.directive_body(start, strip, mode)?;
        if ended != Ended::Endfor {
            return self.error(format!("expected `endfor`, found `{}`", ended.as_str()));
        }
        Ok((PartFor { key, value, collection, body }, strip))
    }
}

/// Text without sequences is a literal.
fn template(mut parts: Vec<Part>) -> Kind {
    match parts.as_mut_slice() {
        [] => Kind::Literal(Value::String(Arc::from(""))),
        [Part::Text(text)] => Kind::Literal(Value::String(text.clone())),
        _ => Kind::Template(parts),
    }
}

/// The least indentation of the lines that are not blank.
fn indentation(body: &str) -> usize {
    body.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.len() - line.trim_start_matches([' ', '\t']).len())
        .min()
        .unwrap_or(0)
}
