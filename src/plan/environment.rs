//! The environment variables that a plan reads: those that are missing are found before anything happens, and the values
//! of all are secrets.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Plan;
use crate::model::{DatabaseSpec, ReleaseSpec, Residual, Step};

/// What the author of a plan wrote, resolved: nothing that was observed.
#[derive(Clone, Debug)]
pub struct Authored(Value);

impl Authored {
    pub fn new(
        steps: &[Step],
        release: Option<&ReleaseSpec>,
        databases: &BTreeMap<String, DatabaseSpec>,
    ) -> Authored {
        // Every type of the plan is plain data, with string keys only.
        Authored(serde_json::to_value((steps, release, databases)).unwrap_or_default())
    }

    /// Environment variables that its expressions read. Their values are secrets.
    pub fn variables(&self) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        residuals(&self.0, &mut |residual| found.extend(residual.env));
        found
    }

    /// Everything that it says openly, a text a line.
    pub fn words(&self) -> String {
        let mut words = String::new();
        strings(&self.0, &mut words);
        words
    }
}

fn strings(value: &Value, words: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                words.push_str(key);
                words.push('\n');
                strings(value, words);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| strings(value, words)),
        Value::String(text) => {
            words.push_str(text);
            words.push('\n');
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl Plan {
    /// Variable → who reads it: steps, or `database.NAME`.
    pub fn environment(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut found = BTreeMap::new();
        let mut note = |reader: String, value: Value| collect(&value, &reader, &mut found);
        for step in &self.steps {
            note(step.address.to_string(), serde_json::to_value(step).unwrap_or_default());
        }
        for (name, database) in &self.databases {
            let value = serde_json::to_value(database).unwrap_or_default();
            note(format!("database.{name}"), value);
        }
        let release = serde_json::to_value(&self.release).unwrap_or_default();
        note("release".to_owned(), release);
        found
    }
}

fn collect(value: &Value, reader: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    residuals(value, &mut |residual| {
        // `try(env("X"), …)` has an answer where X is not set.
        let has_another_way = residual.expr.contains("try(") || residual.expr.contains("can(");
        for name in residual.env.into_iter().filter(|_| !has_another_way) {
            found.entry(name).or_default().insert(reader.to_owned());
        }
    });
}

/// Residual expressions anywhere in a value. Every type of the plan is plain data, so the walk misses none, not even in
/// a field that is added later.
fn residuals(value: &Value, take: &mut dyn FnMut(Residual)) {
    match value {
        Value::Object(map) => {
            if map.contains_key("expr")
                && let Ok(residual) = serde_json::from_value::<Residual>(value.clone())
            {
                take(residual);
            }
            map.values().for_each(|value| residuals(value, take));
        }
        Value::Array(values) => values.iter().for_each(|value| residuals(value, take)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
