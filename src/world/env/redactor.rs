//! Removes the secrets that are in use from whatever is written or said.

use std::sync::{Arc, Mutex};

use crate::facts::redact;

/// What stands where a secret stood.
const HIDDEN: &str = "(sensitive value)";

/// The secrets that this process has resolved so far. Clones share them.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Arc<Mutex<Vec<String>>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// Remembers a secret. Shorter ones than three bytes would blank out half of every text, and are not secret.
    pub fn register(&self, secret: &str) {
        if secret.len() < 3 {
            return;
        }
        let mut secrets = self.secrets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
            // The longest first: a URL before the password inside it.
            secrets.sort_by_key(|s| std::cmp::Reverse(s.len()));
        }
    }

    /// The text without any registered secret, nor anything else that looks like one.
    pub fn clean(&self, text: &str) -> String {
        let secrets = self.secrets.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let mut text = text.to_owned();
        for secret in secrets.iter() {
            if text.contains(secret.as_str()) {
                text = text.replace(secret.as_str(), HIDDEN);
            }
        }
        redact::redact_text(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registered_secrets_never_come_through() {
        let redactor = Redactor::default();
        redactor.register("hunter2");
        redactor.register("postgres://u:hunter2@h/d");
        let clean = redactor.clean("dial postgres://u:hunter2@h/d: hunter2 refused");
        assert_eq!(clean, "dial (sensitive value): (sensitive value) refused");
    }

    #[test]
    fn passwords_in_urls_go_even_when_nobody_registered_them() {
        let clean = Redactor::default().clean("connect to postgres://u:pw123@h/d");
        assert!(!clean.contains("pw123"), "{clean}");
    }
}
