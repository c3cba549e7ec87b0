//! Wiring between plan files, the environment and the world: what every command that looks outside shares.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cli::shared::error::CommandError;
use crate::facts::Facts;
use crate::model::{DatabaseSpec, ReleaseSpec, Step, StepSpec};
use crate::plan::{Authored, Plan};
use crate::text::secret::Redactor;
use crate::world::{self, Environment, StatusCommand, Wanted};

/// The invocation's environment, read once.
pub fn environment() -> Environment {
    let vars = std::env::vars_os().filter_map(|(name, value)| {
        // A variable that is not UTF-8 is as good as unset.
        Some((name.into_string().ok()?, value.into_string().ok()?))
    });
    Environment::new(vars.collect())
}

pub fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// What a plan rests on, taken from where its steps say so.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub base: &'a Path,
    pub release: Option<&'a ReleaseSpec>,
    pub target: Option<&'a semver::Version>,
    pub databases: &'a BTreeMap<String, DatabaseSpec>,
    pub steps: &'a [Step],
}

impl<'a> Subject<'a> {
    pub fn of_plan(plan: &'a Plan, base: &'a Path) -> Subject<'a> {
        Subject {
            base,
            release: plan.release.as_ref(),
            target: plan.upgrade.as_ref().map(|upgrade| &upgrade.to),
            databases: &plan.databases,
            steps: &plan.steps,
        }
    }

    /// Makes the secrets of the plan known, before anything is observed, recorded or said.
    pub fn reveal(&self, environment: &Environment, redactor: &Redactor) {
        let authored = Authored::new(self.steps, self.release, self.databases);
        // What stands in the plan or in the path to it is no secret, whatever else has the same value.
        redactor.disclose(&authored.words());
        redactor.disclose(&self.base.display().to_string());
        for name in authored.variables() {
            redactor.register_variable(&name, environment.var(&name).unwrap_or_default());
        }
    }
}

/// Looks at the world. Nothing is changed.
pub async fn observe(
    environment: &Environment,
    redactor: &Redactor,
    subject: Subject<'_>,
) -> Result<Facts, CommandError> {
    subject.reveal(environment, redactor);
    let wanted = wanted(subject);
    world::survey(environment, redactor, &wanted)
        .await
        .map_err(|error| CommandError::from(miette::Report::new(error)))
}

fn wanted(subject: Subject<'_>) -> Wanted {
    let Subject { base, release, target, databases, steps } = subject;
    let mut backup_destinations = BTreeSet::new();
    let mut status = None;
    for step in steps {
        match &step.spec {
            StepSpec::Backup(spec) => {
                backup_destinations.insert(spec.to.clone());
            }
            StepSpec::Migrate(spec) => {
                status.get_or_insert_with(|| StatusCommand {
                    command: spec.status.clone(),
                    workload: spec.workload.clone(),
                    container: spec.container.clone(),
                });
            }
            _ => {}
        }
    }
    Wanted {
        observed_at: now().to_string(),
        base: base.to_owned(),
        release: release.cloned(),
        target: target.cloned(),
        databases: databases.clone(),
        backup_destinations,
        status,
    }
}

/// A path as it will be found again: relative to the working directory where it lies below it.
pub fn shown(path: &Path) -> PathBuf {
    let current = std::env::current_dir().unwrap_or_default();
    match path.strip_prefix(&current) {
        Ok(below) if below.as_os_str().is_empty() => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    }
}
