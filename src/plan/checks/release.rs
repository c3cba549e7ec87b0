//! The installed release: no operation is pending, its versions agree, its objects are as deployed.

use semver::Version;

use super::check::Check;
use super::report::{Report, Subject};
use crate::facts::ReleaseFacts;
use crate::model::VersionOf;
use crate::plan::Level;
use crate::plan::situation::parse_version;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    let Some((spec, release)) = subject.situation.release() else { return };
    status(release, report);
    versions(subject, spec.version_of, release, report);
    drift(subject, report);
}

fn status(release: &ReleaseFacts, report: &mut Report) {
    report.checked(Check::PendingRelease);
    let ReleaseFacts { name, namespace, revision, status, .. } = release;
    if status.starts_with("pending-") || status == "uninstalling" {
        let message = format!("{namespace}/{name} is {status} at revision {revision}");
        let help = format!(
            "see whether another Helm is at work; if none is, `helm rollback {name} REVISION \
             --namespace {namespace}` with the last revision that served ends it"
        );
        report.find(Check::PendingRelease, Level::Blocking, message).help(help);
    } else if status != "deployed" {
        let message = format!("revision {revision} of {namespace}/{name} is {status}");
        let help = "the plan is compared with the last revision that was deployed; see why the \
                    later one failed before upgrading over it";
        report.find(Check::PendingRelease, Level::Warning, message).help(help);
    }
}

fn versions(
    subject: &Subject<'_>,
    version_of: VersionOf,
    release: &ReleaseFacts,
    report: &mut Report,
) {
    report.checked(Check::VersionAgreement);
    let chart_app = release.app_version.as_deref().and_then(parse_version);
    let installed = match version_of {
        VersionOf::Chart => Some(release.chart_version.clone()),
        VersionOf::App => chart_app.clone(),
    };
    images(release, chart_app.as_ref(), report);
    schema(subject, installed.as_ref(), release, report);
}

/// The release block's workloads run the image that the deployed chart's app version names.
fn images(release: &ReleaseFacts, expected: Option<&Version>, report: &mut Report) {
    let Some(expected) = expected else { return };
    for workload in &release.workloads {
        let tagged = workload.images.values().filter_map(|image| tag_version(image));
        let tags: Vec<Version> = tagged.collect();
        // A sidecar has a version of its own: one image that agrees is enough.
        if tags.is_empty() || tags.contains(expected) {
            continue;
        }
        let found: Vec<String> = tags.iter().map(Version::to_string).collect();
        let message = format!(
            "the release says version {expected}, and {} runs {}",
            workload.name,
            found.join(", ")
        );
        let help = "somebody changed the image outside Helm, or an upgrade stopped half way; bring \
                    both together before upgrading";
        report.find(Check::VersionAgreement, Level::Blocking, message).help(help);
    }
}

/// The version in an image's tag; none for a digest alone or a tag such as `latest`.
fn tag_version(image: &str) -> Option<Version> {
    let image = image.split('@').next()?;
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.contains('/')).then(|| parse_version(tag)).flatten()
}

fn schema(
    subject: &Subject<'_>,
    installed: Option<&Version>,
    release: &ReleaseFacts,
    report: &mut Report,
) {
    let releases = &subject.situation.wanted.releases;
    let range = installed.and_then(|v| Some((v, releases.get(v)?.schema?)));
    let schema = release.migrations.as_ref().and_then(|migrations| migrations.schema);
    let (Some((version, range)), Some(schema)) = (range, schema) else { return };
    if schema < range.min || schema > range.max {
        let message = format!(
            "the database's schema is {schema}, and {version} runs on {} to {}",
            range.min, range.max
        );
        let help = "this is another database than the release's, or it was migrated beside it";
        report.find(Check::VersionAgreement, Level::Blocking, message).help(help);
    }
}

fn drift(subject: &Subject<'_>, report: &mut Report) {
    report.checked(Check::Drift);
    let situation = subject.situation;
    if let Some(problem) = &situation.deployed_problem {
        let message = format!("the deployed manifest can't be compared: {problem}");
        report.find(Check::Drift, Level::Warning, message);
    }
    for change in subject.drift {
        let message = match change.changes.len() {
            0 => format!("{} is in the deployed manifest and not in the cluster", change.object),
            1 => format!("{} was changed outside Helm: {}", change.object, change.changes[0].path),
            count => format!(
                "{} was changed outside Helm in {count} fields, first {}",
                change.object, change.changes[0].path
            ),
        };
        let help = "the upgrade may put the field back, or keep it where it does not touch it";
        report.find(Check::Drift, Level::Warning, message).help(help);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_tags_only() {
        for (image, version) in [
            ("orthid:2.6.3", Some("2.6.3")),
            ("registry:5000/orthid:v2.6.3@sha256:00", Some("2.6.3")),
            ("registry:5000/orthid", None),
            ("orthid:latest", None),
            ("orthid@sha256:00", None),
        ] {
            assert_eq!(tag_version(image), version.map(|v| v.parse().unwrap()), "{image}");
        }
    }
}
