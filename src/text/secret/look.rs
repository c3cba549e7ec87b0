//! What looks like a secret though nobody named it: the name it stands under, or its shape.
//!
//! Best effort: it finds what people usually write, and errs on the side of hiding.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Words that alone make a name a secret's, wherever they stand in it.
static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)passwo?r?d|passphrase|secret|token|credential|dsn$|api[_-]?key|(private|signing|encryption|access|master|client)[_-]?key|connection[_-]?string",
    )
});
/// Ends of names that say where a secret is, or what about it is no secret.
static PLACES: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)(name|ref|file|path|ttl|type|kind|enabled|expiry|lifetime|issuer|audience|algorithm|endpoint|mount|automountServiceAccountToken|existingSecret|seconds|minutes)s?$",
    )
});
/// Words that make a name a secret's where they are a whole word of it.
const WORDS: [&str; 15] = [
    "pass",
    "pwd",
    "key",
    "keys",
    "auth",
    "authorization",
    "salt",
    "salts",
    "cookie",
    "cookies",
    "bearer",
    "dsn",
    "credential",
    "credentials",
    "creds",
];
/// Last words of such names that tell of something else.
const PLACE_WORDS: [&str; 42] = [
    "age",
    "class",
    "count",
    "database",
    "description",
    "dir",
    "directory",
    "domain",
    "folder",
    "format",
    "header",
    "host",
    "hostname",
    "interval",
    "length",
    "level",
    "limit",
    "max",
    "method",
    "min",
    "mode",
    "operator",
    "optional",
    "period",
    "policy",
    "port",
    "prefix",
    "provider",
    "realm",
    "replicas",
    "scope",
    "scopes",
    "site",
    "size",
    "sock",
    "socket",
    "suffix",
    "timeout",
    "uri",
    "url",
    "user",
    "version",
];
/// `key` after these is a name.
const OPEN_KEYS: [&str; 6] = ["foreign", "partition", "primary", "public", "sort", "topology"];

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("the pattern is a constant")
}

/// Whether a variable of the environment with this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    SECRETS.is_match(name) && !is_place(name)
}

/// Whether a field of this name holds one: more words count, and those that the plan adds.
pub(super) fn is_secret_field(name: &str, more: &[String]) -> bool {
    if is_place(name) {
        return false;
    }
    let words = words(name);
    let is_open = words.windows(2).any(|two| {
        let [before, word] = [&*two[0], &*two[1]];
        (word.starts_with("key") && OPEN_KEYS.contains(&before))
            || (before == "key" && word == "id")
    });
    SECRETS.is_match(name)
        || words.iter().any(|word| more.iter().any(|name| name.eq_ignore_ascii_case(word)))
        || more.iter().any(|more| more.eq_ignore_ascii_case(name))
        || (!is_open && words.iter().any(|word| WORDS.contains(&&**word)))
}

/// Whether a name says where a secret is, or what about it is no secret.
pub(super) fn is_place(name: &str) -> bool {
    let last = words(name).pop().unwrap_or_default();
    PLACES.is_match(name) || PLACE_WORDS.contains(&&*last)
}

/// The words of a name, in lower case: `apiKey`, `API_KEY` and `api-key` are `api` and `key`.
fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = vec![String::new()];
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| chars[before]);
        let after = chars.get(at + 1);
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                !before.is_uppercase() || after.is_some_and(|after| after.is_lowercase())
            });
        if begins || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            words.last_mut().expect("there is a word").extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

