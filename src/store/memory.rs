//! A store that lasts as long as the process: for rehearsals, where runs are killed and resumed a thousand times and nothing
//! should be left of them.
//!
//! Must not: hold a real run. The contract is that of the other stores, durability excepted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::journal::{Clock, Record, RunId};
use crate::plan::StoredPlan;

use super::rows::fenced;
use super::{Holder, Lease, NewRun, RunSummary, Store, StoreError};

pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    tables: Mutex<Tables>,
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Tables {
    /// In the order of creation.
    runs: Vec<Journal>,
    leases: BTreeMap<String, LeaseRow>,
}

#[derive(Debug)]
struct Journal {
    run: NewRun,
    records: Vec<Record>,
    last_hash: String,
}

#[derive(Clone, Debug)]
struct LeaseRow {
    lease: Lease,
    /// By the clock's stopwatch.
    expires: Duration,
    held: bool,
}

impl MemoryStore {
    /// `clock` tells when leases expire.
    pub fn new(clock: Arc<dyn Clock>) -> MemoryStore {
        MemoryStore { clock, tables: Mutex::default() }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expiry(&self, ttl: Duration) -> (Duration, String) {
        let at = self.clock.now().saturating_add(ttl).unwrap_or(jiff::Timestamp::MAX);
        (self.clock.elapsed().saturating_add(ttl), format!("{at:.6}"))
    }
}

impl Tables {
    fn journal(&mut self, run: &RunId) -> Result<&mut Journal, StoreError> {
        let found = self.runs.iter_mut().find(|journal| journal.run.id == *run);
        found.ok_or_else(|| StoreError::NoSuchRun(run.clone()))
    }

    fn in_force(&self, lease: &Lease) -> Result<(), StoreError> {
        let row = self.leases.get(&lease.subject);
        let ours = |row: &&LeaseRow| {
            row.held && row.lease.epoch == lease.epoch && row.lease.id == lease.id
        };
        row.filter(ours).map(drop).ok_or_else(|| fenced(lease))
    }
}

impl Journal {
    fn extend(&mut self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let broken =
            |reason: String| StoreError::BrokenJournal { run: self.run.id.clone(), reason };
        if let Some(first) = records.first()
            && self.records.get(first.seq as usize - 1..).is_some_and(|there| there == records)
        {
            // An earlier attempt whose answer was lost.
            return Ok(());
        }
        let (mut seq, mut hash) = (self.records.len() as u64, self.last_hash.clone());
        for record in records {
            if record.run != self.run.id || record.seq != seq + 1 {
                return Err(broken(format!("record {} where {} was due", record.seq, seq + 1)));
            }
            if record.epoch != lease.epoch {
                return Err(fenced(lease));
            }
            if seq > 0 && record.previous != hash {
                return Err(broken(format!("record {} names another predecessor", record.seq)));
            }
            seq = record.seq;
            hash = record.hash().to_owned();
        }
        self.records.extend_from_slice(records);
        self.last_hash = hash;
        Ok(())
    }
}

#[async_trait::async_trait]
impl Store for MemoryStore {
    async fn create_run(
        &self,
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.in_force(lease)?;
        if run.subject != lease.subject {
            return Err(fenced(lease));
        }
        let same = tables.runs.iter_mut().find(|there| there.run.plan_digest == run.plan_digest);
        if let Some(there) = same {
            if there.run.id == run.id {
                return there.extend(lease, records);
            }
            let digest = run.plan_digest.clone();
            return Err(StoreError::PlanConsumed { digest, run: there.run.id.clone() });
        }
        let mut journal =
            Journal { run: run.clone(), records: Vec::new(), last_hash: String::new() };
        journal.extend(lease, records)?;
        tables.runs.push(journal);
        Ok(())
    }

