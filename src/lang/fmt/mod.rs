//! The canonical layout of a plan's text: indentation, spaces, aligned `=` and trailing comments,
//! single blank lines.
//!
//! Works on tokens, so that comments stay where they are and nothing but blanks changes: lines are
//! never joined or broken, and templates and heredocs are kept to the byte. The layout is that of
//! `terraform fmt`, which people and editors know, with two differences: a run of blank lines
//! becomes one, and a line that begins with closing brackets is indented as the line that opened
//! the last of them.
//!
//! Must not: know what any name means.

mod align;
mod line;
mod spacing;
mod token;

#[cfg(test)]
mod tests;

use token::Kind;
use token::Token;

use crate::lang::Code;
use crate::lang::Diagnostic;
use crate::lang::Diagnostics;
use crate::lang::Source;
use crate::lang::Sources;
use crate::lang::Span;
use crate::lang::fmt::line::Line;
use crate::lang::syntax;

const INDENT: usize = 2;

/// The same text in canonical layout.
///
/// # Errors
/// What the parser finds wrong: text that can't be read is not laid out.
pub fn format(source: &Source) -> Result<String, Diagnostics> {
    let mut diagnostics = Diagnostics::new(Sources::new(vec![source.clone()]));
    let (_, found) = syntax::parse_body(source, 0);
    for diagnostic in found {
        diagnostics.push(diagnostic);
    }
    if diagnostics.has_errors() {
        return Err(diagnostics);
    }
    let laid_out = token::tokens(&source.text).map(|tokens| (layout(&tokens), tokens));
    let kept = laid_out.filter(|(text, tokens)| {
        token::tokens(text).is_some_and(|again| token::same(tokens, &again))
    });
    match kept {
        Some((text, _)) => Ok(text),
        None => {
            let all = Span { file: 0, start: 0, end: source.text.len() as u32 };
            diagnostics.push(
                Diagnostic::new(Code::Syntax, "the layout of this text can't be changed safely")
                    .label(all, "left as it is"),
            );
            Err(diagnostics)
        }
    }
}

fn layout(tokens: &[Token<'_>]) -> String {
    let mut lines = lines(tokens);
    indent(&mut lines);
    spacing::space(&mut lines);
    align::align(&mut lines);
    let mut out = String::new();
    for line in &lines {
        if line.apart {
            out.push('\n');
        }
        for (token, before) in line.tokens.iter().zip(&line.before) {
            out.extend(std::iter::repeat_n(' ', *before));
            out.push_str(token.text);
        }
        out.push('\n');
    }
    out
}

/// Splits at line ends. Blank lines at the start and end go; others become a mark on the line after
/// them.
fn lines<'a>(tokens: &[Token<'a>]) -> Vec<Line<'a>> {
    let mut lines: Vec<Line<'a>> = Vec::new();
    let mut apart = false;
    for line in tokens.split(|token| token.kind == Kind::Newline) {
        if line.is_empty() {
            apart = !lines.is_empty();
            continue;
        }
        lines.push(Line { tokens: line.to_vec(), before: vec![0; line.len()], apart });
        apart = false;
    }
    lines
}

/// Indents every line one level deeper than the line that opened the innermost bracket. A line that
/// begins with closing brackets is indented as the line that opened the last of them.
fn indent(lines: &mut [Line<'_>]) {
    // For every open bracket, the level of the line that opened it.
    let mut open: Vec<usize> = Vec::new();
    for line in lines {
        let closing = line.tokens.iter().take_while(|token| token.kind == Kind::Close).count();
        let inside = open.last().map_or(0, |level| level + 1);
        let level = match closing {
            0 => inside,
            _ => open.get(open.len().saturating_sub(closing)).copied().unwrap_or(0),
        };
        line.before[0] = INDENT * level;
        for token in &line.tokens {
            match token.kind {
                Kind::Open => open.push(level),
                Kind::Close => drop(open.pop()),
                _ => {}
            }
        }
    }
}
