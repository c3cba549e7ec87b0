//! Holds the direction in which modules may know each other, by reading the sources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use petgraph::algo::kosaraju_scc;
use petgraph::graphmap::DiGraphMap;
use regex::Regex;

use crate::support::modules;

/// The layers, lowest first, each with what it uses: only of those above it in this list, and nothing that it does not use.
const LAYERS: &[(&str, &[&str])] = &[
    ("text", &[]),
    ("model", &[]),
    ("journal", &["model"]),
    ("lang", &["text", "model"]),
    ("facts", &[]),
    ("graph", &["model", "lang"]),
    ("path", &["model", "facts"]),
    ("plan", &["text", "model", "lang", "facts", "graph", "path"]),
    ("store", &["journal", "plan"]),
    ("run", &["text", "model", "journal", "graph", "plan", "store"]),
    ("world", &["text", "model", "journal", "lang", "facts", "path", "run"]),
    ("simulate", &["text", "model", "journal", "plan", "store", "run"]),
    ("render", &["text", "model", "journal", "lang", "graph", "plan", "run", "simulate"]),
    (
        "cli",
        &[
            "text", "model", "journal", "lang", "facts", "graph", "plan", "store", "run", "world",
            "simulate", "render",
        ],
    ),
];

/// Files that know each other in a circle, to be taken apart. No other may.
const CIRCLES: &[&[&str]] = &[
    &[
        "model/address",
        "model/http",
        "model/step/kind",
        "model/step/rights",
        "model/step/traits",
        "model/value",
    ],
    &["run/executor", "run/executor/begin", "run/executor/run_loop"],
    &["world/env/resolve", "world/env/sensitive", "world/site"],
    &["world/helm/chart", "world/helm/package"],
    &["world/kubernetes/exec", "world/kubernetes/workload"],
    &["world/process", "world/process/marker"],
    &["world/survey", "world/survey/access", "world/survey/charts", "world/survey/live"],
];

/// The modules that compute and nothing else, and what they must not mention.
const PURE: &[&str] =
    &["text", "model", "journal", "lang", "facts", "graph", "path", "plan", "render"];
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

fn tree() -> modules::Tree {
    modules::Tree::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

#[test]
fn layers_use_what_the_list_says() {
    let tree = tree();
    let layer = |file: usize| tree.name(file).split('/').next().unwrap_or_default();
    let mut used: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for (file, others) in tree.edges() {
        let of_file = used.entry(layer(file)).or_default();
        of_file.extend(others.into_iter().map(layer).filter(|other| *other != layer(file)));
    }
    let place = |name: &str| LAYERS.iter().position(|(known, _)| *known == name);
    for (at, (module, listed)) in LAYERS.iter().enumerate() {
        let used = used.remove(module).unwrap_or_default();
        let up: Vec<&&str> = used.iter().filter(|other| place(other) > Some(at)).collect();
        assert!(up.is_empty(), "{module} uses {up:?}, which lie above it");
        let listed: BTreeSet<&str> = listed.iter().copied().collect();
        assert_eq!(used, listed, "what {module} uses (left) and what the list says (right)");
    }
    assert_eq!(used.into_keys().collect::<Vec<_>>(), ["lib"], "every module is in the list");
}

#[test]
fn files_know_each_other_one_way() {
    let mut graph = DiGraphMap::<usize, ()>::new();
    let tree = tree();
    for (file, others) in tree.edges() {
        for other in others {
            graph.add_edge(file, other, ());
        }
    }
    for circle in kosaraju_scc(&graph).into_iter().filter(|circle| circle.len() > 1) {
        let names: BTreeSet<&str> = circle.iter().map(|file| tree.name(*file)).collect();
        let is_known = |known: &[&str]| names.iter().all(|name| known.contains(name));
        assert!(CIRCLES.iter().any(|known| is_known(known)), "these know each other: {names:?}");
    }
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
    for (module, _) in LAYERS.iter().filter(|(module, _)| *module != "cli") {
        for path in sources(module) {
            if prints.is_match(&code(&path)) {
                wrong.push(path.display().to_string());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
