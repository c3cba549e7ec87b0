//! The graph as a whole: the recommended order by example, and the laws by random graphs.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::fixture::{build, drafts, shown};
use super::{Builder, Draft, Frontier, GraphError, Ready, StepGraph};
use crate::model::{Address, Step, StepKind};

fn check(text: &str, expected: Expect) {
    let graph = build(text).unwrap();
    expected.assert_eq(&shown(&graph));
    let again = StepGraph::from_steps(graph.steps().iter().rev().cloned().collect()).unwrap();
    assert_eq!(again.steps(), graph.steps(), "a saved plan's steps make the same graph");
}

#[test]
fn phases_follow_each_other() {
    check(
        "
        smoke.sign_in
        roll.app
        migrate.schema < verify.before
        verify.before < backup.before
        backup.before
        run.notify
        ",
        expect![[r#"
            backup.before
            verify.before < backup.before
            migrate.schema < verify.before
            roll.app < migrate.schema
            smoke.sign_in < roll.app
            run.notify
        "#]],
    );
}

#[test]
fn an_approval_holds_up_what_comes_after_its_place() {
    check(
        "
        approve.go = verify.before
        verify.before < backup.before
        backup.before
        migrate.schema < verify.before
        roll.app
        ",
        expect![[r#"
            backup.before
            verify.before < backup.before
            approve.go < verify.before
            migrate.schema < approve.go, verify.before
            roll.app < migrate.schema
        "#]],
    );
}

#[test]
fn an_approval_without_place_is_a_gate() {
    check(
        "
        approve.go
        backup.before
        run.notify
        run.cleanup < run.notify
        run.free =
        ",
        expect![[r#"
            approve.go
            backup.before < approve.go
            run.free
            run.notify < approve.go
            run.cleanup < run.notify
        "#]],
    );
}

#[test]
fn a_probe_starts_with_the_first_of_its_steps() {
    check(
        "
        backup.before
        verify.before < backup.before
        migrate.schema < verify.before
        roll.app
        smoke.sign_in
        probe.tokens | roll.app, migrate.schema
        ",
        expect![[r#"
            backup.before
            verify.before < backup.before
            probe.tokens < verify.before
            migrate.schema < verify.before
            roll.app < migrate.schema
            smoke.sign_in < roll.app
        "#]],
    );
}

#[test]
fn hops_follow_each_other() {
    check(
        "
        backup.b@0
        verify.v@0 < backup.b@0
        migrate.m@0 < verify.v@0
        roll.app@0
        run.after@0 = roll.app@0
        migrate.m@1 < verify.v@0
        roll.app@1
        run.loose@1
        ",
        expect![[r#"
            backup.b["0"]
            verify.v["0"] < backup.b["0"]
            migrate.m["0"] < verify.v["0"]
            roll.app["0"] < migrate.m["0"]
            run.after["0"] < roll.app["0"]
            migrate.m["1"] < verify.v["0"], run.after["0"]
            roll.app["1"] < migrate.m["1"]
            run.loose["1"] < run.after["0"]
        "#]],
    );
}

#[test]
fn many_to_many_goes_by_way_of_a_checkpoint() {
    let text: String = (0..5).map(|i| format!("backup.b{i}\nsmoke.s{i}\n")).collect();
    check(
        &text,
        expect![[r#"
            backup.b0
            backup.b1
            backup.b2
            backup.b3
            backup.b4
            checkpoint.between:phases["0"] < backup.b0, backup.b1, backup.b2, backup.b3, backup.b4
            smoke.s0 < checkpoint.between:phases["0"]
            smoke.s1 < checkpoint.between:phases["0"]
            smoke.s2 < checkpoint.between:phases["0"]
            smoke.s3 < checkpoint.between:phases["0"]
            smoke.s4 < checkpoint.between:phases["0"]
        "#]],
    );
}

fn check_error(text: &str, expected: Expect) {
    expected.assert_eq(&build(text).unwrap_err().to_string());
}

#[test]
fn every_cycle_is_told() {
    check_error(
        "
        run.a < run.b
        run.b < run.c
        run.c < run.a
        run.d < run.d
        run.e < run.a
        ",
        expect!["steps wait for each other: run.a → run.b → run.c → run.a; run.d → run.d"],
    );
}

#[test]
fn waiting_for_a_probe_from_beside_it_is_a_cycle() {
    check_error(
        "
        roll.app = probe.p
        probe.p | roll.app
        ",
        expect!["steps wait for each other: roll.app → probe.p → roll.app"],
    );
}

#[test]
fn unknown_and_doubled_steps_are_told() {
    check_error("run.a < run.b", expect!["run.a names run.b, which is not a step of this plan"]);
    check_error("run.a\nrun.a", expect!["two steps have the address run.a"]);
    check_error(
        "probe.p | roll.app",
        expect!["probe.p names roll.app, which is not a step of this plan"],
    );
}

#[test]
fn steps_beside_a_probe_wait_until_it_has_started_and_it_ends_after_them() {
    let graph = build("roll.app\nsmoke.s\nprobe.p | roll.app\nrun.last = probe.p").unwrap();
    let address = |text: &str| text.parse::<Address>().unwrap();
    let (roll, probe) = (address("roll.app"), address("probe.p"));
    let mut frontier = Frontier::new(&graph);
    assert_eq!(frontier.take_ready(), [Ready::Start(&probe)]);
    frontier.started(&probe);
    assert_eq!(frontier.take_ready(), [Ready::Start(&roll)]);
    frontier.finished(&roll);
    assert_eq!(frontier.take_ready(), [Ready::EndProbe(&probe), Ready::Start(&address("smoke.s"))]);
    frontier.finished(&probe);
    assert_eq!(frontier.take_ready(), [Ready::Start(&address("run.last"))]);
}

/// Ten-wide layers, each step waiting for the whole layer before.
fn layers(steps: usize) -> Vec<Draft> {
    let name = |i: usize| Address::new(StepKind::Checkpoint, format!("s{i:06}"));
    let mut drafts = Vec::with_capacity(steps);
    let template = super::fixture::drafts("checkpoint.x =").remove(0);
    for i in 0..steps {
        let mut draft = template.clone();
        draft.step.address = name(i);
        let layer = i / 10;
        draft.step.depends_on =
            (0..10).filter(|_| layer > 0).map(|k| name((layer - 1) * 10 + k)).collect();
        drafts.push(draft);
    }
    drafts
}

/// Seconds to build and run through a graph of this many steps.
fn cost(steps: usize) -> f64 {
    let mut builder = Builder::new();
    builder.extend(layers(steps));
    let begun = Instant::now();
    let graph = builder.seal().unwrap();
    let mut frontier = Frontier::new(&graph);
    let mut seen = 0;
    while seen < steps {
        for ready in frontier.take_ready() {
            let Ready::Start(address) = ready else { panic!("there is no probe") };
            frontier.finished(address);
            seen += 1;
        }
    }
    begun.elapsed().as_secs_f64()
}

#[test]
fn cost_grows_with_the_steps_and_no_faster() {
    let small = cost(2_000).max(0.001);
    let large = cost(20_000);
    assert!(large / small < 40.0, "10 times the steps took {:.0} times as long", large / small);
}

fn random_drafts(edges: &[(usize, usize)], kinds: &[StepKind], acyclic: bool) -> Vec<Draft> {
    let name = |i: usize| Address::new(kinds[i], format!("s{i}"));
    let text: Vec<String> = (0..kinds.len())
        .map(|i| {
            let mine = edges.iter().filter(|(from, to)| *from == i && (!acyclic || to < from));
            let dependencies: BTreeSet<String> =
                mine.map(|(_, to)| name(*to).to_string()).collect();
            let sign = if i % 3 == 0 { "=" } else { "<" };
            format!(
                "{} {sign} {}",
                name(i),
                dependencies.into_iter().collect::<Vec<_>>().join(", ")
            )
        })
        .collect();
    drafts(&text.join("\n"))
}

fn sealed(drafts: Vec<Draft>) -> Result<StepGraph, GraphError> {
    let mut builder = Builder::new();
    builder.extend(drafts);
    builder.seal()
}

fn shape() -> impl Strategy<Value = (Vec<StepKind>, Vec<(usize, usize)>)> {
    let kind = prop::sample::select(
        StepKind::ALL.into_iter().filter(|kind| *kind != StepKind::Probe).collect::<Vec<_>>(),
    );
    prop::collection::vec(kind, 1..30).prop_flat_map(|kinds| {
        let n = kinds.len();
        (Just(kinds), prop::collection::vec((0..n, 0..n), 0..60))
    })
}

proptest! {
    #[test]
    fn the_order_respects_every_edge_and_keeps_the_authors((kinds, edges) in shape()) {
        let drafts = random_drafts(&edges, &kinds, true);
        let graph = sealed(drafts.clone()).unwrap();
        let position: BTreeMap<&Address, usize> =
            graph.steps().iter().enumerate().map(|(n, step)| (&step.address, n)).collect();
        for step in graph.steps() {
            for dependency in &step.depends_on {
                prop_assert!(position[dependency] < position[&step.address]);
            }
        }
        for Draft { step, .. } in &drafts {
            let kept = &graph.get(&step.address).unwrap().depends_on;
            prop_assert!(step.depends_on.iter().all(|dependency| kept.contains(dependency)));
        }
        let shuffled: Vec<Draft> = drafts.into_iter().rev().collect();
        let again = sealed(shuffled).unwrap();
        prop_assert_eq!(again.steps(), graph.steps());
    }

    #[test]
    fn the_frontier_is_the_ready_set((kinds, edges) in shape(), picks in prop::collection::vec(any::<prop::sample::Index>(), 200)) {
        let graph = sealed(random_drafts(&edges, &kinds, true)).unwrap();
        let mut frontier = Frontier::new(&graph);
        let mut finished = BTreeSet::new();
        let mut open: BTreeSet<Address> = BTreeSet::new();
        for pick in picks {
            for ready in frontier.take_ready() {
                let Ready::Start(address) = ready else { panic!("there is no probe") };
                prop_assert!(open.insert(address.clone()));
            }
            let by_definition: BTreeSet<Address> =
                graph.ready(&finished).into_iter().cloned().collect();
            prop_assert_eq!(&open, &by_definition);
            if open.is_empty() {
                break;
            }
            let next = pick.get(&open.iter().cloned().collect::<Vec<_>>()).clone();
            open.remove(&next);
            frontier.finished(&next);
            finished.insert(next);
        }
        if finished.len() == graph.len() {
            prop_assert!(frontier.is_done());
        }
    }

    #[test]
    fn a_cycle_is_always_found((kinds, edges) in shape(), extra in prop::collection::vec(any::<prop::sample::Index>(), 1..6)) {
        let mut members: Vec<usize> = extra.iter().map(|index| index.index(kinds.len())).collect();
        let mut seen = BTreeSet::new();
        members.retain(|member| seen.insert(*member));
        let mut edges: Vec<(usize, usize)> = edges.into_iter().filter(|(a, b)| b < a).collect();
        edges.extend((0..members.len()).map(|i| (members[i], members[(i + 1) % members.len()])));
        let steps = random_drafts(&edges, &kinds, false);
        let waits_for: BTreeMap<Address, Step> =
            steps.iter().map(|draft| (draft.step.address.clone(), draft.step.clone())).collect();
        let Err(GraphError::Cycles(cycles)) = sealed(steps) else { panic!("no cycle was found") };
        prop_assert!(!cycles.is_empty());
        for cycle in cycles {
            for (at, member) in cycle.0.iter().enumerate() {
                let next = &cycle.0[(at + 1) % cycle.0.len()];
                prop_assert!(waits_for[member].depends_on.contains(next));
            }
        }
    }
}
