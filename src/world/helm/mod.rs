//! The Helm command line, 3 and 4: finding it, its flags, running it.
//!
//! Must not: put a secret into an argument; values go through files, secret ones in memory.

pub(super) mod chart;
mod package;
pub(super) mod release;
pub(super) mod render;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use semver::Version;
use tokio_util::sync::CancellationToken;

use super::env::Environment;
use super::error::WorldError;
use super::process::{self, Finished, Job, NotStarted, Rest};
use crate::model::ValuesPolicy;
use crate::text::secret::Redactor;

/// Bound on a Helm command that changes nothing.
const READ_TIMEOUT: Duration = Duration::from_secs(60);
/// What Helm gets to record a failure in its release after SIGTERM.
const GRACE: Duration = Duration::from_secs(30);

/// A Helm that was found, with its version.
#[derive(Clone, Debug)]
pub struct Helm {
    pub program: PathBuf,
    pub version: Version,
    env: BTreeMap<String, String>,
    context: Option<String>,
    redactor: Redactor,
}

/// The major versions that orthid knows the flags of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Major {
    Three,
    Four,
}

impl Helm {
    /// Finds `helm` on the PATH and asks for its version.
    pub async fn find(
        env: &Environment,
        context: Option<&str>,
        redactor: &Redactor,
    ) -> Result<Helm, WorldError> {
        let program = env.program("helm")?;
        let mut helm = Helm {
            program,
            version: Version::new(0, 0, 0),
            env: env.for_helm(),
            context: None,
            redactor: redactor.clone(),
        };
        let text =
            helm.output("tell its version", &["version", "--template", "{{.Version}}"]).await?;
        helm.version = parse_version(&text).ok_or_else(|| WorldError::HelmFailed {
            what: "tell its version".to_owned(),
            reason: format!("it said `{}`", text.trim()),
        })?;
        if !matches!(helm.version.major, 3 | 4) {
            return Err(WorldError::ProgramVersion {
                program: helm.program.display().to_string(),
                found: helm.version.to_string(),
                wanted: "Helm 3 and Helm 4",
            });
        }
        helm.context = context.map(str::to_owned);
        Ok(helm)
    }

    pub fn major(&self) -> Major {
        if self.version.major >= 4 { Major::Four } else { Major::Three }
    }

    /// Runs a command that changes nothing and returns its stdout, unredacted.
    pub async fn output(&self, what: &str, args: &[&str]) -> Result<String, WorldError> {
        self.output_with(what, args, None).await
    }

    /// The same of a command that reads a file in memory.
    pub async fn output_with(
        &self,
        what: &str,
        args: &[&str],
        inherit: Option<Arc<OwnedFd>>,
    ) -> Result<String, WorldError> {
        let folder = tempfile::tempdir().map_err(|e| failed(what, e.to_string()))?;
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        let job = Job {
            rest: Rest::End,
            timeout: READ_TIMEOUT,
            inherit,
            ..self.job(args, Job::new(self.program.clone(), folder.path(), "helm"))
        };
        let done = process::run(&job, &CancellationToken::new(), &self.redactor)
            .await
            .map_err(|e| failed(what, e.to_string()))?;
        if done.why == process::Ended::TimedOut {
            return Err(failed(what, format!("no answer in {} s", READ_TIMEOUT.as_secs())));
        }
        if !done.success() {
            return Err(failed(what, done.last_words(&self.redactor)));
        }
        Ok(done.stdout)
    }

    /// Runs a command with an effect, as a child of this kind; its output stays as evidence.
    pub async fn run(
        &self,
        args: Vec<OsString>,
        child: Job,
        cancel: &CancellationToken,
    ) -> Result<Finished, NotStarted> {
        process::run(&self.job(args, child), cancel, &self.redactor).await
    }

    fn job(&self, mut args: Vec<OsString>, child: Job) -> Job {
        if let Some(context) = &self.context {
            args.push("--kube-context".into());
            args.push(context.into());
        }
        Job { args, env: self.env.clone(), grace: GRACE, ..child }
    }
}

