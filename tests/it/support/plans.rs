//! Small plans of every kind of step, for runs against the simulated world.

use std::sync::Arc;

use orthid::model::{
    Address, ApproveSpec, Arg, BackupSpec, Hop, HttpRequest, MigrateSpec, MigrateVia, OnFailure,
    ProbeBudget, ProbeSpec, Retry, RollSpec, Rollback, RunSpec, SmokeSpec, Step, StepKind,
    StepSpec, VerifySpec,
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
    let rollback = match address.kind {
        StepKind::Migrate | StepKind::Roll | StepKind::Run => Some(Rollback::default()),
        _ => None,
    };
    Step {
        address,
        hop: None,
        description: None,
        depends_on,
        when: None,
        timeout_ms: Some(60_000),
        retry: Retry { attempts: 3, delay_ms: 100, max_delay_ms: 1_000 },
        on_failure: OnFailure::Rollback,
        rollback,
        spec,
    }
}

fn spec(address: &Address, after: &[Address]) -> StepSpec {
    let of = |kind| after.iter().find(|after| after.kind == kind).cloned();
    match address.kind {
        StepKind::Approve => StepSpec::Approve(ApproveSpec { keys: vec![], deadline_ms: None }),
        StepKind::Backup => {
            StepSpec::Backup(BackupSpec { database: "main".into(), to: "backups".into() })
        }
        StepKind::Verify => {
            StepSpec::Verify(VerifySpec { backup: of(StepKind::Backup).unwrap(), checks: vec![] })
        }
        StepKind::Migrate => StepSpec::Migrate(MigrateSpec {
            backup: of(StepKind::Verify),
            via: MigrateVia::Job,
            exec: vec![],
            status: vec![],
            to: None,
            workload: None,
            container: None,
            quiesce: false,
            breaking: of(StepKind::Verify).is_some(),
            pending: vec![format!("{address}/1"), format!("{address}/2")],
        }),
        StepKind::Roll => StepSpec::Roll(RollSpec {
            version: Version::new(2, 7, 1),
            atomic: true,
            helm_timeout_ms: 60_000,
        }),
        StepKind::Smoke => StepSpec::Smoke(SmokeSpec { requests: vec![] }),
        StepKind::Probe => StepSpec::Probe(Box::new(ProbeSpec {
            during: vec![],
            before: vec![],
            request: HttpRequest {
                name: "probe".into(),
                method: "GET".into(),
                url: Arg::Known("http://127.0.0.1/".into()),
                headers: Default::default(),
                body: None,
                expect: Default::default(),
                capture: vec![],
                timeout_ms: 1_000,
            },
            every_ms: 100,
            budget: ProbeBudget::default(),
        })),
        StepKind::Run => command(Command::Observable),
        StepKind::Checkpoint => StepSpec::Checkpoint,
    }
}

pub fn command(how: Command) -> StepSpec {
    let observe = vec![Arg::Known("is-it-there".into())];
    StepSpec::Run(RunSpec {
        command: vec![Arg::Known("make-it-so".into())],
        workdir: None,
        env: Default::default(),
        exit_codes: vec![0],
        observe: (how == Command::Observable).then_some(observe),
        undo: Some(vec![Arg::Known("take-it-back".into())]),
        idempotent: how == Command::Idempotent,
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
