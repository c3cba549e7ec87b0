//! What each step kind does: fully resolved arguments, as the plan stores them.

use std::collections::BTreeMap;

use semver::Version;
use serde::{Deserialize, Serialize};

use super::{Address, Arg};

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

/// A Helm release and where it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseSpec {
    pub name: String,
    /// kubeconfig context; the current one when absent.
    pub context: Option<String>,
    pub namespace: String,
    /// `repo/name`, `oci://…`, a local folder or a `.tgz`.
    pub chart: String,
    /// Chart repository URL; Helm's own repository configuration when absent.
    pub repository: Option<String>,
    /// `deployment/orthid-api`: what must have rolled out.
    pub workloads: Vec<String>,
    pub version_of: VersionOf,
    pub values: ValuesSpec,
}

/// Which version of the release the plan speaks of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VersionOf {
    #[default]
    Chart,
    App,
}

/// What becomes of the values of the installed release, in Helm's terms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValuesPolicy {
    #[default]
    Reuse,
    ResetThenReuse,
    Reset,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuesSpec {
    pub policy: ValuesPolicy,
    pub files: Vec<FileDigest>,
    /// `--set`-like overrides by dotted path; secrets arrive through `Arg::Later`.
    pub set: BTreeMap<String, Arg>,
}

/// A file that a plan rests on. The path is as the author wrote it, relative to the plan's folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileDigest {
    pub path: String,
    pub sha256: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSpec {
    pub name: String,
    /// Connection URL: secret, so `Arg::Later` reading the environment.
    pub url: Arg,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmokeSpec {
    pub requests: Vec<HttpRequest>,
}

/// One HTTP request with what is expected of its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpRequest {
    pub name: String,
    pub method: String,
    pub url: Arg,
    pub headers: BTreeMap<String, Arg>,
    /// Request body, usually JSON.
    pub body: Option<Arg>,
    pub expect: Expectation,
    pub capture: Vec<Capture>,
    pub timeout_ms: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// Accepted status codes; any 2xx when empty.
    pub status: Vec<u16>,
    pub headers: BTreeMap<String, String>,
    /// JSON pointer (RFC 6901) → expected value.
    pub json: BTreeMap<String, serde_json::Value>,
    /// JSON pointer of a JWT that must verify against the JWKS at this URL.
    pub jwt: Option<JwtExpectation>,
    pub latency_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JwtExpectation {
    /// JSON pointer of the token in the answer.
    pub pointer: String,
    pub jwks_url: Arg,
}

/// A value of an answer that later requests of the same step use as `capture.NAME`, written `{{NAME}}` in the stored request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    pub name: String,
    /// JSON pointer (RFC 6901) into the answer's body.
    pub pointer: String,
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

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApproveSpec {
    /// Public keys (ed25519, base64) that may approve; anyone at the terminal when empty.
    pub keys: Vec<String>,
    pub deadline_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
}
