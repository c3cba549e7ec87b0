//! What is under way: tasks, the places that they take, and what is tried again later.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::journal::Clock;
use crate::model::Address;
use crate::run::attempt::Report;
use crate::run::{Progress, Remarks};

/// Progress messages waiting for the loop; tasks wait when it is full.
const MESSAGES: usize = 1_024;
/// How long tasks are given to end when the run must stop at once.
const HARD_STOP: Duration = Duration::from_secs(5);

/// How to end what is under way.
#[derive(Clone, Debug, Default)]
pub(super) struct Underway {
    /// At once, without a word.
    pub(super) stop: CancellationToken,
    /// A probe: its steps are over, it ends and reports.
    pub(super) finish: CancellationToken,
    pub(super) remarks: Remarks,
}

/// What to do again once its delay is over.
pub(super) enum Retry {
    Step(Address),
    Undo,
}

pub(super) struct Tasks {
    /// Each attempt under way.
    pub(super) running: BTreeMap<Address, Underway>,
    /// Steps under way that take one of the parallel places.
    pub(super) places: usize,
    pub(super) progress: mpsc::Sender<Progress>,
    pub(super) inbox: mpsc::Receiver<Progress>,
    pub(super) retries: JoinSet<Retry>,
    pub(super) reports: Reports,
}

/// What attempts report: those that were over at once, and those that ended since.
#[derive(Default)]
pub(super) struct Reports {
    tasks: JoinSet<Report>,
    over: Vec<Report>,
}

impl Tasks {
    pub(super) fn new() -> Tasks {
        let (progress, inbox) = mpsc::channel(MESSAGES);
        Tasks {
            running: BTreeMap::new(),
            places: 0,
            progress,
            inbox,
            retries: JoinSet::new(),
            reports: Reports::default(),
        }
    }

    /// Does something again after this long.
    pub(super) fn retry(&mut self, clock: &Arc<dyn Clock>, delay: Duration, what: Retry) {
        let clock = Arc::clone(clock);
        self.retries.spawn(async move {
            clock.sleep(delay).await;
            what
        });
    }

    /// Ends what is under way: told to end, given a little time, then dropped.
    pub(super) async fn end(&mut self, clock: &dyn Clock) {
        for underway in self.running.values() {
            underway.stop.cancel();
        }
        let tasks = &mut self.reports.tasks;
        let ended = async { while tasks.join_next().await.is_some() {} };
        tokio::select! {
            biased;
            () = ended => {}
            () = clock.sleep(HARD_STOP) => self.reports.tasks.abort_all(),
        }
    }
}

impl Reports {
    /// Whether no attempt is under way, nor one whose report was not heard.
    pub(super) fn are_all_heard(&self) -> bool {
        self.tasks.is_empty() && self.over.is_empty()
    }

    /// Begins an attempt. What is over without waiting needs no task, nor another thread that is woken up for it.
    pub(super) async fn begin(&mut self, work: impl Future<Output = Report> + Send + 'static) {
        let mut work = Box::pin(work);
        match futures::poll!(&mut work) {
            Poll::Ready(report) => self.over.push(report),
            Poll::Pending => drop(self.tasks.spawn(work)),
        }
    }

    /// Whatever has ended by now: it shares the next append. Waits for ever where nothing is under way.
    pub(super) async fn next(&mut self) -> Vec<Report> {
        let mut reports = std::mem::take(&mut self.over);
        if reports.is_empty() {
            match self.tasks.join_next().await {
                Some(report) => reports.extend(report),
                None => std::future::pending().await,
            }
        }
        while let Some(report) = self.tasks.try_join_next() {
            reports.extend(report);
        }
        reports
    }
}
