//! Why the world could not be observed, each with a code and a way out.

use std::fmt::Display;

use miette::Diagnostic;
use thiserror::Error;

/// A failure that stops planning before anything has changed. Messages never hold a secret.
#[derive(Debug, Error)]
pub enum WorldError {
    #[error("`{program}` was not found on the PATH ({path})")]
    ProgramMissing { program: String, path: String },

    #[error("`{program}` is version {found}; orthid drives {wanted}")]
    ProgramVersion { program: String, found: String, wanted: &'static str },

    #[error("no usable kubeconfig: {reason}")]
    Kubeconfig { reason: String },

    #[error("the cluster at {server}{} does not answer: {reason}", context_text(.context))]
    ClusterUnreachable { server: String, context: Option<String>, reason: String },

    #[error("the cluster refused to {what}: {reason}")]
    ClusterRefused { what: String, reason: String },

    #[error("release `{release}` is not installed in namespace `{namespace}`")]
    ReleaseMissing { release: String, namespace: String },

    #[error("release `{release}` cannot be read: {reason}")]
    ReleaseUnreadable { release: String, reason: String },

    #[error("chart `{chart}`{} offers no version {wanted}; it offers {offered}", source_text(.repository))]
    VersionMissing { chart: String, repository: Option<String>, wanted: String, offered: String },

    #[error("chart `{chart}`{} cannot be read: {reason}", source_text(.repository))]
    ChartUnreadable { chart: String, repository: Option<String>, reason: String },

    #[error("the changelog {source_name} cannot be read: {reason}")]
    Changelog { source_name: String, reason: String },

    #[error("helm failed to {what}: {reason}")]
    HelmFailed { what: String, reason: String },

    #[error("database `{name}` at {place} cannot be reached: {reason}")]
    DatabaseUnreachable { name: String, place: String, reason: String },

    #[error("the URL of database `{name}` cannot be used: {reason}")]
    DatabaseUrl { name: String, reason: String },

    #[error("the value of {what} is not known: {reason}")]
    ValueUnknown { what: String, reason: String },

    #[error("backup destination `{to}` is not supported")]
    DestinationUnsupported { to: String },

    #[error("the output `{output}` of {step} is sensitive, and the process that held it is gone")]
    OutputGone { step: String, output: String, variables: String },

    #[error(
        "the facts can't be recorded without a secret of the plan that stands in them: {reason}"
    )]
    SecretInFacts { reason: String },

    #[error("{path}: {reason}")]
    File { path: String, reason: String },
}

impl Diagnostic for WorldError {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.explain().0))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.explain().1))
    }
}

impl WorldError {
    /// The stable code and the way out.
    fn explain(&self) -> (&'static str, String) {
        match self {
            WorldError::ProgramMissing { program, .. } => (
                "orthid::world::program_missing",
                format!("install {program}, or put the folder that holds it on the PATH of the shell that runs orthid"),
            ),
            WorldError::ProgramVersion { .. } => (
                "orthid::world::program_version",
                "install a supported version and put it first on the PATH".to_owned(),
            ),
            WorldError::Kubeconfig { .. } => (
                "orthid::world::kubeconfig",
                "set KUBECONFIG, or name an existing context in the `release` block; `kubectl config get-contexts` lists them".to_owned(),
            ),
            WorldError::ClusterUnreachable { .. } => (
                "orthid::world::cluster_unreachable",
                "check the network, VPN and credentials; `kubectl --request-timeout=5s get ns` must work from here. Nothing was changed".to_owned(),
            ),
            WorldError::ClusterRefused { .. } => (
                "orthid::world::cluster_refused",
                "the credentials of this context may lack a permission; `kubectl auth can-i --list -n NAMESPACE` shows what they have".to_owned(),
            ),
            WorldError::ReleaseMissing { .. } => (
                "orthid::world::release_missing",
                "`helm list -A` shows what is installed where; check `release`, `namespace` and `context` in the plan".to_owned(),
            ),
            WorldError::ReleaseUnreadable { release, .. } => (
                "orthid::world::release_unreadable",
                format!("`helm get all {release}` must work from here"),
            ),
            WorldError::VersionMissing { .. } => (
                "orthid::world::version_missing",
                "choose a version from the list for `to`, or refresh the repository (`helm repo update`) where the version is new".to_owned(),
            ),
            WorldError::ChartUnreadable { .. } => (
                "orthid::world::chart_unreadable",
                "`helm show chart` with the same chart, repository and version must work from here".to_owned(),
            ),
            WorldError::Changelog { .. } => (
                "orthid::world::changelog",
                "`source` names a file below the plan's folder, or an https URL; without it, the charts' own `releases.yaml` is read".to_owned(),
            ),
            WorldError::HelmFailed { .. } => (
                "orthid::world::helm_failed",
                "run the same helm command by hand for more".to_owned(),
            ),
            WorldError::DatabaseUnreachable { .. } => (
                "orthid::world::database_unreachable",
                "check the URL of the `database` block, the network, and that the server takes connections from here. Nothing was changed".to_owned(),
            ),
            WorldError::DatabaseUrl { .. } => (
                "orthid::world::database_url",
                "it has the form postgres://USER:PASSWORD@HOST:PORT/DATABASE; give it by env(\"NAME\") so that it is never stored".to_owned(),
            ),
            WorldError::ValueUnknown { .. } => (
                "orthid::world::value_unknown",
                "set the environment variable that the plan names before running orthid".to_owned(),
            ),
            WorldError::DestinationUnsupported { .. } => (
                "orthid::world::destination_unsupported",
                "give a folder; to keep backups in an object store, mount it or copy the folder there in a `run` step after `verify`".to_owned(),
            ),
            WorldError::OutputGone { variables, .. } => (
                "orthid::world::output_gone",
                format!("a secret output is never stored: set {variables} to what it was, and resume"),
            ),
            WorldError::SecretInFacts { .. } => (
                "orthid::world::secret_in_facts",
                "the secret is a word of the cluster's own, such as a version or a kind: choose another one".to_owned(),
            ),
            WorldError::File { .. } => (
                "orthid::world::file",
                "check the path; relative paths start at the plan's folder".to_owned(),
            ),
        }
    }
}

fn context_text(context: &Option<String>) -> String {
    context.as_ref().map(|c| format!(" (context `{c}`)")).unwrap_or_default()
}

fn source_text(repository: &Option<String>) -> String {
    repository.as_ref().map(|r| format!(" in {r}")).unwrap_or_default()
}

/// An error with all its causes on one line: libraries hide the useful part in the last one.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
