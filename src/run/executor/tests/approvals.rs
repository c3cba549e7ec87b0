//! Gates: waited for, opened, given up, and too late.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::model::ApproveSpec;
use crate::run::approval;
use crate::run::envelope::SigningKey;
use crate::simulate::VirtualClock;

/// A gate with an hour's deadline.
fn gate(after: &[&str]) -> Step {
    let spec = ApproveSpec { deadline_ms: Some(3_600_000), ..ApproveSpec::default() };
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
    options.approvals.insert(gate, vec![given]);
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

/// A yes to the gate, signed with these keys.
fn signed(keys: &[&SigningKey], digest: &str, expires_at: Option<Timestamp>) -> String {
    let gate = gate(&[]).address;
    let mut envelope = approval::statement(digest, vec![gate], "Ada", "t", expires_at);
    for key in keys {
        key.add_to(&mut envelope);
    }
    serde_json::to_string(&envelope).unwrap()
}

/// A gate that needs so many of these keys, and a step after it.
async fn keyed(keys: &[&SigningKey], threshold: u32, clock: &VirtualClock) -> (Stage, Address) {
    let keys = keys.iter().map(|key| key.public().to_string()).collect();
    let spec = ApproveSpec { keys, threshold: Some(threshold), deadline_ms: None };
    behind(Step { spec: StepSpec::Approve(spec), ..gate(&[]) }, clock).await
}

async fn approvals(stage: &Stage) -> usize {
    let records = stage.deps.store.records(&stage.job.run, 0).await.unwrap();
    records.iter().filter(|it| matches!(it.event, Event::ApprovalGiven { .. })).count()
}

#[tokio::test]
async fn a_gate_with_keys_is_opened_by_their_signature_and_by_no_word() {
    let (ada, eve) = (&SigningKey::from_seed([1; 32]), &SigningKey::from_seed([9; 32]));
    let clock = VirtualClock::new();
    let (stage, gate) = keyed(&[ada], 1, &clock).await;
    let waits = Outcome::WaitingForApproval(vec![gate.clone()]);
    let not_enough = [
        String::new(),
        signed(&[eve], "digest", None),
        signed(&[ada], "another", None),
        signed(&[ada], "digest", Some(clock.now() - SignedDuration::from_secs(1))),
    ];
    for statement in not_enough {
        assert_eq!(resume_given(&stage, gate.clone(), statement).await, waits);
    }
    assert_eq!((approvals(&stage).await, stage.log().as_str()), (0, ""));
    let outcome = resume_given(&stage, gate, signed(&[ada], "digest", None)).await;
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded));
    assert_eq!(stage.log(), "act after");
}

#[tokio::test]
async fn a_gate_opens_once_enough_different_keys_have_signed() {
    let (ada, bob) = (&SigningKey::from_seed([1; 32]), &SigningKey::from_seed([2; 32]));
    let cyd = &SigningKey::from_seed([3; 32]);
    let clock = VirtualClock::new();
    let (stage, gate) = keyed(&[ada, bob, cyd], 2, &clock).await;
    let waits = Outcome::WaitingForApproval(vec![gate.clone()]);
    let soon = Some(clock.now() + SignedDuration::from_mins(5));
    for _ in 0..2 {
        let outcome = resume_given(&stage, gate.clone(), signed(&[ada], "digest", soon)).await;
        assert_eq!(outcome, waits, "the same key twice is one");
    }
    assert_eq!(approvals(&stage).await, 1);
    clock.jump(SignedDuration::from_mins(6));
    let outcome = resume_given(&stage, gate.clone(), signed(&[bob], "digest", None)).await;
    assert_eq!(outcome, waits, "what has expired meanwhile does not count");
    let outcome = resume_given(&stage, gate, signed(&[cyd], "digest", None)).await;
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded));
    let (stage, gate) = keyed(&[ada, bob], 2, &clock).await;
    let outcome = resume_given(&stage, gate, signed(&[ada, bob], "digest", None)).await;
    assert_eq!(outcome, Outcome::Finished(RunStatus::Succeeded), "both on one paper");
}
