//! The transition function against events that no run would write, and journals that were changed.

use proptest::prelude::*;

use super::*;
use crate::journal::{Failure, Intent};
use crate::model::{Residual, Step, StepKind, StepSpec};

fn address() -> impl Strategy<Value = Address> {
    prop::sample::select(vec!["a", "b", "c"])
        .prop_map(|name| Address::new(StepKind::Checkpoint, name))
}

fn failure() -> impl Strategy<Value = Failure> {
    prop::sample::select(vec![
        Failure::transient("t"),
        Failure::permanent("p"),
        Failure::unknown("u"),
    ])
}

fn event() -> impl Strategy<Value = Event> {
    let digest = prop::sample::select(vec!["d".to_owned(), "other".to_owned()]);
    prop_oneof![
        digest.prop_map(|plan_digest| Event::RunCreated { plan_digest, steps: 3 }),
        Just(Event::LeaseTaken { holder: "h".into() }),
        Just(Event::RollbackRequested { holder: "h".into() }),
        (address(), 0..4u32).prop_map(|(step, attempt)| {
            Event::StepStarted { step, attempt, intent: Intent::Act }
        }),
        address().prop_map(|step| {
            Event::StepSucceeded { step, outputs: Outputs::new(), adopted: false }
        }),
        (address(), failure()).prop_map(|(step, failure)| Event::StepFailed { step, failure }),
        address().prop_map(|step| Event::StepRemarked { step, remark: "r".into() }),
        address().prop_map(|step| Event::StepSkipped { step, reason: "r".into() }),
        (address(), 0..4u32).prop_map(|(step, attempt)| Event::UndoStarted { step, attempt }),
        address().prop_map(|step| Event::UndoSucceeded { step }),
        (address(), failure()).prop_map(|(step, failure)| Event::UndoFailed { step, failure }),
        address().prop_map(|step| {
            Event::ApprovalGiven { step, by: "b".into(), statement: "s".into() }
        }),
        (address(), any::<bool>())
            .prop_map(|(step, happened)| { Event::AnswerGiven { step, by: "b".into(), happened } }),
        Just(Event::JournalSigned { statement: "s".into() }),
        Just(Event::RunPaused { reason: "r".into() }),
        prop::sample::select(vec![
            RunStatus::Succeeded,
            RunStatus::RolledBack,
            RunStatus::Failed,
            RunStatus::Stuck
        ])
        .prop_map(|status| Event::RunFinished { status }),
    ]
}

fn next(state: &RunState, event: Event) -> Record {
    under(state, state.epoch.max(1), event)
}

fn under(state: &RunState, epoch: u64, event: Event) -> Record {
    let at = "2026-01-01T00:00:00.000000Z".into();
    Record::new(state.run.clone(), state.seq + 1, epoch, at, event, state.last_hash.clone())
}

/// Steps that may be skipped, and wait for nothing.
fn plan() -> Arc<Plan> {
    let step = |name: &str| Step {
        when: Some(Residual { expr: "true".into(), ..Residual::default() }),
        ..Step::new(name, StepSpec::Checkpoint)
    };
    Arc::new(Plan { steps: ["a", "b", "c"].map(step).to_vec(), ..Plan::default() })
}

fn empty() -> RunState {
    RunState::new(RunId("r".into()), &plan(), "d".into())
}

/// A journal of whatever the transition function accepts of these events.
fn journal(events: Vec<Event>) -> (RunState, Vec<Record>) {
    let mut state = empty();
    let created = Event::RunCreated { plan_digest: "d".into(), steps: 3 };
    let mut records = Vec::new();
    for event in std::iter::once(created).chain(events) {
        let record = next(&state, event);
        if state.apply(&record).is_ok() {
            records.push(record);
        }
    }
    (state, records)
}

proptest! {
    #[test]
    fn no_events_panic_and_a_refused_one_changes_nothing(events in prop::collection::vec(event(), 0..40)) {
        let mut state = empty();
        for event in events {
            let record = next(&state, event);
            let before = state.clone();
            if state.apply(&record).is_err() {
                prop_assert_eq!(&state, &before);
            } else {
                prop_assert_eq!(state.seq, before.seq + 1);
            }
        }
    }

    #[test]
    fn folding_a_journal_gives_the_state_that_wrote_it(events in prop::collection::vec(event(), 0..40)) {
        let (state, records) = journal(events);
        let folded = RunState::fold(RunId("r".into()), &plan(), "d".into(), &records).unwrap();
        prop_assert_eq!(folded, state);
    }

    #[test]
    fn a_changed_missing_or_repeated_record_breaks_the_journal(
        events in prop::collection::vec(event(), 4..40),
        at in any::<prop::sample::Index>(),
        how in 0..4,
    ) {
        let (_, mut records) = journal(events);
        prop_assume!(records.len() > 2);
        // The last record has no successor that would betray it: the store's own hash does.
        let at = at.index(records.len() - 1);
        match how {
            0 => {
                // What a store would read back.
                let Record { run, seq, epoch, at: time, event, previous, .. } = records[at].clone();
                records[at] = Record::new(run, seq, epoch, time + "0", event, previous);
            }
            1 => drop(records.remove(at)),
            2 => records.insert(at, records[at].clone()),
            _ => records.swap(at, at + 1),
        }
        prop_assert!(RunState::fold(RunId("r".into()), &plan(), "d".into(), &records).is_err());
    }
}

#[test]
fn a_step_that_finished_never_starts_again() {
    let step = Address::new(StepKind::Checkpoint, "a");
    let started = |attempt| Event::StepStarted { step: step.clone(), attempt, intent: Intent::Act };
    let succeeded =
        Event::StepSucceeded { step: step.clone(), outputs: Outputs::new(), adopted: false };
    let (state, records) = journal(vec![started(1), succeeded, started(2)]);
    assert_eq!(records.len(), 3);
    assert_eq!(state.step(&step).state, StepState::Succeeded);
}

#[test]
fn a_rollback_reopens_a_run_that_ended_and_nothing_is_begun_any_more() {
    let step = Address::new(StepKind::Checkpoint, "a");
    let started = Event::StepStarted { step, attempt: 1, intent: Intent::Act };
    let asked = Event::RollbackRequested { holder: "h".into() };
    for status in [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Stuck] {
        let ended = Event::RunFinished { status };
        let (state, _) = journal(vec![ended, asked.clone(), started.clone()]);
        assert_eq!((state.seq, &state.phase), (3, &RunPhase::Running), "{status:?}");
        assert!(state.goes_back());
    }
    let ended = Event::RunFinished { status: RunStatus::RolledBack };
    let (state, _) = journal(vec![ended, asked]);
    assert_eq!(state.phase, RunPhase::Finished(RunStatus::RolledBack));
}

#[test]
fn a_writer_of_an_epoch_that_is_over_is_refused() {
    let mut state = empty();
    let created = Event::RunCreated { plan_digest: "d".into(), steps: 3 };
    state.apply(&under(&state, 5, created)).unwrap();
    let paused = Event::RunPaused { reason: "r".into() };
    let late = under(&state, 4, paused.clone());
    assert!(state.apply(&late).unwrap_err().reason.contains("epoch 4"));
    assert!(state.apply(&under(&state, 6, paused)).is_err());
}
