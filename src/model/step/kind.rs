//! Every kind of step: its name, its arguments as the plan stores them, and one row of traits.
//!
//! A new kind is a name in `kinds!`, a variant of [`StepSpec`] with its spec, and a row of [`StepKind::traits`]. The
//! compiler names whatever is missing.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::approve::ApproveSpec;
use super::rights;
use super::traits::OutputType::{Number, Text, Texts};
use super::traits::{Effect, Look, Phase, Place, Traits, WayBack};
use crate::model::{Address, Arg, HttpRequest};

/// Declares the kinds together with the list of all of them, so that the list is whole.
macro_rules! kinds {
    ($($kind:ident),+ $(,)?) => {
        /// The kinds of step, in the recommended order of their phases.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum StepKind {
            $($kind),+
        }

        impl StepKind {
            pub const ALL: [StepKind; [$(StepKind::$kind),+].len()] = [$(StepKind::$kind),+];
        }
    };
}

kinds!(Approve, Backup, Verify, Migrate, Roll, Smoke, Probe, Run, Checkpoint);

/// A step's kind with its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum StepSpec {
    Approve(ApproveSpec),
    Backup(BackupSpec),
    Verify(VerifySpec),
    Migrate(MigrateSpec),
    Roll(RollSpec),
    Smoke(SmokeSpec),
    Probe(Box<ProbeSpec>),
    Run(RunSpec),
    Checkpoint,
}

impl StepKind {
    /// What is true of every step of this kind.
    pub const fn traits(self) -> &'static Traits {
        match self {
            StepKind::Approve => &Traits {
                word: "approve",
                effect: Effect::None,
                phase: Some(Phase::Approve),
                place: Place::Waits,
                way_back: WayBack::None,
                outputs: Some(&[("by", Text)]),
                rights: &[],
                look: Look::Person,
            },
            StepKind::Backup => &Traits {
                word: "backup",
                effect: Effect::Kept,
                phase: Some(Phase::Backup),
                place: Place::Takes,
                way_back: WayBack::None,
                outputs: Some(&[
                    ("id", Text),
                    ("file", Text),
                    ("size_bytes", Number),
                    ("duration_ms", Number),
                    ("tables", Number),
                    ("rows", Number),
                ]),
                rights: &[],
                look: Look::Data,
            },
            StepKind::Verify => &Traits {
                word: "verify",
                effect: Effect::Kept,
                phase: Some(Phase::Verify),
                place: Place::Takes,
                way_back: WayBack::None,
                outputs: Some(&[
                    ("id", Text),
                    ("file", Text),
                    ("restore_ms", Number),
                    ("tables", Number),
                    ("rows", Number),
                ]),
                rights: &[],
                look: Look::Data,
            },
            StepKind::Migrate => &Traits {
                word: "migrate",
                effect: Effect::Changes,
                phase: Some(Phase::Migrate),
                place: Place::Takes,
                way_back: WayBack::Restore,
                outputs: Some(&[("applied", Texts), ("schema", Number)]),
                rights: &[rights::BY_JOB, rights::BY_EXEC, rights::QUIESCING],
                look: Look::Schema,
            },
            StepKind::Roll => &Traits {
                word: "roll",
                effect: Effect::Changes,
                phase: Some(Phase::Roll),
                place: Place::Takes,
                way_back: WayBack::Revision,
                outputs: Some(&[
                    ("revision", Number),
                    ("version", Text),
                    ("previous_revision", Number),
                ]),
                rights: &[rights::ROLLING],
                look: Look::Release,
            },
            StepKind::Smoke => &Traits {
                word: "smoke",
                effect: Effect::None,
                phase: Some(Phase::Smoke),
                place: Place::Takes,
                way_back: WayBack::None,
                outputs: Some(&[("requests", Number), ("slowest_ms", Number)]),
                rights: &[],
                look: Look::Check,
            },
            StepKind::Probe => &Traits {
                word: "probe",
                effect: Effect::None,
                phase: None,
                place: Place::Beside,
                way_back: WayBack::None,
                outputs: Some(&[
                    ("requests", Number),
                    ("failures", Number),
                    ("longest_gap_ms", Number),
                    ("p50_ms", Number),
                    ("p99_ms", Number),
                ]),
                rights: &[],
                look: Look::Watch,
            },
            StepKind::Run => &Traits {
                word: "run",
                effect: Effect::Changes,
                phase: None,
                place: Place::Takes,
                way_back: WayBack::Own {
                    action: "run its undo command",
                    proof: "the file gives the command",
                },
                outputs: None,
                rights: &[],
                look: Look::Work,
            },
            StepKind::Checkpoint => &Traits {
                word: "checkpoint",
                effect: Effect::None,
                phase: None,
                place: Place::Takes,
                way_back: WayBack::None,
                outputs: Some(&[]),
                rights: &[],
                look: Look::Join,
            },
        }
    }
}

