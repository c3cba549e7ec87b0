//! A run as it happens: on a terminal with moving progress, on a pipe as plain lines, or as JSON lines on stdout.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::output::terminal::{self, Terminal};
use crate::journal::{Event, Failure, FailureClass, Record};
use crate::model::Address;
use crate::run::Progress;
use crate::text::safe::masked;

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Spinners on stderr.
    Terminal,
    /// One line an event on stderr.
    Plain,
    /// Nothing but the outcome.
    Quiet,
    /// One JSON object a line on stdout.
    Json,
}

impl Mode {
    pub fn choose(json: bool, quiet: bool, terminal: Terminal) -> Mode {
        if json {
            Mode::Json
        } else if quiet {
            Mode::Quiet
        } else if terminal.interactive {
            Mode::Terminal
        } else {
            Mode::Plain
        }
    }
}

/// Shows records and progress as they arrive. Dropping it clears the spinners.
#[derive(Debug)]
pub struct Live {
    mode: Mode,
    bars: MultiProgress,
    running: BTreeMap<Address, Running>,
    /// Expected duration by step, from earlier runs.
    expected: BTreeMap<Address, Duration>,
}

#[derive(Debug)]
struct Running {
    bar: ProgressBar,
    since: Instant,
    last: String,
}

impl Live {
    pub fn new(mode: Mode, expected: BTreeMap<Address, Duration>) -> Live {
        if mode == Mode::Json {
            // A closed stdout ends nothing: the journal is what counts.
            drop(terminal::result(&json_head()));
        }
        Live { mode, bars: MultiProgress::new(), running: BTreeMap::new(), expected }
    }

    pub fn record(&mut self, record: &Record) {
        match self.mode {
            Mode::Json => {
                drop(terminal::result(&format!("{}\n", json_line(record))));
            }
            Mode::Quiet => {}
            Mode::Plain => {
                if let Some(line) = self.line(&record.event) {
                    terminal::note(&line);
                }
                self.track(&record.event);
            }
            Mode::Terminal => {
                if let Some(line) = self.line(&record.event) {
                    drop(self.bars.println(line));
                }
                self.track(&record.event);
            }
        }
    }

    pub fn progress(&mut self, progress: &Progress) {
        let message = masked(&progress.message);
        let mode = self.mode;
        let Some(running) = self.running.get_mut(&progress.step) else { return };
        if running.last == message {
            return;
        }
        match mode {
            Mode::Terminal => running.bar.set_message(message.clone()),
            Mode::Plain => terminal::note(&format!("  {}: {message}", progress.step)),
            Mode::Quiet | Mode::Json => {}
        }
        running.last = message;
    }

