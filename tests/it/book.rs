//! The book holds together: every page is in the summary, every link leads somewhere, every plan has a chapter that
//! includes it, and what the chapters say in HCL is HCL that orthid knows.

#![expect(clippy::disallowed_methods, reason = "a test reads the book")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use expect_test::expect_file;
use orthid::lang::{self, Code, Inputs, Source};
use orthid::plan::checks::Check;

use crate::support::program;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn source() -> PathBuf {
    root().join("book/src")
}

/// Every file below a folder with this ending, in order.
fn files(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(folder) = pending.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => pending.push(path),
                false if path.to_string_lossy().ends_with(ending) => found.push(path),
                false => {}
            }
        }
    }
    found.sort();
    found
}

fn pages() -> Vec<PathBuf> {
    let pages = files(&source(), ".md");
    assert!(pages.len() > 40, "{pages:?}");
    pages
}

/// A page's lines outside its fenced blocks.
fn prose(page: &str) -> String {
    let mut fenced = false;
    let lines = page.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fenced && !fence
    });
    lines.map(|line| format!("{line}\n")).collect()
}

/// Targets of `[text](target)`, those inside `code` left out.
fn links(page: &str) -> Vec<String> {
    let text: String = prose(page).split('`').step_by(2).collect();
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.map(str::to_owned).collect()
}

/// The anchors of a page, as mdBook makes them of headings.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page);
    let headings = headings.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept =
                title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Links of a page that lead nowhere.
fn broken(path: &Path) -> Vec<String> {
    let page = fs::read_to_string(path).unwrap();
    let local = links(&page).into_iter().filter(|target| !target.contains("://"));
    local
        .filter(|target| {
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let file = match file {
                "" => path.to_owned(),
                file => path.parent().unwrap().join(file),
            };
            let known = || anchors(&fs::read_to_string(&file).unwrap_or_default());
            !file.exists() || (!anchor.is_empty() && !known().contains(anchor))
        })
        .map(|target| format!("{}: {target}", path.display()))
        .collect()
}

#[test]
fn every_page_is_in_the_summary() {
    let summary = fs::read_to_string(source().join("SUMMARY.md")).unwrap();
    let named: BTreeSet<PathBuf> =
        links(&summary.replace('`', "")).iter().map(|target| source().join(target)).collect();
    let there: BTreeSet<PathBuf> =
        pages().into_iter().filter(|path| !path.ends_with("SUMMARY.md")).collect();
    assert_eq!(named, there);
}

#[test]
fn every_link_leads_somewhere() {
    let mut read = pages();
    read.extend(["README.md", "ARCHITECTURE.md", "CHANGELOG.md"].map(|name| root().join(name)));
    let broken: Vec<String> = read.iter().flat_map(|path| broken(path)).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn every_plan_has_a_chapter_that_includes_it() {
    let mut included = BTreeSet::new();
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        for include in page.split("{{#include ").skip(1) {
            let target = include.split("}}").next().unwrap().trim();
            let (file, anchor) = target.split_once(':').unwrap_or((target, ""));
            let file = path.parent().unwrap().join(file);
            let text = fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{} includes {target}: {error}", path.display()));
            assert!(text.contains(&format!("ANCHOR: {anchor}")) || anchor.is_empty(), "{target}");
            included.insert(fs::canonicalize(file).unwrap());
        }
    }
    let plans = files(&root().join("plans"), ".hcl");
    let left: Vec<&PathBuf> = plans.iter().filter(|plan| !included.contains(*plan)).collect();
    assert!(plans.len() >= 6 && left.is_empty(), "no chapter includes {left:?}");
}

/// What may be wrong with an example that shows a part of a plan: the rest of the plan is missing.
fn is_for_want_of_the_rest(code: Code) -> bool {
    matches!(
        code,
        Code::MissingBlock
            | Code::MissingAttribute
            | Code::UnknownReference
            | Code::VariableNotSet
            | Code::NotKnownYet
            | Code::FileError
    )
}

