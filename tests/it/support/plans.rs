//! Small plans of every kind of step, for runs against the simulated world.

use std::sync::Arc;

use orthid::model::{
    Address, Arg, Hop, MigrateVia, Retry, Rollback, RunSpec, Step, StepKind, StepSpec,
};
use orthid::plan::Plan;
use semver::Version;

/// How a `run` step can be looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    Observable,
    Idempotent,
    Opaque,
}

pub fn at(text: &str) -> Address {
    text.parse().unwrap()
}

/// A step that depends on these.
pub fn step(address: &str, after: &[&str]) -> Step {
    let address = at(address);
    let mut depends_on: Vec<Address> = after.iter().map(|after| at(after)).collect();
    depends_on.sort();
    let spec = spec(&address, &depends_on);
    let restore = depends_on.iter().find(|after| after.kind == StepKind::Verify).cloned();
    let rollback = match address.kind {
        StepKind::Migrate => Some(Rollback { restore }),
        StepKind::Roll | StepKind::Run => Some(Rollback::default()),
        _ => None,
    };
    Step {
        depends_on,
        timeout_ms: Some(60_000),
        retry: Retry { attempts: 3, delay_ms: 100, max_delay_ms: 1_000 },
        rollback,
        ..Step::at(address, spec)
    }
}

fn spec(address: &Address, after: &[Address]) -> StepSpec {
    let of = |kind| after.iter().find(|after| after.kind == kind).cloned();
    let mut spec = match address.kind {
        StepKind::Run => command(Command::Observable),
        kind => StepSpec::smallest(kind),
    };
    match &mut spec {
        StepSpec::Verify(spec) => spec.backup = of(StepKind::Backup).unwrap(),
        StepSpec::Migrate(spec) => {
            spec.backup = of(StepKind::Verify);
            spec.via = MigrateVia::Job;
            spec.breaking = of(StepKind::Verify).is_some();
            spec.pending = vec![format!("{address}/1"), format!("{address}/2")];
        }
        StepSpec::Roll(spec) => spec.version = Version::new(2, 7, 1),
        _ => {}
    }
    spec
}

pub fn command(how: Command) -> StepSpec {
    let observe = vec![Arg::Known("is-it-there".into())];
    StepSpec::Run(RunSpec {
        observe: (how == Command::Observable).then_some(observe),
        undo: Some(vec![Arg::Known("take-it-back".into())]),
        idempotent: how == Command::Idempotent,
        ..RunSpec::new(vec![Arg::Known("make-it-so".into())])
    })
}

pub fn runs(address: &str, after: &[&str], how: Command) -> Step {
    Step { spec: command(how), ..step(address, after) }
}

/// A probe beside these steps.
pub fn probe(address: &str, during: &[&str]) -> Step {
    let mut step = step(address, &[]);
    step.timeout_ms = None;
    if let StepSpec::Probe(spec) = &mut step.spec {
        spec.during = during.iter().map(|step| at(step)).collect();
    }
    step
}

pub fn plan(steps: Vec<Step>) -> Arc<Plan> {
    let hops = vec![Hop::new(0, Version::new(2, 6, 3), Version::new(2, 7, 1))];
    Arc::new(Plan { name: "rehearsed".to_owned(), hops, steps, ..Plan::default() })
}

/// An upgrade with every kind of step.
pub fn upgrade() -> Arc<Plan> {
    plan(vec![
        step("approve.gate", &[]),
        step("backup.before", &["approve.gate"]),
        step("verify.before", &["backup.before"]),
        step("migrate.schema", &["verify.before"]),
        step("roll.app", &["migrate.schema"]),
        step("smoke.sign_in", &["roll.app"]),
        probe("probe.tokens", &["migrate.schema", "roll.app"]),
        step("checkpoint.done", &["smoke.sign_in", "probe.tokens"]),
    ])
}

/// Commands side by side: one that can be looked at, one that may be repeated, one of which nothing can be told.
pub fn commands() -> Arc<Plan> {
    plan(vec![
        runs("run.observable", &[], Command::Observable),
        runs("run.idempotent", &[], Command::Idempotent),
        runs("run.opaque", &["run.observable"], Command::Opaque),
        step("checkpoint.join", &["run.idempotent", "run.opaque"]),
        step("smoke.last", &["checkpoint.join"]),
    ])
}
