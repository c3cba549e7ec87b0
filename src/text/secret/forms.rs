//! The forms that programs write a secret in: as it is, as base64, percent-encoded, escaped, line
//! by line.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{
    AsciiSet, CONTROLS, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode,
};
use serde_json::Value;
use url::Url;

use super::look::is_secret_name;
use super::plain::{SHORTEST, is_telling_line};

/// How a form sits in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// The whole secret, as it is.
    Whole,
    /// Something else that tells all of it, or a part that is secret by itself.
    Exact,
    /// The inner characters of a base64 text: those around them tell of it too.
    Base64,
}

/// Long base64 is looked for in pieces of this many characters, so that wrapped and cut texts are
/// found.
const PIECE: usize = 12;

/// What RFC 3986 leaves as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
/// JavaScript's `encodeURIComponent`.
const COMPONENT: &AsciiSet =
    &UNRESERVED.remove(b'!').remove(b'*').remove(b'\'').remove(b'(').remove(b')');
/// The user and the password of a URL.
const USERINFO: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'`')
    .add(b'{')
    .add(b'}')
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'|');

/// The secret and those of its parts that are secret by themselves: the password of a URL, what
/// stands under a secret's name in JSON, the credentials after `Bearer`, long lines.
pub(super) fn parts(secret: &str) -> Vec<String> {
    let mut parts = vec![secret.to_owned(), secret.trim().to_owned()];
    if let Ok(url) = Url::parse(secret.trim())
        && let Some(password) = url.password()
    {
        parts.push(password.to_owned());
        parts.push(percent_decode_str(password).decode_utf8_lossy().into_owned());
    }
    if let Some((scheme, credentials)) = secret.trim().split_once(' ')
        && ["basic", "bearer", "token"].iter().any(|s| s.eq_ignore_ascii_case(scheme))
    {
        parts.push(credentials.trim().to_owned());
    }
    if secret.trim_start().starts_with('{')
        && let Ok(value) = serde_json::from_str::<Value>(secret)
    {
        named(&value, &mut parts);
    }
    let with_lines = parts.clone();
    for text in with_lines.iter().filter(|text| text.trim().contains('\n')) {
        let lines = text.lines().map(str::trim).filter(|line| is_telling_line(line));
        parts.extend(lines.map(str::to_owned));
    }
    parts
}

/// Texts under the name of a secret.
fn named(value: &Value, parts: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value {
                    Value::String(text) if is_secret_name(name) => parts.push(text.clone()),
                    _ => named(value, parts),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, parts)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every form of a text.
pub(super) fn of(text: &str) -> BTreeMap<String, Fit> {
    let mut forms = BTreeMap::new();
    // What stands among the others first keeps its place: the text itself is told from its escaped
    // form.
    let mut add = |form: String, fit: Fit| {
        if form.len() >= SHORTEST {
            forms.entry(form).or_insert(fit);
        }
    };
    add(text.to_owned(), Fit::Whole);
    for form in escaped(text).into_iter().chain(percent_encoded(text)) {
        add(form, Fit::Exact);
    }
    base64_forms(text).into_iter().for_each(|form| add(form, Fit::Base64));
    forms
}

/// As JSON strings hold it: plainly, as Go writes it (`<`, `>` and `&` as `\u003c` and so on), with
/// `\/`, in ASCII alone, and once more escaped, for JSON inside of JSON. And as HTML holds it.
fn escaped(text: &str) -> Vec<String> {
    let once = json(text);
    let go = once
        .replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029");
    let mut all =
        vec![once.replace('/', "\\/"), ascii(&once), ascii(&go), json(&once), json(&go), once, go];
    let html = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    all.push(html.replace('"', "&quot;").replace('\'', "&#39;"));
    all.push(html.replace('"', "&quot;").replace('\'', "&#x27;"));
    all.push(html);
    let numbered = text.replace('&', "&#38;").replace('<', "&#60;").replace('>', "&#62;");
    all.push(numbered.replace('"', "&#34;").replace('\'', "&#39;"));
    // YAML's single quotes, and SQL's.
    all.push(text.replace('\'', "''"));
    all
}

/// The text between the quotes of a JSON string.
fn json(text: &str) -> String {
    let quoted = Value::String(text.to_owned()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii() {
            out.push(c);
            continue;
        }
        let mut units = [0; 2];
        for unit in c.encode_utf16(&mut units) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    }
    out
}

fn percent_encoded(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for set in [UNRESERVED, COMPONENT, USERINFO, NON_ALPHANUMERIC] {
        let upper = utf8_percent_encode(text, set).to_string();
        all.push(upper.replace("%20", "+"));
        all.push(lower_escapes(&upper));
        all.push(upper);
    }
    all
}

/// `%2F` → `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut digits = 0;
    let lower = |c: char| {
        let is_digit = digits > 0;
        digits = if c == '%' { 2 } else { digits - i32::from(is_digit) };
        if is_digit { c.to_ascii_lowercase() } else { c }
    };
    text.chars().map(lower).collect()
}