static PRIVATE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\z)")
});
/// Tokens that say themselves what they are: GitLab's, GitHub's, AWS', Slack's, Google's, JWTs.
static TOKEN: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"\b(?:gl[a-z]{2,5}-[\w-]{10,}|gh[pousr]_[A-Za-z0-9]{16,}|github_pat_\w{16,}|A[KS]IA[0-9A-Z]{16}|xox[a-z]-[\w-]{10,}|AIza[\w-]{30,}|eyJ[\w-]{6,}\.[\w-]{6,}\.[\w-]*)",
    )
});
static URL: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?<head>[A-Za-z][A-Za-z0-9+.-]*://[^/\s:@]*:)(?<value>[^/\s]+)@"));
static SCHEME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r"(?i)(?<head>\b(?:bearer|basic)\s+)(?<value>[A-Za-z0-9._~+/-]{6,}=*)")
});
/// `-u user:password`, as curl takes it.
static USER: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?<head>(?:^|[\s"'])(?:-u|--user)[\s=]*["']?[^\s:"'=]+:)(?<value>[^\s"']+)"#)
});
static FLAG: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?<head>(?:^|\s)--?(?<name>[A-Za-z][\w-]*)[ \t]+["']?)(?<value>[^\s"'(-][^\s"']*)"#)
});
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?<head>(?<name>[A-Za-z_][A-Za-z0-9_.-]*)["']?[ \t]*(?::=|=|:)[ \t]*)(?:"(?<double>(?:[^"\\\n]|\\.)*)"|'(?<single>[^'\n]*)'|(?<value>[^\s"',;&(){}\[\]][^\s"',;&]*))"#,
    )
});

/// Whether a text of a plan holds credentials that anybody can read there: a password in a URL or
/// after `-u user:`, a token that says itself what it is, a private key. Not what is read elsewhere
/// (`$NAME`, `{{ name }}`).
pub fn holds_credentials(text: &str) -> bool {
    let is_written = |c: Captures<'_>| {
        let value = &c["value"];
        // `-u 1000:1000` is a user and a group.
        !value.starts_with(['$', '{']) && !value.bytes().all(|byte| byte.is_ascii_digit())
    };
    PRIVATE_KEY.is_match(text)
        || TOKEN.is_match(text)
        || URL.captures_iter(text).any(is_written)
        || USER.captures_iter(text).any(is_written)
}

/// The text with what `mark` says instead of passwords in URLs and assignments, credentials,
/// tokens and private keys.
pub(super) fn without_lookalikes(
    text: &str,
    more: &[String],
    mark: &dyn Fn(&str) -> String,
) -> String {
    let whole = |c: &Captures<'_>| mark(&c[0]);
    let value = |c: &Captures<'_>| format!("{}{}", &c["head"], mark(&c["value"]));
    let text = PRIVATE_KEY.replace_all(text, whole);
    let text = URL.replace_all(&text, |c: &Captures<'_>| format!("{}@", value(c)));
    let text = TOKEN.replace_all(&text, whole);
    let text = SCHEME.replace_all(&text, |c: &Captures<'_>| match is_random(&c["value"]) {
        true => value(c),
        false => c[0].to_owned(),
    });
    let text = USER.replace_all(&text, value);
    let text = FLAG.replace_all(&text, |c: &Captures<'_>| {
        match is_assigned(&c["name"], &c["value"], more) && !is_said(&c["value"]) {
            true => value(c),
            false => c[0].to_owned(),
        }
    });
    let text = ASSIGNMENT.replace_all(&text, |c: &Captures<'_>| assignment(c, more, mark));
    text.into_owned()
}

fn assignment(c: &Captures<'_>, more: &[String], mark: &dyn Fn(&str) -> String) -> String {
    let quoted = [("double", "\""), ("single", "'"), ("value", "")];
    let found = quoted.iter().find_map(|(group, quote)| Some((c.name(group)?.as_str(), quote)));
    match found {
        Some((value, quote)) if is_assigned(&c["name"], value, more) => {
            format!("{}{quote}{}{quote}", &c["head"], mark(value))
        }
        Some(_) | None => c[0].to_owned(),
    }
}

/// Whether a text under a name in a text is a secret: not where it is empty, hidden already, or
/// tells where to look.
fn is_assigned(name: &str, value: &str, more: &[String]) -> bool {
    const NOTHING: [&str; 12] =
        ["|", ">", "|-", ">-", "true", "false", "null", "~", "Bearer", "Basic", "bearer", "basic"];
    // `key: value` and `auth: …` stand in every log; under another word they tell of a secret.
    let alone = ["key", "keys", "auth", "pass"].iter().any(|word| word.eq_ignore_ascii_case(name));
    let is_reference =
        value.starts_with("${") || value.starts_with("$(") || value.starts_with("{{");
    !value.is_empty()
        && !NOTHING.contains(&value)
        && !value.starts_with("(sensitive ")
        && !is_reference
        && (is_secret_field(name, more) && (!alone || is_random(value)))
}

