//! The executor's hand on the journal: notes events into the state, and makes them durable in one append.

use std::time::Duration;

use super::run_loop::Run;
use super::{Notice, Opening, RunError};
use crate::journal::{Event, Record, RunStatus};
use crate::run::head;
use crate::run::state::RunPhase;
use crate::store::{NewRun, StoreError};

/// How long a store may not answer before the run stops where it is.
const STORE_PATIENCE: Duration = Duration::from_secs(60);
/// The same once the run is to pause.
const STORE_LAST: Duration = Duration::from_secs(10);
/// Bounds of the wait between two tries at a store that does not answer.
const STORE_PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

impl Run<'_> {
    /// Takes the run in hand under the lease just taken: its first records, or the next after those that there are.
    ///
    /// # Errors
    /// [`RunError::Ended`] where there is nothing to go on with, or nothing that could be taken back any more.
    pub(super) async fn open(&mut self, opening: Opening) -> Result<(), RunError> {
        let event = match opening {
            Opening::Start(plan_bytes) => return self.create(plan_bytes).await,
            Opening::Resume => Event::LeaseTaken { holder: self.holder() },
            Opening::RollBack => Event::RollbackRequested { holder: self.holder() },
        };
        for record in self.deps.store.records(&self.job.run, 0).await? {
            self.state.apply(&record)?;
        }
        let turns_back = matches!(event, Event::RollbackRequested { .. });
        match self.state.phase {
            RunPhase::Running | RunPhase::Paused(_) | RunPhase::Finished(RunStatus::Stuck) => {}
            RunPhase::Finished(RunStatus::Succeeded | RunStatus::Failed) if turns_back => {}
            RunPhase::Finished(
                status @ (RunStatus::Succeeded | RunStatus::RolledBack | RunStatus::Failed),
            ) => return Err(RunError::Ended { run: self.job.run.clone(), status }),
        }
        self.first = self.state.seq + 1;
        self.note(event)?;
        self.flush().await
    }

    /// Records the run with its plan.
    async fn create(&mut self, plan_bytes: Vec<u8>) -> Result<(), RunError> {
        self.note(Event::RunCreated {
            plan_digest: self.job.plan_digest.clone(),
            steps: self.job.plan.steps.len() as u64,
        })?;
        self.note(Event::LeaseTaken { holder: self.holder() })?;
        let records = std::mem::take(&mut self.unwritten);
        let new = NewRun {
            id: self.job.run.clone(),
            subject: self.job.subject.clone(),
            plan_digest: self.job.plan_digest.clone(),
            plan: plan_bytes,
            created_at: records[0].at.clone(),
        };
        self.deps.store.create_run(self.keeper.lease(), &new, &records).await?;
        self.tell(records);
        Ok(())
    }

    fn holder(&self) -> String {
        let holder = &self.keeper.lease().holder;
        format!("{} (pid {})", holder.who, holder.pid)
    }

    /// Notes how this process leaves the run, and vouches for what it wrote where it has a key. Durable on return.
    pub(super) async fn leave(&mut self, event: Event) -> Result<(), RunError> {
        self.note(event)?;
        if let Some(key) = self.options.sign_key.clone() {
            let at = format!("{:.6}", self.deps.clock.now());
            let statement = head::sign(&key, self.state.end(), self.first, &at);
            self.note(Event::JournalSigned { statement })?;
        }
        self.flush().await
    }

    /// Makes the record for an event and takes it into the state. [`Run::flush`] makes it durable.
    ///
    /// Nothing is recorded that was not redacted, whoever made it.
    pub(super) fn note(&mut self, mut event: Event) -> Result<(), RunError> {
        let redactor = &self.deps.redactor;
        event.each_text(&mut |text| {
            if redactor.holds(text) {
                *text = redactor.without_secrets(text);
            }
        });
        let (seq, epoch) = (self.state.seq + 1, self.keeper.lease().epoch);
        let at = format!("{:.6}", self.deps.clock.now());
        let previous = self.state.last_hash.clone();
        let record = Record::new(self.job.run.clone(), seq, epoch, at, event, previous);
        self.state.apply(&record)?;
        self.unwritten.push(record);
        Ok(())
    }

    /// One append for every record that was noted. Durable on return.
    pub(super) async fn flush(&mut self) -> Result<(), RunError> {
        let records = std::mem::take(&mut self.unwritten);
        if records.is_empty() {
            return Ok(());
        }
        tokio::select! {
            biased;
            written = self.append(&records) => written?,
            () = self.told_to_stop() => return Err(RunError::Stopped),
        }
        self.tell(records);
        Ok(())
    }

    async fn append(&self, records: &[Record]) -> Result<(), RunError> {
        let patience = self.deps.clock.elapsed() + STORE_PATIENCE;
        let (mut pause, longest) = STORE_PAUSE;
        loop {
            match self.deps.store.append(self.keeper.lease(), records).await {
                Ok(()) => return Ok(()),
                // Appending the same records again is safe: a store that has them already says so.
                Err(StoreError::Unavailable(_)) if self.deps.clock.elapsed() < patience => {
                    self.deps.clock.sleep(pause).await;
                    pause = (pause * 2).min(longest);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Somebody wants the run to pause, and its store has had its time to take that down; or to stop now.
    async fn told_to_stop(&self) {
        let control = &self.options.control;
        control.interrupt.cancelled().await;
        tokio::select! {
            () = control.abort.cancelled() => {}
            () = self.deps.clock.sleep(STORE_LAST) => {}
        }
    }

    fn tell(&self, records: Vec<Record>) {
        if let Some(notices) = &self.options.notices {
            for record in records {
                // Nobody listening is no reason to stop.
                drop(notices.send(Notice::Record(record)));
            }
        }
    }
}
