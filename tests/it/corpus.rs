//! Broken plans under `tests/corpus`, each beside a text file with everything that is said about it.
//!
//! A file may begin with `# -var name=value` and `# env name=value` lines: values for its variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use orthid::graph;
use orthid::lang::{
    Code, Diagnostics, Inputs, RawValue, Source, VariableInput, VariableOrigin, inspect,
};

const WIDTH: usize = 100;

pub fn files(extension: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let pattern = folder.join("*").with_extension(extension).display().to_string();
    let mut files: Vec<_> = glob::glob(&pattern).unwrap().map(Result::unwrap).collect();
    files.sort();
    files
}

fn variables(text: &str) -> BTreeMap<String, VariableInput> {
    let mut variables = BTreeMap::new();
    for line in text.lines().take_while(|line| line.starts_with('#')) {
        let (from, rest) = if let Some(rest) = line.strip_prefix("# -var ") {
            (VariableOrigin::Flag, rest)
        } else if let Some(rest) = line.strip_prefix("# env ") {
            (VariableOrigin::Environment, rest)
        } else {
            continue;
        };
        let (name, value) = rest.split_once('=').expect("name=value");
        let input = VariableInput { value: RawValue::Text(value.to_owned()), from };
        variables.insert(name.to_owned(), input);
    }
    variables
}

#[expect(clippy::disallowed_methods, reason = "a test reads its corpus")]
fn bytes_of(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}

pub fn diagnostics(path: &Path) -> Diagnostics {
    let name = path.file_name().unwrap().to_str().unwrap();
    let source = match Source::from_bytes(name, bytes_of(path)) {
        Ok(source) => source,
        Err(diagnostics) => return diagnostics,
    };
    let inputs = Inputs { variables: variables(&source.text), ..Inputs::none() };
    match graph::build_for_validation(inspect(&[source], &inputs)) {
        Ok((_, found)) | Err(found) => found,
    }
}

#[test]
fn every_broken_plan_is_explained() {
    let files = files("hcl");
    assert!(files.len() >= 120, "the corpus has only {} plans", files.len());
    for path in &files {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let diagnostics = diagnostics(path);
        assert!(diagnostics.has_errors(), "{stem} is not broken");
        let text = diagnostics.render(WIDTH, false);
        let hidden = |c: &char| c.is_control() && *c != '\n';
        assert_eq!(text.chars().find(hidden), None, "{stem} prints a control character");
        expect_file![path.with_extension("txt")].assert_eq(&text);
    }
}

#[test]
fn every_explanation_has_its_plan() {
    let stems = |extension| -> BTreeSet<_> {
        files(extension).iter().map(|path| path.with_extension("")).collect()
    };
    assert_eq!(stems("txt"), stems("hcl"));
}

#[test]
fn every_code_is_in_the_corpus() {
    let mut seen = BTreeSet::new();
    for path in files("hcl") {
        seen.extend(diagnostics(&path).iter().map(|diagnostic| diagnostic.code));
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no broken plan gives {missing:?}");
}

#[test]
fn the_books_page_of_functions_is_the_function_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/reference/functions.md");
    expect_file![path].assert_eq(&orthid::lang::functions::reference());
}
