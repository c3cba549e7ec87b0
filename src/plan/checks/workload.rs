//! Workloads: whether their pods can be replaced without an outage, judged on the manifest that
//! will be running.

use serde_json::Value;

use super::check::Check;
use super::report::{Report, Subject};
use crate::facts::ReleaseFacts;
use crate::plan::diff::{lookup, pod_spec, scaled_by};
use crate::plan::{Level, ObjectRef};

/// Seconds that Kubernetes gives a pod to end where its spec does not say.
const DEFAULT_GRACE_SECONDS: u64 = 30;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let Some((spec, release)) = subject.situation.release() else { return };
    report.checked(Check::WorkloadFound);
    for workload in &release.workloads {
        if !workload.found {
            let message = format!("{} is not in namespace {}", workload.name, spec.namespace);
            let help = "name workloads of the release, such as `deployment/orthid-api`";
            report.find(Check::WorkloadFound, Level::Blocking, message).help(help);
        } else if workload.ready < workload.replicas {
            let message = format!(
                "{}: {} of {} replicas are ready before anything is done",
                workload.name, workload.ready, workload.replicas
            );
            let help = "an upgrade over a release that does not serve hides what it breaks";
            report.find(Check::WorkloadFound, Level::Warning, message).help(help);
        }
    }
    for workload in &spec.workloads {
        let Some((kind, name)) = workload.split_once('/') else { continue };
        let manifest = subject.final_manifest();
        let named =
            |object: &&ObjectRef| object.kind.eq_ignore_ascii_case(kind) && object.name == name;
        let Some(object) = manifest.objects.keys().find(named) else { continue };
        judge(object, &manifest.objects[object], subject, release, report);
    }
}

fn judge(
    object: &ObjectRef,
    value: &Value,
    subject: &Subject<'_>,
    release: &ReleaseFacts,
    report: &mut Report,
) {
    replicas(object, value, release, report);
    surge(object, value, report);
    readiness(object, value, report);
    graceful_stop(object, value, report);
    disruption_budget(object, value, subject, release, report);
}

fn replicas(object: &ObjectRef, value: &Value, release: &ReleaseFacts, report: &mut Report) {
    report.checked(Check::Replicas);
    let autoscaler = release.policies.iter().find(|policy| {
        let name = policy.pointer("/metadata/name").and_then(Value::as_str);
        name.is_some() && scaled_by(object, std::slice::from_ref(policy)) == name
    });
    let count = match autoscaler {
        Some(policy) => policy.pointer("/spec/minReplicas").and_then(Value::as_u64).unwrap_or(1),
        None => value.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1),
    };
    if count < 2 {
        let message = match (count, autoscaler.is_some()) {
            (_, true) => format!("the autoscaler may leave {object} with {count} replica"),
            (0, false) => format!("{object} has no replicas"),
            (_, false) => format!("{object} has one replica"),
        };
        let help = "with two or more, one serves while another is replaced";
        report.find(Check::Replicas, Level::Warning, message).help(help);
    }
}

/// `maxUnavailable` of a Deployment is 25% where the manifest does not say, rounded down: 0 below
/// four replicas.
fn surge(object: &ObjectRef, value: &Value, report: &mut Report) {
    if object.kind != "Deployment" {
        return;
    }
    report.checked(Check::Surge);
    let strategy = value.pointer("/spec/strategy").unwrap_or(&Value::Null);
    if lookup(strategy, "type").and_then(Value::as_str) == Some("Recreate") {
        let message = format!("{object} is recreated: it is down while its pods are replaced");
        let help = "strategy RollingUpdate with maxUnavailable 0 replaces pods one by one";
        report.find(Check::Surge, Level::Warning, message).help(help);
        return;
    }
    let replicas = value.pointer("/spec/replicas").and_then(Value::as_u64).unwrap_or(1);
    let unavailable = match lookup(strategy, "rollingUpdate.maxUnavailable") {
        None => replicas / 4,
        Some(Value::String(percent)) => percent
            .strip_suffix('%')
            .and_then(|number| number.parse::<u64>().ok())
            .map_or(1, |number| replicas * number / 100),
        Some(other) => other.as_u64().unwrap_or(1),
    };
    if unavailable > 0 {
        let message = format!(
            "{object} may lose {unavailable} of {replicas} replicas before their successors are ready"
        );
        let help = "set maxUnavailable to 0 and maxSurge to 1 or more";
        report.find(Check::Surge, Level::Warning, message).help(help);
    }
}

