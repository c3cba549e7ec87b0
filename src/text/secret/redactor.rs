//! The secrets that are known, and the taking out of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aho_corasick::AhoCorasick;
use serde_json::Value;

use super::HIDDEN;
use super::fingerprint::Key;
use super::forms::{self, Fit};
use super::look::{is_secret_name, without_lookalikes};
use super::plain::{is_of_the_system, is_plain};

/// The secrets that this process knows. Clones share them.
#[derive(Clone, Default)]
pub struct Redactor {
    known: Arc<Mutex<Known>>,
    key: Key,
}

#[derive(Default)]
struct Known {
    /// Secret → the environment variable that it is the whole value of.
    secrets: BTreeMap<String, Option<String>>,
    /// What the plan says openly: a value that stands there is no secret any more.
    open: Vec<String>,
    /// None where there is something new to look for.
    needles: Option<Arc<Needles>>,
    looks: Arc<Looks>,
}

/// What a plan says of secrets that are not known.
#[derive(Default)]
pub(super) struct Looks {
    /// Names of fields that hold secrets, besides those that orthid takes for such.
    pub(super) names: Vec<String>,
    /// Paths of what is none.
    pub(super) revealed: BTreeSet<String>,
}

/// Every form of every secret, ready to be looked for.
struct Needles {
    automaton: AhoCorasick,
    /// By pattern: how it fits, and the variable that holds just this.
    forms: Vec<(Fit, Option<String>)>,
}

/// A part of a text: as it is, or the value of an environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    Text(String),
    Variable(String),
}

impl fmt::Debug for Redactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Redactor(…)")
    }
}

impl Redactor {
    /// Remembers a secret. What is too plain to be one is not looked for.
    pub fn register(&self, secret: &str) {
        self.remember(secret, None);
    }

    /// Remembers the value of an environment variable, unless it is one that tells of the machine
    /// or the person.
    pub fn register_variable(&self, name: &str, value: &str) {
        if !is_of_the_system(name) {
            self.remember(value, Some(name));
        }
    }

