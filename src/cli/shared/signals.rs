//! Signals while a run is carried out: heard at every moment, and told apart by what they ask for.
//!
//! They are heard in a thread of their own: whatever the others wait for, a disk or a reader, this
//! one waits for nothing else.

use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::cli::output::terminal;
use crate::cli::shared::error::CommandError;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Ctrl-C or SIGTERM: a second one means it.
    Interrupt,
    /// The terminal was closed, which sends this more than once.
    HangUp,
    /// [`Signals::remind`] asked for it.
    Reminder,
}

/// The signals of this process. From the first of these on, no signal ends it by itself.
#[derive(Debug)]
pub struct Signals {
    heard: mpsc::UnboundedReceiver<Heard>,
    sender: mpsc::UnboundedSender<Heard>,
}

impl Signals {
    pub fn listen() -> Result<Signals, CommandError> {
        let (sender, heard) = mpsc::unbounded_channel();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let to = sender.clone();
        std::thread::spawn(move || listen(&to, &ready));
        is_ready.recv().unwrap_or_else(|gone| Err(std::io::Error::other(gone)))?;
        terminal::bound_notes();
        Ok(Signals { heard, sender })
    }

    /// The next signal. Dropping the future loses none.
    pub async fn next(&mut self) -> Heard {
        match self.heard.recv().await {
            Some(heard) => heard,
            None => std::future::pending().await,
        }
    }

    /// Says [`Heard::Reminder`] after this long.
    pub fn remind(&self, after: Duration) {
        let sender = self.sender.clone();
        std::thread::spawn(move || {
            std::thread::sleep(after);
            // Nobody is to be reminded any more.
            let _ = sender.send(Heard::Reminder);
        });
    }

    /// What a person answers at a prompt; none where a signal came first. The prompt reads in a
    /// thread of its own, which the end of the program ends.
    pub async fn or_answer<T: Send + 'static>(
        &mut self,
        ask: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (sender, answer) = oneshot::channel();
        std::thread::spawn(move || drop(sender.send(ask())));
        tokio::select! {
            answer = answer => answer.ok(),
            _ = self.next() => None,
        }
    }

    /// Whether something ended before a signal came.
    pub async fn or_done(&mut self, work: impl Future<Output = bool>) -> bool {
        tokio::select! {
            biased;
            done = work => done,
            _ = self.next() => false,
        }
    }
}

/// Hears signals until nobody wants to know of them any more.
fn listen(to: &mpsc::UnboundedSender<Heard>, ready: &std::sync::mpsc::Sender<std::io::Result<()>>) {
    let heard = tokio::runtime::Builder::new_current_thread().enable_io().build().and_then(|own| {
        own.block_on(async {
            let mut interrupt = signal(SignalKind::interrupt())?;
            let mut terminate = signal(SignalKind::terminate())?;
            // Under `nohup`, a hang-up that was ignored before we came stays ignored.
            let mut hang_up = match is_ignored(nix::sys::signal::Signal::SIGHUP) {
                true => None,
                false => Some(signal(SignalKind::hangup())?),
            };
            drop(ready.send(Ok(())));
            loop {
                let hung_up = async {
                    match &mut hang_up {
                        Some(signal) => signal.recv().await,
                        None => std::future::pending().await,
                    }
                };
                let heard = tokio::select! {
                    _ = interrupt.recv() => Heard::Interrupt,
                    _ = terminate.recv() => Heard::Interrupt,
                    _ = hung_up => Heard::HangUp,
                };
                if to.send(heard).is_err() {
                    return Ok(());
                }
            }
        })
    });
    // After the first word nobody listens to this one.
    drop(ready.send(heard));
}

/// Whether this process was started with the signal ignored, by the mask that Linux shows.
fn is_ignored(signal: nix::sys::signal::Signal) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .is_some_and(|mask| in_mask(mask, signal))
}

fn in_mask(mask: &str, signal: nix::sys::signal::Signal) -> bool {
    let mask = u64::from_str_radix(mask.trim(), 16).unwrap_or_default();
    mask & (1 << (signal as i32 - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ignored_signal_is_read_from_the_mask() {
        use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGPIPE};
        for (mask, ignored) in [
            ("0000000000001001", vec![SIGHUP, SIGPIPE]),
            ("\t0000000000001000\n", vec![SIGPIPE]),
            ("", vec![]),
        ] {
            let found: Vec<_> =
                [SIGHUP, SIGINT, SIGPIPE].into_iter().filter(|it| in_mask(mask, *it)).collect();
            assert_eq!(found, ignored, "{mask:?}");
        }
    }
}
