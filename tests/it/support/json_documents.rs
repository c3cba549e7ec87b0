//! Documents of one format, held to the JSON Schema that is published for them.
//!
//! The published schemas leave room for fields of later versions. Here they are closed, and every place that they
//! describe must be filled by some document: a new field fails, and so do one that is gone and one of another type.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::json_schema::Schema;

/// Where the book has them.
pub const SCHEMAS: &str = "book/src/reference/schemas";

/// A schema as published.
fn published(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMAS).join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The schema without room for other fields, wherever it describes an object and does not say what else may be in it.
fn closed(schema: &Value) -> Value {
    let mut closed = match schema {
        Value::Array(items) => return items.iter().map(self::closed).collect(),
        Value::Object(keywords) => keywords.clone(),
        _ => return schema.clone(),
    };
    closed.values_mut().for_each(|keyword| *keyword = self::closed(keyword));
    let is_object = match schema.get("type") {
        Some(Value::String(name)) => name == "object",
        Some(Value::Array(names)) => names.contains(&json!("object")),
        _ => false,
    };
    if is_object && !closed.contains_key("additionalProperties") {
        closed.insert("unevaluatedProperties".to_owned(), json!(false));
    }
    Value::Object(closed)
}

/// Places that a schema describes, other than those that are always null.
fn described(schema: &Value, root: &Value, at: &str, found: &mut BTreeSet<String>) {
    if let Some(target) = schema["$ref"].as_str() {
        described(root.pointer(&target[1..]).unwrap(), root, at, found);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        if property["type"] != "null" {
            let at = format!("{at}.{name}");
            described(property, root, &at, found);
            found.insert(at);
        }
    }
    if schema["items"].is_object() {
        described(&schema["items"], root, &format!("{at}[]"), found);
    }
    for part in ["oneOf", "anyOf"].iter().flat_map(|keyword| schema[*keyword].as_array()).flatten()
    {
        described(part, root, at, found);
    }
}

/// Places of a document that are not null.
fn filled(document: &Value, at: &str, found: &mut BTreeSet<String>) {
    match document {
        Value::Null => return,
        Value::Array(items) => {
            items.iter().for_each(|item| filled(item, &format!("{at}[]"), found))
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| filled(value, &format!("{at}.{name}"), found));
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    found.insert(at.to_owned());
}

/// Documents of one format, checked as they come.
pub struct Documents {
    pub published: Value,
    schema: Schema,
    filled: BTreeSet<String>,
}

impl Documents {
    pub fn of(name: &str) -> Documents {
        let published = published(name);
        // Open and closed, it must be a schema.
        Schema::new(&published);
        let schema = Schema::new(&closed(&published));
        Documents { published, schema, filled: BTreeSet::new() }
    }

    pub fn check(&mut self, text: &str) -> Value {
        let document: Value =
            serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(self.schema.errors(&document), [""; 0], "{text}");
        filled(&document, "", &mut self.filled);
        document
    }

    pub fn check_lines(&mut self, text: &str) -> Vec<Value> {
        text.lines().map(|line| self.check(line)).collect()
    }

    /// Asserts that every place that the schema describes was filled, but for these.
    pub fn are_complete_but_for(&self, exceptions: &[&str]) {
        let mut described = BTreeSet::new();
        self::described(&self.published, &self.published, "", &mut described);
        let empty: Vec<&String> = described.difference(&self.filled).collect();
        assert_eq!(empty, exceptions, "places that no document fills");
    }
    /// Asserts that a document with one more field, or with one value of another type, is refused wherever that is.
    pub fn are_strict_about(&self, document: &Value) {
        assert_eq!(self.schema.errors(document), [""; 0], "{document}");
        let mut places = Vec::new();
        self::places(document, "", &mut places);
        for place in places {
            let mut changed = document.clone();
            match changed.pointer_mut(&place).unwrap() {
                Value::Object(fields) => drop(fields.insert("surprise".to_owned(), json!(true))),
                other => *other = json!({ "surprise": true }),
            }
            assert!(!self.schema.errors(&changed).is_empty(), "a surprise at {place} is accepted");
        }
    }
}

/// Pointers to everything in a document, but for what a plan's author or a step may fill as they like.
fn places(document: &Value, at: &str, found: &mut Vec<String>) {
    let free = ["before", "after", "outputs"];
    if free.iter().any(|name| at.ends_with(&format!("/{name}"))) {
        return;
    }
    found.push(at.to_owned());
    match document {
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(n, item)| places(item, &format!("{at}/{n}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| places(value, &format!("{at}/{name}"), found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