    /// Remembers those of the environment's variables whose names speak of a secret.
    pub fn register_environment<'a>(&self, vars: impl IntoIterator<Item = (&'a str, &'a str)>) {
        for (name, value) in vars.into_iter().filter(|(name, _)| is_secret_name(name)) {
            self.register_variable(name, value);
        }
    }

    /// Remembers every text of a value.
    pub fn register_value(&self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => self.register(&number.to_string()),
            Value::String(text) => self.register(text),
            Value::Array(items) => items.iter().for_each(|item| self.register_value(item)),
            Value::Object(map) => map.values().for_each(|item| self.register_value(item)),
        }
    }

    /// Says that a text is public, such as the plan's own: what stands in it is not taken out of
    /// anything.
    pub fn disclose(&self, text: &str) {
        let mut known = self.known();
        if !known.open.iter().any(|open| open == text) {
            known.open.push(text.to_owned());
            known.needles = None;
        }
    }

    /// Says which other names are a secret's, and by their paths which places hold none.
    pub fn look(&self, names: Vec<String>, revealed: BTreeSet<String>) {
        self.known().looks = Arc::new(Looks { names, revealed });
    }

    /// The text without known secrets, and without what looks like one: for what was said by
    /// somebody else.
    pub fn clean(&self, text: &str) -> String {
        let hidden = |_: &str| HIDDEN.to_owned();
        without_lookalikes(&self.replaced(text, &hidden), &self.looks().names, &hidden)
    }

    /// The text without known secrets: for what orthid itself writes.
    pub fn without_secrets(&self, text: &str) -> String {
        self.replaced(text, &|_| HIDDEN.to_owned())
    }

    /// Whether a known secret stands in the text, in any form.
    pub fn holds(&self, text: &str) -> bool {
        self.needles().is_some_and(|needles| needles.automaton.is_match(text))
    }

    /// Whether a known secret stands anywhere in the value.
    pub fn holds_in(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => self.holds(&number.to_string()),
            Value::String(text) => self.holds(text),
            Value::Array(items) => items.iter().any(|item| self.holds_in(item)),
            Value::Object(map) => {
                map.iter().any(|(key, item)| self.holds(key) || self.holds_in(item))
            }
        }
    }

    /// The text as its parts, where environment variables make up all of it that is secret.
    pub fn parts(&self, text: &str) -> Option<Vec<Part>> {
        let needles = self.needles()?;
        let mut whole: Vec<(Range<usize>, &String)> = Vec::new();
        for found in needles.automaton.find_overlapping_iter(text) {
            if let (Fit::Whole, Some(variable)) = &needles.forms[found.pattern().as_usize()] {
                whole.push((found.range(), variable));
            }
        }
        whole.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let (mut parts, mut at) = (Vec::new(), 0);
        for (range, variable) in whole {
            if range.start < at {
                continue;
            }
            if at < range.start {
                parts.push(Part::Text(text[at..range.start].to_owned()));
            }
            parts.push(Part::Variable(variable.clone()));
            at = range.end;
        }
        if at < text.len() {
            parts.push(Part::Text(text[at..].to_owned()));
        }
        let is_clean = |part: &Part| match part {
            Part::Text(text) => !needles.automaton.is_match(text),
            Part::Variable(_) => true,
        };
        parts.iter().all(is_clean).then_some(parts)
    }

    /// The text with fingerprints instead of known secrets.
    pub(super) fn fingerprinted(&self, text: &str) -> String {
        self.replaced(text, &|secret| self.fingerprint(secret))
    }

    pub(super) fn fingerprint(&self, secret: &str) -> String {
        self.key.fingerprint(secret)
    }

    pub(super) fn looks(&self) -> Arc<Looks> {
        Arc::clone(&self.known().looks)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.needles().is_none()
    }

    fn remember(&self, secret: &str, variable: Option<&str>) {
        if secret.is_empty() {
            return;
        }
        let mut known = self.known();
        let had = known.secrets.get(secret);
        if had.is_none_or(|had| had.is_none() && variable.is_some()) {
            known.secrets.insert(secret.to_owned(), variable.map(str::to_owned));
            known.needles = None;
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What to look for; none where nothing is known.
    fn needles(&self) -> Option<Arc<Needles>> {
        let mut known = self.known();
        if known.secrets.is_empty() {
            return None;
        }
        if known.needles.is_none() {
            known.needles = Some(Arc::new(Needles::new(&known)));
        }
        known.needles.clone().filter(|needles| !needles.forms.is_empty())
    }

    fn replaced(&self, text: &str, mark: &dyn Fn(&str) -> String) -> String {
        let Some(needles) = self.needles() else { return text.to_owned() };
        let (mut out, mut at) = (String::new(), 0);
        for range in needles.places(text) {
            out.push_str(&text[at..range.start]);
            out.push_str(&mark(&text[range.clone()]));
            at = range.end;
        }
        if at == 0 {
            return text.to_owned();
        }
        out.push_str(&text[at..]);
        out
    }
}

impl Needles {
    fn new(known: &Known) -> Needles {
        let mut found: BTreeMap<String, (Fit, Option<String>)> = BTreeMap::new();
        for (secret, variable) in &known.secrets {
            for part in forms::parts(secret) {
                if is_plain(&part) || known.open.iter().any(|open| open.contains(&part)) {
                    continue;
                }
                let variable = variable.as_ref().filter(|_| part == *secret);
                for (form, fit) in forms::of(&part) {
                    let whole = variable.filter(|_| fit == Fit::Whole).cloned();
                    let place = found.entry(form).or_insert((fit, None));
                    if whole.is_some() {
                        *place = (fit, whole);
                    }
                }
            }
        }
        let (patterns, forms): (Vec<String>, Vec<_>) = found.into_iter().unzip();
        let automaton = AhoCorasick::new(&patterns)
            .expect("the forms of an environment's variables fit into an automaton");
        Needles { automaton, forms }
    }

    /// Where secrets stand: in order, apart from each other. Overlapping finds are one place.
    fn places(&self, text: &str) -> Vec<Range<usize>> {
        let mut found: Vec<Range<usize>> = self
            .automaton
            .find_overlapping_iter(text)
            .map(|found| match self.forms[found.pattern().as_usize()].0 {
                Fit::Whole | Fit::Exact => found.range(),
                Fit::Base64 => whole_word(text, found.range()),
            })
            .collect();
        found.sort_by_key(|range| range.start);
        let mut places: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match places.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => places.push(range),
            }
        }
        places
    }
}

