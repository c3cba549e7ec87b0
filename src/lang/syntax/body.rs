//! Files and block bodies: attributes and blocks, one a line, with recovery after an error.

use crate::lang::budget::{MAX_BLOCKS, MAX_NAMES};
use crate::lang::diagnostic::{MAX_DIAGNOSTICS, shown};
use crate::lang::syntax::ast::{Attribute, Block, Body, Label, Name};
use crate::lang::syntax::parser::{Parsed, Parser};
use crate::lang::{Code, Diagnostic, Span};

/// More blocks than this within blocks is no plan.
const MAX_BLOCK_NESTING: usize = 16;

/// How a body came to its end.
enum Ended {
    Closed,
    /// At the text's end, or before what must be a block of the file's top level.
    Unclosed,
}

impl<'a> Parser<'a> {
    /// The whole text.
    pub fn file(&mut self) -> Body {
        let mut body = Body::default();
        loop {
            self.items(&mut body, 0);
            if self.pos >= self.end {
                return body;
            }
            // Only a `}` that closes nothing ends the items of a file early.
            let stray = Diagnostic::new(Code::Syntax, "this `}` closes nothing")
                .label(self.here(), "no block is open here");
            self.found.push(stray);
            body.broken = true;
            self.pos += 1;
        }
    }

    /// Items up to the `}` of this body, which stays, or the end of the text.
    fn items(&mut self, body: &mut Body, level: usize) -> Ended {
        loop {
            let blank = self.with_multiline(true, Self::blank);
            if let Err(diagnostic) = blank {
                self.found.push(*diagnostic);
                body.broken = true;
                self.pos = self.end;
            }
            match self.peek() {
                None => return Ended::Unclosed,
                Some(b'}') => return Ended::Closed,
                Some(_) if level > 0 && self.at_top_level_block() => return Ended::Unclosed,
                Some(_) => {}
            }
            if self.found.len() >= MAX_DIAGNOSTICS {
                // What is left would only be more of the same; each error costs a look ahead.
                body.broken = true;
                self.pos = self.end;
                return Ended::Unclosed;
            }
            let start = self.pos;
            if let Err(diagnostic) = self.item(body, level) {
                let fatal = matches!(diagnostic.code, Code::TooDeep | Code::BudgetExceeded);
                self.found.push(*diagnostic);
                body.broken = true;
                if fatal {
                    self.pos = self.end;
                } else {
                    self.recover(start);
                }
            }
        }
    }

    /// At the start of a line, a block with labels: inside of a block this means that a `}` is
    /// missing before it.
    fn at_top_level_block(&self) -> bool {
        let starts_line = self.text[..self.pos].ends_with('\n');
        starts_line
            && ["upgrade", "variable", "locals", "release", "database", "changelog", "policy"]
                .into_iter()
                .chain(crate::model::StepKind::ALL.map(crate::model::StepKind::as_str))
                .any(|kind| {
                    self.rest().strip_prefix(kind).is_some_and(|rest| {
                        let rest = rest.trim_start_matches([' ', '\t']);
                        rest.starts_with('"') || rest.starts_with('{')
                    })
                })
    }

    fn item(&mut self, body: &mut Body, level: usize) -> Parsed<()> {
        let Some((name, span)) = self.name() else {
            return self.expected("the name of an attribute or a block");
        };
        self.blank()?;
        if body.attributes.len() == MAX_NAMES || body.blocks.len() == MAX_BLOCKS {
            let message =
                format!("more than {MAX_NAMES} attributes or {MAX_BLOCKS} blocks stand together");
            return Err(Box::new(
                Diagnostic::new(Code::BudgetExceeded, message).label(span, "one too many"),
            ));
        }
        match self.peek() {
            Some(b'=') if !self.at("==") => {
                self.pos += 1;
                body.attributes.push(self.attribute(name, span)?);
            }
            Some(b'"' | b'{') => return self.block(body, name, span, level),
            Some(b':') => {
                let message = format!("expected `=` after `{}`, found `:`", shown(&name));
                return Err(Box::new(
                    Diagnostic::new(Code::Syntax, message)
                        .label(self.here(), "here")
                        .help("attributes are written `name = value`"),
                ));
            }
            Some(_) if self.rest().starts_with(crate::lang::syntax::parser::is_name_start) => {
                return self.block(body, name, span, level);
            }
            _ => {
                let what = format!("`=` or `{{` after `{}`", shown(&name));
                return self.expected(&what);
            }
        }
        self.item_end()
    }

    /// An item ends with its line, or before the `}` of its body.
    fn item_end(&mut self) -> Parsed<()> {
        self.blank()?;
        match self.peek() {
            None | Some(b'\n' | b'}') => Ok(()),
            Some(b',') => {
                let diagnostic = Diagnostic::new(Code::Syntax, "expected a new line, found `,`")
                    .label(self.here(), "here")
                    .help("attributes of a block stand on lines of their own, without commas");
                Err(Box::new(diagnostic))
            }
            Some(_) => self.expected("a new line"),
        }
    }

    fn attribute(&mut self, name: Name, span: Span) -> Parsed<Attribute> {
        self.blank()?;
        let value = self.expr()?;
        Ok(Attribute { name, span, value })
    }

