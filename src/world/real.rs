//! The real world: one dispatch from step kinds to the modules that know them.

use std::collections::BTreeMap;

use super::env::{Environment, HeldOutputs, Resolver};
use super::failure::permanent;
use super::site::Site;
use super::steps::{backup, migrate, probe, roll, run, smoke, verify};
use crate::journal::Failure;
use crate::model::{Address, Outputs, Residual, StepSpec};
use crate::run::{Observation, StepContext, World};
use crate::text::secret::Redactor;

/// The outside as it is: Helm, Kubernetes, PostgreSQL, HTTP, processes.
#[derive(Clone, Debug)]
pub struct RealWorld {
    env: Environment,
    redactor: Redactor,
    held: HeldOutputs,
}

impl RealWorld {
    /// A world that is reached with this environment. Messages and evidence are cleaned by `redactor`.
    pub fn new(env: Environment, redactor: Redactor) -> RealWorld {
        // The one TLS provider of the process; a caller that installed it already has the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        RealWorld { env, redactor, held: HeldOutputs::default() }
    }

    /// Whether a condition that was not known when planning holds.
    ///
    /// # Errors
    /// Why it can't be told, in words.
    pub fn condition(
        &self,
        condition: &Residual,
        outputs: &BTreeMap<Address, Outputs>,
    ) -> Result<bool, String> {
        let RealWorld { env, redactor, held } = self;
        let resolver = Resolver { env, outputs, held, redactor };
        resolver.condition(condition).map_err(|error| redactor.clean(&error.to_string()))
    }

    /// Where the attempt works, once nothing that an earlier orthid began is at work there.
    ///
    /// # Errors
    /// What is still at work, and can't be waited for or ended.
    async fn site<'a>(&'a self, cx: &'a StepContext) -> Result<Site<'a>, Failure> {
        let site = Site::new(&self.env, &self.redactor, &self.held, cx);
        site.wait_for_orphans().await?;
        // A command's outputs are read from what it printed first.
        if !matches!(cx.step.spec, StepSpec::Run(_)) {
            site.clear_leftovers();
        }
        Ok(site)
    }

    fn clean(&self, failure: Failure) -> Failure {
        Failure {
            message: self.redactor.clean(&failure.message),
            help: failure.help.map(|help| self.redactor.clean(&help)),
            ..failure
        }
    }

    fn recorded(&self, cx: &StepContext, outputs: Outputs) -> Result<Outputs, Failure> {
        self.held.take(&cx.step.address, &cx.step.spec, outputs, &self.redactor)
    }

    fn observed(&self, cx: &StepContext, observation: Observation) -> Observation {
        match observation {
            Observation::Unknown(text) => Observation::Unknown(self.redactor.clean(&text)),
            Observation::Done(outputs) => match self.recorded(cx, outputs) {
                Ok(outputs) => Observation::Done(outputs),
                Err(failure) => Observation::Unknown(failure.message),
            },
            Observation::NotDone => observation,
        }
    }
}

#[async_trait::async_trait]
impl World for RealWorld {
    async fn observe(&self, cx: &StepContext) -> Observation {
        let site = match self.site(cx).await {
            Ok(site) => site,
            Err(failure) => return Observation::Unknown(failure.message),
        };
        let observation = match &cx.step.spec {
            StepSpec::Backup(spec) => backup::observe(&site, spec).await,
            StepSpec::Verify(spec) => verify::observe(&site, spec).await,
            StepSpec::Migrate(spec) => migrate::observe(&site, spec).await,
            StepSpec::Roll(spec) => roll::observe(&site, spec).await,
            StepSpec::Run(spec) => run::observe(&site, spec).await,
            // These change nothing, so doing them again is all there is to know.
            StepSpec::Smoke(_) | StepSpec::Probe(_) => Observation::NotDone,
            StepSpec::Approve(_) | StepSpec::Checkpoint => Observation::NotDone,
        };
        self.observed(cx, observation)
    }

    async fn act(&self, cx: &StepContext) -> Result<Outputs, Failure> {
        let site = self.site(cx).await?;
        let result = match &cx.step.spec {
            StepSpec::Backup(spec) => backup::act(&site, spec).await,
            StepSpec::Verify(spec) => verify::act(&site, spec).await,
            StepSpec::Migrate(spec) => migrate::act(&site, spec).await,
            StepSpec::Roll(spec) => roll::act(&site, spec).await,
            StepSpec::Smoke(spec) => smoke::act(&site, spec).await,
            StepSpec::Probe(spec) => probe::act(&site, spec).await,
            StepSpec::Run(spec) => run::act(&site, spec).await,
            StepSpec::Approve(_) => Err(permanent("invariant: approvals are the executor's")),
            StepSpec::Checkpoint => Ok(Outputs::new()),
        };
        let result = result.and_then(|outputs| self.recorded(cx, outputs));
        result.map_err(|failure| self.clean(failure))
    }

    async fn observe_undo(&self, cx: &StepContext) -> Observation {
        let site = match self.site(cx).await {
            Ok(site) => site,
            Err(failure) => return Observation::Unknown(failure.message),
        };
        let observation = match &cx.step.spec {
            StepSpec::Migrate(_) => migrate::observe_undo(&site).await,
            StepSpec::Roll(_) => roll::observe_undo(&site).await,
            StepSpec::Run(spec) => run::observe_undo(&site, spec).await,
            StepSpec::Backup(_)
            | StepSpec::Verify(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Approve(_)
            | StepSpec::Checkpoint => Observation::Done(Outputs::new()),
        };
        self.observed(cx, observation)
    }

    async fn undo(&self, cx: &StepContext) -> Result<(), Failure> {
        let site = self.site(cx).await?;
        let result = match &cx.step.spec {
            StepSpec::Migrate(_) => migrate::undo(&site).await,
            StepSpec::Roll(spec) => roll::undo(&site, spec).await,
            StepSpec::Run(spec) => run::undo(&site, spec).await,
            // A backup is kept, and the others have no effect that could be undone.
            StepSpec::Backup(_)
            | StepSpec::Verify(_)
            | StepSpec::Smoke(_)
            | StepSpec::Probe(_)
            | StepSpec::Approve(_)
            | StepSpec::Checkpoint => Ok(()),
        };
        result.map_err(|failure| self.clean(failure))
    }
}
