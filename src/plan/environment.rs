//! The environment variables that a plan reads: those that are missing are found before anything
//! happens, and the values of all are secrets.

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
    /// Variables that must be set → who reads them: steps, `database.NAME`, `release`.
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
        let Residual { env, optional_env, .. } = residual;
        for name in env.into_iter().filter(|name| !optional_env.contains(name)) {
            found.entry(name).or_default().insert(reader.to_owned());
        }
    });
}

/// Residual expressions anywhere in a value. Every type of the plan is plain data, so the walk
/// misses none, not even in a field that is added later.
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

#[cfg(test)]
mod tests {
    use crate::facts::Facts;
    use crate::lang::{self, Inputs, Source};

    fn needed(argument: &str) -> Vec<String> {
        let text =
            format!("run \"a\" {{\n  command = [\"true\"]\n  env = {{ X = {argument} }}\n}}\n");
        let config = lang::load(&[Source::new("p.hcl", text)], &Inputs::none());
        let config = config.unwrap_or_else(|errors| panic!("{errors}"));
        let facts: Facts = serde_json::from_value(serde_json::json!({
            "format_version": 1, "observed_at": "", "cluster": null, "helm": null,
            "release": null, "databases": {}, "backup_space": {},
        }))
        .unwrap();
        let plan = super::super::plan(&config, &facts).unwrap_or_else(|error| panic!("{error}"));
        plan.environment().into_keys().collect()
    }

    #[test]
    fn a_variable_that_try_or_can_catches_need_not_be_set() {
        let none: [&str; 0] = [];
        let cases: [(&str, &[&str]); 8] = [
            (r#"env("A")"#, &["A"]),
            (r#"try(env("A"), "x")"#, &none),
            (r#"can(env("A")) ? "yes" : "no""#, &none),
            (r#"try(env("A"), env("B"))"#, &none),
            (r#"upper(try(env("A"), "x"))"#, &none),
            (r#""${try(env("A"), "x")}${env("B")}""#, &["B"]),
            (r#""${try(env("A"), "x")}${env("A")}""#, &["A"]),
            (r#""${env("A")} and try(it), can(it)""#, &["A"]),
        ];
        for (argument, expected) in cases {
            assert_eq!(needed(argument), expected, "{argument}");
        }
    }
}
