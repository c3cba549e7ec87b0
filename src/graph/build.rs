//! From a configuration to its graph: what the graph and the safety rules find wrong, shown where
//! it is written.
//!
//! Must not: decide an order; [`order`](super::order) and the author do.

use super::safety::{self, Rule, Violation};
use super::{Builder, Cycle, GraphError, StepGraph};
use crate::lang::{Code, Config, Diagnostic, Diagnostics, Inspection, Outline};
use crate::model::{Address, Hop, Step};

/// As many members of a cycle are shown in the text.
const MOST_CYCLE_LABELS: usize = 5;

/// The graph of a plan's steps for the hops of a path.
///
/// # Errors
/// Steps that can't be instantiated, cycles, and safety rules that are broken and not relaxed.
pub fn build(config: &Config, hops: &[Hop]) -> Result<StepGraph, Diagnostics> {
    checked(config, Outline { steps: config.steps(hops)?, is_whole: true })
}

/// The graph as far as it can be told without a path: one made-up hop to the plan's target.
/// Warnings are given with it.
///
/// # Errors
/// Everything that is wrong with the plan: its text, and the order of its steps as far as that
/// could be read.
pub fn build_for_validation(
    inspection: Inspection,
) -> Result<(StepGraph, Diagnostics), Diagnostics> {
    let Inspection { config, outline, mut diagnostics } = inspection;
    match checked(&config, outline) {
        Ok(graph) if !diagnostics.has_errors() => return Ok((graph, diagnostics)),
        Ok(_) => {}
        Err(of_order) => diagnostics.extend(of_order),
    }
    Err(diagnostics)
}

fn checked(config: &Config, outline: Outline) -> Result<StepGraph, Diagnostics> {
    let Outline { steps, is_whole } = outline;
    let mut diagnostics = Diagnostics::new(config.sources.clone());
    let graph = match seal(config, steps) {
        Ok(graph) => graph,
        Err(GraphError::Cycles(cycles)) => {
            cycles.iter().for_each(|cycle| diagnostics.push(in_a_circle(config, cycle)));
            return Err(diagnostics);
        }
        Err(GraphError::UnknownStep { step, missing }) => {
            let message = format!("`{step}` depends on `{missing}`, which is not in this plan");
            diagnostics.push(placed(config, Code::UnknownReference, &message, &step, "this step"));
            return Err(diagnostics);
        }
        Err(GraphError::Duplicate(step)) => {
            let message = format!("there are two steps `{step}`");
            diagnostics.push(placed(config, Code::DuplicateName, &message, &step, "this step"));
            return Err(diagnostics);
        }
    };
    if !is_whole {
        return Ok(graph);
    }
    for violation in safety::violations(&graph) {
        if config.relaxes(violation.rule.as_str()).is_none() {
            diagnostics.push(unsafe_order(config, &violation));
        }
    }
    diagnostics.into_result(graph)
}

fn seal(config: &Config, steps: Vec<Step>) -> Result<StepGraph, GraphError> {
    let placed = |step: &Step| {
        config.step_block(&step.address).is_some_and(|block| block.depends_on.is_some())
    };
    Builder::of(steps, placed).seal()
}

fn placed(config: &Config, code: Code, message: &str, step: &Address, label: &str) -> Diagnostic {
    let diagnostic = Diagnostic::new(code, message);
    match config.span_of(step) {
        Some(span) => diagnostic.label(span, label),
        None => diagnostic,
    }
}

fn in_a_circle(config: &Config, cycle: &Cycle) -> Diagnostic {
    let Cycle(members) = cycle;
    let message = format!("these steps wait for each other: {cycle}");
    let mut diagnostic = Diagnostic::new(Code::DependencyCycle, message);
    for (at, member) in members.iter().enumerate().take(MOST_CYCLE_LABELS) {
        let next = &members[(at + 1) % members.len()];
        if let Some(span) = config.span_of(member) {
            diagnostic = diagnostic.label(span, format!("waits for `{next}`"));
        }
    }
    diagnostic.help("one of them must not name the next, in a reference or in `depends_on`")
}

/// What a broken rule is called and how it is mended.
struct Wording {
    code: Code,
    message: String,
    here: &'static str,
    there: &'static str,
    help: String,
}

fn unsafe_order(config: &Config, violation: &Violation<'_>) -> Diagnostic {
    // Instances of one block break a rule together, so the block is named, once.
    let step = violation.step.block();
    let other = violation.other.map(Address::block);
    let Wording { code, message, here, there, help } = wording(violation.rule, &step, &other);
    let mut diagnostic = placed(config, code, &message, &step, here);
    let depends_on = config.step_block(&step).and_then(|block| block.depends_on);
    if let (Some(span), true) = (depends_on, violation.rule != Rule::VerifiedRestore) {
        diagnostic = diagnostic.label(span, "its place was given here");
    }
    if let Some(span) = other.and_then(|other| config.span_of(&other)) {
        diagnostic = diagnostic.label(span, there);
    }
    let rule = violation.rule.as_str();
    diagnostic.help(format!("{help}; or relax `{rule}` in `policy`, with a reason"))
}

fn wording(rule: Rule, step: &Address, other: &Option<Address>) -> Wording {
    let named = other.as_ref().map_or("nothing".to_owned(), Address::to_string);
    match rule {
        Rule::MigrateAfterBackup => Wording {
            code: Code::SafetyMigrateWithoutBackup,
            message: format!("`{step}` does not come after a verified backup"),
            here: "migrates without one",
            there: "is not before it",
            help: match other {
                Some(other) if other.kind == crate::model::StepKind::Verify => {
                    format!("write `backup = {other}.id` in `{step}`")
                }
                Some(_) | None => {
                    format!(
                        "add a `verify` step for a backup, and `backup = verify.NAME.id` to `{step}`"
                    )
                }
            },
        },
        Rule::RollAfterMigrate => Wording {
            code: Code::SafetyRollWithoutMigrate,
            message: format!("`{step}` does not come after `{named}`"),
            here: "rolls the app",
            there: "migrates the schema that the app needs",
            help: format!("leave `depends_on` out, or add `{named}` to it"),
        },
        Rule::SmokeAfterRoll => Wording {
            code: Code::SafetySmokeWithoutRoll,
            message: format!("`{step}` does not come after `{named}`"),
            here: "would test the old app",
            there: "brings the new one",
            help: format!("leave `depends_on` out, or add `{named}` to it"),
        },
        Rule::VerifiedRestore => Wording {
            code: Code::SafetyUnverifiedRestore,
            message: format!("undoing `{step}` would restore `{named}`, which was not verified"),
            here: "is undone by restoring a backup",
            there: "nobody has restored this one",
            help: "restore the id of a `verify` step".to_owned(),
        },
    }
}
