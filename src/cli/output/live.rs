//! A run as it happens: on a terminal with moving progress, on a pipe as plain lines, or as JSON
//! lines on stdout.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::cli::output::terminal::{self, Terminal};
use crate::journal::{Event, Record};
use crate::model::Address;
use crate::render::event::{json_head, json_line, sentence};
use crate::run::Progress;
use crate::text::duration;
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
                    terminal::note_patiently(&line);
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

    /// Tells the person something that is not the run's.
    pub fn note(&mut self, text: &str) {
        match self.mode {
            Mode::Terminal => drop(self.bars.println(text)),
            Mode::Plain | Mode::Quiet | Mode::Json => terminal::note_patiently(text),
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
            Mode::Plain => terminal::note_patiently(&format!("  {}: {message}", progress.step)),
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
            | Event::RunFinished { .. }
            | Event::StepRemarked { .. }
            | Event::JournalSigned { .. } => {}
        }
    }

    fn spinner(&self, step: &Address) -> ProgressBar {
        if self.mode != Mode::Terminal {
            return ProgressBar::hidden();
        }
        let expected = self
            .expected
            .get(step)
            .map(|expected| format!(" of about {}", duration::print(*expected)))
            .unwrap_or_default();
        let template = format!("  {{spinner}} {{prefix}} [{{elapsed}}{expected}] {{wide_msg}}");
        let style = ProgressStyle::with_template(&template)
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = ProgressBar::new_spinner().with_style(style).with_prefix(step.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    /// One line for a person; none for an event that says nothing new to one who watches.
    fn line(&self, event: &Event) -> Option<String> {
        if matches!(event, Event::LeaseTaken { .. }) {
            return None;
        }
        let running = event.step().and_then(|step| self.running.get(step));
        Some(sentence(event, running.map(|running| running.since.elapsed())))
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        for running in self.running.values() {
            running.bar.finish_and_clear();
        }
    }
}
