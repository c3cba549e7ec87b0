//! Holds the direction in which modules may know each other, by reading the sources.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

/// Module → the modules of this crate that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("model", &[]),
    ("journal", &["model"]),
    ("lang", &["text", "model"]),
    ("path", &["model", "lang", "facts"]),
    ("facts", &["model"]),
    ("graph", &["text", "model", "lang"]),
    ("plan", &["text", "model", "lang", "path", "facts", "graph"]),
    ("store", &["journal", "plan"]),
    ("run", &["text", "model", "journal", "plan", "graph", "lang", "store"]),
    ("world", &["text", "model", "journal", "plan", "run", "facts", "lang", "graph", "path"]),
    ("simulate", &["text", "model", "journal", "plan", "run", "store"]),
    ("render", &["text", "model", "journal", "lang", "graph", "plan", "run", "simulate"]),
];

/// The modules that compute and nothing else, and what they must not mention.
const PURE: &[&str] = &["text", "lang", "model", "path", "graph", "plan", "render"];
const EFFECTS: &str = r"\b(tokio|sqlx|rusqlite|kube|reqwest|indicatif)::|std::(fs|env|process|net)\b|SystemTime|Instant::now";

fn sources(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(module);
    let mut found = Vec::new();
    let mut pending = vec![root];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "tests" {
                pending.push(path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The source without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
    code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[test]
fn modules_know_only_what_the_direction_allows() {
    let uses = Regex::new(r"crate::([a-z_]+)").unwrap();
    let mut wrong = Vec::new();
    for (module, allowed) in MAY_USE {
        for path in sources(module) {
            for found in uses.captures_iter(&code(&path)) {
                let other = &found[1];
                let known = MAY_USE.iter().any(|(name, _)| *name == other) || other == "cli";
                if known && other != *module && !allowed.contains(&other) {
                    wrong.push(format!("{} uses {other}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn pure_modules_reach_for_nothing() {
    let effects = Regex::new(EFFECTS).unwrap();
    let mut wrong = Vec::new();
    for module in PURE {
        for path in sources(module) {
            for found in effects.find_iter(&code(&path)) {
                wrong.push(format!("{}: {}", path.display(), found.as_str()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_command_line_prints() {
    let prints = Regex::new(r"\b(e?println|e?print)!").unwrap();
    let mut wrong = Vec::new();
    for (module, _) in MAY_USE {
        for path in sources(module) {
            if prints.is_match(&code(&path)) {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
