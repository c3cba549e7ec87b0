//! Every check there is. Its code never changes, and its slug names its part of the book.

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
