//! The Kubernetes API: a client from kubeconfig and context, calls with a bound in time and few repeats.

pub(super) mod exec;
pub(super) mod job;
pub(super) mod watcher;
pub(super) mod workload;

use std::future::Future;
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};

use super::env::Environment;
use super::error::{WorldError, chain};
use crate::journal::FailureClass;

/// Bound on one call to the API server.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Bound on the first answer: an absent cluster is told soon.
const FIRST_TIMEOUT: Duration = Duration::from_secs(8);
const READ_ATTEMPTS: u32 = 4;

/// A connection to one cluster.
#[derive(Clone)]
pub struct Cluster {
    pub client: Client,
    pub server: String,
    pub context: Option<String>,
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A failed call: its class, the HTTP status where there was one, and words without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    pub class: FailureClass,
    pub status: Option<u16>,
    pub message: String,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Cluster {
    /// Reads the kubeconfig and makes a client; says nothing yet to the API server.
    pub async fn connect(env: &Environment, context: Option<&str>) -> Result<Cluster, WorldError> {
        let bad = |reason: String| WorldError::Kubeconfig { reason };
        let mut merged: Option<Kubeconfig> = None;
        let paths = env.kubeconfigs();
        for path in paths.iter().filter(|path| path.exists()) {
            let next = Kubeconfig::read_from(path)
                .map_err(|e| bad(format!("{}: {}", path.display(), chain(&e))))?;
            merged = Some(match merged {
                None => next,
                Some(first) => first.merge(next).map_err(|e| bad(chain(&e)))?,
            });
        }
        let Some(kubeconfig) = merged else {
            let looked: Vec<String> = paths.iter().map(|p| p.display().to_string()).collect();
            let looked = if looked.is_empty() { "nowhere".to_owned() } else { looked.join(", ") };
            return Err(bad(format!("no file found (looked at {looked})")));
        };
        let context = context.map(str::to_owned).or_else(|| kubeconfig.current_context.clone());
        let options = KubeConfigOptions { context: context.clone(), cluster: None, user: None };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|e| bad(chain(&e)))?;
        config.connect_timeout = Some(Duration::from_secs(5));
        config.default_retry = false;
        let server = config.cluster_url.to_string();
        let server = server.trim_end_matches('/').to_owned();
        let client = Client::try_from(config).map_err(|e| bad(chain(&e)))?;
        Ok(Cluster { client, server, context })
    }

    /// The UID of `kube-system`, which tells one cluster from another. The first call: it tells an absent cluster.
    pub async fn uid(&self) -> Result<String, WorldError> {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let answer = tokio::time::timeout(FIRST_TIMEOUT, namespaces.get("kube-system")).await;
        let unreachable = |reason: String| WorldError::ClusterUnreachable {
            server: self.server.clone(),
            context: self.context.clone(),
            reason,
        };
        match answer {
            Ok(Ok(namespace)) => Ok(namespace.metadata.uid.unwrap_or_default()),
            Ok(Err(kube::Error::Api(status))) => Err(WorldError::ClusterRefused {
                what: "show namespace kube-system".to_owned(),
                reason: status.message.clone(),
            }),
            Ok(Err(error)) => Err(unreachable(chain(&error))),
            Err(_) => Err(unreachable(format!("no answer in {} s", FIRST_TIMEOUT.as_secs()))),
        }
    }

    /// A read: bounded in time, repeated a few times where the failure may pass.
    pub async fn read<T, F>(&self, what: &str, call: impl Fn() -> F) -> Result<T, CallError>
    where
        F: Future<Output = kube::Result<T>>,
    {
        let mut delay = Duration::from_millis(200);
        for _ in 1..READ_ATTEMPTS {
            match self.once(what, call()).await {
                Err(error) if error.class == FailureClass::Transient => {}
                result => return result,
            }
            tokio::time::sleep(delay).await;
            delay *= 3;
        }
        self.once(what, call()).await
    }

    /// One call, bounded in time. For writes: after a timeout it can't be told whether it was carried out, and the
    /// caller must look.
    pub async fn once<T>(
        &self,
        what: &str,
        call: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, CallError> {
        match tokio::time::timeout(CALL_TIMEOUT, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(classify(what, &error)),
            Err(_) => Err(CallError {
                class: FailureClass::Transient,
                status: None,
                message: format!("{what}: no answer in {} s", CALL_TIMEOUT.as_secs()),
            }),
        }
    }
}

/// Sorts an API failure by whether repeating may help.
pub fn classify(what: &str, error: &kube::Error) -> CallError {
    match error {
        kube::Error::Api(status) => {
            let transient = matches!(status.code, 408 | 429 | 500..=599);
            let class = if transient { FailureClass::Transient } else { FailureClass::Permanent };
            CallError {
                class,
                status: Some(status.code),
                message: format!("{what}: {}", status.message),
            }
        }
        kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => {
            CallError {
                class: FailureClass::Transient,
                status: None,
                message: format!("{what}: {}", chain(error)),
            }
        }
        // kube's enum is foreign: whatever else it says is about our request, and stays as it is.
        other => CallError {
            class: FailureClass::Permanent,
            status: None,
            message: format!("{what}: {}", chain(other)),
        },
    }
}

/// `deployment/orthid-api` → (`deployment`, `orthid-api`).
pub fn workload_parts(workload: &str) -> (&str, &str) {
    workload.split_once('/').unwrap_or(("deployment", workload))
}
