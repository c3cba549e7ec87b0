//! One simulated process's life: counts the moments at which it could be killed, and ends it at one of them.

use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

/// Shared by everything that belongs to one process. From its death on, nothing of that process goes on.
#[derive(Clone, Debug)]
pub struct Life {
    kill_at: Option<u64>,
    dead: CancellationToken,
    passed: Arc<Mutex<Passed>>,
}

#[derive(Debug, Default)]
struct Passed {
    crossings: u64,
    died_at: Option<String>,
}

impl Life {
    /// A process that is killed at its n-th crossing, counted from 1, or never.
    pub fn new(kill_at: Option<u64>) -> Life {
        Life { kill_at, dead: CancellationToken::new(), passed: Arc::default() }
    }

    /// A moment at which a process may be killed. Does not return in a dead process.
    pub async fn cross(&self, moment: impl FnOnce() -> String) {
        if self.survives(moment) {
            return;
        }
        pending::<()>().await;
    }

    fn survives(&self, moment: impl FnOnce() -> String) -> bool {
        if self.dead.is_cancelled() {
            return false;
        }
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        passed.crossings += 1;
        if self.kill_at != Some(passed.crossings) {
            return true;
        }
        passed.died_at = Some(moment());
        self.dead.cancel();
        false
    }

    /// Kills the process here.
    pub async fn die(&self, moment: String) {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).died_at.get_or_insert(moment);
        self.dead.cancel();
        pending::<()>().await;
    }

    pub fn dead(&self) -> &CancellationToken {
        &self.dead
    }

    pub fn crossings(&self) -> u64 {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).crossings
    }

    /// What the process was about to do, or had just done, when it was killed.
    pub fn died_at(&self) -> Option<String> {
        self.passed.lock().unwrap_or_else(PoisonError::into_inner).died_at.clone()
    }
}
