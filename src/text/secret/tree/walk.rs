//! One tree, walked by names and by looks.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::text::secret::Redactor;
use crate::text::secret::look::{is_place, is_secret_field, without_lookalikes};
use crate::text::secret::redactor::Looks;

/// A key is replaced only where a secret of at least this many bytes stands in it: it is a name,
/// and others look for it.
const LONG: usize = 12;

/// Fields that name a secret's place and hold none.
const REFERENCES: [&str; 6] = [
    "secretKeyRef",
    "configMapKeyRef",
    "secretRef",
    "configMapRef",
    "imagePullSecrets",
    "secretName",
];

/// Fields beside which `key` is the name of something.
const BESIDE_A_KEY: [&str; 6] = ["operator", "path", "name", "effect", "values", "optional"];

/// One tree while it is redacted.
pub(super) struct Walk<'a> {
    redactor: &'a Redactor,
    looks: Arc<Looks>,
    /// Names of fields count.
    pub(super) by_name: bool,
    /// From the tree's root to here.
    path: Vec<String>,
}

impl Walk<'_> {
    pub(super) fn new<'a>(redactor: &'a Redactor, root: &str) -> Walk<'a> {
        let looks = redactor.looks();
        Walk { redactor, looks, by_name: true, path: vec![root.to_owned()] }
    }

    pub(super) fn values(&mut self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::Number(number) => {
                if self.redactor.holds(&number.to_string()) {
                    self.redactor.hide(value);
                }
            }
            Value::String(text) => {
                let mut clean = self.redactor.fingerprinted(text);
                if !self.is_revealed() {
                    let mark = |secret: &str| self.redactor.fingerprint(secret);
                    clean = without_lookalikes(&clean, &self.looks.names, &mark);
                }
                if clean != *text {
                    *text = clean;
                }
            }
            Value::Array(items) => self.items(items, Walk::values),
            Value::Object(map) => self.fields(map),
        }
    }

    fn fields(&mut self, map: &mut Map<String, Value>) {
        self.keys(map);
        // `{name: DB_PASSWORD, value: …}`, as in a container's `env`.
        let named = map.get("name").and_then(Value::as_str).map(str::to_owned);
        let is_named_secret = named.is_some_and(|name| self.is_secret(&name));
        let key_is_name = BESIDE_A_KEY.iter().any(|field| map.contains_key(*field));
        for (name, child) in map.iter_mut() {
            if REFERENCES.contains(&name.as_str()) {
                continue;
            }
            let is_secret = match name.as_str() {
                "value" if is_named_secret => true,
                "key" if key_is_name => false,
                name => self.is_secret(name),
            };
            self.path.push(format!(".{name}"));
            match is_secret && !self.is_revealed() {
                true => self.hide(child),
                false => self.values(child),
            }
            self.path.pop();
        }
    }

    /// Hides what stands under the name of a secret, however deep: but not what tells where the
    /// secret is, nor a yes or no.
    fn hide(&mut self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::String(_) | Value::Number(_) => self.redactor.hide(value),
            Value::Array(items) => self.items(items, Walk::hide),
            Value::Object(map) if is_reference(map) => self.fields(map),
            Value::Object(map) => {
                self.keys(map);
                for (name, child) in map.iter_mut() {
                    if REFERENCES.contains(&name.as_str()) {
                        continue;
                    }
                    self.path.push(format!(".{name}"));
                    match is_place(name) || self.is_revealed() {
                        true => self.values(child),
                        false => self.hide(child),
                    }
                    self.path.pop();
                }
            }
        }
    }

    /// The items of a list. What follows `--password` among arguments is hidden.
    fn items(&mut self, items: &mut [Value], redact: fn(&mut Self, &mut Value)) {
        let mut after_flag = false;
        for (at, item) in items.iter_mut().enumerate() {
            let flag = item.as_str().and_then(|text| text.strip_prefix('-'));
            let is_flag =
                flag.is_some_and(|flag| !flag.contains(['=', ' ']) && self.is_secret(flag));
            self.path.push(format!("[{at}]"));
            match after_flag && !is_flag && item.is_string() && !self.is_revealed() {
                true => self.redactor.hide(item),
                false => redact(self, item),
            }
            self.path.pop();
            after_flag = is_flag;
        }
    }

    fn keys(&self, map: &mut Map<String, Value>) {
        let holds = |key: &str| key.len() >= LONG && self.redactor.holds(key);
        if map.keys().any(|key| holds(key)) {
            let entries = std::mem::take(map).into_iter();
            *map = entries.map(|(key, value)| (self.redactor.fingerprinted(&key), value)).collect();
        }
    }

    fn is_secret(&self, name: &str) -> bool {
        self.by_name && is_secret_field(name, &self.looks.names)
    }

    /// Whether the plan says that what stands here is no secret. One that is known stays hidden.
    fn is_revealed(&self) -> bool {
        !self.looks.revealed.is_empty() && self.looks.revealed.contains(&self.path.concat())
    }
}

/// `{secretName: …}` of a volume, `{name: …, key: …}` of a variable: they hold no secret.
fn is_reference(map: &Map<String, Value>) -> bool {
    let has = |field: &str| map.contains_key(field);
    has("secretName") || (has("name") && (has("key") || has("items") || has("optional")))
}
