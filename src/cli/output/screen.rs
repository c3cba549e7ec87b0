//! The display of a run in a thread of its own: a reader that does not read, or a terminal that is
//! held, stops the display and nothing else.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use tokio::sync::oneshot;

use super::live::{Live, Mode};
use super::terminal;
use crate::journal::Record;
use crate::model::Address;
use crate::run::{Notice, Progress};

/// Lines of progress that may wait to be shown. More than that are dropped: nobody reads.
const MOST_WAITING: usize = 64;

enum Shown {
    Record(Box<Record>),
    Progress(Progress),
    Note(String),
}

/// The hand on the display.
#[derive(Debug)]
pub struct Screen {
    mode: Mode,
    shown: mpsc::Sender<Shown>,
    counts: Arc<Counts>,
    closed: mpsc::Receiver<()>,
}

/// What the display has been given and has shown.
#[derive(Debug, Default)]
struct Counts {
    waiting: AtomicUsize,
    shown: AtomicUsize,
}

impl Screen {
    pub fn open(mode: Mode, expected: BTreeMap<Address, Duration>) -> Screen {
        let (shown, inbox) = mpsc::channel();
        let (done, closed) = mpsc::channel();
        let counts = Arc::new(Counts::default());
        let count = Arc::clone(&counts);
        std::thread::spawn(move || {
            let mut live = Live::new(mode, expected);
            for next in inbox {
                match next {
                    Shown::Record(record) => live.record(&record),
                    Shown::Progress(progress) => live.progress(&progress),
                    Shown::Note(text) => live.note(&text),
                }
                count.waiting.fetch_sub(1, Ordering::Relaxed);
                count.shown.fetch_add(1, Ordering::Relaxed);
            }
            drop(live);
            let _ = done.send(());
        });
        Screen { mode, shown, counts, closed }
    }

    /// Shows a record or progress, in the order in which they come. Never waits.
    pub fn show(&self, notice: Notice) {
        let is_progress = matches!(notice, Notice::Progress(_));
        if !is_progress || self.counts.waiting.load(Ordering::Relaxed) < MOST_WAITING {
            self.send(match notice {
                Notice::Record(record) => Shown::Record(Box::new(record)),
                Notice::Progress(progress) => Shown::Progress(progress),
            });
        }
    }

    /// Tells the person something. Never waits.
    pub fn note(&self, text: &str) {
        match self.mode {
            Mode::Plain | Mode::Terminal => self.send(Shown::Note(text.to_owned())),
            // The display is on stdout, or there is none: stderr is free.
            Mode::Json | Mode::Quiet => terminal::note_aside(text),
        }
    }

    fn send(&self, shown: Shown) {
        self.counts.waiting.fetch_add(1, Ordering::Relaxed);
        // The thread ends with its channel, and not before.
        drop(self.shown.send(shown));
    }

    /// Waits until all is shown; gives up where nothing more is for that long. Returns whether all
    /// is. It waits in a thread of its own: timers of the runtime may stand still together with a
    /// run that hangs.
    pub async fn close(self, patience: Duration) -> bool {
        let Screen { mode: _, shown, counts, closed } = self;
        drop(shown);
        let (sender, is_closed) = oneshot::channel();
        std::thread::spawn(move || {
            let mut seen = counts.shown.load(Ordering::Relaxed);
            let is_closed = loop {
                match closed.recv_timeout(patience) {
                    Ok(()) | Err(mpsc::RecvTimeoutError::Disconnected) => break true,
                    Err(mpsc::RecvTimeoutError::Timeout) => {}
                }
                let now = counts.shown.load(Ordering::Relaxed);
                if now == seen {
                    break false;
                }
                seen = now;
            };
            sender.send(is_closed)
        });
        is_closed.await.unwrap_or(false)
    }
}
