//! Every code of the language has a page in the book, whose example gives that code and whose remedy is valid.

#![expect(clippy::disallowed_methods, reason = "a test reads the book")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use orthid::graph;
use orthid::lang::{
    self, Code, Diagnostics, Inputs, RawValue, Source, VariableInput, VariableOrigin,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src/errors")
}

/// A page's blocks of one language, in order.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    page.split(&opening).skip(1).map(|rest| rest.split("\n```").next().unwrap_or("")).collect()
}

/// Values that the page's command gives: `-var name=value`.
fn variables(page: &str) -> BTreeMap<String, VariableInput> {
    let commands = blocks(page, "console").join(" ");
    let words: Vec<&str> = commands.split_whitespace().collect();
    let flags = words.windows(2).filter(|pair| pair[0] == "-var");
    let values = flags.filter_map(|pair| pair[1].split_once('='));
    values
        .map(|(name, value)| {
            let value = RawValue::Text(value.to_owned());
            (name.to_owned(), VariableInput { value, from: VariableOrigin::Flag })
        })
        .collect()
}

fn found(plan: &str, page: &str) -> Diagnostics {
    let bytes = plan.replace("\\xff", "\u{1}").into_bytes();
    let bytes: Vec<u8> = bytes.into_iter().map(|b| if b == 1 { 0xff } else { b }).collect();
    let source = match Source::from_bytes("plan.hcl", bytes) {
        Ok(source) => source,
        Err(found) => return found,
    };
    let inputs = Inputs {
        variables: variables(page),
        files: &|path| Err(format!("cannot read `{path}`: no such file")),
        require_variables: true,
    };
    match graph::build_for_validation(lang::inspect(&[source], &inputs)) {
        Ok((_, found)) | Err(found) => found,
    }
}

fn codes(found: &Diagnostics) -> BTreeSet<&'static str> {
    found.iter().map(|diagnostic| diagnostic.code.as_str()).collect()
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let pages: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    let codes: BTreeSet<String> =
        Code::ALL.iter().map(|code| format!("{}.md", code.slug())).collect();
    assert_eq!(pages, codes);
}

#[test]
fn every_example_gives_its_code_and_every_remedy_is_valid() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let page = fs::read_to_string(folder().join(format!("{}.md", code.slug()))).unwrap();
        assert!(page.starts_with(&format!("# `{code}`\n")), "{code}: {page}");
        let examples = blocks(&page, "hcl");
        let [broken, mended] = examples[..] else {
            panic!("{code}: the page has {} plans instead of two", examples.len());
        };
        let of_broken = found(broken, &page);
        if codes(&of_broken) != BTreeSet::from([code.as_str()]) {
            wrong.push(format!("{code}: the example gives\n{of_broken}"));
        }
        let of_mended = found(mended, &page);
        if !of_mended.is_empty() {
            wrong.push(format!("{code}: the remedy gives\n{of_mended}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
