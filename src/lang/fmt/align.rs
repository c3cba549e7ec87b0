//! Columns: the `=` of attributes, and the comments after code, on lines that follow each other.

use std::ops::Range;

use unicode_width::UnicodeWidthStr;

use crate::lang::fmt::line::Line;
use crate::lang::fmt::token::{Kind, Token};

pub(super) fn align(lines: &mut [Line<'_>]) {
    for chain in chains(lines, |line| assignment(&line.tokens)) {
        align_chain(lines, chain);
    }
    for chain in chains(lines, comment) {
        align_chain(lines, chain);
    }
}

/// A run of lines, and for each the token that is to stand in one column.
type Chain = (Range<usize>, Vec<usize>);

/// Runs of lines without a blank line between them that all have the token.
fn chains(lines: &[Line<'_>], find: impl Fn(&Line<'_>) -> Option<usize>) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(token) = find(line) else { continue };
        match chains.last_mut() {
            Some((range, tokens)) if range.end == number && !line.apart => {
                range.end += 1;
                tokens.push(token);
            }
            _ => chains.push((number..number + 1, vec![token])),
        }
    }
    chains
}

fn align_chain(lines: &mut [Line<'_>], (range, tokens): Chain) {
    let widths: Vec<usize> =
        lines[range.clone()].iter().zip(&tokens).map(|(line, at)| width(line, *at)).collect();
    let widest = widths.iter().max().copied().unwrap_or(0);
    for ((line, at), width) in lines[range].iter_mut().zip(tokens).zip(widths) {
        line.before[at] = widest - width + 1;
    }
}

/// Columns of a line up to a token.
fn width(line: &Line<'_>, until: usize) -> usize {
    let tokens = line.tokens[..until].iter().map(|token| token.text.width());
    tokens.sum::<usize>() + line.before[..until].iter().sum::<usize>()
}

/// The `=` of an attribute whose value ends on the line where it begins, or is a heredoc.
fn assignment(tokens: &[Token<'_>]) -> Option<usize> {
    let at = tokens.iter().position(|token| token.kind == Kind::Equal)?;
    let balanced = |tokens: &[Token<'_>]| {
        let mut depth = 0i64;
        let stays_open = tokens.iter().all(|token| {
            match token.kind {
                Kind::Open => depth += 1,
                Kind::Close => depth -= 1,
                _ => {}
            }
            depth >= 0
        });
        stays_open && depth == 0
    };
    let one_line = tokens[..at].iter().all(|token| !token.spans_lines());
    (at > 0 && one_line && balanced(&tokens[..at]) && balanced(&tokens[at..])).then_some(at)
}

/// The comment after code. One after an opening bracket speaks of the block and not of a line of
/// it.
fn comment(line: &Line<'_>) -> Option<usize> {
    let last = line.tokens.len() - 1;
    let code = &line.tokens[..last];
    let has_column = code.last().is_some_and(|token| token.kind != Kind::Open)
        && code.iter().all(|token| !token.spans_lines());
    (line.tokens[last].is_comment() && has_column).then_some(last)
}
