//! What looks like a secret though nobody named it: the name it stands under, or its shape.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Whether a field or variable of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    static WORDS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)passwo?r?d|passphrase|secret|token|credential|dsn$|api[_-]?key|(private|signing|encryption|access|master|client)[_-]?key|connection[_-]?string")
            .expect("the pattern is a constant")
    });
    static PLACES: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)(name|ref|file|path|ttl|type|kind|enabled|expiry|lifetime|issuer|audience|algorithm|endpoint|mount|automountServiceAccountToken|existingSecret|seconds|minutes)s?$")
            .expect("the pattern is a constant")
    });
    WORDS.is_match(name) && !PLACES.is_match(name)
}

/// The text with what `mark` says instead of passwords in URLs, `password=…` assignments and
/// private keys.
pub(super) fn without_lookalikes(text: &str, mark: &dyn Fn(&str) -> String) -> String {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?<head>[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:)(?<secret>[^/\s@]+)@")
            .expect("the pattern is a constant")
    });
    static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?i)(?<head>(?:password|passwd|secret|api[_-]?key|token)["']?\s*[=:]\s*["']?)(?<secret>[^\s"'&,;(]+)"#)
            .expect("the pattern is a constant")
    });
    if text.contains("PRIVATE KEY-----") {
        return mark(text);
    }
    let hidden = |c: &Captures<'_>| format!("{}{}", &c["head"], mark(&c["secret"]));
    let text = URL.replace_all(text, |c: &Captures<'_>| format!("{}@", hidden(c)));
    ASSIGNMENT.replace_all(&text, hidden).into_owned()
}
