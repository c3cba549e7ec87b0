//! Signed approvals: who says yes to which steps of which plan.
//!
//! Must not: read files or a clock. What is approved is a plan's digest, so a changed plan has no approval.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::envelope::{Envelope, EnvelopeError, SigningKey};
use crate::model::{Address, StepSpec};
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

/// An approval of these steps of the plan with this digest, signed.
pub fn sign(key: &SigningKey, plan: &str, steps: Vec<Address>, by: &str, at: &str) -> Envelope {
    let statement = Statement {
        format_version: FORMAT_VERSION,
        plan: plan.to_owned(),
        steps,
        by: by.to_owned(),
        at: at.to_owned(),
    };
    key.sign(PAYLOAD_TYPE, &statement)
}

/// The keys that each approve step of a plan takes; none where anyone at the terminal may say yes.
pub fn approve_steps(plan: &Plan) -> BTreeMap<Address, &[String]> {
    let steps = plan.steps.iter().filter_map(|step| {
        let StepSpec::Approve(spec) = &step.spec else { return None };
        Some((step.address.clone(), spec.keys.as_slice()))
    });
    steps.collect()
}

/// A statement under at least one good signature. Whether that key may approve is another question.
#[derive(Clone, Debug)]
pub struct Signed {
    statement: Statement,
    /// Public keys whose signature is good.
    signers: Vec<String>,
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

    /// The key by which it approves this step of this plan; any key does where none is listed.
    pub fn approves(
        &self,
        digest: &str,
        step: &Address,
        keys: &[String],
    ) -> Result<String, ApprovalError> {
        if self.statement.plan != digest {
            return Err(ApprovalError::AnotherPlan(self.statement.plan.clone()));
        }
        if !self.statement.steps.contains(step) {
            return Err(ApprovalError::AnotherStep(step.clone()));
        }
        let allowed = |key: &&String| keys.is_empty() || keys.contains(key);
        let not_allowed =
            || ApprovalError::KeyNotAllowed { step: step.clone(), key: self.signers.join(", ") };
        self.signers.iter().find(allowed).cloned().ok_or_else(not_allowed)
    }
}

/// Reads an approval and gives what it approves of this plan. One that approves less than it says is refused as a whole.
pub fn verify(
    bytes: &[u8],
    digest: &str,
    plan: &Plan,
) -> Result<BTreeMap<Address, GivenApproval>, ApprovalError> {
    let signed = Signed::read(bytes)?;
    let gates = approve_steps(plan);
    let mut given = BTreeMap::new();
    if signed.statement.plan != digest {
        return Err(ApprovalError::AnotherPlan(signed.statement.plan));
    }
    for step in &signed.statement.steps {
        let keys = gates.get(step).ok_or_else(|| ApprovalError::NoSuchStep(step.clone()))?;
        let key = signed.approves(digest, step, keys)?;
        let by = format!("{} ({key})", signed.by());
        let statement = String::from_utf8_lossy(bytes).trim().to_owned();
        given.insert(step.clone(), GivenApproval { by, statement });
    }
    Ok(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApproveSpec, Step, StepKind};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn plan(keys: &[&SigningKey]) -> Plan {
        let keys = keys.iter().map(|key| key.public()).collect();
        let spec = StepSpec::Approve(ApproveSpec { keys, deadline_ms: None });
        let step = Step::at(go(), spec);
        Plan { steps: vec![step], ..Plan::default() }
    }

    fn go() -> Address {
        Address::new(StepKind::Approve, "go")
    }

    fn envelope(by: &SigningKey) -> Envelope {
        sign(by, "d1", vec![go()], "ada", "2026-01-02T03:04:05Z")
    }

    fn signed(by: &SigningKey) -> Vec<u8> {
        serde_json::to_vec(&envelope(by)).unwrap()
    }

    #[test]
    fn a_signed_approval_is_taken_for_its_plan_and_step() {
        let ada = key(1);
        let given = verify(&signed(&ada), "d1", &plan(&[&key(2), &ada])).unwrap();
        assert_eq!(given[&go()].by, format!("ada ({})", ada.public()));
        let unnamed = verify(&signed(&ada), "d1", &plan(&[])).unwrap();
        assert_eq!(unnamed.len(), 1, "without keys, anybody's will do");
        let mut both = envelope(&key(9));
        both.join(envelope(&ada));
        let given = verify(&serde_json::to_vec(&both).unwrap(), "d1", &plan(&[&ada])).unwrap();
        assert_eq!(given[&go()].by, format!("ada ({})", ada.public()), "one of several signers");
    }

    #[test]
    fn anything_else_is_refused() {
        let (ada, eve) = (key(1), key(9));
        let refused = |bytes: &[u8], digest: &str, plan: &Plan| {
            verify(bytes, digest, plan).unwrap_err().to_string()
        };
        let by_ada = signed(&ada);
        assert!(refused(&signed(&eve), "d1", &plan(&[&ada])).contains("not among those"));
        assert_eq!(refused(&by_ada, "d2", &plan(&[&ada])), "it approves another plan, d1");
        assert!(refused(&by_ada, "d1", &Plan::default()).contains("no approve step `approve.go`"));
        assert!(refused(b"{}", "d1", &plan(&[&ada])).contains("not an approval"));
    }
}
