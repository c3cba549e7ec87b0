//! A store as one simulated process sees it: the process may be killed before and after each write, and the disk may refuse.
//!
//! Must not: pretend. What it acknowledges, the store behind it has.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use futures::future::BoxFuture;

use super::{Life, VirtualClock};
use crate::journal::Record;
use crate::store::{Call, Intercept, Intercepted, Lease, StoreError};

/// What can go wrong with one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing was written.
    Refused,
    /// It was written, and nothing says so.
    ReplyLost,
}

impl Trouble {
    fn name(self) -> &'static str {
        match self {
            Trouble::Refused => "write refused",
            Trouble::ReplyLost => "write's reply lost",
        }
    }
}

/// Troubles that wait for their write: the n-th from now on, none for those without.
#[derive(Debug, Default)]
pub struct Troubles {
    waiting: Mutex<VecDeque<Option<Trouble>>>,
    fired: Mutex<BTreeMap<&'static str, u64>>,
}

impl Troubles {
    pub fn add(&self, trouble: Option<Trouble>) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(trouble);
    }

    pub fn clear(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    pub fn fired(&self) -> BTreeMap<&'static str, u64> {
        self.fired.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn take(&self) -> Option<Trouble> {
        let trouble = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()??;
        let mut fired = self.fired.lock().unwrap_or_else(PoisonError::into_inner);
        *fired.entry(trouble.name()).or_default() += 1;
        Some(trouble)
    }
}

/// What one process's death and its disk do to its calls.
pub struct Mortal {
    pub life: Life,
    pub clock: VirtualClock,
    pub troubles: Arc<Troubles>,
}

/// The store as one process sees it.
pub type MortalStore = Intercepted<Mortal>;

impl Mortal {
    /// Time stands still while the store behind works: its disk is not simulated.
    async fn held<T>(&self, work: impl Future<Output = T>) -> T {
        let _held = self.clock.hold();
        work.await
    }
}

impl std::fmt::Debug for Mortal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mortal").finish_non_exhaustive()
    }
}

#[async_trait::async_trait]
impl Intercept for Mortal {
    async fn around<T: Send>(
        &self,
        call: Call,
        pass: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if call != Call::CreateRun {
            return self.held(pass).await;
        }
        self.life.cross(|| "before creating the run".to_owned()).await;
        let created = self.held(pass).await;
        self.life.cross(|| "after creating the run".to_owned()).await;
        created
    }

    async fn append(
        &self,
        _lease: &Lease,
        records: &[Record],
        pass: BoxFuture<'_, Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        let seq = records.last().map_or(0, |record| record.seq);
        self.life.cross(|| format!("before record {seq}")).await;
        let trouble = self.troubles.take();
        let unavailable = || StoreError::Unavailable("no space left on device".to_owned());
        if trouble == Some(Trouble::Refused) {
            return Err(unavailable());
        }
        let written = self.held(pass).await;
        self.life.cross(|| format!("after record {seq}")).await;
        match (trouble, written) {
            (Some(Trouble::ReplyLost), Ok(())) => Err(unavailable()),
            (_, written) => written,
        }
    }
}
