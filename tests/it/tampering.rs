//! A run's plan and journal, changed in the state store by somebody who may write to it.

use std::fs;

use serde_json::{Value, json};

use crate::support::gated::Waiting;

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
