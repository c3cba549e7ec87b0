//! Blanks inside a line: one or none between any two tokens.

use crate::lang::fmt::line::Line;
use crate::lang::fmt::token::{Kind, Token};

/// An open bracket and what has to be known of what stands in it.
struct Bracket {
    is_brace: bool,
    /// Its first word is `for`.
    is_for: bool,
    is_empty: bool,
    /// `?` whose `:` has not come.
    questions: usize,
}

impl Bracket {
    fn new(is_brace: bool) -> Bracket {
        Bracket { is_brace, is_for: false, is_empty: true, questions: 0 }
    }
}

/// A token with the part it plays here.
#[derive(Clone, Copy)]
struct Role<'a> {
    token: Token<'a>,
    /// A value could end here, so a minus after it subtracts and a `[` after it is an index.
    ends_value: bool,
    /// `-` of a negative number.
    is_sign: bool,
    /// `:` after a key rather than of a condition or a `for`.
    is_key_colon: bool,
}

pub(super) fn space(lines: &mut [Line<'_>]) {
    let mut brackets = vec![Bracket::new(false)];
    let mut before: Option<Role<'_>> = None;
    for line in lines {
        for at in 0..line.tokens.len() {
            let role = role(line.tokens[at], before, &mut brackets);
            if let (Some(previous), true) = (before, at > 0) {
                line.before[at] = usize::from(is_apart(previous, role));
            }
            let follows_comment = at > 0 && line.tokens[at - 1].is_comment();
            if follows_comment || role.token.is_comment() {
                line.before[at] = if at > 0 { 1 } else { line.before[at] };
            }
            if !role.token.is_comment() {
                before = Some(role);
            }
        }
    }
}

fn role<'a>(token: Token<'a>, before: Option<Role<'a>>, brackets: &mut Vec<Bracket>) -> Role<'a> {
    let mut role = Role { token, ends_value: false, is_sign: false, is_key_colon: false };
    if token.is_comment() {
        return role;
    }
    let bottom = brackets.len() == 1;
    let Some(bracket) = brackets.last_mut() else { return role };
    let first = std::mem::replace(&mut bracket.is_empty, false);
    match token.kind {
        Kind::Name => {
            bracket.is_for |= first && !bottom && token.text == "for";
            let is_word = bracket.is_for && matches!(token.text, "for" | "in" | "if");
            role.ends_value = !is_word;
        }
        Kind::Number | Kind::Quoted | Kind::Heredoc => role.ends_value = true,
        Kind::Open => brackets.push(Bracket::new(token.text == "{")),
        Kind::Close => {
            if !bottom {
                brackets.pop();
            }
            role.ends_value = true;
        }
        Kind::Question => bracket.questions += 1,
        Kind::Colon => {
            role.is_key_colon = bracket.questions == 0 && bracket.is_brace && !bracket.is_for;
            bracket.questions = bracket.questions.saturating_sub(1);
        }
        Kind::Minus => role.is_sign = !before.is_some_and(|before| before.ends_value),
        // The `*` of a splat stands for a value, as in `a.*[0]`.
        Kind::Operator => {
            role.ends_value = before.is_some_and(|before| before.token.kind == Kind::Dot);
        }
        Kind::LineComment
        | Kind::BlockComment
        | Kind::Newline
        | Kind::Comma
        | Kind::Dot
        | Kind::Ellipsis
        | Kind::Namespace
        | Kind::Equal
        | Kind::Bang => {}
    }
    role
}

/// Whether a blank stands between these two.
fn is_apart(before: Role<'_>, after: Role<'_>) -> bool {
    let (left, right) = (before.token, after.token);
    match (left.kind, right.kind) {
        (_, Kind::Comma | Kind::Ellipsis) => false,
        // `1 .x` is not `1.x`.
        (Kind::Number, Kind::Dot) | (Kind::Dot, Kind::Number) => right.spaced,
        (Kind::Dot | Kind::Namespace, _) | (_, Kind::Dot | Kind::Namespace) => false,
        (Kind::Open, Kind::Close) => false,
        (Kind::Open, _) => left.text == "{",
        (_, Kind::Close) => right.text == "}",
        (Kind::Bang, _) => false,
        (Kind::Minus, _) if before.is_sign => false,
        (_, Kind::Colon) => !after.is_key_colon,
        (_, Kind::Open) if right.text == "(" => !(left.kind == Kind::Name && before.ends_value),
        (_, Kind::Open) if right.text == "[" => !before.ends_value,
        _ => true,
    }
}
