//! Small graphs in one line each, for tests: `verify.a < backup.a` is a verify step that depends on
//! a backup step.

use super::{Builder, Draft, GraphError, StepGraph};
use crate::model::{Address, Rollback, Step, StepKind, StepSpec};

/// Reads lines `kind.name[@hop] [< dependency, …] [= dependency, …] [| during, …] [~
/// restore-or-nothing]`: `<` are references, `=` is the author's own `depends_on`, `|` what a probe
/// runs beside, `~` a rollback edge.
pub(super) fn drafts(text: &str) -> Vec<Draft> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(draft).collect()
}

fn draft(line: &str) -> Draft {
    let at = line.find(['<', '=', '|', '~']).unwrap_or(line.len());
    let (head, mut rest) = line.split_at(at);
    let (address, hop) = address(head.trim());
    let (mut depends_on, mut during, mut placed, mut rollback) = (vec![], vec![], false, None);
    while let Some(sign) = rest.chars().next() {
        let end = rest[1..].find(['<', '=', '|', '~']).map_or(rest.len(), |end| end + 1);
        let names = rest[1..end].split(',').map(str::trim).filter(|name| !name.is_empty());
        let named: Vec<Address> = names.map(|name| self::address(name).0).collect();
        match sign {
            '<' => depends_on.extend(named),
            '=' => {
                placed = true;
                depends_on.extend(named);
            }
            '|' => during = named,
            '~' => rollback = Some(Rollback { restore: named.into_iter().next() }),
            other => panic!("{other} in {line}"),
        }
        rest = &rest[end..];
    }
    depends_on.sort();
    let spec = spec(&address, &depends_on, during);
    let step = Step { hop, depends_on, rollback, ..Step::at(address, spec) };
    Draft { step, placed }
}

/// `roll.app@1` is the instance for the hop of index 1.
fn address(text: &str) -> (Address, Option<usize>) {
    match text.split_once('@') {
        Some((plain, hop)) => {
            (plain.parse::<Address>().unwrap().with_key(hop), Some(hop.parse().unwrap()))
        }
        None => (text.parse().unwrap(), None),
    }
}

fn spec(address: &Address, depends_on: &[Address], during: Vec<Address>) -> StepSpec {
    let of_kind = |kind| depends_on.iter().find(|address| address.kind == kind).cloned();
    let mut spec = StepSpec::smallest(address.kind);
    match &mut spec {
        StepSpec::Verify(spec) => {
            if let Some(backup) = of_kind(StepKind::Backup) {
                spec.backup = backup;
            }
        }
        StepSpec::Migrate(spec) => spec.backup = of_kind(StepKind::Verify),
        StepSpec::Probe(spec) => spec.during = during,
        _ => {}
    }
    spec
}

pub(crate) fn build(text: &str) -> Result<StepGraph, GraphError> {
    let mut builder = Builder::new();
    builder.extend(drafts(text));
    builder.seal()
}

/// One line a step, in topological order: `verify.a < backup.a`.
pub(super) fn shown(graph: &StepGraph) -> String {
    let mut out = String::new();
    for step in graph.steps() {
        out.push_str(&step.address.to_string());
        for (n, dependency) in step.depends_on.iter().enumerate() {
            out.push_str(if n == 0 { " < " } else { ", " });
            out.push_str(&dependency.to_string());
        }
        out.push('\n');
    }
    out
}
