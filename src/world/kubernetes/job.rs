//! The one-off Job of a migration, made from the live workload's pod template. Pure.

use k8s_openapi::api::core::v1::{Container, PodSpec, PodTemplateSpec};
use serde_json::{Value, json};

/// The container that tells the schema's state before, the one that migrates, the one that tells it after.
pub const BEFORE: &str = "orthid-before";
pub const MIGRATE: &str = "orthid-migrate";
pub const AFTER: &str = "orthid-after";

/// What a Job is made from.
#[derive(Clone, Debug)]
pub struct Recipe<'a> {
    pub name: &'a str,
    pub namespace: &'a str,
    /// Labels of Job and pod. The workload's own are not taken over: a Service would send requests to the Job.
    pub labels: Value,
    /// Of the live workload.
    pub template: &'a PodTemplateSpec,
    /// The container to take; the first when absent.
    pub container: Option<&'a str>,
    /// The target release's image.
    pub image: &'a str,
    /// Commands in order, by container name: all but the last are init containers, which run one after the other.
    pub commands: &'a [(&'a str, Vec<String>)],
    pub deadline_seconds: i64,
}

/// How long a finished Job stays, for people and for a resume that comes late.
const KEEP_SECONDS: i64 = 24 * 3600;

impl Recipe<'_> {
    /// The Job as JSON, ready for the API server.
    ///
    /// The pod keeps what the workload needs to reach its database: environment, volumes, service account, security
    /// context, its own init containers. It loses what belongs to serving: ports, probes, lifecycle hooks, the other
    /// containers.
    pub fn build(&self) -> Result<Value, String> {
        let pod = self.template.spec.as_ref().ok_or("the workload has no pod template")?;
        let source = self.source(pod)?;
        let mut containers: Vec<Container> = self
            .commands
            .iter()
            .map(|(name, command)| self.container(source, name, command))
            .collect();
        let last = containers.pop().ok_or("a Job needs a command")?;
        let mut init = pod.init_containers.clone().unwrap_or_default();
        init.extend(containers);
        let spec = PodSpec {
            containers: vec![last],
            init_containers: Some(init).filter(|init| !init.is_empty()),
            restart_policy: Some("Never".to_owned()),
            topology_spread_constraints: None,
            affinity: None,
            ..pod.clone()
        };
        let annotations = self.template.metadata.as_ref().and_then(|m| m.annotations.clone());
        Ok(json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": self.name, "namespace": self.namespace, "labels": self.labels},
            "spec": {
                "backoffLimit": 0,
                "activeDeadlineSeconds": self.deadline_seconds,
                "ttlSecondsAfterFinished": KEEP_SECONDS,
                "template": {
                    "metadata": {"labels": self.labels, "annotations": annotations},
                    "spec": spec,
                },
            },
        }))
    }

    fn source<'p>(&self, pod: &'p PodSpec) -> Result<&'p Container, String> {
        match self.container {
            None => {
                pod.containers.first().ok_or_else(|| "the pod template has no container".to_owned())
            }
            Some(name) => pod
                .containers
                .iter()
                .find(|c| c.name == name)
                .ok_or_else(|| format!("the pod template has no container `{name}`")),
        }
    }

    fn container(&self, source: &Container, name: &str, command: &[String]) -> Container {
        Container {
            name: name.to_owned(),
            image: Some(self.image.to_owned()),
            command: Some(command.to_vec()),
            args: None,
            ports: None,
            liveness_probe: None,
            readiness_probe: None,
            startup_probe: None,
            lifecycle: None,
            stdin: None,
            tty: None,
            ..source.clone()
        }
    }
}

/// The image of a workload's container in a rendered manifest.
pub fn image_in(docs: &[Value], workload: &str, container: Option<&str>) -> Result<String, String> {
    let (kind, name) = super::workload_parts(workload);
    let is_it = |doc: &&Value| {
        let found = doc.get("kind").and_then(Value::as_str).unwrap_or_default();
        found.eq_ignore_ascii_case(kind)
            && doc.pointer("/metadata/name").and_then(Value::as_str) == Some(name)
    };
    let doc =
        docs.iter().find(is_it).ok_or_else(|| format!("the target release has no {workload}"))?;
    let containers = doc.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let mut containers = containers.into_iter().flatten();
    let found = containers.find(|c| {
        container.is_none_or(|wanted| c.get("name").and_then(Value::as_str) == Some(wanted))
    });
    found.and_then(|c| c.get("image")).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
        format!("{workload} of the target release has no such container or no image")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_keeps_what_reaches_the_database_and_drops_what_serves() {
        let template: PodTemplateSpec = serde_json::from_value(json!({
            "metadata": {"labels": {"app": "orthid"}, "annotations": {"note": "kept"}},
            "spec": {
                "serviceAccountName": "orthid",
                "automountServiceAccountToken": false,
                "dnsPolicy": "Default",
                "securityContext": {"runAsNonRoot": true},
                "volumes": [{"name": "config", "configMap": {"name": "orthid"}}],
                "containers": [
                    {
                        "name": "api", "image": "orthid:2.6.0", "imagePullPolicy": "Never",
                        "command": ["/orthid", "serve"], "args": ["--port=8080"],
                        "env": [{"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}],
                        "envFrom": [{"configMapRef": {"name": "orthid"}}],
                        "ports": [{"containerPort": 8080}],
                        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}},
                        "livenessProbe": {"httpGet": {"path": "/healthz", "port": 8080}},
                        "lifecycle": {"preStop": {"exec": {"command": ["sleep", "5"]}}},
                        "volumeMounts": [{"name": "config", "mountPath": "/etc/orthid"}],
                        "resources": {"limits": {"memory": "128Mi"}}
                    },
                    {"name": "proxy", "image": "proxy:1"}
                ]
            }
        }))
        .unwrap();
        let command = |words: &str| words.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let recipe = Recipe {
            name: "orthid-migrate-abc",
            namespace: "id",
            labels: json!({"orthid.dev/run": "r"}),
            template: &template,
            container: None,
            image: "orthid:2.7.0",
            commands: &[
                (BEFORE, command("orthid migrate status --json")),
                (MIGRATE, command("orthid migrate up")),
                (AFTER, command("orthid migrate status --json")),
            ],
            deadline_seconds: 600,
        };
        let job = recipe.build().unwrap();
        let job = serde_json::to_string_pretty(&job).unwrap();
        expect_test::expect_file!["./snapshots/migration_job.json"].assert_eq(&format!("{job}\n"));
    }

    #[test]
    fn the_image_is_that_of_the_named_container() {
        let docs = vec![
            json!({"kind": "Service", "metadata": {"name": "api"}}),
            json!({"kind": "Deployment", "metadata": {"name": "api"}, "spec": {"template": {"spec": {"containers": [
                {"name": "proxy", "image": "p:1"}, {"name": "api", "image": "a:2"}]}}}}),
        ];
        assert_eq!(image_in(&docs, "deployment/api", Some("api")), Ok("a:2".into()));
        assert_eq!(image_in(&docs, "deployment/api", None), Ok("p:1".into()));
        assert!(image_in(&docs, "deployment/web", None).unwrap_err().contains("deployment/web"));
    }
}
