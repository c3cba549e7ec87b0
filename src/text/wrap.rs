//! Lines of a bounded width.

use unicode_width::UnicodeWidthStr;

/// Breaks at spaces. A word that is too long stays whole, because addresses and paths are copied.
/// Width in columns.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let current = lines.last_mut().expect("there is always a line");
        let taken = current.width();
        if taken > 0 && taken + 1 + word.width() > width {
            lines.push(word.to_owned());
        } else {
            if taken > 0 {
                current.push(' ');
            }
            current.push_str(word);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::wrap;

    #[test]
    fn lines_break_at_spaces_and_long_words_stay_whole() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a plans/orthid-2.7.hcl b", 5), ["a", "plans/orthid-2.7.hcl", "b"]);
        assert_eq!(wrap("日本 日本", 8), ["日本", "日本"], "a wide character takes two columns");
        assert_eq!(wrap("", 8), [""]);
    }
}