fn failed(what: &str, reason: String) -> WorldError {
    WorldError::HelmFailed { what: what.to_owned(), reason }
}

/// `v3.22.0+g1234` → 3.22.0.
fn parse_version(text: &str) -> Option<Version> {
    Version::parse(text.trim().trim_start_matches('v')).ok()
}

/// Where a chart is, in the words of Helm's command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChartReference {
    pub chart: String,
    pub repository: Option<String>,
    /// None for a chart on the disk, whose version is its own.
    pub version: Option<Version>,
}

impl ChartReference {
    pub fn args(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec![self.chart.clone().into()];
        if let Some(repository) = &self.repository {
            args.extend(["--repo".into(), repository.into()]);
        }
        if let Some(version) = &self.version {
            args.extend(["--version".into(), version.to_string().into()]);
        }
        args
    }
}

/// The flag that tells Helm what becomes of the installed values.
pub fn values_flag(policy: ValuesPolicy) -> &'static str {
    match policy {
        ValuesPolicy::Reuse => "--reuse-values",
        ValuesPolicy::ResetThenReuse => "--reset-then-reuse-values",
        ValuesPolicy::Reset => "--reset-values",
    }
}

/// The name of a policy in facts and plan files.
pub fn policy_name(policy: ValuesPolicy) -> &'static str {
    match policy {
        ValuesPolicy::Reuse => "reuse",
        ValuesPolicy::ResetThenReuse => "reset_then_reuse",
        ValuesPolicy::Reset => "reset",
    }
}

/// One `helm upgrade`.
#[derive(Clone, Debug)]
pub struct Upgrade<'a> {
    pub release: &'a str,
    pub namespace: &'a str,
    pub chart: ChartReference,
    pub policy: ValuesPolicy,
    pub values: &'a [PathBuf],
}

impl Upgrade<'_> {
    fn base(&self) -> Vec<OsString> {
        let mut args: Vec<OsString> = vec!["upgrade".into(), self.release.into()];
        args.extend(self.chart.args());
        args.extend(["--namespace".into(), self.namespace.into()]);
        args.push(values_flag(self.policy).into());
        for file in self.values {
            args.extend(["--values".into(), file.into()]);
        }
        args
    }

    /// A render against the cluster: nothing is changed or recorded.
    pub fn dry_run(&self) -> Vec<OsString> {
        let mut args = self.base();
        args.extend(["--dry-run=server", "--output", "json"].map(OsString::from));
        args
    }

    pub fn apply(&self, major: Major, apply: &Apply<'_>) -> Vec<OsString> {
        let mut args = self.base();
        args.extend(["--timeout".into(), duration(apply.timeout).into(), "--wait".into()]);
        if apply.atomic {
            args.push(match major {
                Major::Three => "--atomic".into(),
                Major::Four => "--rollback-on-failure".into(),
            });
        }
        args.extend(["--description".into(), apply.description.into()]);
        let labels: Vec<String> = apply.labels.iter().map(|(k, v)| format!("{k}={v}")).collect();
        args.extend(["--labels".into(), labels.join(",").into()]);
        args
    }
}

#[derive(Clone, Debug)]
pub struct Apply<'a> {
    pub atomic: bool,
    pub timeout: Duration,
    pub description: &'a str,
    pub labels: &'a BTreeMap<String, String>,
}

/// `helm rollback` to a revision given by number: 0 would mean the one before, which may be a failed one.
pub fn rollback(release: &str, namespace: &str, revision: u32, timeout: Duration) -> Vec<OsString> {
    assert!(revision > 0, "a rollback names its revision");
    vec![
        "rollback".into(),
        release.into(),
        revision.to_string().into(),
        "--namespace".into(),
        namespace.into(),
        "--timeout".into(),
        duration(timeout).into(),
        "--wait".into(),
    ]
}

fn duration(timeout: Duration) -> String {
    format!("{}s", timeout.as_secs().max(1))
}

