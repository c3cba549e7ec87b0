//! Signed approvals: who says yes to which steps of which plan.
//!
//! Must not: read files or a clock. What is approved is a plan's digest, so a changed plan has no approval.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::envelope::{Envelope, EnvelopeError};
use crate::model::{Address, PublicKey, StepSpec};
use crate::plan::Plan;

const PAYLOAD_TYPE: &str = "application/vnd.orthid.approval+json";
const FORMAT_VERSION: u32 = 1;

/// An approval as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenApproval {
    pub by: String,
    pub statement: String,
}

/// What an approver says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    pub format_version: u32,
    /// The plan's digest.
    pub plan: String,
    pub steps: Vec<Address>,
    pub by: String,
    /// RFC 3339.
    pub at: String,
    /// It counts until then; for ever where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ApprovalError {
    #[error("it is not an approval: {0}")]
    NotAnApproval(String),
    #[error("no signature of it is right: it was changed after it was signed")]
    NotSigned,
    #[error("it approves another plan, {0}")]
    AnotherPlan(String),
    #[error("the plan has no approve step `{0}`")]
    NoSuchStep(Address),
    #[error("it does not approve {0}")]
    AnotherStep(Address),
    #[error("it expired at {0}")]
    Expired(Timestamp),
    #[error("the key that signed it, {key}, is not among those that may approve {step}")]
    KeyNotAllowed { step: Address, key: String },
}

impl From<EnvelopeError> for ApprovalError {
    fn from(error: EnvelopeError) -> Self {
        match error {
            EnvelopeError::NotOne(reason) => ApprovalError::NotAnApproval(reason),
            EnvelopeError::NotSigned => ApprovalError::NotSigned,
        }
    }
}

/// An approval of these steps of the plan with this digest, to be signed.
pub fn statement(
    plan: &str,
    steps: Vec<Address>,
    by: &str,
    at: &str,
    expires_at: Option<Timestamp>,
) -> Envelope {
    let statement = Statement {
        format_version: FORMAT_VERSION,
        plan: plan.to_owned(),
        steps,
        by: by.to_owned(),
        at: at.to_owned(),
        expires_at,
    };
    Envelope::unsigned(PAYLOAD_TYPE, &statement)
}

/// The keys that each approve step of a plan takes; none where anyone at the terminal may say yes.
pub fn approve_steps(plan: &Plan) -> BTreeMap<Address, &[String]> {
    let steps = plan.steps.iter().filter_map(|step| {
        let StepSpec::Approve(spec) = &step.spec else { return None };
        Some((step.address.clone(), spec.keys.as_slice()))
    });
    steps.collect()
}

/// Whether this key is among those that a step lists, whichever way it is written there.
pub fn lists(keys: &[String], key: &PublicKey) -> bool {
    keys.iter().any(|listed| listed.parse().is_ok_and(|listed: PublicKey| listed == *key))
}

/// A statement under at least one good signature. Whether that key may approve is another question.
#[derive(Clone, Debug)]
pub struct Signed {
    statement: Statement,
    /// Public keys whose signature is good.
    signers: Vec<PublicKey>,
}

impl Signed {
    pub fn read(bytes: &[u8]) -> Result<Signed, ApprovalError> {
        let (statement, signers) = Envelope::open::<Statement>(bytes, PAYLOAD_TYPE)?;
        if statement.format_version != FORMAT_VERSION {
            let format = statement.format_version;
            return Err(ApprovalError::NotAnApproval(format!("its format {format} is not known")));
        }
        Ok(Signed { statement, signers })
    }

    /// The name that the statement gives: a claim of whoever signed it.
    pub fn by(&self) -> &str {
        &self.statement.by
    }

    pub fn expires_at(&self) -> Option<Timestamp> {
        self.statement.expires_at
    }

    /// The keys by which it approves this step of this plan at this time: one or more of those listed, any where none is.
    pub fn approves(
        &self,
        digest: &str,
        step: &Address,
        keys: &[String],
        now: Timestamp,
    ) -> Result<Vec<PublicKey>, ApprovalError> {
        if self.statement.plan != digest {
            return Err(ApprovalError::AnotherPlan(self.statement.plan.clone()));
        }
        if !self.statement.steps.contains(step) {
            return Err(ApprovalError::AnotherStep(step.clone()));
        }
        if let Some(expired) = self.statement.expires_at.filter(|expires| *expires < now) {
            return Err(ApprovalError::Expired(expired));
        }
        let allowed = |key: &&PublicKey| keys.is_empty() || lists(keys, key);
        let allowed: Vec<PublicKey> = self.signers.iter().filter(allowed).cloned().collect();
        if allowed.is_empty() {
            let signers: Vec<String> = self.signers.iter().map(ToString::to_string).collect();
            let (step, key) = (step.clone(), signers.join(", "));
            return Err(ApprovalError::KeyNotAllowed { step, key });
        }
        Ok(allowed)
    }
}