impl StepSpec {
    pub fn kind(&self) -> StepKind {
        match self {
            StepSpec::Approve(_) => StepKind::Approve,
            StepSpec::Backup(_) => StepKind::Backup,
            StepSpec::Verify(_) => StepKind::Verify,
            StepSpec::Migrate(_) => StepKind::Migrate,
            StepSpec::Roll(_) => StepKind::Roll,
            StepSpec::Smoke(_) => StepKind::Smoke,
            StepSpec::Probe(_) => StepKind::Probe,
            StepSpec::Run(_) => StepKind::Run,
            StepSpec::Checkpoint => StepKind::Checkpoint,
        }
    }

    /// The smallest spec of a kind, which fills what a test or an outline leaves open.
    pub fn smallest(kind: StepKind) -> StepSpec {
        match kind {
            StepKind::Approve => StepSpec::Approve(ApproveSpec::default()),
            StepKind::Backup => StepSpec::Backup(BackupSpec {
                database: "main".to_owned(),
                to: "backups".to_owned(),
            }),
            StepKind::Verify => StepSpec::Verify(VerifySpec {
                backup: Address::new(StepKind::Backup, "none"),
                checks: Vec::new(),
            }),
            StepKind::Migrate => StepSpec::Migrate(MigrateSpec::default()),
            StepKind::Roll => StepSpec::Roll(RollSpec {
                version: Version::new(0, 0, 0),
                atomic: false,
                helm_timeout_ms: 60_000,
            }),
            StepKind::Smoke => StepSpec::Smoke(SmokeSpec { requests: Vec::new() }),
            StepKind::Probe => StepSpec::Probe(Box::new(ProbeSpec {
                during: Vec::new(),
                before: Vec::new(),
                request: HttpRequest::get("probe", Arg::Known("http://127.0.0.1/".to_owned())),
                every_ms: 100,
                budget: ProbeBudget::default(),
            })),
            StepKind::Run => StepSpec::Run(RunSpec::new(Vec::new())),
            StepKind::Checkpoint => StepSpec::Checkpoint,
        }
    }

    /// Steps that the arguments name, beyond what expressions read.
    pub fn named(&self) -> Named<'_> {
        match self {
            StepSpec::Verify(spec) => Named { after: Some(&spec.backup), beside: &[] },
            StepSpec::Migrate(spec) => Named { after: spec.backup.as_ref(), beside: &[] },
            StepSpec::Probe(spec) => Named { after: None, beside: &spec.during },
            StepSpec::Approve(_)
            | StepSpec::Backup(_)
            | StepSpec::Roll(_)
            | StepSpec::Smoke(_)
            | StepSpec::Run(_)
            | StepSpec::Checkpoint => Named { after: None, beside: &[] },
        }
    }
}

