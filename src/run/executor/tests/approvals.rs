//! Gates: waited for, opened, given up, and too late.

use jiff::SignedDuration;

use super::*;
use crate::model::ApproveSpec;
use crate::run::approval;
use crate::run::envelope::SigningKey;
use crate::simulate::VirtualClock;

/// A gate with an hour's deadline.
fn gate(after: &[&str]) -> Step {
    let spec = ApproveSpec { keys: vec![], deadline_ms: Some(3_600_000) };
    Step {
        depends_on: step("gate", after).depends_on,
        ..Step::new("gate", StepSpec::Approve(spec))
    }
}

/// A gate, and a step after it.
async fn gated(clock: &VirtualClock) -> (Stage, Address) {
    behind(gate(&[]), clock).await
}

/// This gate, and a step after it.
async fn behind(gate: Step, clock: &VirtualClock) -> (Stage, Address) {
    let mut after = step("after", &[]);
    after.depends_on = vec![gate.address.clone()];
    let address = gate.address.clone();
    let mut stage = Stage::new(vec![gate, after]).await;
    stage.deps.clock = Arc::new(clock.clone());
    assert_eq!(stage.start().await, Outcome::WaitingForApproval(vec![address.clone()]));
    (stage, address)
}

async fn resume_approved(stage: &Stage, gate: Address) -> Outcome {
    resume_given(stage, gate, String::new()).await
}

async fn resume_given(stage: &Stage, gate: Address, statement: String) -> Outcome {
    let mut options = stage.options();
    let given = GivenApproval { by: "ops".into(), statement };
    options.approvals.insert(gate, given);
    resume(&stage.deps, options, &stage.job).await.unwrap()
}

/// Why the gate did not open.
async fn refusal(stage: &Stage) -> String {
    let records = stage.deps.store.records(&stage.job.run, 0).await.unwrap();
    assert!(!records.iter().any(|record| matches!(record.event, Event::ApprovalGiven { .. })));
    let failure = records.into_iter().find_map(|record| match record.event {
        Event::StepFailed { failure, .. } => Some(failure.message),
        _ => None,
    });
    failure.expect("the gate failed")
}

#[tokio::test]
async fn an_approval_is_waited_for_and_given() {
    let clock = VirtualClock::new();
    let (stage, gate) = gated(&clock).await;
    clock.jump(SignedDuration::from_mins(59));
    assert_eq!(resume_approved(&stage, gate).await, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "act after");
}

#[tokio::test]
async fn a_run_that_waits_for_an_approval_can_be_given_up() {
    let stage = Stage::new(vec![step("a", &[]), gate(&["a"])]).await;
    let waits = Outcome::WaitingForApproval(vec![gate(&[]).address]);
    assert_eq!(stage.start().await, waits);
    assert_eq!(stage.roll_back().await.unwrap(), Outcome::Finished(RunStatus::RolledBack));
    assert_eq!(stage.log(), "act a, undo a");
}

#[tokio::test]
async fn an_approval_that_never_came_fails_at_its_deadline() {
    let clock = VirtualClock::new();
    let (stage, gate) = gated(&clock).await;
    clock.jump(SignedDuration::from_mins(30));
    assert_eq!(stage.resume().await, Outcome::WaitingForApproval(vec![gate]));
    clock.jump(SignedDuration::from_mins(31));
    assert_eq!(stage.resume().await, Outcome::Finished(RunStatus::Failed));
    assert_eq!(refusal(&stage).await, "nobody approved it before its deadline");
    assert_eq!(stage.log(), "");
}

#[tokio::test]
async fn an_approval_after_its_deadline_opens_nothing() {
    let clock = VirtualClock::new();
    let (stage, gate) = gated(&clock).await;
    clock.jump(SignedDuration::from_mins(61));
    assert_eq!(resume_approved(&stage, gate).await, Outcome::Finished(RunStatus::Failed));
    assert_eq!(refusal(&stage).await, "the approval by ops came after its deadline");
    assert_eq!(stage.log(), "");
}

#[tokio::test]
async fn a_gate_with_keys_is_opened_by_their_signature_and_by_no_word() {
    let (ada, eve) = (SigningKey::from_seed([1; 32]), SigningKey::from_seed([9; 32]));
    let spec = StepSpec::Approve(ApproveSpec { keys: vec![ada.public()], deadline_ms: None });
    let clock = VirtualClock::new();
    let (stage, gate) = behind(Step { spec, ..gate(&[]) }, &clock).await;
    let signed = |key: &SigningKey, digest: &str| {
        let signed = approval::sign(key, digest, vec![gate.clone()], "Ada", "2026-01-02T03:04:05Z");
        serde_json::to_string(&signed).unwrap()
    };
    let waits = Outcome::WaitingForApproval(vec![gate.clone()]);
    for statement in [String::new(), signed(&eve, "digest"), signed(&ada, "another")] {
        assert_eq!(resume_given(&stage, gate.clone(), statement).await, waits);
    }
    let records = stage.deps.store.records(&stage.job.run, 0).await.unwrap();
    assert!(!records.iter().any(|record| matches!(record.event, Event::ApprovalGiven { .. })));
    assert_eq!(stage.log(), "");
    let outcome = resume_given(&stage, gate.clone(), signed(&ada, "digest")).await;
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "act after");
}
