//! Permissions: every verb that the run uses.

use std::collections::BTreeMap;

use super::check::Check;
use super::report::{Report, Subject};
use crate::facts::Permission;
use crate::model::rights::{self, Right};
use crate::plan::Level;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let Some(cluster) = subject.situation.cluster() else { return };
    report.checked(Check::Permissions);
    let mut used: Vec<&Right> = rights::OBSERVING.rights.iter().collect();
    used.extend(subject.steps.iter().flat_map(|step| step.spec.rights()));
    let mut denied: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for permission in cluster.permissions.iter().filter(|permission| !permission.allowed) {
        let Permission { verb, resource, namespace, allowed: _ } = permission;
        let is_used = used.iter().any(|right| right.covers(resource, verb));
        if is_used && is_asked_here(resource, verb, &cluster.server_version) {
            denied.entry((namespace, resource)).or_default().push(verb);
        }
    }
    for ((namespace, resource), verbs) in denied {
        let message = format!("may not {} {resource} in namespace {namespace}", verbs.join(", "));
        let help = "have the verbs added to the role that these credentials are bound to";
        let only_tells = verbs.iter().all(|verb| rights::only_tells(resource, verb));
        let level = if only_tells { Level::Warning } else { Level::Blocking };
        report.find(Check::Permissions, level, message).help(help);
    }
}

/// Whether this version of Kubernetes asks for the verb.
fn is_asked_here(resource: &str, verb: &str, server_version: &str) -> bool {
    resource != "pods/exec" || verb == exec_verb(server_version)
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
