//! A run's plan and journal, changed in the state store by somebody who may write to it.

use std::fs;
use std::process::Command;

use orthid::model::Address;
use orthid::run::approval;
use orthid::run::envelope::SigningKey;
use rusqlite::{Connection, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::desk::{Desk, Ended};

/// A step, a gate with one key, and a step behind it that writes `WORD`.
const GATED: &str = r#"
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
    key: String,
}

impl Waiting {
    fn new() -> Self {
        Self::after(&["apply", "saved.plan"])
    }

    /// As [`Waiting::new`], its journal signed with the approver's key.
    pub fn signing() -> Self {
        Self::after(&["apply", "saved.plan", "-sign-key", "ada.pem"])
    }

    fn after(apply: &[&str]) -> Self {
        let desk = Desk::new("");
        for name in ["ada.pem", "eve.pem"] {
            let made = Command::new("openssl")
                .args(["genpkey", "-algorithm", "ed25519", "-out"])
                .arg(desk.path(name))
                .status();
            assert!(made.unwrap().success());
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
    fn plan(&self, word: &str, file: &str) {
        let text = GATED.replace("KEY", &self.key).replace("WORD", word);
        fs::write(self.desk.path("plan.hcl"), text).unwrap();
        self.desk.run(&["plan", "plan.hcl", "-out", file]).code(0);
    }

    fn digest(&self, file: &str) -> String {
        let plan: Value = serde_json::from_slice(&fs::read(self.desk.path(file)).unwrap()).unwrap();
        plan["digest"].as_str().unwrap().to_owned()
    }

    fn store(&self) -> Connection {
        Connection::open(self.desk.path(".orthid/state.db")).unwrap()
    }

    fn execute(&self, sql: &str, params: impl rusqlite::Params) {
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
        let envelope =
            approval::sign(&key, &self.digest(plan), steps, "Ada", "2026-01-02T03:04:05Z");
        serde_json::to_string(&envelope).unwrap()
    }

    fn resume_approved(&self) -> Ended {
        self.desk.run(&["resume", "-approval", "ok.json"])
    }
}

/// What a forger does to a store, and what the refusal must name.
type Forgery = (&'static str, fn(&Waiting), fn(&Waiting) -> Vec<String>);

#[test]
fn a_plan_that_was_swapped_in_the_store_is_refused_by_name() {
    let forgeries: [Forgery; 5] = [
        (
            "another whole plan",
            |at| at.swap_plan(&fs::read(at.desk.path("evil.plan")).unwrap()),
            |at| vec![at.digest("saved.plan"), at.digest("evil.plan")],
        ),
        (
            "another content under the same digest",
            |at| {
                let text = fs::read_to_string(at.desk.path("saved.plan")).unwrap();
                at.swap_plan(text.replace("echo after", "echo evil").as_bytes());
            },
            |_| vec!["its digest does not fit its content".to_owned()],
        ),
        (
            "another plan, and the run's row with it",
            |at| {
                at.swap_plan(&fs::read(at.desk.path("evil.plan")).unwrap());
                at.execute("UPDATE runs SET plan_digest = ?1", [at.digest("evil.plan")]);
            },
            |at| vec!["its journal begins with".to_owned(), at.digest("saved.plan")],
        ),
        (
            "another subject, whose lease nobody holds",
            |at| at.execute("UPDATE runs SET subject = 'runbook/other'", []),
            |_| vec!["runbook/other".to_owned(), "runbook/plan".to_owned()],
        ),
        (
            "no plan at all",
            |at| at.swap_plan(b"{}"),
            |_| vec!["its stored plan: this is not a saved plan".to_owned()],
        ),
    ];
    let whole = Waiting::new();
    whole.resume_approved().code(0);
    assert_eq!(whole.desk.lines(), ["before", "after"], "without a forgery it goes through");
    for (name, forge, names) in forgeries {
        let at = Waiting::new();
        at.plan("evil", "evil.plan");
        forge(&at);
        let commands: [&[&str]; 7] = [
            &["resume", "-approval", "ok.json"],
            &["resume", "-explain"],
            &["rollback", "-auto-approve"],
            &["report"],
            &["report", "-json"],
            &["status"],
            &["log"],
        ];
        for command in commands {
            let ended = at.desk.run(command);
            assert_eq!(ended.code, Some(3), "{name}: {command:?}: {ended:#?}");
            // The look of an error breaks long lines.
            let said: String =
                ended.stderr.split_whitespace().filter(|word| *word != "│").collect();
            assert!(said.contains("orthid::plan::tampered"), "{name}: {command:?}: {said}");
            for part in names(&at) {
                let part: String = part.split_whitespace().collect();
                assert!(said.contains(&part), "{name}: {command:?} names no {part}: {said}");
            }
        }
        assert_eq!(at.desk.lines(), ["before"], "{name}");
        assert!(at.desk.run(&["log"]).stdout.contains("waiting for approval"), "{name}");
        assert!(at.desk.run(&["status"]).stdout.contains("its journal says: paused"), "{name}");
        let list = at.desk.run(&["status", "-all"]).code(0).stdout;
        assert!(list.contains("tampered"), "{name}: {list}");
    }
}

#[test]
fn where_all_of_a_run_was_rewritten_for_another_plan_the_approval_is_of_another() {
    let at = Waiting::new();
    at.plan("evil", "evil.plan");
    at.swap_plan(&fs::read(at.desk.path("evil.plan")).unwrap());
    let evil = at.digest("evil.plan");
    at.execute("UPDATE runs SET plan_digest = ?1", [&evil]);
    at.rewrite(|records| records[0]["event"]["plan_digest"] = evil.clone().into());
    at.desk.run(&["report"]).code(0);
    at.resume_approved().code(3).says("another plan");
    assert_eq!(at.desk.lines(), ["before"]);
}

/// A statement that stands in a forged record, and why it does not count.
type Unsigned = (&'static str, fn(&Waiting) -> String, &'static str);

#[test]
fn an_approval_that_nobody_signed_opens_no_gate() {
    let forgeries: [Unsigned; 5] = [
        ("a name", |_| String::new(), "not an approval"),
        ("a name and an empty document", |_| "{}".to_owned(), "not an approval"),
        (
            "the signature of a key that is not listed",
            |at| at.signed("eve.pem", "saved.plan", "approve.go"),
            "not among those that may approve",
        ),
        (
            "a genuine approval of another plan",
            |at| at.signed("ada.pem", "evil.plan", "approve.go"),
            "another plan",
        ),
        (
            "a genuine approval of another step",
            |at| at.signed("ada.pem", "saved.plan", "approve.other"),
            "does not approve approve.go",
        ),
    ];
    for (name, statement, why) in forgeries {
        let at = Waiting::new();
        at.plan("evil", "evil.plan");
        let statement = statement(&at);
        let given = json!({"type": "approval_given", "step": "approve.go", "by": "Ada", "statement": statement});
        at.append(&[given]);
        at.desk.run(&["resume"]).code(5).says("counts for nothing");
        assert_eq!(at.desk.lines(), ["before"], "{name}");
        for command in ["report", "log", "status"] {
            let shown = at.desk.run(&[command]).code(3).says("nobody entitled signed").stdout;
            assert!(shown.contains("NOT VERIFIED") && shown.contains(why), "{name}: {shown}");
        }
        let report = at.desk.run(&["report", "-json"]).code(3).stdout;
        let report: Value = serde_json::from_str(&report).unwrap();
        assert_eq!(report["approvals"][0]["verified"], false, "{name}: {report}");
        at.resume_approved().code(0);
        assert_eq!(at.desk.lines(), ["before", "after"], "{name}: the genuine one opens it");
    }
}

#[test]
fn no_journal_goes_past_a_gate_that_nobody_opened() {
    let forgeries: [(&str, Value); 4] = [
        (
            "the gate has succeeded",
            json!({"type": "step_succeeded", "step": "approve.go", "outputs": {}, "adopted": false}),
        ),
        (
            "the gate was skipped",
            json!({"type": "step_skipped", "step": "approve.go", "reason": "x"}),
        ),
        (
            "the step behind it was started",
            json!({"type": "step_started", "step": "run.after", "attempt": 1, "intent": "act"}),
        ),
        (
            "a step was started that the plan does not have",
            json!({"type": "step_started", "step": "run.other", "attempt": 1, "intent": "act"}),
        ),
    ];
    for (name, event) in forgeries {
        let at = Waiting::new();
        at.append(&[event]);
        for command in [&["resume"][..], &["resume", "-approval", "ok.json"], &["report"], &["log"]]
        {
            let ended = at.desk.run(command).code(3);
            assert!(ended.stderr.contains("orthid::run::journal_broken"), "{name}: {ended:#?}");
        }
        assert_eq!(at.desk.lines(), ["before"], "{name}");
    }
}

#[test]
fn a_gate_without_keys_is_opened_by_name_and_the_report_says_so() {
    let desk = Desk::new(&GATED.replace("\"KEY\"", "").replace("WORD", "after"));
    desk.apply().code(5);
    desk.run(&["resume", "-approve", "approve.go"]).code(0);
    let report = desk.run(&["report"]).code(0).stdout;
    assert!(report.contains("by the name of ada@"), "{report}");
    assert!(report.contains("the step lists no keys"), "{report}");
}

#[test]
fn a_key_vouches_for_what_its_process_wrote_and_a_report_tells_the_rest() {
    let at = Waiting::signing();
    let report = at.desk.run(&["report", "-signed-by", &at.key]).code(0).stdout;
    let signed = format!("by {} at", at.key);
    assert!(report.contains("signed  records 1 to 6 ") && report.contains(&signed), "{report}");
    let eve = at.desk.run(&["approve", "-key", "eve.pem", "-public-key"]).code(0).stdout;
    at.desk.run(&["report", "-signed-by", eve.trim()]).code(3).says("records 1 to 7");

    // What somebody without the key adds is nobody's, and stays so when the run goes on.
    let paused = json!({"type": "run_paused", "reason": "for tea"});
    at.append(&[paused]);
    let report = at.desk.run(&["report"]).code(0).stdout;
    assert!(report.contains("records 8 to 9 by NOBODY"), "{report}");
    at.desk.run(&["report", "-signed-by", &at.key]).code(3).says("records 8 to 9");
    let resume = ["resume", "-approval", "ok.json", "-sign-key", "ada.pem"];
    at.desk.run(&resume).code(0).says("records 8 to 9 of the journal");
    assert_eq!(at.desk.lines(), ["before", "after"]);
    let report = at.desk.run(&["report", "-json"]).code(0).stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["outcome"], "succeeded");
    let journal = &report["journal"];
    assert_eq!(journal["signed"].as_array().unwrap().len(), 2, "{journal}");
    assert_eq!(journal["signed"][1]["first"], 10, "{journal}");
    assert_eq!(journal["unsigned"], json!([[8, 9]]), "{journal}");
}

#[test]
fn a_signed_journal_that_was_rewritten_is_not_verified() {
    let at = Waiting::signing();
    at.rewrite(|records| records[2]["at"] = "2020-01-01T00:00:00.000000Z".into());
    for command in [&["report"][..], &["log"], &["status"]] {
        at.desk.run(command).code(3).says("it was signed for other records");
    }
    let json = at.desk.run(&["report", "-json"]).code(3).stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["journal"]["verified"], false, "{json}");
    let unsigned = Waiting::new();
    unsigned.rewrite(|records| records[2]["at"] = "2020-01-01T00:00:00.000000Z".into());
    let report = unsigned.desk.run(&["report"]).code(0).stdout;
    assert!(report.contains("finds accidents and not forgery"), "{report}");
}
