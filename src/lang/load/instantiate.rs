//! Step blocks → steps: one for each hop and each entry of `for_each`, with every expression
//! computed.
//!
//! Must not: add an order of its own. `depends_on` of a step holds what its author wrote and what
//! its values rest on; the order by phases is the graph's.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::lang::budget::{Budget, MAX_STEPS};
use crate::lang::config::StepBlock;
use crate::lang::decode::{Common, Reader, attribute};
use crate::lang::diagnostic::MAX_DIAGNOSTICS;
use crate::lang::eval::{Eval, Evaluator, Failed};
use crate::lang::scope::{Instances, Moment, Names, PathScope, PlanScope, Which};
use crate::lang::syntax::{Attribute, Name};
use crate::lang::{Code, Config, Diagnostic, Diagnostics, Value, decode};
use crate::model::{Address, Hop, Step};

type Files<'a> = &'a dyn Fn(&str) -> Result<String, Diagnostic>;
/// What a block is instantiated for at a hop.
#[derive(Clone, Default)]
enum Entries {
    /// Nothing: it has no part in the hop, or its `for_each` can't be told.
    #[default]
    None,
    One,
    /// Each entry of its `for_each`.
    Each(Vec<(Value, Value)>),
}

impl Entries {
    fn count(&self) -> usize {
        match self {
            Entries::None => 0,
            Entries::One => 1,
            Entries::Each(entries) => entries.len(),
        }
    }

    fn instances(&self) -> Instances {
        match self {
            Entries::None => Instances::None,
            Entries::One => Instances::One,
            Entries::Each(entries) => Instances::Keys(
                entries.iter().map(|(key, _)| key.to_text().unwrap_or_default()).collect(),
            ),
        }
    }
}

impl Config {
    /// The steps for the hops of a path; a runbook has none. `depends_on` of each holds references
    /// and what its author gave, sorted.
    ///
    /// # Errors
    /// What could not be told without the installed version.
    pub fn steps(&self, hops: &[Hop]) -> Result<Vec<Step>, Diagnostics> {
        self.instantiated(PathScope::of(hops))
    }

    /// The steps of one made-up hop to the plan's target, as far as they can be told without a
    /// cluster.
    ///
    /// # Errors
    /// None for a configuration that was loaded.
    pub fn validate_steps(&self) -> Result<Vec<Step>, Diagnostics> {
        self.instantiated(self.symbolic_path())
    }

    fn symbolic_path(&self) -> PathScope {
        match &self.upgrade {
            Some(upgrade) => PathScope::symbolic(upgrade.to.clone()),
            None => PathScope::default(),
        }
    }

    fn instantiated(&self, path: PathScope) -> Result<Vec<Step>, Diagnostics> {
        let files = |name: &str| match self.scope.files.get(name) {
            Some(text) => Ok(text.clone()),
            None => Err(Diagnostic::new(
                Code::FileError,
                "the file was not read when the plan was loaded: its name depends on the hop",
            )),
        };
        let runbook = self.upgrade.is_none();
        let mut diagnostics = Diagnostics::new(self.sources.clone());
        let Instantiated { steps, unread: _, found } =
            steps(&self.scope, &self.step_blocks, path, runbook, &files);
        found.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
        diagnostics.into_result(steps)
    }
}

/// What became of the step blocks.
pub(in crate::lang) struct Instantiated {
    pub steps: Vec<Step>,
    /// Blocks, by position, of which a step could not be made.
    pub unread: BTreeSet<usize>,
    pub found: Vec<Diagnostic>,
}