/// Did the connection to the API server fail, in the words of client-go and of Go's network library? A release that does
/// not become ready in time is something else.
pub fn lost_the_cluster(stderr: &str) -> bool {
    const WORDS: [&str; 11] = [
        "Kubernetes cluster unreachable",
        "connection refused",
        "connection reset by peer",
        "broken pipe",
        "unexpected EOF",
        ": EOF",
        "i/o timeout",
        "TLS handshake timeout",
        "http2: client connection lost",
        "the server is currently unable to handle the request",
        "etcdserver: ",
    ];
    WORDS.iter().any(|words| stderr.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_cluster_is_told_from_a_release_that_fails() {
        for lost in [
            "Error: UPGRADE FAILED: cannot patch \"api\" with kind Deployment: Patch \"https://127.0.0.1:6443/\": unexpected EOF",
            "Error: Kubernetes cluster unreachable: Get \"https://127.0.0.1:6443/version\": dial tcp 127.0.0.1:6443: connect: connection refused",
            "Error: UPGRADE FAILED: etcdserver: request timed out",
        ] {
            assert!(lost_the_cluster(lost), "{lost}");
        }
        for failed in [
            "Error: UPGRADE FAILED: release orthid failed, and has been rolled back due to atomic being set: context deadline exceeded",
            "Error: UPGRADE FAILED: resource Deployment/orthid/orthid-api not ready. status: InProgress",
            "Error: UPGRADE FAILED: template: orthid/templates/api.yaml:7: unexpected \"}\" in operand",
        ] {
            assert!(!lost_the_cluster(failed), "{failed}");
        }
    }
    use expect_test::{Expect, expect};

    fn check(args: &[OsString], expected: Expect) {
        let words: Vec<String> = args.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        expected.assert_eq(&words.join(" "));
    }

    fn upgrade(files: &[PathBuf]) -> Upgrade<'_> {
        Upgrade {
            release: "orthid",
            namespace: "id",
            chart: ChartReference {
                chart: "orthid".into(),
                repository: Some("http://127.0.0.1:8879".into()),
                version: Some(Version::new(2, 7, 1)),
            },
            policy: ValuesPolicy::ResetThenReuse,
            values: files,
        }
    }

    #[test]
    fn helm_3_and_4_spell_atomic_differently() {
        let labels = BTreeMap::from([("orthid-run".to_owned(), "abc".to_owned())]);
        let apply = Apply {
            atomic: true,
            timeout: Duration::from_secs(600),
            description: "orthid run=abc",
            labels: &labels,
        };
        check(
            &upgrade(&[]).apply(Major::Three, &apply),
            expect![
                "upgrade orthid orthid --repo http://127.0.0.1:8879 --version 2.7.1 --namespace id --reset-then-reuse-values --timeout 600s --wait --atomic --description orthid run=abc --labels orthid-run=abc"
            ],
        );
        check(
            &upgrade(&[]).apply(Major::Four, &apply),
            expect![
                "upgrade orthid orthid --repo http://127.0.0.1:8879 --version 2.7.1 --namespace id --reset-then-reuse-values --timeout 600s --wait --rollback-on-failure --description orthid run=abc --labels orthid-run=abc"
            ],
        );
    }

    #[test]
    fn a_dry_run_neither_waits_nor_records() {
        check(
            &upgrade(&["/tmp/v.yaml".into()]).dry_run(),
            expect![
                "upgrade orthid orthid --repo http://127.0.0.1:8879 --version 2.7.1 --namespace id --reset-then-reuse-values --values /tmp/v.yaml --dry-run=server --output json"
            ],
        );
    }

    #[test]
    fn versions_are_read_from_both_spellings() {
        assert_eq!(parse_version("v3.22.0+g1\n"), Some("3.22.0+g1".parse().unwrap()));
        assert_eq!(parse_version("4.3.1"), Some(Version::new(4, 3, 1)));
        assert_eq!(parse_version("helm"), None);
    }
}