#[test]
fn every_example_is_hcl_that_orthid_knows() {
    let mut wrong = Vec::new();
    let mut seen = 0;
    // Pages of errors have a test of their own, and so has the page of functions, whose examples are expressions.
    let elsewhere = [source().join("errors"), source().join("reference/functions.md")];
    let read = pages().into_iter().filter(|path| !elsewhere.iter().any(|it| path.starts_with(it)));
    for path in read.chain([root().join("README.md")]) {
        let page = fs::read_to_string(&path).unwrap();
        for example in page.split("```hcl\n").skip(1) {
            let example = example.split("```").next().unwrap();
            if example.contains("{{#include") || example.contains('…') {
                continue;
            }
            seen += 1;
            let source = Source::from_bytes("example.hcl", example.as_bytes().to_vec()).unwrap();
            let files = |path: &str| Err(format!("{path} is not there"));
            let inputs = Inputs { variables: [].into(), files: &files, require_variables: false };
            let found = lang::load(std::slice::from_ref(&source), &inputs).err();
            let found = found.iter().flat_map(|found| found.iter());
            let found: Vec<String> = found
                .filter(|diagnostic| !is_for_want_of_the_rest(diagnostic.code))
                .map(|diagnostic| diagnostic.message.clone())
                .collect();
            let laid_out = lang::fmt::format(&source).is_ok_and(|text| text == example);
            if !found.is_empty() || !laid_out {
                wrong.push(format!(
                    "{}: {found:?}, laid out: {laid_out}\n{example}",
                    path.display()
                ));
            }
        }
    }
    assert!(wrong.is_empty() && seen > 5, "{seen} examples\n{}", wrong.join("\n"));
}

/// What a command prints when it is run in the repository: results, then messages, then how it ended.
fn printed(command: &str) -> String {
    let state = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", state.path().join("state.db").display());
    let words = command.split_whitespace().skip(1);
    let output = program::orthid(&root()).env("ORTHID_STATE", url).args(words).output().unwrap();
    let mut text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    if let Some(code @ 1..) = output.status.code() {
        text.push_str(&format!("(exit code {code})\n"));
    }
    text
}

/// A page with the output of every command in its blocks that are marked to be run.
fn remade(page: &str) -> String {
    const MARK: &str = "<!-- run -->\n```console\n";
    let mut parts = page.split(MARK);
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (block, rest) = part.split_once("```").unwrap();
        text.push_str(MARK);
        for command in block.lines().filter(|line| line.starts_with("$ orthid ")) {
            text.push_str(&format!("{command}\n{}", printed(command.trim_start_matches("$ "))));
        }
        text.push_str(&format!("```{rest}"));
    }
    text
}

#[test]
fn every_command_that_is_marked_prints_what_its_page_shows() {
    let mut seen = 0;
    for path in pages() {
        let page = fs::read_to_string(&path).unwrap();
        if page.contains("<!-- run -->") {
            seen += 1;
            expect_file![path].assert_eq(&remade(&page));
        }
    }
    assert!(seen > 3, "{seen} pages run commands");
}

fn help(arguments: &[&str]) -> String {
    let output = program::orthid(&root()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_command_line_is_the_programs_own_help() {
    let own = help(&["--help"]);
    let listed = own.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<&str> = listed
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.strip_prefix("  ")?.split(' ').next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(commands.len() > 10, "{commands:?}");
    let mut page = "# Command line\n\n<!-- Made from `orthid --help` -->\n\n\
                    What `--help` says, command by command. [Exit codes](exit-codes.md) has its own page.\n\n"
        .to_owned();
    page.push_str(&format!("```text\n{}\n```\n", own.trim_end()));
    for command in commands {
        let text = help(&[command, "--help"]);
        page.push_str(&format!("\n## `orthid {command}`\n\n```text\n{}\n```\n", text.trim_end()));
    }
    expect_file![source().join("reference/command-line.md")].assert_eq(&page);
}

#[test]
fn every_check_has_its_part_of_the_page() {
    let page = fs::read_to_string(source().join("reference/checks.md")).unwrap();
    let headings: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("## `")?.strip_suffix('`')).collect();
    let codes: BTreeSet<&str> = Check::ALL.iter().map(|check| check.code()).collect();
    assert_eq!(headings, codes);
    let untitled: Vec<&str> = Check::ALL
        .iter()
        .map(|check| check.title())
        .filter(|title| !page.contains(title))
        .collect();
    assert!(untitled.is_empty(), "{untitled:?}");
}

#[test]
fn every_code_of_the_world_a_plan_and_a_run_is_listed() {
    let page = fs::read_to_string(source().join("reference/error-codes.md")).unwrap();
    let code = regex::Regex::new(r#""(orthid::(?:plan|world|run|facts|store)[a-z_:]*)""#).unwrap();
    let sources = files(&root().join("src"), ".rs");
    let texts: Vec<String> = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let used: BTreeSet<&str> = texts
        .iter()
        .flat_map(|text| code.captures_iter(text))
        .map(|found| found.get(1).unwrap().as_str())
        .collect();
    let left: Vec<&&str> =
        used.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(
        used.len() > 30 && left.is_empty(),
        "{} codes, of which not in the book: {left:?}",
        used.len()
    );
}
