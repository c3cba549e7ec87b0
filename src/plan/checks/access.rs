//! Permissions: every verb that the run uses.

use std::collections::BTreeMap;

use super::{Check, Report, Subject};
use crate::model::{MigrateVia, Step, StepSpec};
use crate::plan::Level;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let Some(cluster) = subject.situation.cluster() else { return };
    report.checked(Check::Permissions);
    let used = Used::by(subject.steps);
    let mut denied: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for permission in cluster.permissions.iter().filter(|permission| !permission.allowed) {
        if used.needs(&permission.resource, &permission.verb, &cluster.server_version) {
            let key = (permission.namespace.as_str(), permission.resource.as_str());
            denied.entry(key).or_default().push(&permission.verb);
        }
    }
    for ((namespace, resource), verbs) in denied {
        let message = format!("may not {} {resource} in namespace {namespace}", verbs.join(", "));
        let help = "have the verbs added to the role that these credentials are bound to";
        // Events and logs are evidence, budgets and autoscalers feed findings: without them the run works, and tells less.
        let only_tells = matches!(
            resource,
            "events"
                | "pods/log"
                | "replicasets.apps"
                | "poddisruptionbudgets.policy"
                | "horizontalpodautoscalers.autoscaling"
        ) && verbs.iter().all(|verb| matches!(*verb, "get" | "list" | "watch"));
        let level = if only_tells { Level::Warning } else { Level::Blocking };
        report.find(Check::Permissions, level, message).help(help);
    }
}

/// What the plan's steps reach for.
struct Used {
    job: bool,
    exec: bool,
    quiesce: bool,
    roll: bool,
}

impl Used {
    fn by(steps: &[Step]) -> Used {
        let mut used = Used { job: false, exec: false, quiesce: false, roll: false };
        for step in steps {
            match &step.spec {
                StepSpec::Migrate(migrate) => {
                    used.job |= migrate.via == MigrateVia::Job;
                    // The status is asked by exec, whichever way the migrations are run.
                    used.exec |= migrate.via == MigrateVia::Exec || !migrate.status.is_empty();
                    used.quiesce |= migrate.quiesce;
                }
                StepSpec::Roll(_) => used.roll = true,
                StepSpec::Approve(_)
                | StepSpec::Backup(_)
                | StepSpec::Verify(_)
                | StepSpec::Smoke(_)
                | StepSpec::Probe(_)
                | StepSpec::Run(_)
                | StepSpec::Checkpoint => {}
            }
        }
        used
    }

    fn needs(&self, resource: &str, verb: &str, server_version: &str) -> bool {
        match resource {
            "pods/exec" => self.exec && verb == exec_verb(server_version),
            "jobs.batch" => self.job || self.roll,
            "deployments.apps" | "statefulsets.apps" => self.roll || self.quiesce || verb == "get",
            _ => self.roll || matches!(verb, "get" | "list"),
        }
    }
}

/// Exec takes `create` from Kubernetes 1.35 on, `get` before it.
fn exec_verb(server_version: &str) -> &'static str {
    let mut parts = server_version.trim_start_matches('v').split('.');
    let mut number = || parts.next().and_then(|part| part.parse::<u64>().ok()).unwrap_or(0);
    if (number(), number()) >= (1, 35) { "create" } else { "get" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exec_takes_another_verb_from_1_35() {
        assert_eq!(exec_verb("v1.34.4"), "get");
        assert_eq!(exec_verb("v1.35.0"), "create");
        assert_eq!(exec_verb("v2.0.0"), "create");
    }
}
