//! A journal's records, one after the other, correctly chained.

use orthid::journal::{Event, Record, RunId};
use orthid::store::NewRun;

/// The end of a journal that is being written.
#[derive(Clone, Debug)]
pub struct Chain {
    pub run: RunId,
    pub epoch: u64,
    pub seq: u64,
    pub previous: String,
}

impl Chain {
    pub fn new(run: &str, epoch: u64) -> Chain {
        Chain { run: RunId(run.to_owned()), epoch, seq: 0, previous: "genesis".to_owned() }
    }

    /// The next record, saying this.
    pub fn next(&mut self, says: &str) -> Record {
        self.next_event(Event::RunPaused { reason: says.to_owned() })
    }

    pub fn next_event(&mut self, event: Event) -> Record {
        self.seq += 1;
        let at = "2026-11-23T08:00:00.000000Z".to_owned();
        let (run, previous) = (self.run.clone(), self.previous.clone());
        let record = Record::new(run, self.seq, self.epoch, at, event, previous);
        self.previous = record.hash().to_owned();
        record
    }

    pub fn many(&mut self, count: usize) -> Vec<Record> {
        (0..count).map(|n| self.next(&format!("record {n} of {count}"))).collect()
    }
}

/// A run with a plan of its own.
pub fn new_run(id: &str, subject: &str) -> NewRun {
    NewRun {
        id: RunId(id.to_owned()),
        subject: subject.to_owned(),
        plan_digest: format!("sha256:plan-of-{id}"),
        plan: format!("{{\"plan\":\"of {id}\"}}").into_bytes(),
        created_at: "2026-11-23T08:00:00.000000Z".to_owned(),
    }
}
