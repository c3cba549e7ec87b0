//! The JSON Schema of the language, as `orthid schema` prints it: a schema by JSON Schema's own rules, and one that
//! agrees with the language on the JSON form of every plan.

use std::collections::BTreeSet;

use expect_test::expect_file;
use orthid::lang::Code;
use serde_json::Value;

use crate::support::json_schema::Schema;
use crate::support::program;
use crate::{corpus, plans};

fn schema() -> Schema {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = program::orthid(root).arg("schema").output().unwrap();
    Schema::new(&serde_json::from_slice(&output.stdout).unwrap())
}

/// A plan in HCL's JSON form, as `orthid schema` describes it.
fn as_json(text: &str) -> Result<Value, hcl::Error> {
    hcl::from_str(text)
}

#[test]
fn every_plan_keeps_to_the_schema() {
    let schema = schema();
    for plan in plans::plans() {
        let json = as_json(&std::fs::read_to_string(&plan).unwrap()).unwrap();
        assert_eq!(schema.errors(&json), [""; 0], "{}", plan.display());
    }
}

#[test]
fn it_refuses_what_the_language_refuses() {
    let schema = schema();
    let broken = [
        "chekpoint \"a\" {}",
        "run \"a\" {\n  comand = [\"x\"]\n}",
        "run \"a\" {}",
        "run \"not a name\" {\n  command = [\"x\"]\n}",
        "run \"a\" {\n  command = 1\n}",
        "run \"a\" {\n  command = [\"x\"]\n  on_failure = \"explode\"\n}",
        "run \"a\" {\n  command = [\"x\"]\n  retry {\n    attempts = \"many\"\n  }\n}",
        "upgrade \"a\" {\n  from = \"1.0.0\"\n}",
        "verify \"a\" {\n  backup = \"before\"\n}",
        "colour = 1",
    ];
    for text in broken {
        assert!(!schema.errors(&as_json(text).unwrap()).is_empty(), "{text}");
    }
    let right = "run \"a\" {\n  command = [\"x\"]\n  on_failure = \"stop\"\n}";
    assert_eq!(schema.errors(&as_json(right).unwrap()), [""; 0]);
}

/// Errors that may show in a plan's structure alone, which is all that a schema sees.
const OF_STRUCTURE: [Code; 11] = [
    Code::DuplicateName,
    Code::InvalidDuration,
    Code::InvalidName,
    Code::InvalidValue,
    Code::InvalidVersion,
    Code::MissingAttribute,
    Code::MissingBlock,
    Code::UnknownAttribute,
    Code::UnknownBlock,
    Code::WrongLabels,
    Code::WrongType,
];

#[test]
fn of_the_broken_plans_it_refuses_those_whose_structure_is() {
    let schema = schema();
    let mut judged = 0;
    let mut missed = String::new();
    for path in corpus::files("hcl") {
        let stem = path.file_stem().unwrap().to_string_lossy();
        // What is not HCL has no JSON form.
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let Ok(json) = as_json(&text) else { continue };
        judged += 1;
        let mut codes: Vec<Code> = corpus::diagnostics(&path).iter().map(|it| it.code).collect();
        codes.retain(|code| OF_STRUCTURE.contains(code));
        let errors = schema.errors(&json);
        assert!(errors.is_empty() || !codes.is_empty(), "{stem} is well built: {errors:?}");
        if errors.is_empty() && !codes.is_empty() {
            let codes: BTreeSet<&str> = codes.iter().map(|code| code.as_str()).collect();
            missed.push_str(&format!("{stem}: {codes:?}\n").replace("orthid::config::", ""));
        }
    }
    assert!(judged > 120, "{judged} broken plans have a JSON form");
    expect_file!["./snapshots/not_seen_by_the_schema.txt"].assert_eq(&missed);
}
