//! Safety rules: orders that no plan may break unless its policy says so by name.
//!
//! Must not: know where a step was written, or that a policy relaxes a rule; the caller does.

use std::collections::BTreeMap;

use super::links::Links;
use super::sealed::StepGraph;
use crate::model::{Address, StepKind};

/// An order that keeps data safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A migration comes after a verified backup.
    MigrateAfterBackup,
    /// A roll comes after every migration of its hop.
    RollAfterMigrate,
    /// A smoke test comes after every roll of its hop.
    SmokeAfterRoll,
    /// Undoing restores only a backup that was verified.
    VerifiedRestore,
}

impl Rule {
    /// The name by which a policy relaxes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Rule::MigrateAfterBackup => "migrate_after_backup",
            Rule::RollAfterMigrate => "roll_after_migrate",
            Rule::SmokeAfterRoll => "smoke_after_roll",
            Rule::VerifiedRestore => "verified_restore",
        }
    }
}

/// A step that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation<'g> {
    pub rule: Rule,
    pub step: &'g Address,
    /// The step that it should come after (or restores), where there is one.
    pub other: Option<&'g Address>,
}

/// Every violation, in topological order of the steps and at most one a step and rule.
pub fn violations(graph: &StepGraph) -> Vec<Violation<'_>> {
    let mut found = unverified_migrations(graph);
    found.extend(not_after(graph, Rule::RollAfterMigrate, StepKind::Roll, StepKind::Migrate));
    found.extend(not_after(graph, Rule::SmokeAfterRoll, StepKind::Smoke, StepKind::Roll));
    found.extend(unverified_restores(graph));
    found
}

fn unverified_migrations(graph: &StepGraph) -> Vec<Violation<'_>> {
    let mut verified = vec![false; graph.len()];
    let mut found = Vec::new();
    for (n, step) in graph.steps().iter().enumerate() {
        let inherited =
            graph.waits_for().of(n as u32).iter().any(|other| verified[*other as usize]);
        verified[n] = inherited || step.kind() == StepKind::Verify;
        if step.kind() == StepKind::Migrate && !inherited {
            let backup = [StepKind::Verify, StepKind::Backup].into_iter().find_map(|kind| {
                graph.steps().iter().find(|other| other.kind() == kind && other.hop <= step.hop)
            });
            found.push(Violation {
                rule: Rule::MigrateAfterBackup,
                step: &step.address,
                other: backup.map(|other| &other.address),
            });
        }
    }
    found
}

fn unverified_restores(graph: &StepGraph) -> Vec<Violation<'_>> {
    let restoring = graph.steps().iter().filter_map(|step| {
        let restore = step.rollback.as_ref()?.restore.as_ref()?;
        (restore.kind != StepKind::Verify).then_some(Violation {
            rule: Rule::VerifiedRestore,
            step: &step.address,
            other: Some(restore),
        })
    });
    restoring.collect()
}

/// Steps of a kind that do not come after every step of the other kind in their hop.
fn not_after(
    graph: &StepGraph,
    rule: Rule,
    kind: StepKind,
    awaited: StepKind,
) -> Vec<Violation<'_>> {
    let of_kind = |kind: StepKind| {
        let steps = graph.steps().iter().enumerate();
        steps.filter(move |(_, step)| step.kind() == kind).map(|(n, _)| n as u32)
    };
    let awaited: Vec<u32> = of_kind(awaited).collect();
    let mut first_missing: BTreeMap<u32, u32> = BTreeMap::new();
    // One pass over the graph answers for as many awaited steps as a word has bits.
    for chunk in awaited.chunks(u64::BITS as usize) {
        let reached = downstream(graph.waits_for(), chunk);
        for step in of_kind(kind) {
            let hop = graph.steps()[step as usize].hop;
            let missing = chunk.iter().enumerate().find(|(bit, other)| {
                graph.steps()[**other as usize].hop == hop
                    && reached[step as usize] & (1 << bit) == 0
            });
            if let Some((_, other)) = missing {
                first_missing.entry(step).or_insert(*other);
            }
        }
    }
    let violation = |(step, other): (u32, u32)| Violation {
        rule,
        step: graph.address(step),
        other: Some(graph.address(other)),
    };
    first_missing.into_iter().map(violation).collect()
}

/// For every node, the bits of those sources that it comes after. Nodes are numbered in topological
/// order.
fn downstream(waits_for: &Links, sources: &[u32]) -> Vec<u64> {
    let mut own = vec![0u64; waits_for.nodes()];
    for (bit, source) in sources.iter().enumerate() {
        own[*source as usize] = 1 << bit;
    }
    let mut reached = vec![0u64; waits_for.nodes()];
    for node in 0..waits_for.nodes() {
        let inherited = waits_for.of(node as u32).iter();
        reached[node] =
            inherited.fold(0, |bits, other| bits | reached[*other as usize] | own[*other as usize]);
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::super::fixture::build;
    use super::*;
    use expect_test::{Expect, expect};

    fn check(text: &str, expected: Expect) {
        let graph = build(text).unwrap();
        let lines = violations(&graph).into_iter().map(|Violation { rule, step, other }| {
            let other = other.map_or("nothing".to_owned(), Address::to_string);
            format!("{rule:?}: {step}, {other}\n")
        });
        expected.assert_eq(&lines.collect::<String>());
    }

    #[test]
    fn the_recommended_order_is_safe() {
        check(
            "
            backup.b
            verify.v < backup.b
            migrate.a < verify.v ~ verify.v
            migrate.b < verify.v
            roll.app ~
            smoke.s
            ",
            expect![""],
        );
    }

    #[test]
    fn orders_that_lose_data_are_told() {
        check(
            "
            backup.b
            migrate.early = ~ backup.b
            migrate.unsafe < backup.b
            roll.app = migrate.early
            smoke.s = migrate.unsafe
            ",
            expect![[r#"
                MigrateAfterBackup: migrate.early, backup.b
                MigrateAfterBackup: migrate.unsafe, backup.b
                RollAfterMigrate: roll.app, migrate.unsafe
                SmokeAfterRoll: smoke.s, roll.app
                VerifiedRestore: migrate.early, backup.b
            "#]],
        );
    }

    #[test]
    fn hops_are_held_to_their_own_migrations() {
        check(
            "
            verify.v@0
            migrate.m@0 < verify.v@0
            roll.app@0
            migrate.m@1 < verify.v@0
            roll.app@1 = migrate.m@0
            ",
            expect![[r#"
                RollAfterMigrate: roll.app["1"], migrate.m["1"]
            "#]],
        );
    }

    #[test]
    fn more_steps_than_bits_are_all_seen() {
        let migrations: String =
            (0..130).map(|i| format!("migrate.m{i:03} < verify.v\n")).collect();
        let almost: Vec<String> = (0..129).map(|i| format!("migrate.m{i:03}")).collect();
        check(
            &format!("verify.v\n{migrations}roll.ok\nroll.app = {}", almost.join(", ")),
            expect![[r#"
                RollAfterMigrate: roll.app, migrate.m129
            "#]],
        );
    }
}
