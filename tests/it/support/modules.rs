//! Which source files know which others, read from their `use` lines and paths.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use regex::Regex;

/// The modules of the crate, a file each.
pub struct Tree {
    names: Vec<String>,
    index: BTreeMap<Vec<String>, usize>,
    code: Vec<String>,
    /// What a file offers under another path: name → the path it stands for.
    offered: Vec<BTreeMap<String, Vec<String>>>,
}

/// `a::{b, c::d as e}` → `[[a, b], [a, c, d as e]]`
fn expand(text: &str) -> Vec<Vec<String>> {
    let segments = |text: &str| -> Vec<String> {
        text.split("::").map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
    };
    let Some(open) = text.find('{') else { return vec![segments(text)] };
    let close = text.rfind('}').unwrap_or(text.len());
    let (mut parts, mut depth) = (vec![String::new()], 0);
    for c in text[open + 1..close].chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        match (c, depth) {
            (',', 0) => parts.push(String::new()),
            (c, _) => parts.last_mut().unwrap().push(c),
        }
    }
    let head = segments(&text[..open]);
    let parts = parts.iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(|part| expand(part)).map(|tail| [head.clone(), tail].concat()).collect()
}

impl Tree {
    pub fn read(root: &Path) -> Tree {
        let (mut names, mut index, mut code) = (Vec::new(), BTreeMap::new(), Vec::new());
        let test_file = Regex::new(r"(^|/)(tests|fixture)(/|\.rs$)|^main\.rs$").unwrap();
        let mut pending = vec![root.to_owned()];
        while let Some(path) = pending.pop() {
            if path.is_dir() {
                pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
                continue;
            }
            let below = path.strip_prefix(root).unwrap().to_string_lossy().into_owned();
            let Some(name) = below.strip_suffix(".rs").filter(|_| !test_file.is_match(&below))
            else {
                continue;
            };
            let name = name.strip_suffix("/mod").unwrap_or(name);
            let module = match name {
                "lib" => Vec::new(),
                name => name.split('/').map(str::to_owned).collect(),
            };
            index.insert(module, names.len());
            names.push(name.to_owned());
            code.push(bare(&fs::read_to_string(&path).unwrap()));
        }
        let mut tree = Tree { names, index, code, offered: Vec::new() };
        tree.offered = tree.code.iter().map(|code| offered(code)).collect();
        tree
    }

    pub fn name(&self, file: usize) -> &str {
        &self.names[file]
    }

    /// Each file with the files that it uses.
    pub fn edges(&self) -> Vec<(usize, BTreeSet<usize>)> {
        let uses = Regex::new(r"\buse ([^;]+);").unwrap();
        let paths = Regex::new(r"\b(crate|super|self)((?:::\w+)+)").unwrap();
        let edges = self.index.iter().map(|(module, file)| {
            let code = &self.code[*file];
            let mut found: Vec<Vec<String>> = Vec::new();
            for (at, used) in uses.captures_iter(code).map(|c| (c.get(0).unwrap().start(), c)) {
                // What is offered again is not used here.
                let is_offered = code[..at].ends_with("pub ") || code[..at].ends_with(") ");
                if !is_offered {
                    found.extend(expand(&used[1]));
                }
            }
            let body = uses.replace_all(code, "");
            let written = paths.captures_iter(&body);
            found.extend(written.map(|c| c[0].split("::").map(str::to_owned).collect()));
            let inner = self.children(module);
            for child in inner {
                let used = Regex::new(&format!(r"(?:^|[^:\w]){child}((?:::\w+)+)")).unwrap();
                for path in used.captures_iter(&body) {
                    let tail = path[1].split("::").skip(1).map(str::to_owned);
                    found.push(std::iter::once(child.to_owned()).chain(tail).collect());
                }
            }
            let others = found.iter().filter_map(|path| self.resolve(module, path, 0));
            (*file, others.filter(|other| other != file).collect())
        });
        edges.collect()
    }

    fn children(&self, module: &[String]) -> Vec<&str> {
        let direct = self
            .index
            .keys()
            .filter(|other| other.len() == module.len() + 1 && other.starts_with(module));
        direct.map(|other| other.last().unwrap().as_str()).collect()
    }

    /// The file that a path leads to; none where it leads out of the crate.
    fn resolve(&self, from: &[String], path: &[String], depth: usize) -> Option<usize> {
        let mut at = from.to_vec();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                at.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    at.pop();
                    rest = &rest[1..];
                }
            }
            first => {
                at.push(first.to_owned());
                if !self.index.contains_key(&at) {
                    return None;
                }
                rest = &path[1..];
            }
        }
        while let Some(segment) = rest.first() {
            let segment = segment.split(" as ").next().unwrap_or(segment).trim();
            at.push(segment.to_owned());
            if self.index.contains_key(&at) {
                rest = &rest[1..];
                continue;
            }
            at.pop();
            let offered = self.index.get(&at).and_then(|file| self.offered[*file].get(segment));
            return match offered {
                Some(path) if depth < 8 => {
                    let path: Vec<String> = path.iter().chain(&rest[1..]).cloned().collect();
                    self.resolve(&at, &path, depth + 1).or(self.index.get(&at).copied())
                }
                Some(_) | None => self.index.get(&at).copied(),
            };
        }
        self.index.get(&at).copied()
    }
}

/// Code without tests, comments and text.
fn bare(text: &str) -> String {
    let modules = Regex::new(r"#\[cfg\(test\)\]\s*(pub(\(\w+\))? )?mod \w+;").unwrap();
    let text = modules.replace_all(text, "").into_owned();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let strings = Regex::new(r#"(?s)"(\\.|[^"\\])*""#).unwrap();
    strings.replace_all(&code, "").into_owned()
}

fn offered(code: &str) -> BTreeMap<String, Vec<String>> {
    let again = Regex::new(r"pub(?:\([\w: ]+\))? use ([^;]+);").unwrap();
    let paths = again.captures_iter(code).flat_map(|used| expand(&used[1]));
    let named = paths.filter_map(|mut path| {
        let last = path.pop()?;
        let (last, name) = match last.split_once(" as ") {
            Some((last, name)) => (last.trim().to_owned(), name.trim().to_owned()),
            None => (last.clone(), last),
        };
        path.push(last);
        Some((name, path))
    });
    named.collect()
}