/// Instantiates every block. Of what failed there is no step.
pub(in crate::lang) fn steps(
    plan: &PlanScope,
    blocks: &[StepBlock],
    mut path: PathScope,
    runbook: bool,
    files: Files,
) -> Instantiated {
    let budget = Budget::new(plan.source_bytes, path.hops.len());
    let (mut found, mut unread) = (Vec::new(), BTreeSet::new());
    let early = early_locals(plan, &budget, files);
    let hops: Vec<Option<usize>> =
        if runbook { vec![None] } else { (0..path.hops.len()).map(Some).collect() };
    let entries =
        entries(plan, blocks, &mut path, &hops, &early, &budget, files, &mut found, &mut unread);
    let count = entries.iter().flatten().map(Entries::count).sum();
    let mut made = Made {
        steps: Vec::with_capacity(count),
        left_out: BTreeMap::new(),
        data: Vec::with_capacity(count),
    };
    for (hop, entries) in hops.into_iter().zip(entries) {
        let mut locals = early.clone();
        plan.locals.compute(Which::Late, &mut locals, |values, expr| {
            let mut evaluator = Evaluator::new(at_hop(plan, values, &path, hop), &budget, files);
            evaluator.eval_into(expr, &mut found)
        });
        for ((at, block), entries) in blocks.iter().enumerate().zip(entries) {
            let address = path.address(&block.address, hop);
            let names = at_hop(plan, &locals, &path, hop);
            let mut one = |names: Names, address: Address| {
                let mut evaluator = Evaluator::new(names, &budget, files);
                let is_enough = found.len() >= MAX_DIAGNOSTICS;
                if is_enough || made.add(&mut evaluator, block, address, hop).is_err() {
                    unread.insert(at);
                }
                found.append(&mut evaluator.found);
            };
            match entries {
                Entries::None => {}
                Entries::One => one(names, address),
                Entries::Each(entries) => {
                    for entry in &entries {
                        let key = entry.0.to_text().unwrap_or_else(|| Arc::from(""));
                        one(Names { each: Some(entry), ..names }, address.clone().with_key(&*key));
                    }
                }
            }
        }
    }
    let steps = made.finish(blocks, plan, &mut found);
    Instantiated { steps, unread, found }
}

fn at_hop<'a>(
    plan: &'a PlanScope,
    locals: &'a BTreeMap<Name, Option<Value>>,
    path: &'a PathScope,
    hop: Option<usize>,
) -> Names<'a> {
    Names { plan, locals, path, hop, each: None, captures: None, moment: Moment::Plan }
}

/// Locals that rest on variables alone. Their errors were reported when the plan was loaded.
fn early_locals(plan: &PlanScope, budget: &Budget, files: Files) -> BTreeMap<Name, Option<Value>> {
    let mut values = BTreeMap::new();
    let path = PathScope::default();
    plan.locals.compute(Which::Early, &mut values, |values, expr| {
        let names = Names {
            plan,
            locals: values,
            path: &path,
            hop: None,
            each: None,
            captures: None,
            moment: Moment::Early,
        };
        Evaluator::new(names, budget, files).eval(expr).ok()
    });
    values
}

#[allow(clippy::too_many_arguments, reason = "every one is part of where a `for_each` stands")]
fn entries(
    plan: &PlanScope,
    blocks: &[StepBlock],
    path: &mut PathScope,
    hops: &[Option<usize>],
    locals: &BTreeMap<Name, Option<Value>>,
    budget: &Budget,
    files: Files,
    found: &mut Vec<Diagnostic>,
    unread: &mut BTreeSet<usize>,
) -> Vec<Vec<Entries>> {
    let mut all = vec![vec![Entries::None; blocks.len()]; hops.len()];
    let mut count = 0usize;
    for (hop, row) in hops.iter().zip(&mut all) {
        for ((at, block), place) in blocks.iter().enumerate().zip(row) {
            if !path.admits(block.hops, *hop) {
                continue;
            }
            let entries = match attribute(&block.block.body, "for_each") {
                None => Entries::One,
                Some(attribute) => {
                    let names = Names {
                        plan,
                        locals,
                        path,
                        hop: *hop,
                        each: None,
                        captures: None,
                        moment: Moment::Early,
                    };
                    let mut evaluator = Evaluator::new(names, budget, files);
                    let entries = for_each(&mut evaluator, attribute);
                    found.append(&mut evaluator.found);
                    match entries {
                        Ok(entries) => Entries::Each(entries),
                        Err(Failed) => {
                            unread.insert(at);
                            continue;
                        }
                    }
                }
            };
            count += entries.count();
            if count > MAX_STEPS {
                found.push(
                    Diagnostic::new(
                        Code::BudgetExceeded,
                        format!("the plan has more than {MAX_STEPS} steps"),
                    )
                    .label(block.span, "one too many"),
                );
                // What would not fit is not looked at either: its references would only seem to be
                // wrong.
                return Vec::new();
            }
            *place = entries;
        }
    }
    path.instances = all.iter().map(|row| row.iter().map(Entries::instances).collect()).collect();
    all
}

