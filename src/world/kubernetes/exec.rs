//! Commands inside running pods, and the logs they leave.
//!
//! Guarantees: a command counts as successful only on an explicit exit status. A stream that ends without one says
//! nothing about the command: that is [`ExecError::Unknown`].

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, ListParams};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio_util::sync::CancellationToken;

use super::{CallError, Cluster, classify, workload};
use crate::journal::FailureClass;

/// At most this much of each stream is kept.
const OUTPUT_LIMIT: usize = 1 << 20;
/// For the stream to open.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);

/// What a command in a pod did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecOutput {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecError {
    /// The command was not started.
    NotStarted(CallError),
    /// The stream ended, or time ran out, before an exit status came.
    Unknown(String),
}

impl std::fmt::Display for ExecError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ExecError::NotStarted(error) => error.fmt(f),
            ExecError::Unknown(reason) => f.write_str(reason),
        }
    }
}

/// A command for a container of a pod.
#[derive(Clone, Debug)]
pub struct Exec<'a> {
    pub namespace: &'a str,
    pub pod: &'a str,
    pub container: Option<&'a str>,
    pub command: &'a [String],
    pub timeout: Duration,
}

/// Runs a command in a pod and waits for its exit status.
pub async fn exec(
    cluster: &Cluster,
    exec: &Exec<'_>,
    cancel: &CancellationToken,
) -> Result<ExecOutput, ExecError> {
    let pods: Api<Pod> = Api::namespaced(cluster.client.clone(), exec.namespace);
    let mut params = AttachParams::default().stdout(true).stderr(true).max_stdout_buf_size(1 << 16);
    if let Some(container) = exec.container {
        params = params.container(container);
    }
    let what = format!("run `{}` in pod `{}`", exec.command.join(" "), exec.pod);
    let opening = pods.exec(exec.pod, exec.command, &params);
    let mut process = match tokio::time::timeout(OPEN_TIMEOUT, opening).await {
        Ok(Ok(process)) => process,
        Ok(Err(error)) => return Err(ExecError::NotStarted(classify(&what, &error))),
        // The request may have reached the kubelet.
        Err(_) => {
            return Err(ExecError::Unknown(format!("{what}: the stream did not open in time")));
        }
    };
    let status = process.take_status();
    let stdout = process.stdout();
    let stderr = process.stderr();
    let all = async {
        let read = async { tokio::join!(collect(stdout), collect(stderr)) };
        let status = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        tokio::join!(read, status)
    };
    let ((stdout, stderr), status) = tokio::select! {
        done = all => done,
        () = cancel.cancelled() => {
            process.abort();
            return Err(ExecError::Unknown(format!("{what}: cancelled before it ended")));
        }
        () = tokio::time::sleep(exec.timeout) => {
            process.abort();
            return Err(ExecError::Unknown(format!("{what}: no end in {} s", exec.timeout.as_secs())));
        }
    };
    match status.as_ref().and_then(exit_code) {
        Some(code) => Ok(ExecOutput { code, stdout, stderr }),
        None => {
            let said =
                status.and_then(|s| s.message).unwrap_or_else(|| "the stream was cut".to_owned());
            Err(ExecError::Unknown(format!("{what}: no exit status came ({said})")))
        }
    }
}

/// The exit code that an exec's final status tells: `Success` is 0, `NonZeroExitCode` has it among its causes.
fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    if status.reason.as_deref() != Some("NonZeroExitCode") {
        return None;
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    causes.iter().find(|c| c.reason.as_deref() == Some("ExitCode"))?.message.as_ref()?.parse().ok()
}

async fn collect(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let mut kept = Vec::new();
    let mut chunk = [0_u8; 8192];
    // Reading on past the limit keeps the command from blocking on a full pipe.
    while let Ok(n @ 1..) = stream.read(&mut chunk).await {
        let room = OUTPUT_LIMIT.saturating_sub(kept.len()).min(n);
        kept.extend_from_slice(&chunk[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The pods that a label query selects.
pub async fn pods(cluster: &Cluster, namespace: &str, query: &str) -> Result<Vec<Pod>, CallError> {
    let api: Api<Pod> = Api::namespaced(cluster.client.clone(), namespace);
    let params = ListParams::default().labels(query);
    Ok(cluster.read("list pods", || api.list(&params)).await?.items)
}

/// A pod of the workload that is ready and not going away.
pub async fn ready_pod(
    cluster: &Cluster,
    namespace: &str,
    workload: &str,
) -> Result<Pod, CallError> {
    let query = workload::get(cluster, namespace, workload).await?.selector;
    let pods = pods(cluster, namespace, &query).await?;
    pods.into_iter().find(is_ready).ok_or_else(|| CallError {
        class: FailureClass::Transient,
        status: None,
        message: format!("{workload} in namespace `{namespace}` has no ready pod"),
    })
}

pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|s| s.conditions.as_ref());
    let ready =
        conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"));
    ready && pod.metadata.deletion_timestamp.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(status: serde_json::Value) -> Option<i32> {
        exit_code(&serde_json::from_value(status).unwrap())
    }

    #[test]
    fn only_an_explicit_status_tells_how_a_command_ended() {
        assert_eq!(code(json!({"status": "Success"})), Some(0));
        let failed = json!({
            "status": "Failure",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": "17"}]},
        });
        assert_eq!(code(failed), Some(17));
        assert_eq!(code(json!({"status": "Failure", "reason": "InternalError"})), None);
        assert_eq!(code(json!({})), None);
    }
}
