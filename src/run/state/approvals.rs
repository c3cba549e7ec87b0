//! What signatures in a journal count for: approvals that open gates, and heads that keys vouch for.
//!
//! Must not: take a record's word where a key is asked for.

use jiff::Timestamp;

use super::RunState;
use super::terms::{Approved, Given};
use crate::journal::Record;
use crate::model::Address;
use crate::run::head;

impl RunState {
    pub(super) fn approval_given(
        &mut self,
        record: &Record,
        step: &Address,
        by: &str,
        statement: &str,
    ) {
        // A time before that of an earlier record would make an approval last that has expired.
        let now = self.latest.as_str().max(record.at.as_str()).parse().unwrap_or(Timestamp::MAX);
        match self.terms.approvals_in(step, Given { seq: record.seq, by, statement, now }) {
            Ok(approved) => self.approvals.entry(step.clone()).or_default().extend(approved),
            Err(why) => {
                self.refused.insert(record.seq, why.to_string());
            }
        }
    }

    /// Whether this approval would add to those of a gate.
    pub(in crate::run) fn would_count(
        &self,
        step: &Address,
        by: &str,
        statement: &str,
        now: Timestamp,
    ) -> bool {
        let given = Given { seq: self.seq + 1, by, statement, now };
        let there = self.approvals.get(step).map(Vec::as_slice).unwrap_or_default();
        let is_new = |it: &Approved| !there.iter().any(|other| other.key == it.key);
        self.terms.approvals_in(step, given).is_ok_and(|approved| approved.iter().any(is_new))
    }

    /// Who opened a gate, in one text; none where it is shut at this time.
    pub fn opened_by(&self, step: &Address, now: Timestamp) -> Option<String> {
        self.terms.opened_by(step, &self.approvals, Some(now))
    }

    pub(super) fn signed(&mut self, seq: u64, statement: &str) -> Result<(), String> {
        if self.seq == 0 {
            return Err("the run was not created yet".to_owned());
        }
        match head::verify(statement, self.end()) {
            Ok(vouched) => self.vouched.push(vouched),
            Err(why) => {
                self.refused.insert(seq, why.to_string());
            }
        }
        Ok(())
    }
}
