//! A run as its state store holds it: the row, the plan and the journal, each compared with the others.
//!
//! Must not: write, or take a lease. There is no other way from a store to a run's plan.

use std::sync::Arc;

use super::executor::{Job, RunError};
use super::state::RunState;
use crate::journal::{Event, Record};
use crate::plan::SavedPlanError;
use crate::store::{RunSummary, Store};

/// A run whose plan is the one that it was created from.
#[derive(Clone, Debug)]
pub struct StoredRun {
    pub job: Job,
    /// The plan's folder, as seen from where the plan was made.
    pub base: String,
    /// The whole journal, from the record that created the run.
    pub records: Vec<Record>,
    /// The journal, folded.
    pub state: RunState,
}

impl StoredRun {
    /// Reads a run, and compares its plan with the digest in its row and in its journal.
    ///
    /// # Errors
    /// [`RunError::Tampered`] with everything that differs; [`RunError::Journal`] where the journal is broken further on.
    pub async fn load(store: &dyn Store, summary: RunSummary) -> Result<StoredRun, RunError> {
        let records = store.records(&summary.id, 0).await?;
        let plan = store.plan(&summary.id).await?;
        let RunSummary { id: run, subject, plan_digest, created_at: _ } = summary;
        let mut differing: Vec<String> =
            begins_otherwise(&records, &plan_digest).into_iter().collect();
        let saved = match plan.open(&plan_digest) {
            Ok(saved) => Some(saved),
            Err(error @ SavedPlanError::NewerFormat { .. }) => return Err(error.into()),
            Err(error) => {
                differing.push(format!("its stored plan: {error}"));
                None
            }
        };
        let Some(saved) = saved.filter(|_| differing.is_empty()) else {
            return Err(RunError::Tampered { run, differing });
        };
        if saved.subject() != subject {
            let differing = vec![format!(
                "it is listed under {subject}, where its plan is for {}",
                saved.subject()
            )];
            return Err(RunError::Tampered { run, differing });
        }
        let base = saved.base;
        let job = Job { run, plan: Arc::new(saved.plan), plan_digest, subject };
        let state = RunState::fold(job.run.clone(), &job.plan, job.plan_digest.clone(), &records)?;
        Ok(StoredRun { job, base, records, state })
    }
}

/// Why a journal's beginning is not that of a run of this plan.
fn begins_otherwise(records: &[Record], plan_digest: &str) -> Option<String> {
    match records.first().map(|record| &record.event) {
        Some(Event::RunCreated { plan_digest: created, .. }) if created == plan_digest => None,
        Some(Event::RunCreated { plan_digest: created, .. }) => Some(format!(
            "its journal begins with the plan {created}, where {plan_digest} was approved"
        )),
        Some(_) | None => Some("its journal has no beginning".to_owned()),
    }
}