/// The base64 text around a part of it.
fn whole_word(text: &str, part: Range<usize>) -> Range<usize> {
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"+/-_".contains(byte);
    let bytes = text.as_bytes();
    let before = bytes[..part.start].iter().rev().take_while(|byte| is_inner(byte)).count();
    let after = bytes[part.end..].iter().take_while(|byte| is_inner(byte)).count();
    let end = part.end + after;
    let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
    part.start - before..end + padding
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knowing(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::default();
        secrets.iter().for_each(|secret| redactor.register(secret));
        redactor
    }

    #[test]
    fn known_secrets_never_come_through() {
        let redactor = knowing(&["hunter2", "postgres://u:hunter2@h/d", "abcdef", "defghi"]);
        for (text, clean) in [
            (
                "dial postgres://u:hunter2@h/d: hunter2 refused",
                "dial (sensitive value): (sensitive value) refused",
            ),
            ("xabcdefghix", "x(sensitive value)x"),
            ("auth: dXNlcjpodW50ZXIy, next", "auth: (sensitive value), next"),
            ("hunter1", "hunter1"),
        ] {
            assert_eq!(redactor.clean(text), clean);
            assert_eq!(redactor.holds(text), text != clean);
        }
    }

    #[test]
    fn passwords_in_urls_go_even_when_nobody_registered_them() {
        let clean = Redactor::default().clean("connect to postgres://u:pw123@h/d");
        assert_eq!(clean, "connect to postgres://u:(sensitive value)@h/d");
    }

    #[test]
    fn what_is_too_plain_or_public_stays() {
        let redactor = knowing(&["5432", "production", "orthid", "s3cr", "idp-staging"]);
        redactor.register_variable("HOME", "/home/ada");
        redactor.register_variable("KUBECONFIG", "/etc/kubernetes/admin.conf");
        redactor.register_environment([("PATH", "/usr/local/bin"), ("LANG", "en_US.UTF-8")]);
        redactor.disclose("namespace = \"idp-staging\"");
        for text in [
            "listening on 5432 in production",
            "orthid idp-staging",
            "s3cr",
            "/home/ada/plans",
            "/etc/kubernetes/admin.conf",
        ] {
            assert_eq!(redactor.clean(text), text);
        }
    }

    #[test]
    fn variables_whose_names_speak_of_a_secret_are_known() {
        let redactor = Redactor::default();
        let vars =
            [("GITHUB_TOKEN", "ghs_abcdefgh"), ("PGPASSWORD", "hunter2!"), ("A", "nothing!")];
        redactor.register_environment(vars);
        assert_eq!(
            redactor.clean("ghs_abcdefgh hunter2! nothing!"),
            "(sensitive value) (sensitive value) nothing!"
        );
    }

    #[test]
    fn texts_made_of_variables_are_told_apart() {
        let redactor = knowing(&["captured-1"]);
        redactor.register_variable("TOK", "hunter2");
        redactor.register_variable("LONG", "hunter2-and-more");
        let text = |text: &str| Part::Text(text.to_owned());
        let variable = |name: &str| Part::Variable(name.to_owned());
        for (from, parts) in [
            ("hunter2", Some(vec![variable("TOK")])),
            ("a hunter2-and-more", Some(vec![text("a "), variable("LONG")])),
            ("hunter2:hunter2", Some(vec![variable("TOK"), text(":"), variable("TOK")])),
            ("hunter2 captured-1", None),
            ("dXNlcjpodW50ZXIy", None),
        ] {
            assert_eq!(redactor.parts(from), parts, "{from}");
        }
    }
}