fn for_each(on: &mut Evaluator, attribute: &Attribute) -> Eval<Vec<(Value, Value)>> {
    let span = attribute.value.span;
    let value = on.eval(&attribute.value)?;
    match &value {
        Value::Object(object) => Ok(object
            .entries
            .iter()
            .map(|(key, value)| (Value::String(key.clone()), value.clone()))
            .collect()),
        Value::List(list) => {
            let mut seen = BTreeSet::new();
            let mut entries = Vec::with_capacity(list.items.len());
            for item in &list.items {
                let Value::String(key) = item else {
                    let message = format!(
                        "`for_each` takes an object or a list of strings, not a list of {}s",
                        item.type_name()
                    );
                    return on.error(Code::WrongType, message, span);
                };
                if !seen.insert(key.clone()) {
                    let message =
                        format!("`for_each` has `{}` twice", crate::lang::diagnostic::shown(key));
                    let diagnostic =
                        Diagnostic::new(Code::DuplicateName, message).label(span, "here");
                    return on.fail(diagnostic.help("`toset(list)` leaves repetitions out"));
                }
                entries.push((item.clone(), item.clone()));
            }
            Ok(entries)
        }
        Value::Deferred(deferred) if deferred.unset => Ok(vec![(value.clone(), value.clone())]),
        Value::Deferred(_) => {
            let message = "`for_each` must be known when planning";
            let diagnostic =
                Diagnostic::new(Code::NotKnownYet, message).label(span, "known only later");
            on.fail(diagnostic.help("the steps of a plan are fixed before it is approved"))
        }
        other => {
            let message = format!(
                "`for_each` takes an object or a list of strings, not {}",
                other.with_article()
            );
            on.error(Code::WrongType, message, span)
        }
    }
}

/// Steps on their way.
struct Made {
    steps: Vec<Step>,
    /// Steps whose `when` is false, with what they would have come after.
    left_out: BTreeMap<Address, Vec<Address>>,
    /// For each step, what its values rest on.
    data: Vec<BTreeSet<Address>>,
}

impl Made {
    fn add(
        &mut self,
        on: &mut Evaluator,
        block: &StepBlock,
        address: Address,
        hop: Option<usize>,
    ) -> Eval<()> {
        let to = hop.map(|hop| &on.names.path.hops[hop].to);
        let mut reader = Reader::new(on);
        let read = decode::step(&mut reader, block.address.kind, &block.block, to);
        let data = std::mem::take(&mut reader.rests_on);
        let (common, spec) = read?;
        let Common { description, when, timeout_ms, retry, on_failure, rollback, after } = common;
        let mut depends_on: Vec<Address> = data.iter().cloned().chain(after).collect();
        depends_on.sort();
        depends_on.dedup();
        let when = match when {
            decode::When::Always => None,
            decode::When::Never => {
                self.left_out.insert(address, depends_on);
                return Ok(());
            }
            decode::When::Later(residual) => Some(residual),
        };
        self.steps.push(Step {
            address,
            hop,
            description,
            depends_on,
            when,
            timeout_ms,
            retry,
            on_failure,
            rollback,
            spec,
        });
        self.data.push(data);
        Ok(())
    }

    /// Steps that were left out hand on what they would have come after.
    fn finish(
        mut self,
        blocks: &[StepBlock],
        plan: &PlanScope,
        found: &mut Vec<Diagnostic>,
    ) -> Vec<Step> {
        if self.left_out.is_empty() {
            return self.steps;
        }
        for (step, data) in self.steps.iter_mut().zip(&self.data) {
            if let Some(gone) = data.iter().find(|address| self.left_out.contains_key(address)) {
                let span = |address: &Address| {
                    plan.step_index(&address.block()).map(|index| blocks[index].span)
                };
                let message =
                    format!("`{}` uses `{gone}`, which its `when` leaves out", step.address);
                let mut diagnostic = Diagnostic::new(Code::UnknownReference, message);
                if let Some(span) = span(&step.address) {
                    diagnostic = diagnostic.label(span, "uses it");
                }
                if let Some(span) = span(gone) {
                    diagnostic = diagnostic.label(span, "left out");
                }
                found.push(diagnostic.help("give both the same `when`"));
            }
            let gone = step.depends_on.iter().any(|address| self.left_out.contains_key(address));
            if gone {
                step.depends_on = handed_on(&step.depends_on, &self.left_out);
            }
        }
        self.steps
    }
}

fn handed_on(after: &[Address], left_out: &BTreeMap<Address, Vec<Address>>) -> Vec<Address> {
    let mut kept = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut todo: Vec<&Address> = after.iter().collect();
    while let Some(address) = todo.pop() {
        match left_out.get(address) {
            Some(before) if seen.insert(address) => todo.extend(before),
            Some(_) => {}
            None => {
                kept.insert(address.clone());
            }
        }
    }
    kept.into_iter().collect()
}