    /// Starts and stops the spinner that stands for a step.
    fn track(&mut self, event: &Event) {
        match event {
            Event::StepStarted { step, .. } | Event::UndoStarted { step, .. } => {
                let bar = self.bars.add(self.spinner(step));
                let running = Running { bar, since: Instant::now(), last: String::new() };
                self.running.insert(step.clone(), running);
            }
            Event::StepSucceeded { step, .. }
            | Event::StepFailed { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::UndoSucceeded { step }
            | Event::UndoFailed { step, .. } => {
                if let Some(running) = self.running.remove(step) {
                    running.bar.finish_and_clear();
                }
            }
            Event::RunCreated { .. }
            | Event::LeaseTaken { .. }
            | Event::RollbackRequested { .. }
            | Event::ApprovalGiven { .. }
            | Event::AnswerGiven { .. }
            | Event::RunPaused { .. }
            | Event::RunFinished { .. } => {}
        }
    }

    fn spinner(&self, step: &Address) -> ProgressBar {
        if self.mode != Mode::Terminal {
            return ProgressBar::hidden();
        }
        let expected = self
            .expected
            .get(step)
            .map(|expected| format!(" of about {}", human(*expected)))
            .unwrap_or_default();
        let template = format!("  {{spinner}} {{prefix}} [{{elapsed}}{expected}] {{wide_msg}}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_prefix(step.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// One line for a person, or none where the event says nothing new to one.
    fn line(&self, event: &Event) -> Option<String> {
        let took = |step: &Address| {
            self.running
                .get(step)
                .map(|running| format!(" after {}", human(running.since.elapsed())))
                .unwrap_or_default()
        };
        let line = match event {
            Event::RunCreated { steps, .. } => format!("run created: {steps} steps"),
            Event::LeaseTaken { .. } => return None,
            Event::RollbackRequested { .. } => "rolling back".to_owned(),
            Event::StepStarted { step, attempt: 1, .. } => format!("{step}: started"),
            Event::StepStarted { step, attempt, .. } => format!("{step}: attempt {attempt}"),
            Event::StepSucceeded { step, adopted: true, .. } => {
                format!("{step}: already done, adopted")
            }
            Event::StepSucceeded { step, adopted: false, .. } => {
                format!("{step}: succeeded{}", took(step))
            }
            Event::StepFailed { step, failure } => {
                format!("{step}: failed{} {}", took(step), failure_text(failure))
            }
            Event::StepSkipped { step, reason } => format!("{step}: skipped: {reason}"),
            Event::UndoStarted { step, .. } => format!("{step}: undoing"),
            Event::UndoSucceeded { step } => format!("{step}: undone{}", took(step)),
            Event::UndoFailed { step, failure } => {
                format!("{step}: undo failed {}", failure_text(failure))
            }
            Event::ApprovalGiven { step, by, .. } => format!("{step}: approved by {by}"),
            Event::AnswerGiven { step, by, happened } => {
                format!("{step}: {}, says {by}", if *happened { "done" } else { "not done" })
            }
            Event::RunPaused { reason } => format!("paused: {reason}"),
            Event::RunFinished { status } => format!("run {}", status.text()),
        };
        Some(masked(&line))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.bar.finish_and_clear();
        }
    }
}

/// A failure as one paragraph.
pub fn failure_text(failure: &Failure) -> String {
    let Failure { class, message, help, evidence } = failure;
    let mut text = format!("({}): {message}", class_text(*class));
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

pub fn class_text(class: FailureClass) -> &'static str {
    match class {
        FailureClass::Transient => "transient",
        FailureClass::Permanent => "permanent",
        FailureClass::Unknown => "outcome unknown",
    }
}

/// `820ms`, `4.2s`, `3m 05s`.
pub fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..60 => format!("{:.1}s", duration.as_secs_f64()),
        60.. => format!("{}m {:02}s", seconds / 60, seconds % 60),
    }
}

/// The first line of every JSON stream of events.
pub fn json_head() -> String {
    let head = serde_json::json!({
        "type": "version",
        "orthid": env!("CARGO_PKG_VERSION"),
        "format_version": 1,
    });
    format!("{head}\n")
}

/// The machine-readable form of a record: `type` first, then where and when, then the event's own fields.
pub fn json_line(record: &Record) -> serde_json::Value {
    let Record { run, seq, epoch, at, event, previous: _ } = record;
    let mut line = serde_json::to_value(event).expect("an event is plain data");
    let fields = line.as_object_mut().expect("an event is an object");
    fields.insert("run".into(), run.0.clone().into());
    fields.insert("seq".into(), (*seq).into());
    fields.insert("epoch".into(), (*epoch).into());
    fields.insert("at".into(), at.clone().into());
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::RunId;
    use crate::model::StepKind;

    #[test]
    fn durations_read_as_people_say_them() {
        let cases = [(Duration::from_millis(820), "820ms"), (Duration::from_millis(4_200), "4.2s")];
        for (duration, expected) in cases {
            assert_eq!(human(duration), expected);
        }
        assert_eq!(human(Duration::from_secs(185)), "3m 05s");
    }

    #[test]
    fn a_json_line_carries_type_run_seq_time_and_step() {
        let record = Record {
            run: RunId("r".into()),
            seq: 7,
            epoch: 2,
            at: "2026-01-02T03:04:05Z".into(),
            event: Event::UndoSucceeded { step: Address::new(StepKind::Roll, "app") },
            previous: "00".into(),
        };
        let expected = serde_json::json!({
            "type": "undo_succeeded", "step": "roll.app", "run": "r", "seq": 7, "epoch": 2,
            "at": "2026-01-02T03:04:05Z",
        });
        assert_eq!(json_line(&record), expected);
    }
}
