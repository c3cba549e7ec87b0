//! A JSON Schema 2020-12 with its validator.

use jsonschema::{Validator, draft202012};
use serde_json::Value;

pub struct Schema(Validator);

impl Schema {
    /// Checks the schema against the meta-schema first.
    pub fn new(schema: &Value) -> Self {
        if let Err(error) = draft202012::meta::validate(schema) {
            panic!("{}: {error}", error.instance_path());
        }
        let options = draft202012::options().should_validate_formats(true);
        Self(options.build(schema).unwrap())
    }

    /// Each error in a document, with its place.
    pub fn errors(&self, document: &Value) -> Vec<String> {
        let errors = self.0.iter_errors(document);
        errors.map(|error| format!("{}: {error}", error.instance_path())).collect()
    }
}
