//! The one filter for characters that drive a terminal, hide, or change the order in which text is
//! read.

/// Whether a terminal or a browser does something else with this character than show it.
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

/// Text in which unsafe characters are written as their code (`\u{1b}`). Line ends stay.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\n' || !is_unsafe(c) {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    out
}

/// As [`escaped`], on one line.
pub fn line(text: &str) -> String {
    escaped(text).replace('\n', " ")
}

/// Text of the same length in bytes, so that offsets into it stay right, in which unsafe characters
/// are replaced. Line ends and tabs stay.
pub fn masked(text: &str) -> String {
    text.chars().map(mask).collect()
}

/// As [`masked`], of one character.
pub fn mask(c: char) -> char {
    match (c, c.len_utf8()) {
        ('\n' | '\t', _) => c,
        ('\r', _) => ' ',
        (c, _) if !is_unsafe(c) => c,
        (_, 1) => '?',
        (_, 2) => '·',
        (_, _) => '\u{fffd}',
    }
}

/// The beginning of a text, with `…` where it was cut off.
pub fn shortened(text: &str, chars: usize) -> String {
    match text.char_indices().nth(chars) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unsafe_characters_are_escaped_or_masked() {
        let cases = [
            ("plain ä → ok", "plain ä → ok", "plain ä → ok"),
            ("a\u{1b}[31m\u{202e}b", r"a\u{1b}[31m\u{202e}b", "a?[31m\u{fffd}b"),
            ("\u{9b}x\u{61c}\u{7f}", r"\u{9b}x\u{61c}\u{7f}", "·x·?"),
            ("a\nb\tc\r\n", "a\nb\\u{9}c\\u{d}\n", "a\nb\tc \n"),
            ("\u{feff}\u{2066}", r"\u{feff}\u{2066}", "\u{fffd}\u{fffd}"),
        ];
        for (text, when_escaped, when_masked) in cases {
            assert_eq!(escaped(text), when_escaped);
            assert_eq!(masked(text), when_masked);
            assert_eq!(masked(text).len(), text.len(), "offsets stay right");
        }
        assert_eq!(line("a\nb"), "a b");
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("äöü", 2), "äö…");
        assert_eq!(shortened("äöü", 3), "äöü");
    }
}
