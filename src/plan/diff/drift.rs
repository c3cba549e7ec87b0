//! Where live objects differ from the deployed manifest. Only fields that the manifest has are
//! looked at: what the API server defaults, controllers fill in and other owners add is not drift,
//! and neither is another spelling of the same quantity.

use serde_json::Value;

use super::fields::{entry_name, leaf, list_key, push_key};
use super::manifest::{Manifest, identity};
use crate::plan::change::{Change, ChangeAction, ObjectChange, ObjectRef};

/// Every object of the manifest that is missing or differs. In a change, `before` is the manifest
/// and `after` what is live. `autoscalers` are the HorizontalPodAutoscalers of the namespace: the
/// replicas that they set are theirs.
pub fn drift(
    deployed: &Manifest,
    live: &[Value],
    autoscalers: &[Value],
    namespace: &str,
) -> Vec<ObjectChange> {
    let live: std::collections::BTreeMap<ObjectRef, &Value> =
        live.iter().filter_map(|object| Some((identity(object, namespace)?, object))).collect();
    let compared = deployed.objects.iter().filter_map(|(object, wanted)| {
        let Some(found) = live.get(object) else {
            let action = ChangeAction::Delete;
            return Some(ObjectChange { object: object.clone(), action, changes: Vec::new() });
        };
        let mut changes = Vec::new();
        present(&mut String::new(), wanted, found, &mut changes);
        if scaled_by(object, autoscalers).is_some() {
            changes.retain(|change| change.path != "spec.replicas");
        }
        (!changes.is_empty()).then(|| ObjectChange {
            object: object.clone(),
            action: ChangeAction::Update,
            changes,
        })
    });
    compared.collect()
}

/// The name of the HorizontalPodAutoscaler that scales this object.
pub fn scaled_by<'a>(object: &ObjectRef, autoscalers: &'a [Value]) -> Option<&'a str> {
    let scales = |hpa: &&Value| {
        let text = |pointer| hpa.pointer(pointer).and_then(Value::as_str);
        text("/kind") == Some("HorizontalPodAutoscaler")
            && text("/spec/scaleTargetRef/kind") == Some(&object.kind)
            && text("/spec/scaleTargetRef/name") == Some(&object.name)
    };
    autoscalers.iter().find(scales)?.pointer("/metadata/name")?.as_str()
}

/// Fields of a manifest that the API server answers otherwise by design.
fn is_not_kept(path: &str) -> bool {
    matches!(path, "apiVersion" | "status" | "stringData" | "metadata.namespace")
        || path.ends_with("creationTimestamp")
}

fn present(path: &mut String, wanted: &Value, found: &Value, out: &mut Vec<Change>) {
    if is_not_kept(path) || same(path, wanted, found) {
        return;
    }
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, wanted) in wanted {
                let length = path.len();
                push_key(path, key);
                match found.get(key) {
                    Some(found) => present(path, wanted, found, out),
                    None if is_empty(wanted) || is_not_kept(path) => {}
                    None => out.extend(leaf(path, Some(wanted), None)),
                }
                path.truncate(length);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.iter().any(Value::is_object) => {
            entries(path, wanted, found, out);
        }
        (wanted, found) => out.extend(leaf(path, Some(wanted), Some(found))),
    }
}

fn entries(path: &mut String, wanted: &[Value], found: &[Value], out: &mut Vec<Change>) {
    let key = list_key(wanted, wanted);
    for (index, item) in wanted.iter().enumerate() {
        let name = key.and_then(|key| entry_name(item, key));
        let same_entry = match (&name, key) {
            (Some(name), Some(key)) => {
                found.iter().find(|other| entry_name(other, key).as_ref() == Some(name))
            }
            (None, _) | (_, None) => found.get(index),
        };
        let length = path.len();
        path.push_str(&format!("[{}]", name.unwrap_or_else(|| index.to_string())));
        match same_entry {
            Some(other) => present(path, item, other, out),
            None => out.extend(leaf(path, Some(item), None)),
        }
        path.truncate(length);
    }
}

/// Empty values are dropped on the way through the API server.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
    }
}

fn same(path: &str, wanted: &Value, found: &Value) -> bool {
    if wanted == found || wanted.is_null() {
        return true;
    }
    let as_text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let (Some(wanted), Some(found)) = (as_text(wanted), as_text(found)) else { return false };
    let is_quantity = path.contains("resources") || path.ends_with("sizeLimit");
    wanted == found
        || (is_quantity && quantity(&wanted).is_some_and(|wanted| quantity(&found) == Some(wanted)))
}

/// A Kubernetes quantity in thousandths (`500m` is 500, `1Gi` is 1073741824000).
fn quantity(text: &str) -> Option<i128> {
    const SUFFIXES: [(&str, i128); 14] = [
        ("Ki", 1 << 10),
        ("Mi", 1 << 20),
        ("Gi", 1 << 30),
        ("Ti", 1 << 40),
        ("Pi", 1 << 50),
        ("Ei", 1 << 60),
        ("k", 1_000),
        ("M", 1_000_000),
        ("G", 1_000_000_000),
        ("T", 1_000_000_000_000),
        ("P", 1_000_000_000_000_000),
        ("E", 1_000_000_000_000_000_000),
        ("m", 0),
        ("", 1),
    ];
    let (suffix, factor) = SUFFIXES.into_iter().find(|(suffix, _)| text.ends_with(suffix))?;
    let digits = text.strip_suffix(suffix)?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if fraction.len() > 9 || whole.len() > 18 {
        return None;
    }
    let number: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10i128.pow(fraction.len() as u32);
    let thousandths = if factor == 0 { number } else { number.checked_mul(factor * 1_000)? };
    (thousandths % scale == 0).then_some(thousandths / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_compared_by_what_they_mean() {
        for (a, b) in [("1", "1000m"), ("0.5", "500m"), ("1Gi", "1024Mi"), ("1k", "1000")] {
            assert_eq!(quantity(a), quantity(b), "{a} {b}");
            assert!(quantity(a).is_some());
        }
        assert_ne!(quantity("1G"), quantity("1Gi"));
        assert_eq!(quantity("registry/orthid:2.7.1"), None);
        assert_eq!(quantity(""), None);
    }
}