/// Steps that another step's arguments name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Named<'a> {
    /// The one whose outputs it needs.
    pub after: Option<&'a Address>,
    /// Those that it runs beside, from before the first to after the last.
    pub beside: &'a [Address],
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackupSpec {
    /// Name of the `database` block.
    pub database: String,
    /// A folder (relative to the plan's folder), or an object store URL.
    pub to: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifySpec {
    /// The backup step that is verified.
    pub backup: Address,
    /// SQL that must yield true in the restored copy.
    pub checks: Vec<String>,
}

/// How the migration command is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MigrateVia {
    /// Exec where the running image lists the target's migrations, a Job where it does not. Resolved by the planner.
    #[default]
    Auto,
    Job,
    Exec,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MigrateSpec {
    /// The verified backup that stands behind this migration; none only where a policy relaxed the rule.
    pub backup: Option<Address>,
    pub via: MigrateVia,
    pub exec: Vec<String>,
    pub status: Vec<String>,
    /// Target chart version whose migrations are applied.
    pub to: Option<Version>,
    /// `deployment/NAME` whose pod template is used; the release's first workload when absent.
    pub workload: Option<String>,
    pub container: Option<String>,
    /// Scale the workload to zero before migrating (a breaking migration).
    pub quiesce: bool,
    /// A pending migration is not backward compatible, so undoing means restoring the backup. Told by the planner.
    pub breaking: bool,
    /// Names of the migrations that the plan expects to apply, in order.
    pub pending: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollSpec {
    pub version: Version,
    pub atomic: bool,
    /// Helm's `--timeout`, which counts per phase, in milliseconds.
    pub helm_timeout_ms: u64,
}

impl RollSpec {
    /// Helm's phases, each with its own timeout: hooks before, the wait, hooks after, and a rollback.
    const HELM_PHASES: u64 = 4;
    /// What Helm needs besides its phases, and what the step needs besides Helm.
    const SLACK_MS: u64 = 30_000;

    /// Bound on one Helm command, in milliseconds.
    pub fn helm_bound_ms(&self) -> u64 {
        self.helm_timeout_ms.saturating_mul(Self::HELM_PHASES).saturating_add(Self::SLACK_MS)
    }

    /// Bound on the whole step, in milliseconds.
    pub fn step_bound_ms(&self) -> u64 {
        self.helm_bound_ms().saturating_add(Self::SLACK_MS)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmokeSpec {
    pub requests: Vec<HttpRequest>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeSpec {
    /// The steps that the probe runs beside, from before the first to after the last.
    pub during: Vec<Address>,
    /// Requests made once before probing starts (to mint a token); captures go to `request`.
    pub before: Vec<HttpRequest>,
    pub request: HttpRequest,
    /// Scheduled interval between requests, in milliseconds.
    pub every_ms: u64,
    pub budget: ProbeBudget,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeBudget {
    pub failures: u64,
    /// Longest time without a success, in milliseconds.
    pub gap_ms: Option<u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunSpec {
    pub command: Vec<Arg>,
    pub workdir: Option<String>,
    pub env: BTreeMap<String, Arg>,
    pub exit_codes: Vec<i32>,
    /// Exit 0: done, 1: not done, anything else: unknown.
    pub observe: Option<Vec<Arg>>,
    pub undo: Option<Vec<Arg>>,
    pub idempotent: bool,
    /// Variables of orthid's environment that the commands get, besides those that every program needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// Processes that the command leaves at work are left on purpose.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub detached: bool,
    /// Outputs that are secret whatever they hold.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive_outputs: Vec<String>,
}

impl RunSpec {
    /// A command that must exit with 0, and nothing else that a plan may say of it.
    pub fn new(command: Vec<Arg>) -> RunSpec {
        RunSpec { command, exit_codes: vec![0], ..RunSpec::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_has_one_word_everywhere() {
        for kind in StepKind::ALL {
            assert_eq!(kind.as_str().parse::<StepKind>().unwrap(), kind);
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
            let spec = serde_json::to_value(StepSpec::smallest(kind)).unwrap();
            assert_eq!(spec["kind"], kind.as_str());
        }
    }
}
