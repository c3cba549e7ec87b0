//! What a run needs the cluster to grant: one list, which the survey asks for and the plan's check reads.

use super::{MigrateVia, StepKind, StepSpec};

/// Verbs on one resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Right {
    pub on: On,
    pub verbs: &'static [&'static str],
}

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On {
    /// `pods`, `pods/exec`, `jobs.batch`
    Resource(&'static str),
    /// Every namespaced kind of the release's manifest.
    Manifest,
}

/// Rights that belong together, and the steps that use them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights {
    pub when: When,
    pub rights: &'static [Right],
}

/// Which steps of a kind use its rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Always,
    /// Migrations that run in a Job.
    ByJob,
    /// Migrations that run in a pod, or ask for their status there.
    ByExec,
    /// Migrations that stop the app first.
    Quiesces,
}

/// What observing a release takes, for any plan that has one.
pub static OBSERVING: Rights = Rights {
    when: When::Always,
    rights: &[
        right("secrets", &["get", "list"]),
        right("pods", &["get", "list"]),
        right("pods/log", &["get"]),
        right("events", &["list"]),
        right("deployments.apps", &["get"]),
        right("statefulsets.apps", &["get"]),
        right("replicasets.apps", &["list"]),
        right("poddisruptionbudgets.policy", &["list"]),
        right("horizontalpodautoscalers.autoscaling", &["list"]),
        Right { on: On::Manifest, verbs: &["get"] },
    ],
};

/// Helm's storage, the kinds that it applies, hooks, and the rollout's progress.
pub(super) const ROLLING: Rights = Rights {
    when: When::Always,
    rights: &[
        right("secrets", &["watch", "create", "update", "patch", "delete"]),
        right("pods", &["watch"]),
        right("deployments.apps", SCALE),
        right("statefulsets.apps", SCALE),
        right("jobs.batch", JOBS),
        Right { on: On::Manifest, verbs: &["create", "patch", "delete"] },
    ],
};

pub(super) const BY_JOB: Rights =
    Rights { when: When::ByJob, rights: &[right("jobs.batch", JOBS)] };

/// Exec takes `create` from Kubernetes 1.35 on, and `get` before it.
pub(super) const BY_EXEC: Rights =
    Rights { when: When::ByExec, rights: &[right("pods/exec", &["get", "create"])] };

pub(super) const QUIESCING: Rights = Rights {
    when: When::Quiesces,
    rights: &[right("deployments.apps", SCALE), right("statefulsets.apps", SCALE)],
};

const JOBS: &[&str] = &["get", "list", "watch", "create", "delete"];
const SCALE: &[&str] = &["list", "watch", "patch"];

/// Resources that are read for evidence and findings: without them a run works, and tells less.
const ONLY_TELLING: [&str; 5] = [
    "events",
    "pods/log",
    "replicasets.apps",
    "poddisruptionbudgets.policy",
    "horizontalpodautoscalers.autoscaling",
];

const fn right(resource: &'static str, verbs: &'static [&'static str]) -> Right {
    Right { on: On::Resource(resource), verbs }
}

/// What any plan may need. The survey asks for all of it: a fact does not depend on the steps of the plan that asks.
pub fn every() -> impl Iterator<Item = &'static Right> {
    let of_steps = StepKind::ALL.into_iter().flat_map(|kind| kind.traits().rights);
    std::iter::once(&OBSERVING).chain(of_steps).flat_map(|rights| rights.rights)
}

fn is_named(resource: &str) -> bool {
    every().any(|right| matches!(right.on, On::Resource(name) if name == resource))
}

/// Whether a run goes on without this right, and tells less.
pub fn only_tells(resource: &str, verb: &str) -> bool {
    ONLY_TELLING.contains(&resource) && matches!(verb, "get" | "list" | "watch")
}

impl Right {
    /// Whether this right is what a permission answers: `resource` as the facts name it.
    pub fn covers(&self, resource: &str, verb: &str) -> bool {
        let on = match self.on {
            On::Resource(name) => name == resource,
            // What reads a kind for its own sake has the right to that by name.
            On::Manifest if verb == "get" => !is_named(resource),
            On::Manifest => !resource.contains('/'),
        };
        on && self.verbs.contains(&verb)
    }
}

impl StepSpec {
    /// The rights that this very step uses.
    pub fn rights(&self) -> impl Iterator<Item = &'static Right> + Clone {
        let used = self.kind().traits().rights.iter().filter(|rights| self.uses(rights.when));
        used.flat_map(|rights| rights.rights)
    }

    fn uses(&self, when: When) -> bool {
        let migrate = match self {
            StepSpec::Migrate(spec) => Some(spec),
            _ => None,
        };
        match when {
            When::Always => true,
            When::ByJob => migrate.is_some_and(|spec| spec.via == MigrateVia::Job),
            // The status is asked in a pod, whichever way the migrations are run.
            When::ByExec => {
                migrate.is_some_and(|spec| spec.via == MigrateVia::Exec || !spec.status.is_empty())
            }
            When::Quiesces => migrate.is_some_and(|spec| spec.quiesce),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MigrateSpec;

    /// Whether a step uses a right, or observing does.
    fn used(spec: &StepSpec, resource: &str, verb: &str) -> bool {
        OBSERVING.rights.iter().chain(spec.rights()).any(|right| right.covers(resource, verb))
    }

    #[test]
    fn a_step_uses_what_its_way_takes() {
        let migrate = |via, quiesce| {
            StepSpec::Migrate(MigrateSpec { via, quiesce, ..MigrateSpec::default() })
        };
        let by_job = migrate(MigrateVia::Job, false);
        let by_exec = migrate(MigrateVia::Exec, false);
        let quiescing = migrate(MigrateVia::Job, true);
        let (roll, backup) =
            (StepSpec::smallest(StepKind::Roll), StepSpec::smallest(StepKind::Backup));
        for (spec, resource, verb, expected) in [
            (&by_job, "jobs.batch", "create", true),
            (&by_job, "jobs.batch", "get", true),
            (&by_job, "pods/exec", "get", false),
            (&by_job, "deployments.apps", "patch", false),
            (&by_exec, "pods/exec", "create", true),
            (&by_exec, "jobs.batch", "create", false),
            (&quiescing, "statefulsets.apps", "patch", true),
            (&roll, "services", "patch", true),
            (&roll, "deployments.apps", "create", true),
            (&roll, "secrets", "delete", true),
            (&roll, "pods/exec", "create", false),
            (&backup, "services", "get", true),
            (&backup, "services", "patch", false),
            (&backup, "jobs.batch", "get", false),
            (&backup, "events", "list", true),
        ] {
            assert_eq!(used(spec, resource, verb), expected, "{spec:?} {verb} {resource}");
        }
    }
}
