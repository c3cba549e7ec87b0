//! The language as a JSON Schema, for editors and for programs that write plans: the structure of
//! HCL's JSON form, in which a block is an object under its kind and its labels.
//!
//! Must not: know more of the language than [`schema`](crate::lang::schema) says.

use serde_json::{Map, Value, json};

use crate::lang::schema;
use crate::lang::schema::{AttributeSchema, BlockSchema, Labels, STEP_ATTRIBUTES, Ty};

/// The schema of a plan file, JSON Schema 2020-12.
pub fn json_schema() -> Value {
    let mut definitions = Map::new();
    definitions.insert(
        "expression".to_owned(),
        json!({
            "description": "A template string: ${…} holds an expression.",
            "type": "string",
            "pattern": r"\$\{"
        }),
    );
    definitions.insert("step".to_owned(), step_attributes());
    let mut root = block(&schema::FILE);
    let head = [
        ("$schema", json!("https://json-schema.org/draft/2020-12/schema")),
        ("title", json!("orthid plan")),
        ("$defs", Value::Object(definitions)),
    ];
    for (name, value) in head {
        root.insert(name.to_owned(), value);
    }
    Value::Object(root)
}

/// The attributes of all steps, which each step's schema refers to.
fn step_attributes() -> Value {
    let properties = STEP_ATTRIBUTES.iter().map(|a| (a.name.to_owned(), attribute(a)));
    json!({ "properties": Value::Object(properties.collect()) })
}

fn block(schema: &BlockSchema) -> Map<String, Value> {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for known in schema.attributes {
        properties.insert(known.name.to_owned(), attribute(known));
        if known.required {
            required.push(json!(known.name));
        }
    }
    for inner in schema.blocks {
        properties.insert(inner.name.to_owned(), labelled(inner));
        if inner.required {
            required.push(json!(inner.name));
        }
    }
    let mut out = Map::new();
    out.insert("description".to_owned(), json!(schema.doc));
    out.insert("type".to_owned(), json!("object"));
    out.insert("properties".to_owned(), Value::Object(properties));
    if !required.is_empty() {
        out.insert("required".to_owned(), Value::Array(required));
    }
    if schema.step {
        out.insert("$ref".to_owned(), json!("#/$defs/step"));
    }
    match schema.open {
        Some(ty) => out.insert("additionalProperties".to_owned(), value(ty)),
        // Attributes of all steps come by reference, which `additionalProperties` does not see.
        None => out.insert("unevaluatedProperties".to_owned(), json!(false)),
    };
    out
}

/// A block as it stands under its kind: by label where it has one, in a list where there may be
/// several of the same.
fn labelled(schema: &BlockSchema) -> Value {
    let body = Value::Object(block(schema));
    let repeated = |body: Value| json!({ "oneOf": [body, { "type": "array", "items": body }] });
    match schema.labels {
        Labels::None if schema.many => repeated(body),
        Labels::None => body,
        Labels::Name => by_label(&body, "^[A-Za-z_][A-Za-z0-9_-]*$"),
        Labels::Version => by_label(&body, r"^[0-9]+\.[0-9]+\.[0-9]+"),
        Labels::Optional => json!({ "anyOf": [body, by_label(&body, ".")] }),
    }
}

fn by_label(body: &Value, pattern: &str) -> Value {
    json!({
        "type": "object",
        "patternProperties": { pattern: body },
        "additionalProperties": false
    })
}

fn attribute(attribute: &AttributeSchema) -> Value {
    let mut out = match value(attribute.ty) {
        Value::Object(out) => out,
        other => unreachable!("a type is an object of JSON Schema: {other}"),
    };
    out.insert("description".to_owned(), json!(attribute.doc));
    Value::Object(out)
}

/// What an attribute may be. Everything may be an expression in a template string instead.
fn value(ty: Ty) -> Value {
    let or_expression =
        |plain: Value| json!({ "anyOf": [plain, { "$ref": "#/$defs/expression" }] });
    match ty {
        Ty::Text | Ty::Argument | Ty::TypeConstraint => json!({ "type": "string" }),
        Ty::Bool | Ty::Condition => or_expression(json!({ "type": "boolean" })),
        Ty::Number => or_expression(json!({ "type": "number" })),
        Ty::Duration => or_expression(json!({
            "type": "string",
            "examples": ["200ms", "30s", "10m", "1h30m"]
        })),
        Ty::Version => or_expression(json!({ "type": "string", "examples": ["2.7.1"] })),
        Ty::VersionRange => {
            or_expression(json!({ "type": "string", "examples": [">= 2.6.0, < 2.7.0"] }))
        }
        Ty::Texts | Ty::Arguments => {
            or_expression(json!({ "type": "array", "items": { "type": "string" } }))
        }
        Ty::Numbers => or_expression(json!({ "type": "array", "items": { "type": "number" } })),
        Ty::ArgumentMap | Ty::TextMap => or_expression(json!({
            "type": "object",
            "additionalProperties": { "type": "string" }
        })),
        Ty::NumberOrNumbers => or_expression(json!({
            "type": ["number", "array"],
            "items": { "type": "number" }
        })),
        Ty::Any => json!({}),
        Ty::Steps => json!({
            "type": "array",
            "items": { "type": "string", "examples": ["${backup.before}"] }
        }),
        Ty::BackupId => reference("${backup.before.id}"),
        Ty::VerifiedId => reference("${verify.before.id}"),
        Ty::Database => reference("${database.main}"),
        Ty::ForEach => json!({
            "anyOf": [
                { "type": "object" },
                { "type": "array", "items": { "type": "string" } },
                { "$ref": "#/$defs/expression" }
            ]
        }),
        Ty::OneOf(words) => or_expression(json!({ "enum": words })),
    }
}

fn reference(example: &str) -> Value {
    json!({ "$ref": "#/$defs/expression", "examples": [example] })
}
