//! Migrating in a running pod.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::{Migration, Observation, Told};
use crate::facts::MigrationFacts;
use crate::run::Failure;
use crate::world::exec::{Exec, exec, ready_pod};
use crate::world::migrations;

/// After a cut stream the command may go on in its pod: how long its status is looked at before it counts as ended.
const SETTLE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_secs(2);

impl Migration<'_> {
    fn container(&self) -> Option<&str> {
        self.spec.container.as_deref()
    }

    async fn ready_pod(&self) -> Result<String, Failure> {
        let pod = ready_pod(&self.cluster, self.namespace, self.workload).await?;
        Ok(pod.metadata.name.unwrap_or_default())
    }

    async fn ask(&self, pod: &str) -> Result<MigrationFacts, Failure> {
        let status = &self.spec.status;
        migrations::ask(&self.cluster, self.namespace, pod, self.container(), status)
            .await
            .map_err(Failure::transient)
    }

    pub(super) async fn exec(&self) -> Result<Told, Failure> {
        let pod = self.ready_pod().await?;
        let before = self.ask(&pod).await?;
        let knows = |name: &String| before.applied.contains(name) || before.pending.contains(name);
        if let Some(unknown) = self.spec.pending.iter().find(|name| !knows(name)) {
            return Err(Failure::permanent(format!(
                "the image of pod `{pod}` does not carry migration `{unknown}`"
            ))
            .with_help("set `via = \"job\"`: the target release's image carries it"));
        }
        if before.pending.is_empty() {
            self.site.progress("nothing is pending");
            return Ok(Told { after: before.clone(), before });
        }
        let command = self.spec.exec.join(" ");
        self.site.progress(format!("running `{command}` in pod {pod}"));
        let request = Exec {
            namespace: self.namespace,
            pod: &pod,
            container: self.container(),
            command: &self.spec.exec,
            timeout: self.timeout,
        };
        let output = exec(&self.cluster, &request, &self.site.cx.cancel).await?;
        let log = format!("{}\n{}", output.stdout, output.stderr);
        let name = format!("migrate-{}.log", self.site.cx.attempt);
        let kept = self.site.keep_if_possible(&name, &log);
        if output.code != 0 {
            let words =
                log.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default().to_owned();
            return Err(Failure::permanent(format!(
                "`{command}` exited with {}: {words}",
                output.code
            ))
            .with_evidence(kept));
        }
        // What comes now no longer tells whether the migration happened: it did.
        let pod = self.ready_pod().await.map_err(Failure::after_effect)?;
        let after = self.ask(&pod).await.map_err(Failure::after_effect)?;
        Ok(Told { before, after })
    }

    /// Asks until nothing is pending, or until a command that an earlier orthid started must have ended.
    pub(super) async fn observe_exec(&self) -> Result<Observation, Failure> {
        let cancel: &CancellationToken = &self.site.cx.cancel;
        let deadline = tokio::time::Instant::now() + SETTLE;
        loop {
            let pod = self.ready_pod().await?;
            let told = self.ask(&pod).await?;
            let knows_all = self.spec.pending.iter().all(|name| told.applied.contains(name));
            if told.pending.is_empty() && knows_all {
                let told = Told { before: self.expected_before(&told), after: told };
                return Ok(Observation::Done(self.outputs(&told)));
            }
            if tokio::time::Instant::now() >= deadline || cancel.is_cancelled() {
                return Ok(Observation::NotDone);
            }
            self.site.progress(format!("still pending: {}", told.pending.join(", ")));
            tokio::time::sleep(POLL).await;
        }
    }

    /// What must have been before, where nobody lives who saw it: all but what the plan was to apply.
    pub(super) fn expected_before(&self, after: &MigrationFacts) -> MigrationFacts {
        let was = |name: &&String| !self.spec.pending.contains(name);
        MigrationFacts {
            schema: None,
            applied: after.applied.iter().filter(was).cloned().collect(),
            pending: self.spec.pending.clone(),
        }
    }
}
