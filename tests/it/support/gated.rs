//! A run that waits at a gate with a key, and hands that write to its state store without asking orthid.

use std::fs;

use orthid::model::Address;
use orthid::run::approval;
use orthid::run::envelope::SigningKey;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::desk::{Desk, Ended};

/// A step, a gate with one key, and a step behind it that writes `WORD`.
pub const GATED: &str = r#"
run "before" {
  command    = ["sh", "-c", "echo before >> lines"]
  idempotent = true
}

approve "go" {
  depends_on = [run.before]
  keys       = ["KEY"]
}

run "after" {
  depends_on = [approve.go]
  command    = ["sh", "-c", "echo WORD >> lines"]
  idempotent = true
}
"#;

/// A run that waits at its gate, with the genuine approval of its plan at hand.
pub struct Waiting {
    pub desk: Desk,
    /// The public key that the gate lists.
    pub key: String,
}

impl Waiting {
    pub fn new() -> Self {
        Self::after(&["apply", "saved.plan"])
    }

    /// As [`Waiting::new`], its journal signed with the approver's key.
    pub fn signing() -> Self {
        Self::after(&["apply", "saved.plan", "-sign-key", "ada.pem"])
    }

    fn after(apply: &[&str]) -> Self {
        let desk = Desk::new("");
        for name in ["ada.pem", "eve.pem"] {
            desk.make_key(name);
        }
        let key = desk.run(&["approve", "-key", "ada.pem", "-public-key"]).code(0).stdout;
        let waiting = Self { desk, key: key.trim().to_owned() };
        waiting.plan("after", "saved.plan");
        let approve = ["approve", "saved.plan", "-key", "ada.pem", "-by", "Ada", "-out", "ok.json"];
        waiting.desk.run(&approve).code(0);
        waiting.desk.run(apply).code(5);
        waiting
    }

    /// Saves a plan whose last step writes this word.
    pub fn plan(&self, word: &str, file: &str) {
        let text = GATED.replace("KEY", &self.key).replace("WORD", word);
        fs::write(self.desk.path("plan.hcl"), text).unwrap();
        self.desk.run(&["plan", "plan.hcl", "-out", file]).code(0);
    }

    pub fn digest(&self, file: &str) -> String {
        digest(&self.desk, file)
    }

    fn store(&self) -> Connection {
        Connection::open(self.desk.path(".orthid/state.db")).unwrap()
    }

    pub fn execute(&self, sql: &str, params: impl rusqlite::Params) {
        assert_eq!(self.store().execute(sql, params).unwrap(), 1, "{sql}");
    }

    pub fn swap_plan(&self, bytes: &[u8]) {
        self.execute("UPDATE plans SET bytes = ?1", [bytes]);
    }

    /// Rewrites the journal, each record chained to the one before by its hash again.
    pub fn rewrite(&self, change: impl Fn(&mut Vec<Value>)) {
        let store = self.store();
        let mut rows = store.prepare("SELECT body FROM records ORDER BY seq").unwrap();
        let bodies = rows.query_map([], |row| row.get::<_, String>(0)).unwrap();
        let mut records: Vec<Value> =
            bodies.map(|body| serde_json::from_str(&body.unwrap()).unwrap()).collect();
        change(&mut records);
        let mut previous = records[0]["event"]["plan_digest"].as_str().unwrap().to_owned();
        store.execute("DELETE FROM records", []).unwrap();
        for (n, record) in records.iter_mut().enumerate() {
            let seq = i64::try_from(n).unwrap() + 1;
            record["seq"] = seq.into();
            record["previous"] = previous.into();
            let body = record.to_string();
            previous = hex::encode(Sha256::digest(&body));
            let row = params![1, seq, record["epoch"].as_i64().unwrap(), previous, body];
            store.execute("INSERT INTO records VALUES (?1, ?2, ?3, ?4, ?5)", row).unwrap();
        }
    }

    /// Appends what a process with the lease would have written.
    pub fn append(&self, events: &[Value]) {
        self.rewrite(|records| {
            let last = records.last().unwrap().clone();
            let taken = json!({"type": "lease_taken", "holder": "ann@host (pid 1)"});
            for event in std::iter::once(&taken).chain(events) {
                records.push(json!({
                    "run": last["run"], "epoch": last["epoch"], "at": last["at"], "event": event,
                }));
            }
        });
    }

    /// What a key says yes to, whether or not it may.
    pub fn signed(&self, key: &str, plan: &str, step: &str) -> String {
        let pem = fs::read_to_string(self.desk.path(key)).unwrap();
        let key = SigningKey::from_pem(&pem).unwrap();
        let steps: Vec<Address> = vec![step.parse().unwrap()];
        let mut envelope = approval::statement(&self.digest(plan), steps, "Ada", "t", None);
        key.add_to(&mut envelope);
        serde_json::to_string(&envelope).unwrap()
    }

    pub fn resume_approved(&self) -> Ended {
        self.desk.run(&["resume", "-approval", "ok.json"])
    }
}

pub fn digest(desk: &Desk, file: &str) -> String {
    let plan: Value = serde_json::from_slice(&fs::read(desk.path(file)).unwrap()).unwrap();
    plan["digest"].as_str().unwrap().to_owned()
}
