//! How long steps took before: the median over earlier runs, for the plan's reader and the live display.
//!
//! Must not: promise anything. A step that was never seen to succeed has no expectation.

use std::collections::BTreeMap;
use std::time::Duration;

use super::report::{Outcome, Report, StepReport};
use crate::model::Address;

/// What each of `steps` is expected to take, in milliseconds.
pub fn expected<'a>(
    steps: impl IntoIterator<Item = &'a Address>,
    earlier: &'a [Report],
) -> BTreeMap<Address, u64> {
    // One that was adopted or took several attempts tells of the trouble, not of the step.
    let is_plain = |step: &&StepReport| {
        matches!(step.outcome, Outcome::Succeeded | Outcome::Undone) && step.attempts == 1
    };
    let seen = earlier.iter().flat_map(|report| &report.steps).filter(is_plain);
    medians(steps, seen.filter_map(|step| Some((&step.address, step.took?))))
}

/// What undoing each of `steps` is expected to take, in milliseconds.
pub fn expected_undo<'a>(
    steps: impl IntoIterator<Item = &'a Address>,
    earlier: &'a [Report],
) -> BTreeMap<Address, u64> {
    let seen = earlier.iter().flat_map(|report| &report.steps);
    medians(steps, seen.filter_map(|step| Some((&step.address, step.undo_took?))))
}

/// Hops and `for_each` keys change from plan to plan, so a step is compared with every instance of its block, and with its
/// own instance alone where that was seen.
fn medians<'a>(
    steps: impl IntoIterator<Item = &'a Address>,
    seen: impl Iterator<Item = (&'a Address, Duration)>,
) -> BTreeMap<Address, u64> {
    let mut exact: BTreeMap<&Address, Vec<u64>> = BTreeMap::new();
    let mut block: BTreeMap<Address, Vec<u64>> = BTreeMap::new();
    for (step, took) in seen {
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        exact.entry(step).or_default().push(took);
        block.entry(step.block()).or_default().push(took);
    }
    let known = |step: &Address| {
        let seen = exact.get(step).or_else(|| block.get(&step.block()))?;
        Some((step.clone(), median(seen)))
    };
    steps.into_iter().filter_map(known).collect()
}

fn median(seen: &[u64]) -> u64 {
    let mut sorted = seen.to_vec();
    sorted.sort_unstable();
    sorted[sorted.len() / 2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::RunId;
    use crate::run::Standing;

    fn step((address, outcome, attempts, ms): &(&str, Outcome, u32, u64)) -> StepReport {
        let mut step = StepReport::not_started(address.parse().unwrap());
        step.outcome = outcome.clone();
        step.attempts = *attempts;
        step.took = Some(Duration::from_millis(*ms));
        step.undo_took = (*outcome == Outcome::Undone).then(|| Duration::from_millis(ms / 10));
        step
    }

    fn earlier(steps: &[(&str, Outcome, u32, u64)]) -> Report {
        Report {
            run: RunId("r".to_owned()),
            plan: "p".to_owned(),
            plan_digest: String::new(),
            versions: None,
            created_at: String::new(),
            standing: Standing::Open,
            took: None,
            holders: Vec::new(),
            approvals: Vec::new(),
            steps: steps.iter().map(step).collect(),
            pauses: Vec::new(),
            records: 0,
            vouched: Vec::new(),
            refused: BTreeMap::new(),
        }
    }

    #[test]
    fn a_step_takes_what_it_took() {
        let earlier = [
            earlier(&[
                (r#"roll.app["2.6.3"]"#, Outcome::Succeeded, 1, 8_000),
                ("backup.before", Outcome::Succeeded, 1, 300),
            ]),
            earlier(&[
                (r#"roll.app["2.7.1"]"#, Outcome::Succeeded, 1, 20_000),
                ("backup.before", Outcome::Undone, 1, 500),
            ]),
            earlier(&[
                (r#"roll.app["2.7.1"]"#, Outcome::Succeeded, 1, 30_000),
                ("backup.before", Outcome::Succeeded, 1, 400),
                ("backup.before", Outcome::Succeeded, 3, 90_000),
                ("smoke.sign_in", Outcome::Failed, 1, 7),
            ]),
        ];
        let steps: Vec<Address> = [
            r#"roll.app["2.7.1"]"#,
            r#"roll.app["2.8.0"]"#,
            "backup.before",
            "smoke.sign_in",
            "run.new",
        ]
        .iter()
        .map(|step| step.parse().unwrap())
        .collect();
        let found: Vec<String> =
            expected(&steps, &earlier).iter().map(|(step, ms)| format!("{step} {ms}")).collect();
        assert_eq!(
            found,
            ["backup.before 400", r#"roll.app["2.7.1"] 30000"#, r#"roll.app["2.8.0"] 20000"#]
        );
        let undo = expected_undo(&steps, &earlier);
        assert_eq!(undo, BTreeMap::from([(steps[2].clone(), 50)]), "only what was undone once");
    }
}
