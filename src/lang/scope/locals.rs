//! `locals`: names for expressions, computed in the order of what they name.

use std::collections::{BTreeMap, VecDeque};

use foldhash::HashMap;

use crate::lang::budget::MAX_NAMES;
use crate::lang::diagnostic::shown;
use crate::lang::syntax::names;
use crate::lang::syntax::names::Path;
use crate::lang::syntax::{Body, Expr, Name};
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::StepKind;

/// Every local of a plan.
#[derive(Clone, Debug, Default)]
pub(in crate::lang) struct Locals {
    entries: Vec<Local>,
    index: HashMap<Name, usize>,
    /// Positions, each after those that it names. What is in a cycle is not in it.
    order: Vec<usize>,
}

#[derive(Clone, Debug)]
struct Local {
    name: Name,
    span: Span,
    expr: Expr,
    /// It rests on a step, a hop or the release, so it is computed for each hop.
    late: bool,
}

/// Which locals to compute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::lang) enum Which {
    /// Those that rest on variables alone.
    Early,
    Late,
}

impl Locals {
    pub fn contains(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.iter().map(|local| &*local.name)
    }

    /// Collects the attributes of `locals` blocks. Cycles are reported.
    pub fn collect<'b>(
        bodies: impl Iterator<Item = &'b Body>,
        found: &mut Vec<Diagnostic>,
    ) -> Locals {
        let mut locals = Locals::default();
        for attribute in bodies.flat_map(|body| &body.attributes) {
            let (name, span) = (attribute.name.clone(), attribute.span);
            if let Some(before) = locals.index.get(&name) {
                let before = locals.entries[*before].span;
                // Within one block the schema's check reports it.
                found.push(
                    Diagnostic::new(
                        Code::DuplicateName,
                        format!("`{}` is given twice", crate::lang::diagnostic::shown(&name)),
                    )
                    .label(span, "given again here")
                    .label(before, "first given here"),
                );
                continue;
            }
            if locals.entries.len() == MAX_NAMES {
                let message = format!("the plan has more than {MAX_NAMES} local values");
                found.push(
                    Diagnostic::new(Code::BudgetExceeded, message).label(span, "one too many"),
                );
                break;
            }
            locals.index.insert(name.clone(), locals.entries.len());
            let expr = attribute.value.clone();
            locals.entries.push(Local { name, span, expr, late: false });
        }
        locals.put_in_order(found);
        locals
    }

    fn put_in_order(&mut self, found: &mut Vec<Diagnostic>) {
        let paths: Vec<Vec<Path>> =
            self.entries.iter().map(|local| names::of(&local.expr).paths).collect();
        let mut names: Vec<Vec<usize>> = paths.iter().map(|paths| self.named_by(paths)).collect();
        for named in &mut names {
            named.sort_unstable();
            named.dedup();
        }
        let mut waiting: Vec<usize> = names.iter().map(Vec::len).collect();
        let mut named_by: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
        for (at, named) in names.iter().enumerate() {
            named.iter().for_each(|other| named_by[*other].push(at));
        }
        let mut ready: VecDeque<usize> = (0..names.len()).filter(|at| waiting[*at] == 0).collect();
        while let Some(at) = ready.pop_front() {
            self.order.push(at);
            self.entries[at].late =
                rests_on_hop(&paths[at]) || names[at].iter().any(|other| self.entries[*other].late);
            for other in &named_by[at] {
                waiting[*other] -= 1;
                if waiting[*other] == 0 {
                    ready.push_back(*other);
                }
            }
        }
        self.report_cycles(&names, &waiting, found);
    }

    fn named_by(&self, paths: &[Path]) -> Vec<usize> {
        paths
            .iter()
            .filter(|path| &*path.root == "local")
            .filter_map(|path| self.index.get(path.member.as_ref()?).copied())
            .collect()
    }

    /// What could not be put in order is in a cycle or names one. Following one name from each
    /// finds every cycle once.
    fn report_cycles(&self, names: &[Vec<usize>], waiting: &[usize], found: &mut Vec<Diagnostic>) {
        let mut walked_from = vec![usize::MAX; names.len()];
        for start in (0..names.len()).filter(|at| waiting[*at] > 0) {
            let mut walk = Vec::new();
            let mut at = start;
            while walked_from[at] == usize::MAX {
                walked_from[at] = start;
                walk.push(at);
                let next = names[at].iter().find(|other| waiting[**other] > 0);
                at = *next.expect("what waits, waits for something that waits");
            }
            if walked_from[at] == start
                && let Some(begin) = walk.iter().position(|other| *other == at)
            {
                let cycle: Vec<_> = walk[begin..]
                    .iter()
                    .map(|at| format!("local.{}", self.entries[*at].name))
                    .collect();
                found.push(cycle_diagnostic(&cycle, self.entries[at].span));
            }
        }
    }

    /// Computes locals into `values`; one that fails, or is in a cycle, is none there.
    pub fn compute(
        &self,
        which: Which,
        values: &mut BTreeMap<Name, Option<Value>>,
        mut evaluate: impl FnMut(&BTreeMap<Name, Option<Value>>, &Expr) -> Option<Value>,
    ) {
        for local in &self.entries {
            if which == Which::Early && !local.late {
                values.insert(local.name.clone(), None);
            }
        }
        for at in &self.order {
            let local = &self.entries[*at];
            if local.late == (which == Which::Late) {
                let value = evaluate(values, &local.expr);
                values.insert(local.name.clone(), value);
            }
        }
    }
}

fn rests_on_hop(paths: &[Path]) -> bool {
    paths.iter().any(|path| {
        matches!(&*path.root, "hop" | "release") || path.root.parse::<StepKind>().is_ok()
    })
}

/// Expressions of all locals, for checks.
impl Locals {
    pub fn expr(&self, name: &str) -> Option<&Expr> {
        self.index.get(name).map(|at| &self.entries[*at].expr)
    }

    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        self.entries.iter().map(|local| &local.expr)
    }
}

/// `a → b → a`, shortened in the middle.
pub(in crate::lang) fn cycle(names: &[String]) -> String {
    const HEAD: usize = 6;
    const TAIL: usize = 2;
    let mut parts: Vec<String> = names.iter().map(|name| shown(name)).collect();
    if parts.len() > HEAD + TAIL + 1 {
        let left_out = parts.len() - HEAD - TAIL;
        parts.splice(HEAD..HEAD + left_out, [format!("… {left_out} more …")]);
    }
    if let Some(first) = names.first() {
        parts.push(shown(first));
    }
    parts.join(" → ")
}

/// A cycle as a diagnostic.
pub(in crate::lang) fn cycle_diagnostic(names: &[String], place: Span) -> Diagnostic {
    Diagnostic::new(Code::DependencyCycle, format!("these name each other: {}", cycle(names)))
        .label(place, "part of the cycle")
        .help("break the cycle: one of them must not name the next")
}