    fn block(&mut self, into: &mut Body, kind: Name, kind_span: Span, level: usize) -> Parsed<()> {
        let start = kind_span.start as usize;
        let mut labels = Vec::with_capacity(1);
        let mut end = kind_span;
        while !self.at("{") {
            let label = self.label()?;
            end = label.span;
            labels.push(label);
            self.blank()?;
        }
        let span = kind_span.to(end);
        let brace = self.here();
        if level >= MAX_BLOCK_NESTING {
            return Err(Box::new(
                Diagnostic::new(
                    Code::TooDeep,
                    format!("blocks are nested more than {MAX_BLOCK_NESTING} levels deep"),
                )
                .label(brace, "one level too many"),
            ));
        }
        self.pos += 1;
        let mut body = Body::default();
        let ended = self.items(&mut body, level + 1);
        match &ended {
            Ended::Closed => self.pos += 1,
            Ended::Unclosed => {
                let name = self.text[start..span.end as usize].to_owned();
                // A body that could not be read to its end was already reported.
                if !body.broken {
                    let message = format!("the block `{}` is not closed", shown(&name));
                    let mut diagnostic =
                        Diagnostic::new(Code::Syntax, message).label(brace, "opened here");
                    if self.peek().is_some() {
                        diagnostic = diagnostic.label(self.here(), "`}` is missing before this");
                    }
                    self.found.push(diagnostic.help("close it with `}`"));
                }
                body.broken = true;
                into.broken = true;
            }
        }
        body.attributes.shrink_to_fit();
        body.blocks.shrink_to_fit();
        into.blocks.push(Block { kind, kind_span, labels, span, body });
        match ended {
            Ended::Closed => self.item_end(),
            Ended::Unclosed => Ok(()),
        }
    }

    fn label(&mut self) -> Parsed<Label> {
        let start = self.pos;
        if let Some((text, span)) = self.name() {
            return Ok(Label { text, span });
        }
        if self.peek() != Some(b'"') {
            return self.expected("`{` or a label in double quotes");
        }
        let quoted = self.quoted()?;
        match quoted.kind {
            crate::lang::syntax::ast::Kind::Literal(crate::lang::Value::String(text)) => {
                Ok(Label { text, span: quoted.span })
            }
            _ => {
                self.pos = start;
                self.error("a label is plain text, without `${…}`")
            }
        }
    }

    /// To the end of the broken item: the line end after which its brackets are balanced, as far as
    /// that can be told. Never past the `}` that closes the body, nor past a line that begins at
    /// its very start.
    fn recover(&mut self, start: usize) {
        let broken_at = self.pos;
        self.pos = start;
        let (mut braces, mut brackets) = (0usize, 0usize);
        while let Some(byte) = self.peek() {
            match byte {
                b'\n' if self.pos >= broken_at && self.may_end_item(braces, brackets) => return,
                b'{' => braces += 1,
                // Brackets that are still open here were never closed: this one closes the body.
                b'}' if braces == 0 && self.pos > start => return,
                b'}' => braces = braces.saturating_sub(1),
                b'[' | b'(' => brackets += 1,
                b']' | b')' => brackets = brackets.saturating_sub(1),
                b'"' => {
                    self.skip_string();
                    continue;
                }
                b'#' => {
                    self.skip_line();
                    continue;
                }
                b'/' if self.at("//") => {
                    self.skip_line();
                    continue;
                }
                b'<' if self.at("<<") && self.skip_heredoc() => continue,
                _ => {}
            }
            self.pos += 1;
        }
    }

    /// Whether a broken item ends with the line, with so many of its braces and brackets open.
    fn may_end_item(&self, braces: usize, brackets: usize) -> bool {
        let next = &self.text[self.pos + 1..self.end];
        if next.starts_with(crate::lang::syntax::parser::is_name_start) {
            return true;
        }
        braces == 0 && (brackets == 0 || looks_like_item(next))
    }

    /// Past a string, or to the end of its line.
    fn skip_string(&mut self) {
        self.pos += 1;
        while let Some(byte) = self.peek() {
            match byte {
                b'\\' => self.pos += 1,
                b'"' => {
                    self.pos += 1;
                    break;
                }
                b'\n' => break,
                _ => {}
            }
            self.pos += 1;
        }
        self.pos = self.pos.min(self.end);
        while !self.text.is_char_boundary(self.pos) {
            self.pos += 1;
        }
    }

    /// Past a heredoc's end mark; nothing where it has none.
    fn skip_heredoc(&mut self) -> bool {
        let start = self.pos;
        self.pos += 2;
        self.eat("-");
        let Some((delimiter, _)) = self.name() else {
            self.pos = start;
            return false;
        };
        self.skip_line();
        self.eat("\n");
        match self.heredoc_end(&delimiter) {
            Some((_, after)) => self.pos = after,
            None => self.pos = start,
        }
        self.pos != start
    }
}

/// Whether a line begins as an attribute or a block does.
fn looks_like_item(line: &str) -> bool {
    let line = line.split('\n').next().unwrap_or("").trim_start();
    let name = line.find(|c| !crate::lang::syntax::parser::is_name_part(c)).unwrap_or(line.len());
    let rest = line[name..].trim_start();
    let assigns = rest.starts_with('=') && !rest.starts_with("==") && !rest.starts_with("=>");
    name > 0 && (assigns || rest.starts_with('{'))
}