/// Whether a word is none that people say: it has a digit, or capitals inside.
fn is_random(text: &str) -> bool {
    text.chars().any(|c| c.is_ascii_digit()) || text.chars().skip(1).any(|c| c.is_uppercase())
}

/// Words that follow the name of a flag in a sentence about it.
fn is_said(word: &str) -> bool {
    [
        "and", "are", "can", "flag", "for", "is", "may", "must", "not", "or", "string", "to",
        "was", "with",
    ]
    .contains(&word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_told_from_names_of_places() {
        let more = ["licence".to_owned()];
        for name in [
            "password",
            "PGPASSWORD",
            "db_pwd",
            "pass",
            "apiKey",
            "api-key",
            "tls.key",
            "salt",
            "sessionCookie",
            "auth",
            "bearer",
            "DATABASE_DSN",
            "awsCredentials",
            "signingKeys",
            "APIKey",
            "licence",
            "product_licence",
        ] {
            assert!(is_secret_field(name, &more), "{name}");
        }
        for name in [
            "passwordFile",
            "secretName",
            "token_ttl",
            "keyId",
            "publicKey",
            "topologyKey",
            "authUrl",
            "auth-type",
            "cookieDomain",
            "SSH_AUTH_SOCK",
            "monkey",
            "keyboard",
            "author",
            "passport",
            "bypass",
            "existingSecret",
            "replicas",
            "storage",
        ] {
            assert!(!is_secret_field(name, &more), "{name}");
        }
    }

    #[test]
    fn credentials_in_a_plan_are_told_from_what_is_read_elsewhere() {
        for (text, holds) in [
            ("https://ann:hunter2@idp.test/x", true),
            ("curl -u ann:hunter2 http://h", true),
            ("curl --user=ann:hunter2 http://h", true),
            ("echo ghp_0123456789abcdefghij", true),
            ("https://ann@idp.test:8080/a@b", false),
            ("https://ann:${env(\"PW\")}@idp.test/x", false),
            ("curl -u ann:$PASSWORD http://h", false),
            ("docker run -u 1000:1000 image", false),
        ] {
            assert_eq!(holds_credentials(text), holds, "{text}");
        }
    }

    #[test]
    fn shapes_are_found_in_text() {
        for (text, clean) in [
            ("postgres://u:p@ss@db/x and http://h:80/p", "postgres://u:#@db/x and http://h:80/p"),
            ("PASSWORD=hunter2\nPORT=80", "PASSWORD=#\nPORT=80"),
            ("spring.db.password: 'it is'", "spring.db.password: '#'"),
            (r#"{"apiKey": "a\"b", "host": "h"}"#, r##"{"apiKey": "#", "host": "h"}"##),
            ("curl -u ann:hunter2 -H x", "curl -u ann:# -H x"),
            ("app --password hunter2 --port 80", "app --password # --port 80"),
            ("--token=abc --verbose", "--token=# --verbose"),
            ("Authorization: Bearer abc123def", "Authorization: Bearer #"),
            ("glpat-0123456789abc, AKIA0123456789ABCDEF", "#, #"),
            ("jwt eyJhbGciOi.eyJzdWIiOi.c2ln done", "jwt # done"),
            ("a -----BEGIN RSA PRIVATE KEY-----\nx\n-----END RSA PRIVATE KEY----- b", "a # b"),
            // What only speaks of secrets stays.
            ("--password is required", "--password is required"),
            ("password authentication failed", "password authentication failed"),
            ("key: value, auth: failed", "key: value, auth: failed"),
            (
                "password: ${DB_PASSWORD}, token_ttl: 15m",
                "password: ${DB_PASSWORD}, token_ttl: 15m",
            ),
            ("basic authentication", "basic authentication"),
            ("password: (sensitive value)", "password: (sensitive value)"),
        ] {
            assert_eq!(without_lookalikes(text, &[], &|_| "#".to_owned()), clean);
        }
    }
}
