//! Comparing two objects field by field.
//!
//! Lists of named things (containers, ports, variables) are compared by name, so that one more in
//! front is one more and not a change of all that follow. Lists of plain values are compared whole:
//! the arguments of a command mean something together.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::plan::change::{Change, ChangeAction};
use crate::text::secret::{HIDDEN, holds_fingerprint, without_fingerprints};

/// Fields that tell the entries of a list apart, in the order in which they are tried.
const LIST_KEYS: [&str; 8] =
    ["name", "mountPath", "containerPort", "port", "key", "host", "path", "type"];

/// Every difference, in the order of the fields' names.
pub(super) fn compare(before: &Value, after: &Value) -> Vec<Change> {
    let mut changes = Vec::new();
    walk(&mut String::new(), Some(before), Some(after), &mut changes);
    changes
}

fn walk(path: &mut String, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<Change>) {
    if before == after {
        return;
    }
    let empty = Map::new();
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => maps(path, old, new, out),
        (None, Some(Value::Object(new))) if !new.is_empty() => maps(path, &empty, new, out),
        (Some(Value::Object(old)), None) if !old.is_empty() => maps(path, old, &empty, out),
        (Some(Value::Array(old)), Some(Value::Array(new))) => lists(path, old, new, out),
        (None, Some(Value::Array(new))) if new.iter().any(Value::is_object) => {
            lists(path, &[], new, out);
        }
        (Some(Value::Array(old)), None) if old.iter().any(Value::is_object) => {
            lists(path, old, &[], out);
        }
        (before, after) => out.extend(leaf(path, before, after)),
    }
}

fn maps(
    path: &mut String,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    out: &mut Vec<Change>,
) {
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let length = path.len();
        push_key(path, key);
        walk(path, old.get(key), new.get(key), out);
        path.truncate(length);
    }
}

fn lists(path: &mut String, old: &[Value], new: &[Value], out: &mut Vec<Change>) {
    if let Some(key) = list_key(old, new) {
        let names: BTreeSet<String> =
            old.iter().chain(new).filter_map(|item| entry_name(item, key)).collect();
        let find = |items: &'_ [Value], name: &str| {
            items.iter().position(|item| entry_name(item, key).as_deref() == Some(name))
        };
        for name in names {
            let (at, to) = (find(old, &name), find(new, &name));
            let length = path.len();
            path.push_str(&format!("[{name}]"));
            let first = out.len();
            walk(path, at.map(|i| &old[i]), to.map(|i| &new[i]), out);
            // The name of an entry that comes or goes is in the path already.
            let own = format!("{path}.{key}");
            if out.len() > first + 1
                && let Some(name) = out[first..].iter().position(|change| change.path == own)
            {
                out.remove(first + name);
            }
            path.truncate(length);
        }
    } else if old.iter().chain(new).any(Value::is_object) {
        for index in 0..old.len().max(new.len()) {
            let length = path.len();
            path.push_str(&format!("[{index}]"));
            walk(path, old.get(index), new.get(index), out);
            path.truncate(length);
        }
    } else {
        let whole = |items: &[Value]| Value::Array(items.to_vec());
        out.extend(leaf(path, Some(&whole(old)), Some(&whole(new))));
    }
}

/// The field that every entry of both lists has, with a value of its own.
pub(super) fn list_key(old: &[Value], new: &[Value]) -> Option<&'static str> {
    let is_key = |key: &&str| {
        [old, new].into_iter().all(|items| {
            let names: BTreeSet<Option<String>> =
                items.iter().map(|item| entry_name(item, key)).collect();
            names.len() == items.len() && !names.contains(&None)
        })
    };
    if old.is_empty() && new.is_empty() { None } else { LIST_KEYS.into_iter().find(is_key) }
}

pub(super) fn entry_name(item: &Value, key: &str) -> Option<String> {
    match item.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One change, or none where a manifest's `null` meets an absent field.
pub(super) fn leaf(path: &str, before: Option<&Value>, after: Option<&Value>) -> Option<Change> {
    let is_nothing = |value: Option<&Value>| value.is_none_or(Value::is_null);
    let action = match (is_nothing(before), is_nothing(after)) {
        (true, true) => return None,
        (true, false) => ChangeAction::Create,
        (false, true) => ChangeAction::Delete,
        (false, false) => ChangeAction::Update,
    };
    let secret = [before, after].into_iter().flatten().any(holds_fingerprint);
    let (before, after) = (before.map(without_fingerprints), after.map(without_fingerprints));
    let whole = |value: &Option<Value>| {
        value.as_ref().is_none_or(|v| v.as_str().is_some_and(|text| text == HIDDEN))
    };
    // Text around a secret is shown where it changes; the secret itself has nothing to show.
    let sensitive = secret && (before == after || (whole(&before) && whole(&after)));
    let shown = |value: Option<Value>| value.filter(|v| !sensitive && !v.is_null());
    Some(Change {
        path: path.to_owned(),
        before: shown(before),
        after: shown(after),
        action,
        sensitive,
    })
}

/// `spec.replicas`, `metadata.annotations["checksum/config"]`
pub(super) fn push_key(path: &mut String, key: &str) {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '-');
    if !plain {
        path.push_str(&format!("[{}]", Value::String(key.to_owned())));
        return;
    }
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}