/// Reads an approval and gives what it approves of this plan. One that approves less than it says is refused as a whole.
pub fn verify(
    bytes: &[u8],
    digest: &str,
    plan: &Plan,
    now: Timestamp,
) -> Result<BTreeMap<Address, GivenApproval>, ApprovalError> {
    let signed = Signed::read(bytes)?;
    let gates = approve_steps(plan);
    let mut given = BTreeMap::new();
    if signed.statement.plan != digest {
        return Err(ApprovalError::AnotherPlan(signed.statement.plan));
    }
    for step in &signed.statement.steps {
        let keys = gates.get(step).ok_or_else(|| ApprovalError::NoSuchStep(step.clone()))?;
        let signers = signed.approves(digest, step, keys, now)?;
        let signers: Vec<String> = signers.iter().map(ToString::to_string).collect();
        let by = format!("{} ({})", signed.by(), signers.join(", "));
        let statement = String::from_utf8_lossy(bytes).trim().to_owned();
        given.insert(step.clone(), GivenApproval { by, statement });
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApproveSpec, Step, StepKind};
    use crate::run::envelope::SigningKey;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn now() -> Timestamp {
        "2026-01-02T03:04:05Z".parse().unwrap()
    }

    fn plan(keys: &[&SigningKey]) -> Plan {
        let keys = keys.iter().map(|key| key.public().to_string()).collect();
        let spec = StepSpec::Approve(ApproveSpec { keys, ..ApproveSpec::default() });
        let step = Step::at(go(), spec);
        Plan { steps: vec![step], ..Plan::default() }
    }

    fn go() -> Address {
        Address::new(StepKind::Approve, "go")
    }

    fn signed(by: &[&SigningKey], expires_at: Option<Timestamp>) -> Vec<u8> {
        let mut envelope = statement("d1", vec![go()], "ada", "t", expires_at);
        for key in by {
            key.add_to(&mut envelope);
        }
        serde_json::to_vec(&envelope).unwrap()
    }

    #[test]
    fn a_signed_approval_is_taken_for_its_plan_and_step() {
        let (ada, bob) = (&key(1), &key(2));
        let by = |bytes: &[u8], plan: &Plan| {
            let given = verify(bytes, "d1", plan, now()).unwrap();
            given[&go()].by.clone()
        };
        let both = plan(&[bob, ada]);
        assert_eq!(by(&signed(&[ada], None), &both), format!("ada ({})", ada.public()));
        assert_eq!(by(&signed(&[&key(9), ada], None), &both), format!("ada ({})", ada.public()));
        let two = format!("ada ({}, {})", ada.public(), bob.public());
        assert_eq!(by(&signed(&[ada, bob], None), &both), two);
        by(&signed(&[&key(9)], None), &plan(&[]));
        by(&signed(&[ada], Some(now())), &both);
    }

    #[test]
    fn anything_else_is_refused() {
        let (ada, eve) = (&key(1), &key(9));
        let refused = |bytes: &[u8], digest: &str, plan: &Plan| {
            verify(bytes, digest, plan, now()).unwrap_err().to_string()
        };
        let by_ada = signed(&[ada], None);
        assert!(refused(&signed(&[eve], None), "d1", &plan(&[ada])).contains("not among those"));
        assert_eq!(refused(&by_ada, "d2", &plan(&[ada])), "it approves another plan, d1");
        assert!(refused(&by_ada, "d1", &Plan::default()).contains("no approve step `approve.go`"));
        assert!(refused(b"{}", "d1", &plan(&[ada])).contains("not an approval"));
        let late = signed(&[ada], Some(now() - jiff::SignedDuration::from_secs(1)));
        assert_eq!(refused(&late, "d1", &plan(&[ada])), "it expired at 2026-01-02T03:04:04Z");
    }
}
