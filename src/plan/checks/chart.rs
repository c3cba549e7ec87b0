//! The charts of the path: whether they render, accept this Kubernetes, and bring hooks or CRDs.

use semver::Version;

use super::check::Check;
use super::helm_range::HelmRange;
use super::report::{Report, Subject};
use crate::model::StepKind;
use crate::plan::Level;
use crate::plan::diff::scaled_by;
use crate::plan::situation::{HopView, parse_version};

/// Words in the name of a hook that say that it migrates.
const MIGRATION_WORDS: [&str; 5] = ["migrat", "schema", "dbinit", "db-init", "database"];

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    report.checked(Check::Render);
    report.checked(Check::CustomResources);
    let mut hook_steps = subject.steps.iter().filter(|step| step.kind() == StepKind::Migrate);
    let migrates = hook_steps.next().is_some();
    for (view, diff) in subject.situation.hops.iter().zip(subject.diff) {
        if let Some(problem) = &view.problem {
            let message = format!("there is nothing to compare for {}: {problem}", view.hop.to);
            report.find(Check::Render, Level::Blocking, message);
        }
        kube_version(subject, view, report);
        for crd in &diff.crds {
            let message = format!(
                "{} has another {} ({}), and Helm never upgrades what is under crds/",
                view.hop.to,
                crd.name,
                crd.action.as_str()
            );
            let help = "apply it by hand or in a run step before the roll";
            report.find(Check::CustomResources, Level::Warning, message).help(help);
        }
        hooks(view, migrates, report);
    }
    field_managers(subject, report);
}

fn kube_version(subject: &Subject<'_>, view: &HopView<'_>, report: &mut Report) {
    let constraint = view.chart.and_then(|chart| chart.kube_version.as_deref());
    let Some(cluster) = subject.situation.cluster() else { return };
    report.checked(Check::KubeVersion);
    let (Some(constraint), Some(server)) = (constraint, kubernetes(&cluster.server_version)) else {
        return;
    };
    let to = &view.hop.to;
    match HelmRange::parse(constraint) {
        Err(problem) => {
            let message = format!("the chart of {to} wants Kubernetes {constraint}: {problem}");
            report.find(Check::KubeVersion, Level::Warning, message);
        }
        Ok(range) if !range.matches(&server) => {
            let message = format!(
                "the chart of {to} wants Kubernetes {constraint}, and the cluster has {}",
                cluster.server_version
            );
            let help = "upgrade the cluster first";
            report.find(Check::KubeVersion, Level::Blocking, message).help(help);
        }
        Ok(_) => {}
    }
}

/// `v1.34.4+k3s1`, as Helm sees it.
fn kubernetes(text: &str) -> Option<Version> {
    parse_version(text)
}

/// A chart's own migration hook and a migrate step would both migrate, one without the backup's
/// protection.
fn hooks(view: &HopView<'_>, migrates: bool, report: &mut Report) {
    let Some(render) = view.render else { return };
    report.checked(Check::MigrationHook);
    for hook in &render.hooks {
        let (event, object) = hook.split_once(": ").unwrap_or(("", hook));
        let in_upgrade = matches!(event, "pre-upgrade" | "post-upgrade");
        let name = object.to_lowercase();
        let runs = name.starts_with("job/") || name.starts_with("pod/");
        if !in_upgrade || !runs || !MIGRATION_WORDS.iter().any(|word| name.contains(word)) {
            continue;
        }
        let to = &view.hop.to;
        if migrates {
            let message =
                format!("the chart of {to} migrates in its own {event} hook ({object}) as well");
            let help = "switch the hook off in the chart's values, or leave the migrate step out";
            report.find(Check::MigrationHook, Level::Blocking, message).help(help);
        } else {
            let message = format!(
                "the chart of {to} migrates in its own {event} hook ({object}): a failed upgrade does not undo it"
            );
            let help =
                "switch the hook off and give the plan a migrate step behind a verified backup";
            report.find(Check::MigrationHook, Level::Warning, message).help(help);
        }
    }
}

/// Helm 4 applies on the server and stops where another manager owns a field: an autoscaler that
/// owns the replicas, most of all.
fn field_managers(subject: &Subject<'_>, report: &mut Report) {
    report.checked(Check::FieldManagers);
    let Some((_, release)) = subject.situation.release() else { return };
    let helm = subject.situation.facts.helm.as_ref().map_or(3, |helm| helm.version.major);
    for (object, value) in &subject.final_manifest().objects {
        let Some(autoscaler) = scaled_by(object, &release.policies) else { continue };
        if value.pointer("/spec/replicas").is_none() {
            continue;
        }
        let message = format!(
            "the manifest sets the replicas of {object}, which the autoscaler {autoscaler} sets too"
        );
        let help = "leave `replicas` out of the chart where the autoscaler is on; Helm 4 fails with \
                    a conflict, Helm 3 resets the count at every upgrade";
        let level = if helm >= 4 { Level::Warning } else { Level::Note };
        report.find(Check::FieldManagers, level, message).help(help);
    }
}
