//! What is too plain to be a secret: replacing it would blank out half of every text and hide
//! nothing.

/// Fewer bytes than this are not looked for.
pub(super) const SHORTEST: usize = 6;
/// Digits alone are counts, ports and dates up to this length.
const SHORTEST_NUMBER: usize = 8;
/// A line of a secret of many lines counts by itself from this length on …
const SHORTEST_LINE: usize = 16;
/// … and where a word of it is this long: `kind: Deployment` in a whole manifest is no secret.
const SHORTEST_WORD: usize = 12;

/// Words that people set variables to and that texts are full of.
const EVERYDAY: &[&str] = &[
    "administrator",
    "always",
    "application",
    "bearer",
    "changeme",
    "cluster",
    "config",
    "configuration",
    "container",
    "database",
    "default",
    "deployment",
    "development",
    "disable",
    "disabled",
    "enabled",
    "example",
    "example.com",
    "failed",
    "internal",
    "kubernetes",
    "latest",
    "localhost",
    "127.0.0.1",
    "0.0.0.0",
    "master",
    "metadata",
    "namespace",
    "number",
    "object",
    "orthid",
    "passwd",
    "password",
    "postgres",
    "postgresql",
    "prefer",
    "primary",
    "private",
    "production",
    "public",
    "release",
    "replica",
    "replicas",
    "require",
    "required",
    "running",
    "secret",
    "secrets",
    "sensitive",
    "service",
    "sha256",
    "stable",
    "staging",
    "started",
    "status",
    "string",
    "succeeded",
    "system",
    "testing",
    "undefined",
    "unknown",
    "verify-ca",
    "verify-full",
    "warning",
];

/// Variables that tell of the machine and the person, and not of a secret.
const OF_THE_SYSTEM: &[&str] = &[
    "COLUMNS",
    "EDITOR",
    "HOME",
    "HOSTNAME",
    "KUBECONFIG",
    "LANG",
    "LANGUAGE",
    "LINES",
    "LOGNAME",
    "OLDPWD",
    "PATH",
    "PWD",
    "SHELL",
    "SHLVL",
    "TERM",
    "TMPDIR",
    "TZ",
    "USER",
    "VISUAL",
];

/// Whether a value is too plain to be looked for.
pub(super) fn is_plain(value: &str) -> bool {
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    value.len() < SHORTEST
        || (digits && value.len() < SHORTEST_NUMBER)
        || value.bytes().all(|byte| byte == value.as_bytes()[0])
        || EVERYDAY.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// Whether a line of a secret of many lines is a secret by itself.
pub(super) fn is_telling_line(line: &str) -> bool {
    line.len() >= SHORTEST_LINE
        && !line.starts_with("-----")
        && line.split_whitespace().any(|word| word.len() >= SHORTEST_WORD)
}

/// Whether an environment variable of this name tells of the machine or the person.
pub(super) fn is_of_the_system(name: &str) -> bool {
    OF_THE_SYSTEM.contains(&name) || name.starts_with("LC_") || name.starts_with("XDG_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_values_numbers_and_everyday_words_are_plain() {
        for plain in ["", "5432", "12345", "543210", "aaaaaaaa", "Production"] {
            assert!(is_plain(plain), "{plain}");
        }
        for secret in ["hunter", "s3cr3t", "48151623", "correct horse", "production-1"] {
            assert!(!is_plain(secret), "{secret}");
        }
    }

    #[test]
    fn lines_that_every_manifest_has_tell_nothing() {
        for line in
            ["kind: Deployment", "-----BEGIN PRIVATE KEY-----", "a: b", "and so on and so on"]
        {
            assert!(!is_telling_line(line), "{line}");
        }
        for line in ["MIIEvQIBADANBgkqhkiG9w0B", "  password: hunter2-hunter2"] {
            assert!(is_telling_line(line), "{line}");
        }
    }
}
