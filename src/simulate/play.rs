//! One rehearsal from beginning to end: processes are killed as planned, the next takes over, a person answers where one is
//! needed.
//!
//! Must not: go on for ever; a run that does not come to its end is an outcome.

use std::collections::BTreeMap;

use super::Life;
use super::session::{Ended, Interrupt, Stage};
use crate::journal::{Clock, Record, RunStatus};
use crate::model::Address;
use crate::run::{Options, Outcome, RunError, RunState, StepState};
use crate::store::StoreError;

/// Processes that one rehearsal may take.
const MOST_PROCESSES: usize = 40;

/// How a rehearsal came to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// None where it never came to one; `trouble` says why.
    pub status: Option<RunStatus>,
    pub trouble: Option<String>,
    /// Steps at which a person was asked, with the question.
    pub asked: Vec<(Address, String)>,
    pub processes: usize,
    /// The last process left a question.
    stuck: bool,
    /// Moments at which each process could have been killed, and where it was.
    pub lives: Vec<(u64, Option<String>)>,
}

impl Stage {
    /// Plays the run. Process by process `kills` tells at which crossing it is killed; those after the last are not.
    pub async fn play(&self, kills: &[Option<u64>]) -> End {
        let mut end = End::default();
        let mut kills = kills.iter().copied();
        while end.processes < MOST_PROCESSES {
            end.processes += 1;
            let life = Life::new(kills.next().flatten());
            let ended = self.one(&life, &mut end).await;
            end.lives.push((life.crossings(), life.died_at()));
            match ended {
                Ok(Some(status)) => {
                    end.status = Some(status);
                    return end;
                }
                Ok(None) => {}
                Err(trouble) => {
                    end.trouble = Some(trouble);
                    return end;
                }
            }
        }
        end.trouble = Some(format!("it had not ended after {MOST_PROCESSES} processes"));
        end
    }

    /// One process. None where another has to go on.
    async fn one(&self, life: &Life, end: &mut End) -> Result<Option<RunStatus>, String> {
        let failed = |error: StoreError| error.to_string();
        let mut options = self.options();
        if end.stuck {
            let (answers, asked) = self.answers().await.map_err(failed)?;
            options.answers = answers;
            end.asked.extend(asked);
            end.stuck = false;
        }
        let signal = self.signal(end.processes, &options);
        let ended = self.process(&self.deps(life), options, life).await;
        signal.abort();
        match ended {
            Ended::Killed(_) => {
                self.unlock().await.map_err(failed)?;
                Ok(None)
            }
            Ended::Returned(Ok(Outcome::Finished(RunStatus::Stuck))) => {
                // A person has looked by the time of the next resume: what was wrong is not wrong for ever.
                self.site.with_faults(|faults| faults.clear());
                self.troubles.clear();
                end.stuck = true;
                Ok(None)
            }
            Ended::Returned(Ok(Outcome::Finished(RunStatus::Succeeded))) if self.rolls_back => {
                Ok(None)
            }
            Ended::Returned(Ok(Outcome::Finished(
                status @ (RunStatus::Succeeded | RunStatus::RolledBack | RunStatus::Failed),
            ))) => Ok(Some(status)),
            Ended::Returned(Ok(Outcome::Interrupted | Outcome::NotBegun)) => Ok(None),
            Ended::Returned(Ok(
                outcome @ (Outcome::WaitingForApproval(_) | Outcome::LeaseLost),
            )) => Err(format!("{outcome:?}")),
            // Killed between its last record and its return.
            Ended::Returned(Err(RunError::Ended { run: _, status })) => Ok(Some(status)),
            Ended::Returned(Err(error)) => Err(error.to_string()),
            Ended::NeverEnded => Err("it had not ended after a month".to_owned()),
        }
    }

    /// Interrupts the process when its time has come.
    fn signal(&self, process: usize, options: &Options) -> tokio::task::JoinHandle<()> {
        let interrupt = self.interrupts.get(process - 1).copied().flatten();
        let (clock, control) = (self.clock.clone(), options.control.clone());
        tokio::spawn(async move {
            let Some(Interrupt { after, at_once }) = interrupt else { return };
            clock.sleep(after).await;
            control.interrupt.cancel();
            if at_once {
                control.abort.cancel();
            }
        })
    }

    /// What a person who looks would answer, where a finished process left a question; the truth is the world's.
    async fn answers(
        &self,
    ) -> Result<(BTreeMap<Address, bool>, Vec<(Address, String)>), StoreError> {
        let records: Vec<Record> = self.records().await?;
        let digest = self.job.plan_digest.clone();
        let Ok(state) = RunState::fold(self.job.run.clone(), &self.job.plan, digest, &records)
        else {
            return Ok(Default::default());
        };
        let (mut answers, mut asked) = (BTreeMap::new(), Vec::new());
        if state.phase != crate::run::RunPhase::Finished(RunStatus::Stuck) {
            return Ok((answers, asked));
        }
        let model = self.site.model();
        for step in &self.job.plan.steps {
            let progress = state.step(&step.address);
            let there = model.is_there(step);
            let (answer, question) = match &progress.state {
                StepState::Failed(failure) if progress.is_open() => (there, &failure.message),
                StepState::UndoFailed(failure) => (!there, &failure.message),
                StepState::Failed(_)
                | StepState::Pending
                | StepState::Started
                | StepState::Succeeded
                | StepState::Skipped
                | StepState::Undoing
                | StepState::Undone => continue,
            };
            answers.insert(step.address.clone(), answer);
            asked.push((step.address.clone(), question.clone()));
        }
        Ok((answers, asked))
    }
}
