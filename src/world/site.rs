//! Where one attempt at one step works: its context with connections, arguments and evidence.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::process::{Job, Voice, Work};

use super::env::{Environment, HeldOutputs, Resolver};
use super::failure::{permanent, unknown};
use super::helm::Helm;
use super::helm::release::Releases;
use super::kubernetes::Cluster;
use super::postgres::{Clients, Target};
use super::{destination, process};
use crate::journal::Failure;
use crate::model::{Address, BackupSpec, Outputs, ReleaseSpec, StepSpec};
use crate::run::{Progress, StepContext};
use crate::text::secret::Redactor;

/// From SIGTERM to SIGKILL, for what an earlier orthid left.
const ORPHAN_GRACE: Duration = Duration::from_secs(20);

/// An attempt with what it needs of the outside.
#[derive(Clone, Debug)]
pub struct Site<'a> {
    pub env: &'a Environment,
    pub redactor: &'a Redactor,
    pub held: &'a HeldOutputs,
    pub cx: &'a StepContext,
    /// This step's evidence folder: the same for every attempt, so that a later one finds what an
    /// earlier one left.
    pub folder: PathBuf,
}

impl<'a> Site<'a> {
    pub fn new(
        env: &'a Environment,
        redactor: &'a Redactor,
        held: &'a HeldOutputs,
        cx: &'a StepContext,
    ) -> Site<'a> {
        let folder = cx.evidence.join(slug(&cx.step.address));
        Site { env, redactor, held, cx, folder }
    }

    pub fn resolver(&self) -> Resolver<'a> {
        let Site { env, redactor, held, cx, folder: _ } = *self;
        Resolver { env, outputs: &cx.outputs, held, redactor }
    }

    /// The first eight characters that tell this run from others: the random end of a UUIDv7, not
    /// its time.
    pub fn run_short(&self) -> String {
        let text: Vec<char> = self.cx.run.0.chars().filter(char::is_ascii_alphanumeric).collect();
        text[text.len().saturating_sub(8)..].iter().collect::<String>().to_lowercase()
    }

    /// Names this step of this run in places that take only a few letters.
    pub fn step_short(&self) -> String {
        short_hash(&self.cx.step.address.to_string())
    }

    /// Says how the step comes along. A reader that is behind misses lines; the step never waits
    /// for it.
    pub fn progress(&self, message: impl Into<String>) {
        let message = self.redactor.clean(&message.into());
        let step = self.cx.step.address.clone();
        let _ = self.cx.progress.try_send(Progress { step, message });
    }

    /// Keeps a text as evidence, redacted; returns its path below the run's evidence folder.
    pub fn keep(&self, name: &str, text: &str) -> std::io::Result<String> {
        process::create_folder(&self.folder)?;
        let path = self.folder.join(name);
        process::write_private(&path, self.redactor.clean(text).as_bytes())?;
        Ok(self.relative(&path))
    }

    /// Keeps evidence where that is all that can be done: a failure must not hide behind a full
    /// disk.
    pub fn keep_if_possible(&self, name: &str, text: &str) -> Option<String> {
        self.keep(name, text).ok()
    }

    fn relative(&self, path: &Path) -> String {
        path.strip_prefix(&self.cx.evidence).unwrap_or(path).display().to_string()
    }

    /// A child of this step, without an environment yet. It has the time of the step.
    pub fn job(&self, program: PathBuf, name: &str) -> Job {
        let timeout = self.cx.step.timeout_ms.map(Duration::from_millis);
        Job {
            timeout: timeout.unwrap_or(process::LONGEST).min(process::LONGEST),
            work: Some(self.work()),
            voice: self.voice(),
            ..Job::new(program, &self.folder, name)
        }
    }

    fn work(&self) -> Work {
        Work { run: self.cx.run.0.clone(), step: self.cx.step.address.to_string() }
    }

    fn voice(&self) -> Voice {
        let (sender, step) = (self.cx.progress.clone(), self.cx.step.address.clone());
        let remarks = self.cx.remarks.clone();
        let (redactor, cleaner) = (self.redactor.clone(), self.redactor.clone());
        Voice {
            progress: Some(Arc::new(move |message: &str| {
                let message = redactor.clean(message);
                let _ = sender.try_send(Progress { step: step.clone(), message });
            })),
            note: Some(Arc::new(move |remark: &str| remarks.add(cleaner.clean(remark)))),
            learn: None,
        }
    }

    /// Waits until nothing that an earlier orthid began for this step is at work, and ends what has
    /// used up its time.
    ///
    /// # Errors
    /// What is still at work: it can't be ended, or nothing may be waited for now.
    pub async fn wait_for_orphans(&self) -> Result<(), Failure> {
        if !self.may_have_orphans() {
            return Ok(());
        }
        let bound = self.cx.step.timeout_ms.map_or(process::LONGEST, Duration::from_millis);
        let unseen = |error: std::io::Error| {
            unknown(format!("whether an earlier attempt is still at work can't be seen: {error}"))
        };
        for orphan in process::orphans(&self.folder, &self.work(), bound).map_err(unseen)? {
            let still = match self.cx.hands_off {
                true => orphan.processes(),
                false => {
                    let say = |text: String| self.progress(text);
                    match orphan.wait(say, ORPHAN_GRACE, &self.cx.cancel).await {
                        Ok(()) => continue,
                        Err(still) => still,
                    }
                }
            };
            let pids: Vec<String> = still.iter().map(|it| it.pid.to_string()).collect();
            return Err(unknown(format!(
                "what an earlier orthid started is still at work: process {}",
                process::named(&still)
            ))
            .help(format!("wait for it, or end it: `kill {}`", pids.join(" "))));
        }
        Ok(())
    }

    /// The first attempt at an effect finds nobody of its own at work.
    fn may_have_orphans(&self) -> bool {
        let spawns = !matches!(
            self.cx.step.spec,
            StepSpec::Smoke(_) | StepSpec::Probe(_) | StepSpec::Approve(_) | StepSpec::Checkpoint
        );
        spawns && (self.cx.attempt > 1 || self.folder.exists())
    }

    /// Redacts what children of an earlier orthid wrote that have ended since. Where one of their
    /// secrets went with that orthid, what they wrote is removed.
    pub fn clear_leftovers(&self) {
        if self.cx.hands_off {
            return;
        }
        for name in process::leftovers(&self.folder) {
            let knows_all = self.resolver().knows_outputs() && self.knows_printed(&name);
            let redactor = knows_all.then_some(self.redactor);
            for lost in process::clear_leftover(&self.folder, &name, redactor) {
                self.cx.remarks.add(format!("evidence is missing: {lost}"));
            }
        }
    }

    /// Whether every secret is known that this child may have made.
    fn knows_printed(&self, name: &str) -> bool {
        let StepSpec::Run(spec) = &self.cx.step.spec else { return true };
        let printed = process::remains(&self.folder, name).map(|it| it.stdout);
        super::printed::learn(spec, &printed.unwrap_or_default(), self.redactor)
    }

    /// Names the evidence files of a child, where they exist.
    pub fn child_evidence(&self, name: &str) -> Vec<String> {
        let files = ["out", "err"].map(|stream| self.folder.join(format!("{name}.{stream}")));
        files.iter().filter(|path| path.is_file()).map(|path| self.relative(path)).collect()
    }

    pub fn release(&self) -> Result<&'a ReleaseSpec, Failure> {
        self.cx.plan.release.as_ref().ok_or_else(|| permanent("the plan has no release"))
    }

    pub async fn cluster(&self) -> Result<Cluster, Failure> {
        Ok(Cluster::connect(self.env, self.release()?.context.as_deref()).await?)
    }

    pub async fn helm(&self) -> Result<Helm, Failure> {
        Ok(Helm::find(self.env, self.release()?.context.as_deref(), self.redactor).await?)
    }

    pub fn releases(&self, cluster: &Cluster, helm: &Helm) -> Result<Releases, Failure> {
        let spec = self.release()?;
        Ok(Releases::new(cluster, helm, self.env.helm_driver(), &spec.namespace, &spec.name))
    }

    /// The connection of a `database` block.
    pub fn database(&self, name: &str) -> Result<Target, Failure> {
        let spec = self.cx.plan.databases.get(name);
        let spec = spec.ok_or_else(|| permanent(format!("the plan has no database `{name}`")))?;
        let url = self.resolver().text(&format!("the URL of database `{name}`"), &spec.url)?;
        self.redactor.register(&url);
        let target = Target::parse(name, &url)?;
        target.register(self.redactor);
        Ok(target)
    }

    /// The newest client programs, refused where they are older than the server.
    pub async fn clients(&self, server_major: u32) -> Result<Clients, Failure> {
        let found = Clients::find(self.env, self.redactor).await;
        let clients = found.ok_or_else(|| {
            permanent("pg_dump was not found on the PATH")
                .help("install the PostgreSQL client programs of the server's version or newer")
        })?;
        if clients.major < server_major {
            return Err(permanent(format!(
                "pg_dump {} is older than the server, which is {server_major}: it refuses to dump it",
                clients.major
            ))
            .help(format!("install the client programs of PostgreSQL {server_major} or newer")));
        }
        Ok(clients)
    }

    /// The specification of a backup step of this plan.
    pub fn backup(&self, address: &Address) -> Result<&'a BackupSpec, Failure> {
        let step = self.cx.plan.steps.iter().find(|step| step.address == *address);
        match step.map(|step| &step.spec) {
            Some(StepSpec::Backup(spec)) => Ok(spec),
            Some(_) | None => {
                Err(permanent(format!("{address} is not a backup step of this plan")))
            }
        }
    }

    pub fn backup_folder(&self, spec: &BackupSpec) -> Result<PathBuf, Failure> {
        Ok(destination::folder(&self.cx.base, &spec.to)?)
    }

    pub fn outputs_of(&self, address: &Address) -> Result<&'a Outputs, Failure> {
        self.cx
            .outputs
            .get(address)
            .ok_or_else(|| permanent(format!("{address} has no outputs yet")))
    }

    /// A text among the outputs of a finished step.
    pub fn output(&self, address: &Address, name: &str) -> Result<&'a str, Failure> {
        let value = self.outputs_of(address)?.get(name).and_then(|value| value.as_str());
        value.ok_or_else(|| permanent(format!("{address} has no output `{name}`")))
    }
}

/// A file name that tells one address from another.
pub fn slug(address: &Address) -> String {
    let text = address.to_string();
    let plain =
        |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let mut name: String = text.chars().map(plain).collect();
    if name != text {
        name.truncate(80);
        name = format!("{}-{}", name.trim_end_matches('_'), short_hash(&text));
    }
    name
}

pub fn short_hash(text: &str) -> String {
    hex::encode(&Sha256::digest(text.as_bytes())[..4])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::StepKind;

    #[test]
    fn folders_of_different_steps_differ() {
        let plain = Address::new(StepKind::Roll, "app");
        assert_eq!(slug(&plain), "roll.app");
        let a = slug(&plain.clone().with_key("2.7/0"));
        let b = slug(&plain.with_key("2.7 0"));
        assert_ne!(a, b);
        assert!(a.starts_with("roll.app__2.7_0-") && !a.contains('/'), "{a}");
    }
}
