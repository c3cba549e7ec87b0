//! The signed head of a journal: which records a process wrote, vouched for by its key.
//!
//! The chain of a journal is not keyed: whoever may write to the store can compute it anew. What such a person can't make
//! is a signature over the chain's end. A process that has a key signs when it leaves the run, for the records that it wrote itself
//! and for no others: what it found is in the chain, and vouched for by whoever wrote it.
//!
//! Must not: decide which keys are trusted; the reader of a report does.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::envelope::{Envelope, EnvelopeError, SigningKey};
use crate::journal::RunId;
use crate::model::PublicKey;

const PAYLOAD_TYPE: &str = "application/vnd.orthid.journal-head+json";
const FORMAT_VERSION: u32 = 1;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format_version: u32,
    run: RunId,
    /// The plan's digest.
    plan: String,
    /// The first record that the signing process wrote, and the last.
    first: u64,
    last: u64,
    /// Hash of the last.
    hash: String,
    /// RFC 3339.
    at: String,
}

/// Where a journal ends.
#[derive(Clone, Copy, Debug)]
pub(super) struct End<'a> {
    pub run: &'a RunId,
    pub plan: &'a str,
    /// Number and hash of the last record.
    pub last: u64,
    pub hash: &'a str,
}

/// Records that a key vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vouched {
    pub first: u64,
    pub last: u64,
    pub key: PublicKey,
    /// RFC 3339.
    pub at: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(super) enum HeadError {
    #[error("it is no signed head: {0}")]
    NotOne(#[from] EnvelopeError),
    #[error("it was signed for other records than those before it")]
    AnotherJournal,
}

/// Signs for the records from `first` on.
pub(super) fn sign(key: &SigningKey, end: End<'_>, first: u64, at: &str) -> String {
    let head = Head {
        format_version: FORMAT_VERSION,
        run: end.run.clone(),
        plan: end.plan.to_owned(),
        first,
        last: end.last,
        hash: end.hash.to_owned(),
        at: at.to_owned(),
    };
    let envelope = key.sign(PAYLOAD_TYPE, &head);
    serde_json::to_string(&envelope).expect("an envelope is plain data")
}

/// Reads a signature that stands right behind this end.
pub(super) fn verify(statement: &str, end: End<'_>) -> Result<Vouched, HeadError> {
    let (head, signers) = Envelope::open::<Head>(statement.as_bytes(), PAYLOAD_TYPE)?;
    let Head { format_version, run, plan, first, last, hash, at } = head;
    let is_this = format_version == FORMAT_VERSION
        && run == *end.run
        && plan == end.plan
        && last == end.last
        && hash == end.hash
        && (1..=last).contains(&first);
    match signers.into_iter().next() {
        Some(key) if is_this => Ok(Vouched { first, last, key, at }),
        Some(_) | None => Err(HeadError::AnotherJournal),
    }
}

/// Records, from the first to the last of each row, that none of these keys vouches for; any key does where none is
/// named. A signature's own record is vouched for by what it says.
pub fn unvouched(vouched: &[Vouched], records: u64, keys: &[PublicKey]) -> Vec<(u64, u64)> {
    let mut rows: Vec<(u64, u64)> = vouched
        .iter()
        .filter(|it| keys.is_empty() || keys.contains(&it.key))
        .map(|it| (it.first, it.last + 1))
        .collect();
    rows.sort_unstable();
    rows.push((records + 1, records + 1));
    let mut due = 1;
    let mut gaps = Vec::new();
    for (first, last) in rows {
        if first > due {
            gaps.push((due, first - 1));
        }
        due = due.max(last + 1);
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end<'a>(run: &'a RunId, hash: &'a str) -> End<'a> {
        End { run, plan: "d", last: 6, hash }
    }

    #[test]
    fn a_head_is_that_of_its_journal_and_of_no_other() {
        let (run, other) = (RunId("r".into()), RunId("other".into()));
        let key = SigningKey::from_seed([1; 32]);
        let here = end(&run, "h");
        let signed = sign(&key, here, 3, "t");
        let vouched = Vouched { first: 3, last: 6, key: key.public().clone(), at: "t".into() };
        assert_eq!(verify(&signed, here), Ok(vouched));
        let elsewhere = [
            end(&other, "h"),
            end(&run, "changed"),
            End { plan: "e", ..here },
            End { last: 7, ..here },
        ];
        for end in elsewhere {
            assert_eq!(verify(&signed, end), Err(HeadError::AnotherJournal), "{end:?}");
        }
        for first in [0, 7] {
            let signed = sign(&key, here, first, "t");
            assert_eq!(verify(&signed, here), Err(HeadError::AnotherJournal), "{first}");
        }
        assert!(verify("{}", here).is_err());
    }

    #[test]
    fn what_no_key_vouches_for_is_told() {
        let by = |key: u8, first, last| Vouched {
            first,
            last,
            key: PublicKey::raw([key; 32]),
            at: String::new(),
        };
        type Case = (Vec<Vouched>, u64, &'static [u8], Vec<(u64, u64)>);
        let (a, b) = (1, 2);
        let cases: [Case; 7] = [
            (vec![], 0, &[], vec![]),
            (vec![], 4, &[], vec![(1, 4)]),
            (vec![by(a, 1, 6)], 7, &[], vec![]),
            (vec![by(a, 1, 6)], 9, &[], vec![(8, 9)]),
            (vec![by(b, 10, 12), by(a, 1, 6)], 13, &[], vec![(8, 9)]),
            (vec![by(a, 1, 6), by(b, 8, 12)], 13, &[1], vec![(8, 13)]),
            (vec![by(a, 1, 6), by(b, 8, 12)], 13, &[1, 2], vec![]),
        ];
        for (vouched, records, keys, expected) in cases {
            let keys: Vec<PublicKey> = keys.iter().map(|&key| PublicKey::raw([key; 32])).collect();
            assert_eq!(unvouched(&vouched, records, &keys), expected, "{vouched:?} of {records}");
        }
    }
}
