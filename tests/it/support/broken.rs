//! A store that does not keep its promises: what tests of tests need.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::future::BoxFuture;
use orthid::journal::Record;
use orthid::store::{Call, Intercept, Intercepted, Lease, Store, StoreError};
use tokio::sync::Mutex;

/// How promises are broken.
#[derive(Clone, Copy, Debug)]
pub enum Breach {
    /// The n-th write is acknowledged and not made.
    LiesAt(u64),
    /// Records are written when the next ones come: what a disk without `fsync` may do to a process that is killed.
    Forgets,
}

/// What breaks them.
pub struct Broken {
    inner: Arc<dyn Store>,
    breach: Breach,
    writes: AtomicU64,
    cached: Mutex<Option<(Lease, Vec<Record>)>>,
}

pub type BrokenStore = Intercepted<Broken>;

pub fn breaking(inner: Arc<dyn Store>, breach: Breach) -> BrokenStore {
    let behind = Arc::clone(&inner);
    let broken = Broken { inner, breach, writes: AtomicU64::new(0), cached: Mutex::new(None) };
    Intercepted::new(behind, broken)
}

impl Broken {
    async fn write_back(&self) -> Result<(), StoreError> {
        match self.cached.lock().await.take() {
            Some((lease, records)) => self.inner.append(&lease, &records).await,
            None => Ok(()),
        }
    }
}

#[async_trait::async_trait]
impl Intercept for Broken {
    async fn around<T: Send>(
        &self,
        call: Call,
        pass: BoxFuture<'_, Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        match call {
            // A new process: what the old one's disk had not written is gone.
            Call::AcquireLease => *self.cached.lock().await = None,
            Call::ReleaseLease => self.write_back().await?,
            Call::CreateRun | Call::Append | Call::RenewLease | Call::BreakLease | Call::Read => {}
        }
        pass.await
    }

    async fn append(
        &self,
        lease: &Lease,
        records: &[Record],
        pass: BoxFuture<'_, Result<(), StoreError>>,
    ) -> Result<(), StoreError> {
        match self.breach {
            Breach::LiesAt(n) if self.writes.fetch_add(1, Ordering::Relaxed) + 1 == n => Ok(()),
            Breach::LiesAt(_) => pass.await,
            Breach::Forgets => {
                self.write_back().await?;
                *self.cached.lock().await = Some((lease.clone(), records.to_vec()));
                Ok(())
            }
        }
    }
}
