//! Events of a run in words and as JSON.

use std::time::Duration;

use crate::journal::{Event, Failure, FailureClass, Record};
use crate::model::json::Exact;
use crate::text::duration;
use crate::text::safe::masked;

/// A record as a line of `orthid log`; `refused` is why its signature counts for nothing.
pub(crate) fn log_line(record: &Record, refused: Option<&String>) -> String {
    let Record { seq, epoch, at, event, .. } = record;
    let refused = refused.map(|why| format!(": NOT VERIFIED, it counts for nothing: {why}"));
    let refused = refused.unwrap_or_default();
    masked(&format!("{seq:>5}  {at}  e{epoch}  {}{refused}", sentence(event, None)))
}

/// An event in a line for a person; `took` is how long the step ran, where that is known.
pub(crate) fn sentence(event: &Event, took: Option<Duration>) -> String {
    let took = took.map(|took| format!(" after {}", duration::print(took))).unwrap_or_default();
    let line = match event {
        Event::RunCreated { plan_digest, steps } => {
            format!("run created: plan {plan_digest:.16}, {steps} steps")
        }
        Event::LeaseTaken { holder } => format!("lease taken by {holder}"),
        Event::RollbackRequested { holder } => format!("rollback requested by {holder}"),
        Event::StepStarted { step, attempt: 1, .. } => format!("{step}: started"),
        Event::StepStarted { step, attempt, .. } => format!("{step}: attempt {attempt}"),
        Event::StepSucceeded { step, adopted: true, .. } => {
            format!("{step}: already done, adopted")
        }
        Event::StepSucceeded { step, adopted: false, .. } => format!("{step}: succeeded{took}"),
        Event::StepFailed { step, failure } => {
            format!("{step}: failed{took} {}", self::failure(failure))
        }
        Event::StepRemarked { step, remark } => format!("{step}: {remark}"),
        Event::StepSkipped { step, reason } => format!("{step}: skipped: {reason}"),
        Event::UndoStarted { step, attempt: 1 } => format!("{step}: undoing"),
        Event::UndoStarted { step, attempt } => format!("{step}: undoing, attempt {attempt}"),
        Event::UndoSucceeded { step } => format!("{step}: undone{took}"),
        Event::UndoFailed { step, failure } => {
            format!("{step}: undo failed{took} {}", self::failure(failure))
        }
        Event::ApprovalGiven { step, by, .. } => format!("{step}: approved by {by}"),
        Event::AnswerGiven { step, by, happened } => {
            format!("{step}: {}, says {by}", if *happened { "done" } else { "not done" })
        }
        Event::RunPaused { reason } => format!("paused: {reason}"),
        Event::RunFinished { status } => format!("run {}", status.text()),
        Event::JournalSigned { statement: _ } => "journal signed".to_owned(),
    };
    masked(&line)
}

/// A failure as one paragraph.
pub(crate) fn failure(failure: &Failure) -> String {
    let Failure { class, message, help, evidence, not_begun: _ } = failure;
    let mut text = format!("({}): {message}", class_word(*class));
    if let Some(help) = help {
        text.push_str("\n    help: ");
        text.push_str(help);
    }
    for path in evidence {
        text.push_str("\n    evidence: ");
        text.push_str(path);
    }
    text
}

fn class_word(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Permanent => "permanent",
        FailureClass::Unknown => "outcome unknown",
    }
}

/// The first line of every JSON stream of events.
pub(crate) fn json_head() -> String {
    let head = serde_json::json!({
        "type": "version",
        "orthid": env!("CARGO_PKG_VERSION"),
        "format_version": 1,
    });
    format!("{head}\n")
}

/// The machine-readable form of a record, on one line: the event's own fields, and where and when.
pub(crate) fn json_line(record: &Record) -> String {
    let Record { run, seq, epoch, at, event, .. } = record;
    let mut line = serde_json::to_value(event).expect("an event is plain data");
    let fields = line.as_object_mut().expect("an event is an object");
    fields.insert("run".into(), run.0.clone().into());
    fields.insert("seq".into(), (*seq).into());
    fields.insert("epoch".into(), (*epoch).into());
    fields.insert("at".into(), at.clone().into());
    Exact(&line).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::RunId;
    use crate::model::{Address, StepKind};

    #[test]
    fn a_json_line_carries_type_run_seq_time_and_step() {
        let event = Event::UndoSucceeded { step: Address::new(StepKind::Roll, "app") };
        let at = "2026-01-02T03:04:05Z".into();
        let record = Record::new(RunId("r".into()), 7, 2, at, event, "00".into());
        let expected = serde_json::json!({
            "type": "undo_succeeded", "step": "roll.app", "run": "r", "seq": 7, "epoch": 2,
            "at": "2026-01-02T03:04:05Z",
        });
        assert_eq!(json_line(&record), expected.to_string());
    }
}
