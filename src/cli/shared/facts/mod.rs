//! The facts that a plan depends on: observed, or read from a recording.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cli::shared::environment;
use crate::cli::shared::error::CommandError;
use crate::cli::shared::exit::Exit;
use crate::facts::{Facts, recording};
use crate::lang::{Config, RedactConfig};
use crate::model::{DatabaseSpec, Hop, ReleaseSpec, Step, StepSpec};
use crate::plan::{Authored, Plan};
use crate::text::secret::Redactor;
use crate::world;
use crate::world::files::read_regular;
use crate::world::{Environment, StatusCommand, Wanted};

/// Largest recording of facts, in bytes.
const MAX_FACTS_BYTES: u64 = 256 * 1024 * 1024;

/// What a plan rests on, taken from where its steps say so.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub base: &'a Path,
    pub release: Option<&'a ReleaseSpec>,
    pub target: Option<&'a semver::Version>,
    /// The changelog that the plan names.
    pub changelog: Option<&'a str>,
    /// Where the hops of a plan end that was made already.
    pub hops: &'a [Hop],
    pub databases: &'a BTreeMap<String, DatabaseSpec>,
    pub steps: &'a [Step],
    /// None for a plan that was made: what it says has been taken into its facts.
    pub redact: Option<&'a RedactConfig>,
}

impl<'a> Subject<'a> {
    pub fn of_plan(plan: &'a Plan, base: &'a Path) -> Subject<'a> {
        Subject {
            base,
            release: plan.release.as_ref(),
            target: plan.upgrade.as_ref().map(|upgrade| &upgrade.to),
            // The plan has its path: what it read on the way is not asked again.
            changelog: None,
            hops: &plan.hops,
            databases: &plan.databases,
            steps: &plan.steps,
            redact: None,
        }
    }

    /// Makes the secrets of the plan known, before anything is observed, recorded or said.
    pub fn make_known(&self, environment: &Environment, redactor: &Redactor) {
        let authored = Authored::new(self.steps, self.release, self.databases);
        // What stands in the plan or in the path to it is no secret, whatever else has the same
        // value.
        redactor.disclose(&authored.words());
        redactor.disclose(&self.base.display().to_string());
        if let Some(RedactConfig { names, reveal }) = self.redact {
            redactor.look(names.clone(), reveal.clone());
        }
        for name in authored.variables() {
            redactor.register_variable(&name, environment.var(&name).unwrap_or_default());
        }
    }
}

/// Observes what a plan's parts say. Nothing is changed.
pub async fn observe(
    environment: &Environment,
    redactor: &Redactor,
    subject: Subject<'_>,
) -> Result<Facts, CommandError> {
    subject.make_known(environment, redactor);
    let wanted = wanted(subject);
    world::survey(environment, redactor, &wanted)
        .await
        .map_err(|error| CommandError::from(miette::Report::new(error)))
}

fn wanted(subject: Subject<'_>) -> Wanted {
    let Subject { base, release, target, changelog, hops, databases, steps, redact: _ } = subject;
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
        observed_at: environment::now().to_string(),
        base: base.to_owned(),
        release: release.cloned(),
        target: target.cloned(),
        changelog: changelog.map(str::to_owned),
        stops: hops.iter().map(|hop| hop.to.clone()).collect(),
        databases: databases.clone(),
        backup_destinations,
        status,
    }
}

/// Observes what a configuration rests on.
pub async fn of_config(
    config: &Config,
    base: &Path,
    environment: &Environment,
    redactor: &Redactor,
) -> Result<Facts, CommandError> {
    let steps = config.validate_steps()?;
    observe(environment, redactor, subject(config, base, &steps)).await
}

/// What a configuration depends on.
pub fn subject<'a>(config: &'a Config, base: &'a Path, steps: &'a [Step]) -> Subject<'a> {
    Subject {
        base,
        release: config.release.as_ref(),
        target: config.upgrade.as_ref().map(|upgrade| &upgrade.to),
        changelog: config.changelog.source.as_deref(),
        hops: &[],
        databases: &config.databases,
        steps,
        redact: Some(&config.redact),
    }
}

/// Reads a recording that `orthid observe` made.
pub fn read(path: &Path) -> Result<Facts, CommandError> {
    let bytes = read_regular(path, MAX_FACTS_BYTES)
        .map_err(|error| CommandError::io("read", path, &error))?;
    recording::read(&bytes).map_err(|error| {
        let report = miette::Report::new(error);
        CommandError::new(Exit::Error, report.wrap_err(format!("cannot use {}", path.display())))
    })
}

#[cfg(test)]
mod tests;
