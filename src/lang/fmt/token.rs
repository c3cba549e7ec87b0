//! Text → tokens, of which none is lost but blanks. Strings (with all that is in their `${…}`),
//! heredocs and comments are one token each.

/// What a token is, as far as layout goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Name,
    Number,
    /// `"…"`
    Quoted,
    /// `<<END … END`
    Heredoc,
    /// `# …` or `// …`, to the line's end
    LineComment,
    /// `/* … */`
    BlockComment,
    Newline,
    /// `(`, `[`, `{`
    Open,
    /// `)`, `]`, `}`
    Close,
    Comma,
    Dot,
    /// `...`
    Ellipsis,
    /// `::` of a function's namespace
    Namespace,
    Colon,
    Question,
    Equal,
    Bang,
    Minus,
    /// Every other operator; `*` of a splat too.
    Operator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Blanks stood before it.
    pub(super) spaced: bool,
}

impl Token<'_> {
    pub(super) fn is_comment(&self) -> bool {
        matches!(self.kind, Kind::LineComment | Kind::BlockComment)
    }

    pub(super) fn spans_lines(&self) -> bool {
        self.text.contains('\n')
    }
}

/// All tokens, or nothing where a string, comment or heredoc does not end or a character has no
/// meaning.
pub(super) fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t', '\r']).len();
        at += blanks;
        let rest = &text[at..];
        if rest.is_empty() {
            break;
        }
        let (kind, length) = token(rest)?;
        let text = match kind {
            Kind::LineComment => rest[..length].trim_end(),
            _ => &rest[..length],
        };
        tokens.push(Token { kind, text, spaced: blanks > 0 });
        at += length;
    }
    Some(tokens)
}

/// Whether these are the same tokens on the same lines, blank lines aside.
pub(super) fn same(a: &[Token<'_>], b: &[Token<'_>]) -> bool {
    let lines = |tokens: &[Token<'_>]| -> Vec<Vec<(Kind, String)>> {
        let lines = tokens.split(|token| token.kind == Kind::Newline);
        let full = lines.filter(|line| !line.is_empty());
        full.map(|line| line.iter().map(|token| (token.kind, token.text.to_owned())).collect())
            .collect()
    };
    lines(a) == lines(b)
}

/// The token at the start of a text that does not begin with a blank, and its length in bytes.
fn token(rest: &str) -> Option<(Kind, usize)> {
    const SIGNS: [(&str, Kind); 32] = [
        ("...", Kind::Ellipsis),
        ("::", Kind::Namespace),
        ("==", Kind::Operator),
        ("=>", Kind::Operator),
        ("!=", Kind::Operator),
        ("<=", Kind::Operator),
        (">=", Kind::Operator),
        ("&&", Kind::Operator),
        ("||", Kind::Operator),
        ("\n", Kind::Newline),
        ("(", Kind::Open),
        ("[", Kind::Open),
        ("{", Kind::Open),
        (")", Kind::Close),
        ("]", Kind::Close),
        ("}", Kind::Close),
        (",", Kind::Comma),
        (".", Kind::Dot),
        (":", Kind::Colon),
        ("?", Kind::Question),
        ("=", Kind::Equal),
        ("!", Kind::Bang),
        ("-", Kind::Minus),
        ("+", Kind::Operator),
        ("*", Kind::Operator),
        ("/", Kind::Operator),
        ("%", Kind::Operator),
        ("<", Kind::Operator),
        (">", Kind::Operator),
        ("&", Kind::Operator),
        ("|", Kind::Operator),
        ("~", Kind::Operator),
    ];
    let first = rest.chars().next()?;
    if first == '#' || rest.starts_with("//") {
        return Some((Kind::LineComment, rest.find('\n').unwrap_or(rest.len())));
    }
    if let Some(comment) = rest.strip_prefix("/*") {
        return Some((Kind::BlockComment, comment.find("*/")? + 4));
    }
    if first == '"' {
        return Some((Kind::Quoted, quoted(rest)?));
    }
    if let Some(length) = heredoc(rest) {
        return Some((Kind::Heredoc, length));
    }
    if first == '_' || first.is_alphabetic() {
        let part = |c: char| c == '_' || c == '-' || c.is_alphanumeric();
        return Some((Kind::Name, rest.find(|c| !part(c)).unwrap_or(rest.len())));
    }
    if first.is_ascii_digit() {
        return Some((Kind::Number, number(rest)));
    }
    let (sign, kind) = SIGNS.iter().find(|(sign, _)| rest.starts_with(sign))?;
    Some((*kind, sign.len()))
}

