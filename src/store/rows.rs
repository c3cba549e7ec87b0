//! How runs, records and leases lie in rows: mapped once, for both stores.
//!
//! Must not: run a query.

use std::time::Duration;

use crate::journal::{Record, RunId, canonical_bytes, hash_of};

use super::{Holder, Lease, NewRun, RunSummary, StoreError};

/// A record on its way into the `records` table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecordRow {
    pub(super) seq: i64,
    pub(super) epoch: i64,
    pub(super) hash: String,
    pub(super) body: String,
}

/// Records of one run whose numbers and hashes follow each other, ready to be written in one transaction.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    pub(super) run: RunId,
    /// Hash that the journal's last record must have.
    pub(super) previous: String,
    pub(super) rows: Vec<RecordRow>,
}

impl Batch {
    /// # Errors
    /// [`StoreError::BrokenJournal`] where the records do not continue each other, [`StoreError::Fenced`] where one
    /// was made under another epoch than the lease's.
    pub(super) fn new(lease: &Lease, records: &[Record]) -> Result<Batch, StoreError> {
        let first = records.first().ok_or_else(|| {
            StoreError::Refused("an append without records: nothing would be promised".to_owned())
        })?;
        let broken = |reason: String| StoreError::BrokenJournal { run: first.run.clone(), reason };
        let mut rows: Vec<RecordRow> = Vec::with_capacity(records.len());
        for record in records {
            if record.run != first.run {
                return Err(broken(format!("a record of run {} is among them", record.run)));
            }
            if record.epoch != lease.epoch {
                return Err(fenced_epoch(lease, record.epoch));
            }
            if let Some(last) = rows.last() {
                let wanted = last.seq + 1;
                if stored(record.seq) != wanted {
                    return Err(broken(format!("record {} where {wanted} was due", record.seq)));
                }
                if record.previous != last.hash {
                    return Err(broken(format!("record {} names another predecessor", record.seq)));
                }
            }
            let bytes = canonical_bytes(record);
            rows.push(RecordRow {
                seq: stored(record.seq),
                epoch: stored(record.epoch),
                hash: hash_of(&bytes),
                body: String::from_utf8(bytes).expect("JSON is UTF-8"),
            });
        }
        if rows[0].seq < 1 {
            return Err(broken("records are numbered from 1".to_owned()));
        }
        Ok(Batch { run: first.run.clone(), previous: first.previous.clone(), rows })
    }

    /// The batch that begins a run.
    pub(super) fn first(
        lease: &Lease,
        run: &NewRun,
        records: &[Record],
    ) -> Result<Batch, StoreError> {
        let batch = Batch::new(lease, records)?;
        if batch.run != run.id || batch.first_seq() != 1 {
            return Err(StoreError::BrokenJournal {
                run: run.id.clone(),
                reason: "it must begin with its own record 1".to_owned(),
            });
        }
        if run.subject != lease.subject {
            return Err(fenced(lease));
        }
        Ok(batch)
    }

    pub(super) fn first_seq(&self) -> i64 {
        self.rows[0].seq
    }

    pub(super) fn last_seq(&self) -> i64 {
        self.rows[self.rows.len() - 1].seq
    }

    /// Why this batch was not written, told from what the journal holds: `found` is `(seq, epoch, hash)` of its records from
    /// the one before the batch on, in order. A batch that is there already, byte for byte, was written by an
    /// earlier attempt whose answer was lost: that is success.
    pub(super) fn explain(&self, found: &[FoundColumns]) -> Result<(), StoreError> {
        let broken = |reason: String| StoreError::BrokenJournal { run: self.run.clone(), reason };
        let at = |seq: i64| found.iter().find(|(found_seq, ..)| *found_seq == seq);
        let already = |row: &RecordRow| {
            at(row.seq).is_some_and(|(_, epoch, hash)| *epoch == row.epoch && *hash == row.hash)
        };
        if self.rows.iter().all(already) {
            return Ok(());
        }
        let first = self.first_seq();
        if first > 1 {
            match at(first - 1) {
                None => return Err(broken(format!("record {} is missing", first - 1))),
                Some((_, _, hash)) if *hash != self.previous => {
                    return Err(broken(format!("record {first} names another predecessor")));
                }
                Some(_) => {}
            }
        }
        match self.rows.iter().find(|row| at(row.seq).is_some()) {
            Some(row) => Err(broken(format!("record {} is already there", row.seq))),
            None => Err(broken(format!("record {first} was not accepted"))),
        }
    }
}

fn fenced_epoch(lease: &Lease, epoch: u64) -> StoreError {
    StoreError::Fenced { subject: lease.subject.clone(), epoch }
}

pub(super) fn fenced(lease: &Lease) -> StoreError {
    fenced_epoch(lease, lease.epoch)
}

/// Reads back the record that follows `after` and `already` more, and holds it to the hash that was stored beside it.
pub(super) fn read_record(
    run: &RunId,
    after: u64,
    already: usize,
    (seq, hash, body): StoredColumns,
) -> Result<Record, StoreError> {
    let broken = |reason: String| StoreError::BrokenJournal { run: run.clone(), reason };
    let due = stored(after.saturating_add(already as u64).saturating_add(1));
    if seq != due {
        return Err(broken(format!("record {due} is missing")));
    }
    if hash_of(body.as_bytes()) != hash {
        return Err(broken(format!("record {seq} was changed after it was written")));
    }
    let record = Record::read(&body)
        .map_err(|error| broken(format!("record {seq} can't be read: {error}")))?;
    if stored(record.seq) != seq || record.run != *run {
        return Err(broken(format!("record {seq} is not the one that was written there")));
    }
    Ok(record)
}

/// The columns of a run's row, for a statement that selects them.
macro_rules! run_columns {
    () => {
        "id, subject, plan_digest, created_at"
    };
}

/// The columns of a lease's row, for a statement that selects or returns them.
macro_rules! lease_columns {
    () => {
        "subject, epoch, id, who, pid, acquired_us, expires_us"
    };
}

pub(super) use {lease_columns, run_columns};

/// As `run_columns!` names them.
pub(super) type RunColumns = (String, String, String, String);

impl From<RunColumns> for RunSummary {
    fn from((id, subject, plan_digest, created_at): RunColumns) -> RunSummary {
        RunSummary { id: RunId(id), subject, plan_digest, created_at }
    }
}

/// As `lease_columns!` names them.
pub(super) type LeaseColumns = (String, i64, String, String, i64, i64, i64);

impl From<LeaseColumns> for Lease {
    fn from((subject, epoch, id, who, pid, acquired_us, expires_us): LeaseColumns) -> Lease {
        Lease {
            id,
            subject,
            epoch: u64::try_from(epoch).unwrap_or(0),
            holder: Holder { who, pid: u32::try_from(pid).unwrap_or(0) },
            acquired_at: rfc3339(acquired_us),
            expires_at: rfc3339(expires_us),
        }
    }
}

/// A record as it is read back: number, hash, body.
pub(super) type StoredColumns = (i64, String, String);

/// A record as it is compared with one that was not accepted: number, epoch, hash.
pub(super) type FoundColumns = (i64, i64, String);

/// SQL has no unsigned numbers; what does not fit is no number of ours and matches no row.
pub(super) fn stored(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4)
}

fn rfc3339(micros: i64) -> String {
    jiff::Timestamp::from_microsecond(micros)
        .unwrap_or(jiff::Timestamp::MAX)
        .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
        .to_string()
}