/// The containers that serve: those with a port, or all where none has one.
fn serving(value: &Value) -> Vec<&Value> {
    let containers = pod_spec(value).and_then(|spec| spec.get("containers")?.as_array());
    let all: Vec<&Value> = containers.into_iter().flatten().collect();
    let has_port = |container: &&&Value| {
        container.get("ports").and_then(Value::as_array).is_some_and(|ports| !ports.is_empty())
    };
    let with_port: Vec<&Value> = all.iter().filter(has_port).copied().collect();
    if with_port.is_empty() { all } else { with_port }
}

fn name(container: &Value) -> &str {
    container.get("name").and_then(Value::as_str).unwrap_or("?")
}

fn readiness(object: &ObjectRef, value: &Value, report: &mut Report) {
    report.checked(Check::Readiness);
    for container in serving(value) {
        if container.get("readinessProbe").is_none_or(Value::is_null) {
            let message =
                format!("container {} of {object} has no readiness probe", name(container));
            let help = "without one a pod counts as ready when its process starts, and the roll \
                        goes on over a release that does not serve";
            report.find(Check::Readiness, Level::Warning, message).help(help);
        }
    }
}

/// Endpoints lose a pod some time after it is told to end: a preStop that waits covers it, within
/// the grace period.
fn graceful_stop(object: &ObjectRef, value: &Value, report: &mut Report) {
    report.checked(Check::GracefulStop);
    let Some(spec) = pod_spec(value) else { return };
    let grace = spec.get("terminationGracePeriodSeconds").and_then(Value::as_u64);
    let grace = grace.unwrap_or(DEFAULT_GRACE_SECONDS);
    for container in serving(value) {
        let pre_stop = lookup(container, "lifecycle.preStop");
        let Some(pre_stop) = pre_stop else {
            let message = format!("container {} of {object} has no preStop hook", name(container));
            let help = "a pod that ends at once drops requests that are still sent to it; a preStop \
                        of a few seconds of sleep covers them";
            report.find(Check::GracefulStop, Level::Warning, message).help(help);
            continue;
        };
        if let Some(seconds) = sleeps(pre_stop)
            && seconds >= grace
        {
            let message = format!(
                "the preStop hook of {} sleeps {seconds} s, and its pod is killed after {grace} s",
                name(container)
            );
            let help =
                "set terminationGracePeriodSeconds to more than the sleep and the drain take";
            report.find(Check::GracefulStop, Level::Warning, message).help(help);
        }
    }
}

/// Seconds that a preStop hook sleeps, where it can be told.
fn sleeps(pre_stop: &Value) -> Option<u64> {
    if let Some(seconds) = lookup(pre_stop, "sleep.seconds") {
        return seconds.as_u64();
    }
    let words: Vec<&str> =
        lookup(pre_stop, "exec.command")?.as_array()?.iter().filter_map(Value::as_str).collect();
    let joined = words.join(" ");
    let mut words = joined.split_whitespace().skip_while(|word| !word.ends_with("sleep"));
    words.nth(1)?.parse().ok()
}

fn disruption_budget(
    object: &ObjectRef,
    value: &Value,
    subject: &Subject<'_>,
    release: &ReleaseFacts,
    report: &mut Report,
) {
    report.checked(Check::DisruptionBudget);
    let labels = value.pointer("/spec/template/metadata/labels");
    let own = subject.final_manifest().objects.values();
    let selects = |budget: &&Value| {
        budget.get("kind").and_then(Value::as_str) == Some("PodDisruptionBudget")
            && lookup(budget, "spec.selector.matchLabels").and_then(Value::as_object).is_some_and(
                |wanted| {
                    wanted.iter().all(|(key, value)| labels.and_then(|l| l.get(key)) == Some(value))
                },
            )
    };
    if !own.chain(&release.policies).any(|budget| selects(&budget)) {
        let message = format!("no PodDisruptionBudget selects the pods of {object}");
        let help = "node maintenance during the roll could take all replicas at once";
        report.find(Check::DisruptionBudget, Level::Warning, message).help(help);
    }
}