/// Digits, a fraction, an exponent.
fn number(rest: &str) -> usize {
    let digits = |from: usize| {
        let tail = &rest[from..];
        tail.len() - tail.trim_start_matches(|c: char| c.is_ascii_digit()).len()
    };
    let mut length = digits(0);
    if rest[length..].starts_with('.') && digits(length + 1) > 0 {
        length += 1 + digits(length + 1);
    }
    if rest[length..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[length + 1..].starts_with(['+', '-']));
        if digits(length + 1 + sign) > 0 {
            length += 1 + sign + digits(length + 1 + sign);
        }
    }
    length
}

/// Length of a quoted template. What stands in `${…}` and `%{…}` is code again, with strings and
/// braces of its own; how deep we are is a list, because the text decides how deep it is.
fn quoted(rest: &str) -> Option<usize> {
    #[derive(PartialEq)]
    enum In {
        String,
        /// Open braces inside the interpolation.
        Code(usize),
    }
    let bytes = rest.as_bytes();
    let mut inside = vec![In::String];
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        let next = bytes.get(at + 1);
        let here = inside.last_mut()?;
        match (here, byte, next) {
            (In::String, b'\\', Some(_)) => at += 2,
            (In::String, b'$' | b'%', Some(sign)) if sign == byte => {
                at += if bytes.get(at + 2) == Some(&b'{') { 3 } else { 1 };
            }
            (In::String, b'$' | b'%', Some(b'{')) => {
                inside.push(In::Code(0));
                at += 2;
            }
            (In::String, b'"', _) => {
                inside.pop();
                at += 1;
                if inside.is_empty() {
                    return Some(at);
                }
            }
            (In::String, _, _) => at += 1,
            (In::Code(_), b'"', _) => {
                inside.push(In::String);
                at += 1;
            }
            (In::Code(_), b'#', _) | (In::Code(_), b'/', Some(b'/')) => {
                at += rest[at..].find('\n')?;
            }
            (In::Code(_), b'/', Some(b'*')) => at += rest[at..].find("*/")? + 2,
            (In::Code(depth), b'{', _) => {
                *depth += 1;
                at += 1;
            }
            (In::Code(0), b'}', _) => {
                inside.pop();
                at += 1;
            }
            (In::Code(depth), b'}', _) => {
                *depth -= 1;
                at += 1;
            }
            (In::Code(_), b'<', Some(b'<')) => at += heredoc(&rest[at..]).unwrap_or(1),
            (In::Code(_), _, _) => at += 1,
        }
    }
    None
}

/// Length of a heredoc, its end mark included; nothing where the text is not one.
fn heredoc(rest: &str) -> Option<usize> {
    let opened = rest.strip_prefix("<<")?;
    let opened = opened.strip_prefix('-').unwrap_or(opened);
    let (mark, _) = opened.split_once('\n')?;
    let mark = mark.trim_end_matches('\r');
    let is_name = |c: char| c == '_' || c == '-' || c.is_alphanumeric();
    if mark.is_empty() || !mark.chars().all(is_name) {
        return None;
    }
    let mut at = rest.find('\n')? + 1;
    while at <= rest.len() {
        let line = &rest[at..];
        let line = &line[..line.find('\n').unwrap_or(line.len())];
        let trimmed = line.trim_start_matches([' ', '\t']);
        if trimmed.trim_end_matches([' ', '\t', '\r']) == mark {
            return Some(at + line.len() - trimmed.len() + mark.len());
        }
        at += line.len() + 1;
    }
    None
}