/// The characters of base64 that this text alone decides, wherever it begins in a group of three
/// bytes; of a long one in pieces. Padding and the characters at the edges depend on what stands
/// around it.
fn base64_forms(text: &str) -> Vec<String> {
    let tells = telling(text);
    let mut all = Vec::new();
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            let padded = [&[0; 2][..before], text.as_bytes()].concat();
            let encoded = engine.encode(&padded);
            // The first characters hold bits of what stands before; the last one of what comes
            // after.
            let from = (before * 8).div_ceil(6);
            let to = padded.len() * 8 / 6;
            if to.saturating_sub(from) < 2 * PIECE {
                all.push(encoded[from.min(to)..to].to_owned());
                continue;
            }
            let last = to - PIECE;
            for at in (from..last).step_by(PIECE).chain([last]) {
                let bytes = (at * 6 / 8).saturating_sub(before)..((at + PIECE) * 6 / 8) - before;
                if tells[bytes].iter().all(|tells| *tells) {
                    all.push(encoded[at..at + PIECE].to_owned());
                }
            }
        }
    }
    all
}

/// Which bytes of a text are secret: of one of many lines, not those that every key and every
/// manifest has.
fn telling(text: &str) -> Vec<bool> {
    let one_line = !text.trim().contains('\n');
    let line = |line: &str| vec![one_line || is_telling_line(line.trim()); line.len()];
    text.split_inclusive('\n').flat_map(line).collect()
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};

    use super::*;

    fn found(text: &str, secret: &str) -> bool {
        parts(secret).iter().flat_map(|part| of(part).into_keys()).any(|form| text.contains(&form))
    }

    #[test]
    fn a_secret_is_found_in_each_form() {
        let secret = "s3cr>t/\"w&rd?'ü";
        let upper = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let encoded = Value::from(secret).to_string();
        let mut texts = vec![
            secret.to_owned(),
            encoded.clone(),
            Value::from(encoded).to_string(),
            r#"s3cr\u003et/\"w\u0026rd?'ü"#.to_owned(),
            r#"s3cr>t\/\"w&rd?'ü"#.to_owned(),
            r#"s3cr>t/\"w&rd?'\u00fc"#.to_owned(),
            "s3cr&gt;t/&quot;w&amp;rd?&#39;ü".to_owned(),
            lower_escapes(&upper),
            upper,
            Url::parse_with_params("http://h/", [("q", secret)]).unwrap().to_string(),
        ];
        for before in ["", "a", "ab", "user:"] {
            for after in ["", "z", "zy"] {
                let text = format!("{before}{secret}{after}");
                texts.extend([STANDARD.encode(&text), STANDARD_NO_PAD.encode(&text)]);
                texts.extend([URL_SAFE.encode(&text), URL_SAFE_NO_PAD.encode(&text)]);
            }
        }
        for text in texts {
            assert!(found(&text, secret), "{text}");
        }
    }

    #[test]
    fn parts_that_are_secret_by_themselves_are_found() {
        let key =
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\n-----END PRIVATE KEY-----\n";
        let account = serde_json::json!({"client_email": "a@b", "private_key": key}).to_string();
        for (secret, text, tells) in [
            ("postgres://ann:p%40ssw%2Ford@db/x", "password p@ssw/ord is wrong", true),
            ("postgres://ann:p%40ssw%2Ford@db/x", "user ann is unknown", false),
            ("Bearer abcdefghij", "curl -H 'X: abcdefghij'", true),
            (key, "  MIIEvQIBADANBgkqhkiG9w0BAQ", true),
            (key, "-----BEGIN PRIVATE KEY-----", false),
            (account.as_str(), "MIIEvQIBADANBgkqhkiG9w0BAQ", true),
            (account.as_str(), "a@b", false),
        ] {
            assert_eq!(found(text, secret), tells, "{text}");
        }
    }

    #[test]
    fn wrapped_and_cut_base64_is_found_and_the_frame_of_a_key_is_not() {
        let line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj";
        let key =
            format!("-----BEGIN PRIVATE KEY-----\n{line}\n{line}\n-----END PRIVATE KEY-----\n");
        let encoded = STANDARD.encode(format!("x{key}"));
        assert!(found(&encoded[60..110], &key), "a piece of it is enough");
        let another = STANDARD.encode("-----BEGIN PRIVATE KEY-----\nAAAA");
        assert!(!found(&another, &key), "what every key begins with is no secret");
    }
}
