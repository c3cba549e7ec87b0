//! The environment variables that a run of a plan reads, so that one that is missing is found before anything happens.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Plan;
use crate::model::Residual;

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

/// Residual expressions anywhere in a value. Every type of the plan is plain data, so the walk misses none, not even in
/// a field that is added later.
fn collect(value: &Value, reader: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    match value {
        Value::Object(map) => {
            if let Ok(residual) = serde_json::from_value::<Residual>(value.clone()) {
                // `try(env("X"), …)` has an answer where X is not set.
                let has_another_way =
                    residual.expr.contains("try(") || residual.expr.contains("can(");
                for name in residual.env.into_iter().filter(|_| !has_another_way) {
                    found.entry(name).or_default().insert(reader.to_owned());
                }
            }
            map.values().for_each(|value| collect(value, reader, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, reader, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
