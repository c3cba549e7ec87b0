//! As much of JSON Schema 2020-12 as `orthid schema` writes. A keyword that is not known here is an error, so that the
//! schema can't come to say more than is checked.

use serde_json::{Map, Value};

/// Keywords that describe and assert nothing.
const NOTES: [&str; 5] = ["$schema", "$defs", "title", "description", "examples"];

pub struct Schema {
    pub root: Value,
}

impl Schema {
    /// What is wrong with a document, each with its place.
    pub fn errors(&self, document: &Value) -> Vec<String> {
        let mut errors = Vec::new();
        self.check(&self.root, document, "", &mut errors);
        errors
    }

    fn accepts(&self, schema: &Value, value: &Value, at: &str) -> bool {
        let mut errors = Vec::new();
        self.check(schema, value, at, &mut errors);
        errors.is_empty()
    }

    fn check(&self, schema: &Value, value: &Value, at: &str, errors: &mut Vec<String>) {
        let schema = schema.as_object().expect("a schema is an object");
        for (keyword, rule) in schema {
            let kept = match keyword.as_str() {
                "type" => is_of_type(rule, value),
                "enum" => rule.as_array().unwrap().contains(value),
                "pattern" => value.as_str().is_none_or(|text| matches(rule, text)),
                "$ref" => {
                    self.check(self.target(rule), value, at, errors);
                    true
                }
                "anyOf" => self.accepted(rule, value, at) >= 1,
                "oneOf" => self.accepted(rule, value, at) == 1,
                "required" => value.as_object().is_none_or(|object| {
                    let names = rule.as_array().unwrap().iter();
                    names.map(|name| name.as_str().unwrap()).all(|name| object.contains_key(name))
                }),
                "items" => {
                    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.check(rule, item, &format!("{at}[{n}]"), errors);
                    }
                    true
                }
                "properties" | "patternProperties" => true,
                "additionalProperties" | "unevaluatedProperties" => {
                    self.others(schema, keyword, rule, value, at, errors);
                    true
                }
                other => {
                    assert!(NOTES.contains(&other), "`{other}` is not checked yet");
                    true
                }
            };
            if !kept {
                errors.push(format!("{at}: {keyword} {rule} is not kept"));
            }
        }
        for (name, item) in value.as_object().into_iter().flatten() {
            for inner in named(schema, name) {
                self.check(inner, item, &format!("{at}/{name}"), errors);
            }
        }
    }

    fn accepted(&self, schemas: &Value, value: &Value, at: &str) -> usize {
        let schemas = schemas.as_array().unwrap().iter();
        schemas.filter(|schema| self.accepts(schema, value, at)).count()
    }

    /// Members that no other keyword speaks of; `unevaluatedProperties` also sees what a reference speaks of.
    fn others(
        &self,
        schema: &Map<String, Value>,
        keyword: &str,
        rule: &Value,
        value: &Value,
        at: &str,
        errors: &mut Vec<String>,
    ) {
        let referred = schema.get("$ref").filter(|_| keyword == "unevaluatedProperties");
        let referred = referred.map(|target| self.target(target).as_object().unwrap());
        for (name, item) in value.as_object().into_iter().flatten() {
            let spoken_of = !named(schema, name).is_empty()
                || referred.is_some_and(|schema| !named(schema, name).is_empty());
            match rule {
                _ if spoken_of => {}
                Value::Bool(allowed) if *allowed => {}
                Value::Bool(_) => errors.push(format!("{at}: `{name}` is not known")),
                rule => self.check(rule, item, &format!("{at}/{name}"), errors),
            }
        }
    }

    fn target(&self, reference: &Value) -> &Value {
        let path = reference.as_str().unwrap().strip_prefix('#').expect("within the schema");
        self.root.pointer(path).unwrap_or_else(|| panic!("{reference} leads nowhere"))
    }
}

/// The schemas that `properties` and `patternProperties` give a member.
fn named<'s>(schema: &'s Map<String, Value>, name: &str) -> Vec<&'s Value> {
    let exact = schema.get("properties").and_then(|properties| properties.get(name));
    let patterns = schema.get("patternProperties").and_then(Value::as_object);
    let by_pattern = patterns.into_iter().flatten();
    let by_pattern =
        by_pattern.filter(|(pattern, _)| regex::Regex::new(pattern).unwrap().is_match(name));
    exact.into_iter().chain(by_pattern.map(|(_, schema)| schema)).collect()
}

fn matches(pattern: &Value, text: &str) -> bool {
    regex::Regex::new(pattern.as_str().unwrap()).unwrap().is_match(text)
}

fn is_of_type(rule: &Value, value: &Value) -> bool {
    let name = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    match rule {
        Value::String(wanted) => wanted == name,
        Value::Array(wanted) => wanted.iter().any(|wanted| wanted == name),
        other => panic!("{other} is no type"),
    }
}
