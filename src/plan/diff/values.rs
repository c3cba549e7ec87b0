//! What becomes of the release's values on a hop: new defaults that are lost, keys that are renamed
//! or that nobody reads any more.

use serde_json::Value;

use crate::model::ValuesPolicy;
use crate::path::{ChangelogEntry, RenamedValue};
use crate::plan::change::ValuesDiff;

/// What is known of the values.
#[derive(Clone, Copy, Debug)]
pub struct ValuesInput<'a> {
    pub policy: ValuesPolicy,
    /// `values.yaml` of the chart that is deployed before the hop, where it was at hand.
    pub old_defaults: Option<&'a Value>,
    /// `values.yaml` of the chart of the hop's end.
    pub new_defaults: &'a Value,
    /// User-supplied values after the hop.
    pub set: &'a Value,
    /// Releases of the hop.
    pub entries: &'a [&'a ChangelogEntry],
}

pub fn values(input: ValuesInput<'_>) -> ValuesDiff {
    let ValuesInput { policy, old_defaults, new_defaults, set, entries } = input;
    let renamed: Vec<(String, String)> = entries
        .iter()
        .flat_map(|entry| &entry.renamed_values)
        .filter(|RenamedValue { from, .. }| lookup(set, from).is_some())
        .map(|RenamedValue { from, to }| (from.clone(), to.clone()))
        .collect();
    let defaults_lost = match (policy, old_defaults) {
        (ValuesPolicy::Reuse, Some(old)) => leaves(new_defaults)
            .into_iter()
            .filter(|path| lookup(old, path).is_none() && lookup(set, path).is_none())
            .collect(),
        (ValuesPolicy::Reuse, None) | (ValuesPolicy::ResetThenReuse | ValuesPolicy::Reset, _) => {
            Vec::new()
        }
    };
    let orphaned = leaves(set)
        .into_iter()
        .filter(|path| !is_known(new_defaults, path))
        .filter(|path| {
            !renamed.iter().any(|(from, _)| path == from || path.starts_with(&format!("{from}.")))
        })
        .collect();
    ValuesDiff { defaults_lost, renamed, orphaned, other_policies: Vec::new(), chart: None }
}

/// The value at a dotted path, unless it is null.
pub fn lookup<'a>(values: &'a Value, path: &str) -> Option<&'a Value> {
    let found = path.split('.').try_fold(values, |value, key| value.get(key))?;
    (!found.is_null()).then_some(found)
}

/// Whether the chart has this value, or a place that takes anything: an empty map, a list or null
/// on the way to it.
fn is_known(defaults: &Value, path: &str) -> bool {
    let mut at = defaults;
    for key in path.split('.') {
        match at {
            Value::Object(map) if map.is_empty() => return true,
            Value::Object(map) => match map.get(key) {
                Some(next) => at = next,
                None => return key == "global",
            },
            Value::Null | Value::Array(_) => return true,
            Value::Bool(_) | Value::Number(_) | Value::String(_) => return false,
        }
    }
    true
}

/// Dotted paths of everything that is not a map. Names with dots in them are left out: they can't
/// be written so.
fn leaves(values: &Value) -> Vec<String> {
    let mut found = Vec::new();
    collect(String::new(), values, &mut found);
    found
}

fn collect(path: String, value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, child) in map.iter().filter(|(key, _)| !key.contains('.')) {
                let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                collect(below, child, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            found.push(path);
        }
    }
}
