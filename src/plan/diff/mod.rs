//! What an upgrade changes in the cluster: Helm's rendered old against new, object by object and
//! field by field; and, apart from it, where live objects have drifted from the deployed manifest.
//!
//! Must not: keep a fingerprint of a secret. That a secret changes is said, and nothing else of it.

mod drift;
mod fields;
mod manifest;
mod values;

use std::collections::BTreeMap;

use serde_json::Value;

use super::change::{
    ChangeAction, HopDiff, ImageChange, NameChange, ObjectChange, ObjectRef, ValuesDiff,
};

pub use drift::{drift, scaled_by};
pub use manifest::{Manifest, containers, pod_spec};
pub use values::{ValuesInput, lookup, values};

/// One side of a hop: what Helm holds deployed, or what it would apply.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    pub manifest: &'a Manifest,
    /// `pre-upgrade: Job/orthid-migrate`
    pub hooks: &'a [String],
    /// Files under `crds/`: name → digest; none where the chart was not at hand.
    pub crds: Option<&'a BTreeMap<String, String>>,
}

/// Compares two sides.
pub fn hop(before: Side<'_>, after: Side<'_>, values: ValuesDiff) -> HopDiff {
    let objects = objects(before.manifest, after.manifest);
    let in_both = after.manifest.objects.keys().filter(|k| before.manifest.objects.contains_key(k));
    let updated = objects.iter().filter(|o| o.action == ChangeAction::Update).count();
    HopDiff {
        unchanged: in_both.count() - updated,
        images: images(before.manifest, after.manifest),
        hooks: names(before.hooks, after.hooks),
        crds: match (before.crds, after.crds) {
            (Some(before), Some(after)) => digests(before, after),
            (None, _) | (_, None) => Vec::new(),
        },
        objects,
        values,
    }
}

/// Every object that differs.
pub fn objects(before: &Manifest, after: &Manifest) -> Vec<ObjectChange> {
    let mut all: Vec<&ObjectRef> = before.objects.keys().chain(after.objects.keys()).collect();
    all.sort();
    all.dedup();
    let compared = all.into_iter().filter_map(|object| {
        let (action, changes) = match (before.objects.get(object), after.objects.get(object)) {
            (None, Some(_)) => (ChangeAction::Create, Vec::new()),
            (Some(_), None) => (ChangeAction::Delete, Vec::new()),
            (Some(old), Some(new)) => {
                let changes = fields::compare(old, new);
                if changes.is_empty() {
                    return None;
                }
                (ChangeAction::Update, changes)
            }
            (None, None) => return None,
        };
        Some(ObjectChange { object: object.clone(), action, changes })
    });
    compared.collect()
}

fn images(before: &Manifest, after: &Manifest) -> Vec<ImageChange> {
    let list = |manifest: &Manifest| -> BTreeMap<(String, String), String> {
        let all = manifest.objects.iter().flat_map(|(object, value)| {
            containers(value).into_iter().filter_map(move |container| {
                let text = |field| container.get(field).and_then(Value::as_str);
                let name = text("name").unwrap_or("?").to_owned();
                Some(((object.to_string(), name), text("image")?.to_owned()))
            })
        });
        all.collect()
    };
    let (old, new) = (list(before), list(after));
    let mut keys: Vec<_> = old.keys().chain(new.keys()).collect();
    keys.sort();
    keys.dedup();
    keys.into_iter()
        .filter(|key| old.get(key) != new.get(key))
        .map(|key| ImageChange {
            workload: key.0.clone(),
            container: key.1.clone(),
            before: old.get(key).cloned(),
            after: new.get(key).cloned(),
        })
        .collect()
}

fn names(before: &[String], after: &[String]) -> Vec<NameChange> {
    let change = |name: &String, action| NameChange { name: name.clone(), action };
    let gone = before.iter().filter(|name| !after.contains(name));
    let come = after.iter().filter(|name| !before.contains(name));
    let mut all: Vec<NameChange> = gone.map(|name| change(name, ChangeAction::Delete)).collect();
    all.extend(come.map(|name| change(name, ChangeAction::Create)));
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn digests(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<NameChange> {
    let mut keys: Vec<&String> = before.keys().chain(after.keys()).collect();
    keys.sort();
    keys.dedup();
    let changed = keys.into_iter().filter_map(|name| {
        let action = match (before.get(name), after.get(name)) {
            (Some(old), Some(new)) if old == new => return None,
            (Some(_), Some(_)) => ChangeAction::Update,
            (None, _) => ChangeAction::Create,
            (Some(_), None) => ChangeAction::Delete,
        };
        Some(NameChange { name: name.clone(), action })
    });
    changed.collect()
}

#[cfg(test)]
mod tests;
