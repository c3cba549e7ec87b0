//! Virtual time: moves on when nobody has anything else to do, so that a day's run takes as long as its computing.
//!
//! Must not: read the machine's clock.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::journal::Clock;

/// The moment at which every rehearsal begins: 2026-01-01T00:00:00Z.
const EPOCH_SECOND: i64 = 1_767_225_600;

#[derive(Clone, Debug, Default)]
pub struct VirtualClock {
    time: Arc<Mutex<Time>>,
}

#[derive(Debug, Default)]
struct Time {
    elapsed: Duration,
    /// What jumps have added to the wall clock.
    jumped: SignedDuration,
    /// Sleepers by when they wake, and in the order in which they went to sleep.
    sleepers: BTreeMap<(Duration, u64), Waker>,
    next: u64,
    /// Work that goes on outside of this runtime's tasks; time waits for it.
    outside: usize,
}

impl VirtualClock {
    pub fn new() -> VirtualClock {
        VirtualClock::default()
    }

    /// A runtime of one thread under which this clock moves on whenever the thread has nothing to do.
    pub fn runtime(&self) -> tokio::runtime::Runtime {
        let clock = self.clone();
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().on_thread_park(move || clock.advance());
        builder.build().expect("a runtime of one thread needs nothing that could be missing")
    }

    /// Sets the wall clock forward or back; the stopwatch goes on as it was.
    pub fn jump(&self, by: SignedDuration) {
        let mut time = self.time();
        time.jumped = time.jumped.saturating_add(by);
    }

    /// While the guard lives, time stands still: something outside of the runtime (a disk, a server) is at work.
    pub fn hold(&self) -> Held {
        self.time().outside += 1;
        Held(self.clone())
    }

    fn advance(&self) {
        let woken = {
            let mut time = self.time();
            if time.outside > 0 {
                return;
            }
            let Some(((at, _), waker)) = time.sleepers.pop_first() else { return };
            time.elapsed = time.elapsed.max(at);
            waker
        };
        woken.wake();
    }

    fn time(&self) -> MutexGuard<'_, Time> {
        self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait::async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        let time = self.time();
        let start = Timestamp::from_second(EPOCH_SECOND).expect("the epoch is a time");
        let now = start.saturating_add(time.elapsed).unwrap_or(Timestamp::MAX);
        now.saturating_add(time.jumped).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.time().elapsed
    }

    async fn sleep(&self, how_long: Duration) {
        let until = self.elapsed().saturating_add(how_long);
        Sleep { clock: self.clone(), until, place: None }.await;
    }
}

/// Holds time still until dropped.
#[derive(Debug)]
pub struct Held(VirtualClock);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.time().outside -= 1;
    }
}

struct Sleep {
    clock: VirtualClock,
    until: Duration,
    /// Key among the sleepers.
    place: Option<(Duration, u64)>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let clock = self.clock.clone();
        let mut time = clock.time();
        if time.elapsed >= self.until {
            return Poll::Ready(());
        }
        let until = self.until;
        let place = *self.place.get_or_insert((until, time.next));
        time.next += 1;
        time.sleepers.insert(place, cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            self.clock.time().sleepers.remove(&place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_passes_at_once_and_in_order() {
        let clock = VirtualClock::new();
        let woken = Arc::new(Mutex::new(Vec::new()));
        clock.runtime().block_on(async {
            let nap = |hours: u64| {
                let (clock, woken) = (clock.clone(), Arc::clone(&woken));
                async move {
                    clock.sleep(Duration::from_secs(hours * 3600)).await;
                    woken.lock().unwrap().push(hours);
                }
            };
            tokio::join!(nap(24), nap(1), nap(8));
        });
        assert_eq!(*woken.lock().unwrap(), [1, 8, 24]);
        assert_eq!(clock.elapsed(), Duration::from_secs(24 * 3600));
        assert_eq!(clock.now().to_string(), "2026-01-02T00:00:00Z");
        clock.jump(SignedDuration::from_hours(-48));
        assert_eq!(clock.now().to_string(), "2025-12-31T00:00:00Z");
    }
}
