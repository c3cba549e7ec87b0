//! The parser's cursor: positions, blanks and comments, names, and the bounds on depth.

use std::cell::Cell;
use std::sync::Arc;

use foldhash::{HashMap, HashMapExt as _};

use crate::lang::diagnostic::shown;
use crate::lang::syntax::ast::{Expr, Kind, Name};
use crate::lang::{Code, Diagnostic, Span};

/// Expressions within expressions, blocks within blocks, unary chains and templates all count.
pub(super) const MAX_NESTING: usize = 96;
/// Height of one expression's tree; chains of operators and of `.name` count too.
pub(super) const MAX_HEIGHT: u16 = 256;

/// Expressions of one file. A plan of 100,000 steps has a fifth of them; their memory is what this
/// bounds.
pub(super) const MAX_NODES: usize = 2_500_000;

pub(super) type Parsed<T> = Result<T, Box<Diagnostic>>;

pub(super) struct Parser<'a> {
    pub text: &'a str,
    pub pos: usize,
    /// Where this parser's text ends: earlier than `text` inside of a heredoc.
    pub end: usize,
    file: u32,
    /// Whether line ends count as blanks, as they do inside brackets.
    pub multiline: bool,
    depth: usize,
    nodes: Cell<usize>,
    names: HashMap<&'a str, Name>,
    pub found: Vec<Diagnostic>,
}

impl<'a> Parser<'a> {
    pub fn new(text: &'a str, file: u32) -> Parser<'a> {
        // A byte order mark is not part of the text.
        let pos = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Parser {
            text,
            pos,
            end: text.len(),
            file,
            multiline: false,
            depth: 0,
            nodes: Cell::new(0),
            names: HashMap::new(),
            found: Vec::new(),
        }
    }

    pub fn rest(&self) -> &'a str {
        &self.text[self.pos..self.end]
    }

    pub fn peek(&self) -> Option<u8> {
        if self.pos < self.end { Some(self.text.as_bytes()[self.pos]) } else { None }
    }

    pub fn at(&self, token: &str) -> bool {
        self.rest().starts_with(token)
    }

    pub fn eat(&mut self, token: &str) -> bool {
        let eaten = self.at(token);
        if eaten {
            self.pos += token.len();
        }
        eaten
    }

    pub fn span(&self, start: usize) -> Span {
        Span { file: self.file, start: start as u32, end: self.pos as u32 }
    }

    /// The character at the cursor, or nothing at the end.
    pub fn here(&self) -> Span {
        let width = self.rest().chars().next().map_or(0, char::len_utf8);
        Span { file: self.file, start: self.pos as u32, end: (self.pos + width) as u32 }
    }

    /// What stands at the cursor, in the words of a message.
    pub fn found_here(&self) -> String {
        match self.rest().chars().next() {
            None => "the end of the text".to_owned(),
            Some('\n' | '\r') => "the end of the line".to_owned(),
            Some(c) if is_name_start(c) => {
                let rest = self.rest();
                let len = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
                format!("`{}`", shown(&rest[..len]))
            }
            Some(c) => format!("`{c}`"),
        }
    }

    pub fn error<T>(&self, message: impl AsRef<str>) -> Parsed<T> {
        Err(Box::new(Diagnostic::new(Code::Syntax, message).label(self.here(), "here")))
    }

    pub fn expected<T>(&self, what: &str) -> Parsed<T> {
        self.error(format!("expected {what}, found {}", self.found_here()))
    }

    /// Skips blanks and comments; line ends too where they mean nothing.
    pub fn blank(&mut self) -> Parsed<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | b'\r') => self.pos += 1,
                Some(b'\n') if self.multiline => self.pos += 1,
                Some(b'#') => self.skip_line(),
                Some(b'/') if self.at("//") => self.skip_line(),
                Some(b'/') if self.at("/*") => {
                    let start = self.pos;
                    let Some(length) = self.rest()[2..].find("*/") else {
                        let opened =
                            Span { file: self.file, start: start as u32, end: start as u32 + 2 };
                        return Err(Box::new(
                            Diagnostic::new(Code::Syntax, "a comment is not closed")
                                .label(opened, "opened here")
                                .help("close it with `*/`"),
                        ));
                    };
                    self.pos += length + 4;
                }
                _ => return Ok(()),
            }
        }
    }

    /// To the line's end, which stays.
    pub fn skip_line(&mut self) {
        let rest = self.rest();
        self.pos += rest.find('\n').unwrap_or(rest.len());
    }

    /// Runs `parse` with line ends as blanks, or as ends.
    pub fn with_multiline<T>(
        &mut self,
        multiline: bool,
        parse: impl FnOnce(&mut Self) -> Parsed<T>,
    ) -> Parsed<T> {
        let before = std::mem::replace(&mut self.multiline, multiline);
        let parsed = parse(self);
        self.multiline = before;
        parsed
    }

    /// Runs `parse` one level deeper.
    pub fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            return Err(Box::new(
                Diagnostic::new(
                    Code::TooDeep,
                    format!("this is nested more than {MAX_NESTING} levels deep"),
                )
                .label(self.here(), "one level too many")
                .help("name parts of it in `locals`"),
            ));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    pub fn node(&self, start: usize, kind: Kind) -> Parsed<Expr> {
        let height = kind.height();
        let span = self.span(start);
        self.nodes.set(self.nodes.get() + 1);
        if self.nodes.get() > MAX_NODES {
            return Err(Box::new(
                Diagnostic::new(
                    Code::BudgetExceeded,
                    format!("the file has more than {MAX_NODES} expressions"),
                )
                .label(span, "one too many"),
            ));
        }
        if height > MAX_HEIGHT {
            return Err(Box::new(
                Diagnostic::new(
                    Code::TooDeep,
                    format!("this expression has more than {MAX_HEIGHT} operations in a chain"),
                )
                .label(span, "too long a chain")
                .help("name parts of it in `locals`, or use `join` or `sum`"),
            ));
        }
        Ok(Expr { kind, span, height })
    }

    /// A name at the cursor: a letter or `_`, then letters, digits, `_` and `-`.
    pub fn name(&mut self) -> Option<(Name, Span)> {
        let rest = self.rest();
        if !rest.starts_with(is_name_start) {
            return None;
        }
        let len = rest.find(|c| !is_name_part(c)).unwrap_or(rest.len());
        let start = self.pos;
        self.pos += len;
        Some((self.intern(&rest[..len]), self.span(start)))
    }

    pub fn intern(&mut self, text: &'a str) -> Name {
        self.names.entry(text).or_insert_with(|| Arc::from(text)).clone()
    }

    pub fn only_expression(mut self) -> Parsed<Expr> {
        self.multiline = true;
        self.blank()?;
        let expr = self.expr()?;
        self.blank()?;
        if self.pos < self.end {
            return self.expected("the end of the expression");
        }
        match self.found.pop() {
            Some(diagnostic) => Err(Box::new(diagnostic)),
            None => Ok(expr),
        }
    }
}

pub(super) fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

pub(super) fn is_name_part(c: char) -> bool {
    c == '_' || c == '-' || c.is_alphanumeric()
}