    async fn append(&self, lease: &Lease, records: &[Record]) -> Result<(), StoreError> {
        let first = records.first().ok_or_else(|| {
            StoreError::Refused("an append without records: nothing would be promised".to_owned())
        })?;
        let mut tables = self.tables();
        tables.in_force(lease)?;
        let journal = tables.journal(&first.run)?;
        if journal.run.subject != lease.subject {
            return Err(fenced(lease));
        }
        journal.extend(lease, records)
    }

    async fn records(&self, run: &RunId, after: u64) -> Result<Vec<Record>, StoreError> {
        let mut tables = self.tables();
        let journal = tables.journal(run)?;
        Ok(journal.records.iter().filter(|record| record.seq > after).cloned().collect())
    }

    async fn plan(&self, run: &RunId) -> Result<StoredPlan, StoreError> {
        Ok(StoredPlan::new(self.tables().journal(run)?.run.plan.clone()))
    }

    async fn runs(&self, limit: u32) -> Result<Vec<RunSummary>, StoreError> {
        let tables = self.tables();
        let newest = tables.runs.iter().rev().take(limit as usize).map(|journal| RunSummary {
            id: journal.run.id.clone(),
            subject: journal.run.subject.clone(),
            plan_digest: journal.run.plan_digest.clone(),
            created_at: journal.run.created_at.clone(),
        });
        Ok(newest.collect())
    }

    async fn run_of_plan(&self, plan_digest: &str) -> Result<Option<RunId>, StoreError> {
        let tables = self.tables();
        let found = tables.runs.iter().find(|journal| journal.run.plan_digest == plan_digest);
        Ok(found.map(|journal| journal.run.id.clone()))
    }

    async fn acquire_lease(
        &self,
        subject: &str,
        holder: &Holder,
        ttl: Duration,
    ) -> Result<Lease, StoreError> {
        let (expires, expires_at) = self.expiry(ttl);
        let (now, acquired_at) = (self.clock.elapsed(), format!("{:.6}", self.clock.now()));
        let mut tables = self.tables();
        let there = tables.leases.get(subject);
        if let Some(row) = there.filter(|row| row.held && row.expires > now) {
            return Err(StoreError::LeaseHeld(Box::new(row.lease.clone())));
        }
        let epoch = there.map_or(1, |row| row.lease.epoch + 1);
        let lease = Lease {
            id: format!("{subject}#{epoch}"),
            subject: subject.to_owned(),
            epoch,
            holder: holder.clone(),
            acquired_at,
            expires_at,
        };
        let row = LeaseRow { lease: lease.clone(), expires, held: true };
        tables.leases.insert(subject.to_owned(), row);
        Ok(lease)
    }

    async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<Lease, StoreError> {
        let (expires, expires_at) = self.expiry(ttl);
        let mut tables = self.tables();
        tables.in_force(lease)?;
        let row = tables.leases.get_mut(&lease.subject).ok_or_else(|| fenced(lease))?;
        row.expires = expires;
        row.lease.expires_at = expires_at;
        Ok(row.lease.clone())
    }

    async fn release_lease(&self, lease: &Lease) -> Result<(), StoreError> {
        let mut tables = self.tables();
        tables.in_force(lease)?;
        if let Some(row) = tables.leases.get_mut(&lease.subject) {
            row.held = false;
        }
        Ok(())
    }

    async fn lease(&self, subject: &str) -> Result<Option<Lease>, StoreError> {
        let tables = self.tables();
        let row = tables.leases.get(subject).filter(|row| row.held);
        Ok(row.map(|row| row.lease.clone()))
    }

    async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let tables = self.tables();
        let held = tables.leases.values().filter(|row| row.held);
        Ok(held.map(|row| row.lease.clone()).collect())
    }

    async fn break_lease(&self, lease_id: &str) -> Result<Lease, StoreError> {
        let mut tables = self.tables();
        let row = tables.leases.values_mut().find(|row| row.held && row.lease.id == lease_id);
        let row = row.ok_or_else(|| StoreError::NoSuchLease(lease_id.to_owned()))?;
        row.held = false;
        Ok(row.lease.clone())
    }
}
