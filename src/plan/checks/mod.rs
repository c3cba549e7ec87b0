//! What is looked at before anything is done. One file a family; each check has a code that never changes and a page in
//! the book.
//!
//! Must not: change the plan. A check reads the situation and says what it found.

mod access;
mod api;
mod backup;
mod changelog;
mod chart;
mod helm_range;
mod release;
mod values;
mod workload;

#[cfg(test)]
mod tests;

use super::diff::Manifest;
use super::situation::Situation;
use super::{CheckSummary, Finding, HopDiff, Level, ObjectChange};
use crate::model::{Address, Step};

macro_rules! checks {
    ($($variant:ident $name:literal $title:literal,)*) => {
        /// Every check, in the order in which people read them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Check {
            $(#[doc = $title] $variant,)*
        }

        impl Check {
            pub const ALL: &[Check] = &[$(Check::$variant,)*];

            /// Stable: `orthid::check::pending_release`.
            pub fn code(self) -> &'static str {
                match self {
                    $(Check::$variant => concat!("orthid::check::", $name),)*
                }
            }

            /// The last part of the code, which names the page of the book.
            pub fn slug(self) -> &'static str {
                match self {
                    $(Check::$variant => $name,)*
                }
            }

            /// What is well when the check finds nothing.
            pub fn title(self) -> &'static str {
                match self {
                    $(Check::$variant => $title,)*
                }
            }
        }
    };
}

checks! {
    PendingRelease "pending_release" "no Helm operation is pending or has failed",
    VersionAgreement "version_agreement" "release, image and schema agree on the installed version",
    Drift "drift" "live objects are as the deployed manifest says",
    Permissions "permissions" "these credentials may do everything that the run does",
    Changelog "changelog" "every release on the way is described for machines",
    SkippedMinor "skipped_minor" "no hop jumps over a minor",
    PatchMigration "patch_migration" "no patch release brings a migration",
    RequiredConfig "required_config" "the values have everything that the releases require",
    Deprecations "deprecations" "nothing that is removed on the way was announced as deprecated",
    MigrationWay "migration_way" "the way to run the migrations can work",
    BreakingMigration "breaking_migration" "the app of before runs on the schema of after",
    MigrationHook "migration_hook" "the chart's hooks do not migrate beside the migrate step",
    RollbackProved "rollback_proved" "every rollback edge of the file can be promised",
    Render "render" "Helm renders every chart of the path",
    RenamedValues "renamed_values" "no value that is set was renamed",
    DefaultsLost "defaults_lost" "no new default of the chart is hidden by reused values",
    OrphanedValues "orphaned_values" "the chart knows every value that is set",
    CustomResources "custom_resources" "no custom resource definition changes",
    KubeVersion "kube_version" "the charts accept this Kubernetes version",
    ApiVersions "api_versions" "the cluster serves every API version of the manifests",
    FieldManagers "field_managers" "no autoscaler and no second owner contends for a field",
    WorkloadFound "workload_found" "every workload of the release block is there and ready",
    Replicas "replicas" "two replicas or more serve while pods are replaced",
    Readiness "readiness" "every serving container has a readiness probe",
    Surge "surge" "no replica is taken away before its successor is ready",
    DisruptionBudget "disruption_budget" "a PodDisruptionBudget keeps replicas through node maintenance",
    GracefulStop "graceful_stop" "pods are given time to finish what they serve",
    PgDump "pg_dump" "pg_dump is at least as new as the server",
    BackupRoom "backup_room" "there is room for the backup",
    ScratchDatabase "scratch_database" "a scratch database can be made to verify the backup",
}

/// What the checks found so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<(Check, Finding)>,
    checked: std::collections::BTreeSet<Check>,
}

impl Report {
    /// The check was made, whatever it found.
    pub fn checked(&mut self, check: Check) {
        self.checked.insert(check);
    }

    pub fn find(&mut self, check: Check, level: Level, message: impl Into<String>) -> Found<'_> {
        self.checked.insert(check);
        let finding = Finding {
            code: check.code().to_owned(),
            level,
            message: message.into(),
            step: None,
            help: None,
        };
        self.findings.push((check, finding));
        let (_, finding) = self.findings.last_mut().expect("it was pushed just now");
        Found { finding }
    }

    /// Findings by gravity and then by check; every check that was made.
    pub fn finish(self) -> (Vec<Finding>, Vec<CheckSummary>) {
        let Report { mut findings, checked } = self;
        findings.sort_by(|(a, x), (b, y)| (x.level, a, &x.message).cmp(&(y.level, b, &y.message)));
        let count = |check: Check| findings.iter().filter(|(found, _)| *found == check).count();
        let checks = checked
            .into_iter()
            .map(|check| CheckSummary {
                code: check.code().to_owned(),
                title: check.title().to_owned(),
                findings: count(check),
            })
            .collect();
        (findings.into_iter().map(|(_, finding)| finding).collect(), checks)
    }
}

/// A finding that more can be said about.
#[derive(Debug)]
pub struct Found<'a> {
    finding: &'a mut Finding,
}

impl Found<'_> {
    pub fn help(self, text: impl Into<String>) -> Self {
        self.finding.help = Some(text.into());
        self
    }

    pub fn step(self, address: &Address) -> Self {
        self.finding.step = Some(address.clone());
        self
    }
}

/// What checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub situation: &'a Situation<'a>,
    pub steps: &'a [Step],
    pub diff: &'a [HopDiff],
    pub drift: &'a [ObjectChange],
}

impl<'a> Subject<'a> {
    /// The manifest that will be running when the path ends, or the one that runs now.
    fn final_manifest(&self) -> &'a Manifest {
        self.situation.last().map_or(&self.situation.deployed, |hop| &hop.manifest)
    }
}

/// Makes every check that applies.
pub fn run(subject: &Subject<'_>, report: &mut Report) {
    backup::check(subject, report);
    if subject.situation.release().is_none() {
        return;
    }
    release::check(subject, report);
    access::check(subject, report);
    if subject.situation.hops.is_empty() {
        return;
    }
    changelog::check(subject, report);
    chart::check(subject, report);
    values::check(subject, report);
    api::check(subject, report);
    workload::check(subject, report);
}
