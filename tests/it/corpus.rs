//! Broken plans under `tests/corpus`, each with a snapshot of everything that is said about it.
//!
//! A file may begin with `# -var name=value` and `# env name=value` lines: values for its variables.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use orthid::graph;
use orthid::lang::{
    Code, Diagnostics, Inputs, RawValue, Source, VariableInput, VariableOrigin, inspect,
};

const WIDTH: usize = 100;

fn files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus");
    let pattern = folder.join("*.hcl").display().to_string();
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

fn diagnostics(path: &Path) -> Diagnostics {
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
    let files = files();
    assert!(files.len() >= 120, "the corpus has only {} plans", files.len());
    let mut settings = insta::Settings::clone_current();
    settings.set_prepend_module_to_snapshot(false);
    settings.set_snapshot_path("../corpus/snapshots");
    settings.set_omit_expression(true);
    settings.bind(|| {
        for path in &files {
            let stem = path.file_stem().unwrap().to_str().unwrap();
            let diagnostics = diagnostics(path);
            assert!(diagnostics.has_errors(), "{stem} is not broken");
            let text = diagnostics.render(WIDTH, false);
            let hidden = |c: &char| c.is_control() && *c != '\n';
            assert_eq!(text.chars().find(hidden), None, "{stem} prints a control character");
            insta::assert_snapshot!(stem, text);
        }
    });
}

#[test]
fn every_code_is_in_the_corpus() {
    let mut seen = BTreeSet::new();
    for path in files() {
        seen.extend(diagnostics(&path).iter().map(|diagnostic| diagnostic.code));
    }
    let missing: Vec<_> = Code::ALL.iter().filter(|code| !seen.contains(code)).collect();
    assert!(missing.is_empty(), "no broken plan gives {missing:?}");
}

/// `UPDATE_BOOK=1` writes the page anew.
#[test]
fn the_books_page_of_functions_is_the_function_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/reference/functions.md");
    let expected = orthid::lang::functions::reference();
    if asked_to_update() {
        write(&path, &expected);
    }
    let page = String::from_utf8(bytes_of(&path)).unwrap();
    assert_eq!(page, expected, "the page is older than the table: run with UPDATE_BOOK=1");
}

#[expect(clippy::disallowed_methods, reason = "a test is told to write by its environment")]
fn asked_to_update() -> bool {
    std::env::var("UPDATE_BOOK").is_ok()
}

#[expect(clippy::disallowed_methods, reason = "a test that was told to writes the page")]
fn write(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
}
