//! Where output goes: results to stdout, everything else to stderr, colour only where a person is
//! looking.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use crate::text::secret::Redactor;

use crate::render::page::Style;

/// Columns used where the terminal does not tell its width: fits a review comment and most windows.
const DEFAULT_WIDTH: usize = 100;
/// Bounds on what `COLUMNS` may ask for.
const WIDTH_BOUNDS: std::ops::RangeInclusive<usize> = 40..=400;

/// How to print, decided once when the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    pub stdout_color: bool,
    pub stderr_color: bool,
    /// Both ends of a conversation are a person's: prompts make sense.
    pub interactive: bool,
    /// Columns.
    pub width: usize,
}

impl Terminal {
    /// `NO_COLOR` (no-color.org), `TERM=dumb`, `--no-color` and anything that is not a terminal
    /// turn colour off.
    pub fn detect(no_color: bool, env: &dyn Fn(&str) -> Option<String>) -> Terminal {
        let plain = no_color
            || env("NO_COLOR").is_some_and(|value| !value.is_empty())
            || env("TERM").is_some_and(|term| term == "dumb");
        let width = env("COLUMNS")
            .and_then(|columns| columns.parse().ok())
            .unwrap_or(DEFAULT_WIDTH)
            .clamp(*WIDTH_BOUNDS.start(), *WIDTH_BOUNDS.end());
        Terminal {
            stdout_color: !plain && io::stdout().is_terminal(),
            stderr_color: !plain && io::stderr().is_terminal(),
            interactive: io::stdin().is_terminal() && io::stderr().is_terminal(),
            width,
        }
    }

    /// How results are written.
    pub fn style(self) -> Style {
        Style { colour: self.stdout_color, width: self.width }
    }
}

/// The secrets that this process' output must not hold.
static SECRETS: OnceLock<Redactor> = OnceLock::new();

/// Keeps the secrets that this redactor knows, now or later, out of everything that is printed.
/// Whoever made the text took them out before: this is for what nobody thought of.
pub fn guard(redactor: &Redactor) {
    // The first one stays: a process has one command line.
    let _ = SECRETS.set(redactor.clone());
}

fn guarded(text: &str) -> String {
    SECRETS.get().map_or_else(|| text.to_owned(), |redactor| redactor.without_secrets(text))
}

/// Writes a result to stdout. A reader that went away (`orthid graph | head`) is not an error: it
/// has what it wanted.
pub fn result(text: &str) -> io::Result<()> {
    to(io::stdout().lock(), guarded(text).as_bytes())
}

/// Writes bytes that may not be UTF-8 text to stdout, under the same rule as [`result`].
pub fn result_bytes(bytes: &[u8]) -> io::Result<()> {
    to(io::stdout().lock(), bytes)
}

/// How long a note may take to be written once signals do not end this process by themselves.
const NOTE: Duration = Duration::from_secs(3);
/// Signals are heard by us: whatever waits for a reader must end by itself.
static IS_BOUNDED: AtomicBool = AtomicBool::new(false);
/// A note is being written that nobody reads.
static IS_STUCK: AtomicBool = AtomicBool::new(false);

/// From now on a note that nobody reads is waited for no longer, and those after it are dropped
/// until somebody does.
pub fn bound_notes() {
    IS_BOUNDED.store(true, Ordering::Relaxed);
}

/// No note is written any more: the display stands still, and holds what they would need.
pub fn mute() {
    IS_BOUNDED.store(true, Ordering::Relaxed);
    IS_STUCK.store(true, Ordering::Relaxed);
}

/// Tells the person something that is not the result: goes to stderr, with a line end. A closed
/// stderr is ignored, because there is nowhere left to complain.
pub fn note(text: &str) {
    if !IS_BOUNDED.load(Ordering::Relaxed) {
        return note_patiently(text);
    }
    if IS_STUCK.load(Ordering::Relaxed) {
        return;
    }
    let (done, written) = mpsc::channel();
    let text = text.to_owned();
    std::thread::spawn(move || {
        note_patiently(&text);
        if done.send(()).is_err() {
            IS_STUCK.store(false, Ordering::Relaxed);
        }
    });
    if written.recv_timeout(NOTE).is_err() {
        IS_STUCK.store(true, Ordering::Relaxed);
        // It may have been written in between.
        IS_STUCK.store(written.try_recv().is_err(), Ordering::Relaxed);
    }
}

/// As [`note`], by a thread that nobody waits for.
pub fn note_aside(text: &str) {
    let text = text.to_owned();
    std::thread::spawn(move || note_patiently(&text));
}

/// As [`note`], for as long as it takes: for a thread that has nothing else to do.
pub fn note_patiently(text: &str) {
    let mut line = guarded(text);
    if !line.ends_with('\n') {
        line.push('\n');
    }
    drop(to(io::stderr().lock(), line.as_bytes()));
}

/// Asks the person at the terminal; anything but `yes` is a no.
pub fn says_yes(question: &str) -> io::Result<bool> {
    let mut stderr = io::stderr();
    write!(stderr, "\n{question} Only `yes` is accepted.\n\n  Enter a value: ")?;
    stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

fn to(mut stream: impl Write, bytes: &[u8]) -> io::Result<()> {
    match stream.write_all(bytes).and_then(|()| stream.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_wins_and_widths_are_bounded() {
        let env = |name: &str| match name {
            "NO_COLOR" => Some("1".to_owned()),
            "COLUMNS" => Some("999999".to_owned()),
            _ => None,
        };
        let terminal = Terminal::detect(false, &env);
        assert!(!terminal.stdout_color && !terminal.stderr_color);
        assert_eq!(terminal.width, 400);
    }
}
