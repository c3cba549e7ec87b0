//! What a plan demands of its run's journal: the order of the steps, and whose signature opens a gate.
//!
//! The journal's chain is not keyed, so whoever may write to the store can write records that follow it. These must not
//! lead past a gate with keys: an approval counts where it is signed, and a step begins where all it waits for is over.
//!
//! Must not: change a state.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::progress::StepState;
use crate::journal::FailureClass;
use crate::model::{Address, OnFailure, Place, PublicKey, Step, StepSpec};
use crate::plan::Plan;
use crate::run::approval::{ApprovalError, Signed};

/// A yes that counts for a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// The record's number.
    pub seq: u64,
    /// The name that was given.
    pub by: String,
    /// The key that signed; none for a gate that lists no keys.
    pub key: Option<PublicKey>,
    pub expires_at: Option<Timestamp>,
}

impl Approved {
    /// Name and key in one text, as the step hands it on.
    fn text(&self) -> String {
        match &self.key {
            Some(key) => format!("{} ({key})", self.by),
            None => self.by.clone(),
        }
    }
}

/// A plan as the journal of its run is held to it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms {
    plan: Arc<Plan>,
    digest: String,
    /// Step → its place in the plan.
    places: HashMap<Address, usize>,
}

impl Terms {
    pub(super) fn new(plan: &Arc<Plan>, digest: &str) -> Terms {
        let steps = plan.steps.iter().enumerate();
        let places = steps.map(|(place, step)| (step.address.clone(), place)).collect();
        Terms { plan: Arc::clone(plan), digest: digest.to_owned(), places }
    }

    pub(super) fn steps(&self) -> u64 {
        self.plan.steps.len() as u64
    }

    fn step(&self, address: &Address) -> Result<&Step, String> {
        let place = self.places.get(address);
        place
            .map(|place| &self.plan.steps[*place])
            .ok_or_else(|| format!("the plan has no step {address}"))
    }

    /// Everything that a step waits for must be over before it begins.
    pub(super) fn may_begin<'s>(
        &self,
        address: &Address,
        state: impl Fn(&Address) -> &'s StepState,
    ) -> Result<&Step, String> {
        let step = self.step(address)?;
        for waited in &step.depends_on {
            let is_over = match state(waited) {
                StepState::Succeeded | StepState::Skipped => true,
                StepState::Failed(failure) => {
                    failure.class != FailureClass::Unknown
                        && self.step(waited)?.on_failure == OnFailure::Continue
                }
                StepState::Pending
                | StepState::Started
                | StepState::Undoing
                | StepState::Undone
                | StepState::UndoFailed(_) => false,
            };
            if !is_over {
                return Err(format!("{address} began before {waited} was over"));
            }
        }
        Ok(step)
    }

    /// A step is skipped by its `when`, and so has one.
    pub(super) fn may_skip<'s>(
        &self,
        address: &Address,
        state: impl Fn(&Address) -> &'s StepState,
    ) -> Result<(), String> {
        match self.may_begin(address, state)?.when {
            Some(_) => Ok(()),
            None => Err(format!("{address} was skipped, and the plan does not say when")),
        }
    }

    /// A gate succeeds by approvals that opened it.
    pub(super) fn may_succeed(
        &self,
        address: &Address,
        approvals: &BTreeMap<Address, Vec<Approved>>,
    ) -> Result<(), String> {
        match self.step(address)?.kind().traits().place {
            Place::Waits if self.opened_by(address, approvals, None).is_none() => {
                Err(format!("{address} was opened without the approvals that it needs"))
            }
            Place::Waits | Place::Takes | Place::Beside => Ok(()),
        }
    }

    /// Who opened a gate, where as many different approvers did as it needs; of those only whose approval has not
    /// expired by `now`.
    pub(super) fn opened_by(
        &self,
        address: &Address,
        approvals: &BTreeMap<Address, Vec<Approved>>,
        now: Option<Timestamp>,
    ) -> Option<String> {
        let Ok(Step { spec: StepSpec::Approve(gate), .. }) = self.step(address) else {
            return None;
        };
        let lasts = |it: &&Approved| match (it.expires_at, now) {
            (Some(expires), Some(now)) => now <= expires,
            (None, _) | (_, None) => true,
        };
        let mut by: Vec<&Approved> = Vec::new();
        for approved in approvals.get(address).into_iter().flatten().filter(lasts) {
            if !by.iter().any(|other| other.key == approved.key) {
                by.push(approved);
            }
        }
        let names: Vec<String> = by.iter().map(|approved| approved.text()).collect();
        (names.len() >= gate.needed()).then(|| names.join(", "))
    }

    /// The yeses that a record holds. A gate without keys takes anybody's word.
    pub(super) fn approvals_in(
        &self,
        address: &Address,
        given: Given<'_>,
    ) -> Result<Vec<Approved>, ApprovalError> {
        let Ok(Step { spec: StepSpec::Approve(gate), .. }) = self.step(address) else {
            return Err(ApprovalError::NoSuchStep(address.clone()));
        };
        let Given { seq, by, statement, now } = given;
        if gate.keys.is_empty() {
            return Ok(vec![Approved { seq, by: by.to_owned(), key: None, expires_at: None }]);
        }
        let signed = Signed::read(statement.as_bytes())?;
        let keys = signed.approves(&self.digest, address, &gate.keys, now)?;
        let (by, expires_at) = (signed.by(), signed.expires_at());
        let approved = keys.into_iter().map(|key| {
            let (by, key) = (by.to_owned(), Some(key));
            Approved { seq, by, key, expires_at }
        });
        Ok(approved.collect())
    }
}

/// An approval as a record gives it, at a time.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The record's number.
    pub seq: u64,
    pub by: &'a str,
    pub statement: &'a str,
    pub now: Timestamp,
}
