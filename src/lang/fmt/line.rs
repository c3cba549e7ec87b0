//! Lines of tokens.

use super::token::Token;

/// A line of output: its tokens, and how many blanks stand before each.
pub(super) struct Line<'a> {
    pub tokens: Vec<Token<'a>>,
    /// Blanks before each token; that before the first is the indentation.
    pub before: Vec<usize>,
    /// A blank line stands before this one.
    pub apart: bool,
}
