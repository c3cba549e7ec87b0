//! What `--json` prints, checked against the JSON Schemas that the book's page on it links.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use orthid::journal::RunId;
use orthid::render;
use orthid::run::{Report, Standing};
use serde_json::{Value, json};

use crate::corpus;
use crate::support::desk::{Desk, Ended, SLOW, signal};
use crate::support::gated::Waiting;
use crate::support::json_documents::{Documents, SCHEMAS};
use crate::support::program;

/// Every command that has `--json`, and the schema of what it prints.
const COMMANDS: [(&str, &str); 12] = [
    ("plan", "plan"),
    ("show", "plan"),
    ("apply", "event"),
    ("resume", "event"),
    ("rollback", "event"),
    ("log", "event"),
    ("status", "run"),
    ("status --all", "runs"),
    ("report", "run"),
    ("versions", "versions"),
    ("rehearse", "rehearsal"),
    ("validate", "diagnostics"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn printed(folder: &Path, args: &[&str]) -> String {
    let output = program::orthid(folder).args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_with_json_has_a_schema() {
    let help = printed(&root(), &["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands = commands.take_while(|line| !line.is_empty());
    let names = commands.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    let with_json: BTreeSet<&str> = names
        .filter(|name| !name.is_empty() && printed(&root(), &[name, "--help"]).contains("--json"))
        .collect();
    let listed: BTreeSet<&str> =
        COMMANDS.iter().filter_map(|(command, _)| command.split(' ').next()).collect();
    assert_eq!(with_json, listed);
    let page = fs::read_to_string(root().join("book/src/reference/json.md")).unwrap();
    for (command, schema) in COMMANDS {
        let link = format!("(schemas/{schema}.json)");
        let mut rows = page.lines().filter(|line| line.contains(&link));
        assert!(rows.any(|row| row.contains(&format!("`{command}`"))), "{command}: {link}");
    }
    let files = fs::read_dir(root().join(SCHEMAS)).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let schemas = COMMANDS.iter().map(|(_, schema)| format!("{schema}.json")).collect();
    assert_eq!(files, schemas);
}

/// Plans of `plans/` with the facts that they are planned from.
const PLANS: [(&str, &str); 6] = [
    ("everything", "2.6.3"),
    ("orthid-2.5-to-2.7", "2.5.0"),
    ("orthid-2.7", "2.6.0"),
    ("orthid-2.7.1", "2.7.0"),
    ("orthid-3.0", "2.8.0"),
    ("runbook", "2.6.0"),
];

/// Facts that fill what the recorded ones leave empty: drift, hooks, CRDs, a renamed value, a version out of reach.
fn eventful() -> Value {
    let path = root().join("tests/fixtures/facts/orthid-2.8.0.json");
    let mut facts: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let release = &mut facts["release"];
    release["live"][0]["spec"] = json!({ "minAvailable": 1 });
    release["available"].as_array_mut().unwrap().push(json!("5.0.0"));
    let target = &mut release["charts"]["3.0.0"];
    target["crds"] = json!({ "keys.yaml": "0".repeat(64) });
    for render in target["renders"].as_object_mut().unwrap().values_mut() {
        render["hooks"] = json!(["pre-upgrade: Job/orthid-migrate"]);
        render["values"]["session"] = json!({ "ttl": "900" });
    }
    facts
}

/// A plan whose migration has no way back, beside [`eventful`] facts.
fn one_way() -> tempfile::TempDir {
    let plan = fs::read_to_string(root().join("plans/orthid-3.0.hcl")).unwrap();
    let edge = "\n  rollback {\n    restore = verify.before.id\n  }\n";
    assert!(plan.contains(edge));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("plan.hcl"), plan.replace(edge, "\n")).unwrap();
    fs::write(folder.path().join("facts.json"), eventful().to_string()).unwrap();
    folder
}

#[test]
fn what_is_printed_of_plans_keeps_to_its_schemas() {
    let (mut plans, mut versions, mut rehearsals) =
        (Documents::of("plan"), Documents::of("versions"), Documents::of("rehearsal"));
    let one_way = one_way();
    let recorded = PLANS.map(|(plan, facts)| {
        (root(), format!("plans/{plan}.hcl"), format!("tests/fixtures/facts/orthid-{facts}.json"))
    });
    let made = (one_way.path().to_owned(), "plan.hcl".to_owned(), "facts.json".to_owned());
    for (folder, plan, facts) in recorded.iter().chain([&made]) {
        let from = |command| printed(folder, &[command, plan, "-facts", facts, "-json"]);
        let planned = plans.check(&from("plan"));
        let rehearsed = rehearsals.check(&from("rehearse"));
        if plan == "plans/runbook.hcl" {
            continue;
        }
        let offered = versions.check(&from("versions"));
        if plan == &made.1 {
            plans.are_strict_about(&planned);
            rehearsals.are_strict_about(&rehearsed);
            versions.are_strict_about(&offered);
        }
    }
    let killed = ["plans/orthid-2.7.1.hcl", "-facts", "tests/fixtures/facts/orthid-2.7.0.json"];
    let killed = [&["rehearse", "-json", "-crash-everywhere"], &killed[..]].concat();
    rehearsals.check(&printed(&root(), &killed));
    let desk = Desk::new(&SLOW.replace("1.5", "0"));
    desk.run(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
    desk.run(&["apply", "saved.plan"]).code(0);
    plans.check(&desk.run(&["show", "saved.plan", "-json"]).code(0).stdout);
    let again = plans.check(&desk.run(&["plan", "plan.hcl", "-json"]).code(0).stdout);
    assert!(again["steps"][0]["expected_ms"].is_u64(), "{again}");
    plans.are_complete_but_for(&[".failure_map[].undo_ms"]);
    versions.are_complete_but_for(&[]);
    // Nothing fails in a smooth run, and a run ends otherwise only where orthid broke a promise.
    rehearsals.are_complete_but_for(&[
        ".kills.other_end[].end",
        ".kills.other_end[].moment",
        ".smooth.fails",
    ]);
}

/// Outputs of the commands that print a run.
struct OfRuns {
    events: Documents,
    runs: Documents,
    lists: Documents,
    types: BTreeSet<String>,
    outcomes: BTreeSet<String>,
}

impl OfRuns {
    fn new() -> OfRuns {
        OfRuns {
            events: Documents::of("event"),
            runs: Documents::of("run"),
            lists: Documents::of("runs"),
            types: BTreeSet::new(),
            outcomes: BTreeSet::new(),
        }
    }

    /// What a command with `--json` printed while it ran.
    fn stream(&mut self, ended: &Ended) {
        for event in self.events.check_lines(&ended.stdout) {
            if self.types.insert(event["type"].as_str().unwrap().to_owned()) {
                self.events.are_strict_about(&event);
            }
        }
    }

    /// What is printed of the newest run at a desk, and of all of them.
    fn at(&mut self, desk: &Desk) {
        self.stream(&desk.run(&["log", "-json"]));
        let report = self.runs.check(&desk.run(&["report", "-json"]).stdout);
        assert!(report["leases"].is_null(), "{report}");
        self.status_at(desk);
    }

    fn status_at(&mut self, desk: &Desk) {
        let status = self.runs.check(&desk.run(&["status", "-json"]).stdout);
        assert!(status["leases"].is_array(), "{status}");
        let list = self.lists.check(&desk.run(&["status", "-all", "-json"]).code(0).stdout);
        self.runs.are_strict_about(&status);
        self.lists.are_strict_about(&list);
        let outcome = |of: &Value| of["outcome"].as_str().unwrap().to_owned();
        let parts = [&status["steps"], &list["runs"]].into_iter().filter_map(Value::as_array);
        self.outcomes.extend(parts.flatten().chain([&status]).map(outcome));
    }
}

/// Each word that a property of the schema may be.
fn words(property: &Value) -> BTreeSet<String> {
    let words = property["enum"].as_array().into_iter().flatten().chain([&property["const"]]);
    words.filter_map(Value::as_str).map(str::to_owned).collect()
}

#[test]
fn what_is_printed_of_runs_keeps_to_its_schemas() {
    let mut seen = OfRuns::new();
    undone(&mut seen);
    remarked(&mut seen);
    stuck(&mut seen);
    answered(&mut seen);
    approved(&mut seen);
    forged(&mut seen);
    seen.runs.check(&render::report::json(&of_an_upgrade()).to_string());
    for outputs in [&seen.events, &seen.runs, &seen.lists] {
        outputs.are_complete_but_for(&[]);
    }
    let types = seen.events.published["oneOf"].as_array().unwrap().iter();
    let types: BTreeSet<String> =
        types.flat_map(|event| words(&event["properties"]["type"])).collect();
    assert_eq!(seen.types, types);
    let of_steps = "/oneOf/0/properties/steps/items/properties/outcome";
    let mut outcomes = words(seen.runs.published.pointer(of_steps).unwrap());
    outcomes.extend(words(&seen.runs.published["properties"]["outcome"]));
    outcomes.extend(words(
        &seen.lists.published["properties"]["runs"]["items"]["properties"]["outcome"],
    ));
    let missing: Vec<&String> = outcomes.difference(&seen.outcomes).collect();
    assert_eq!(missing, ["undoing"], "an undo under way lasts for a moment");
}

/// A run with a skipped step that ends well and is taken back, and one that nothing undoes.
fn undone(seen: &mut OfRuns) {
    let skipped = "idempotent = true\n  when       = run.slow.n == 2";
    let told = r#"echo '{\"n\": 1}'; echo done >> lines"#;
    let plan = SLOW.replace("1.5", "0").replace("idempotent = true", skipped);
    let desk = Desk::new(&plan.replace("echo done >> lines", told));
    seen.stream(&desk.run(&["apply", "plan.hcl", "-auto-approve", "-json"]).code(0));
    seen.at(&desk);
    seen.stream(&desk.run(&["rollback", "-auto-approve", "-json"]).code(0));
    seen.at(&desk);
    let desk = Desk::new("run \"a\" {\n  command    = [\"false\"]\n  on_failure = \"stop\"\n}\n");
    desk.apply().code(9);
    seen.at(&desk);
}

/// A run with a step that there is something to say of, and one that never begins.
fn remarked(seen: &mut OfRuns) {
    let desk = Desk::new(
        "run \"asks\" { command = [\"sh\", \"-c\", \"echo no /dev/tty >&2\"] }\n\nrun \"none\" {\n  depends_on = [run.asks]\n  command    = [\"no-such-program\"]\n}\n",
    );
    desk.apply().code(9);
    seen.at(&desk);
}

/// A run whose undo fails, until a person has put it right.
fn stuck(seen: &mut OfRuns) {
    let undo = "test -e repaired && sed -i s/done/undone/ lines";
    let plan = SLOW.replace("echo after >> lines", "exit 3").replace("1.5", "0");
    let desk = Desk::new(&plan.replace("echo undone >> lines", undo));
    desk.apply().code(7);
    seen.at(&desk);
    fs::write(desk.path("repaired"), "").unwrap();
    seen.stream(&desk.run(&["resume", "-json"]).code(6));
    seen.at(&desk);
}

/// A run that is looked at while it runs, stopped, and goes on by a person's answer.
fn answered(seen: &mut OfRuns) {
    let desk = Desk::new(
        "run \"mail\" {\n  command = [\"sh\", \"-c\", \"echo sent >> lines; sleep 600\"]\n}\n",
    );
    let child = desk.begin();
    desk.wait_for_line("sent");
    seen.at(&desk);
    signal(&child, Signal::SIGINT);
    std::thread::sleep(std::time::Duration::from_millis(150));
    signal(&child, Signal::SIGINT);
    Ended::of(child).code(130);
    desk.run(&["resume"]).code(7);
    seen.at(&desk);
    desk.run(&["resume", "-happened", "run.mail"]).code(0);
    seen.at(&desk);
}

/// A run that waits for an approval.
fn approved(seen: &mut OfRuns) {
    let desk = Desk::new(
        "approve \"go\" {}\n\nrun \"after\" {\n  depends_on = [approve.go]\n  command    = [\"true\"]\n}\n",
    );
    desk.apply().code(5);
    seen.at(&desk);
    desk.run(&["resume", "-approve", "approve.go"]).code(0);
    seen.at(&desk);
}

/// A run that somebody else wrote to: first an approval, then a record, then another plan.
fn forged(seen: &mut OfRuns) {
    let at = Waiting::signing();
    let statement = at.signed("eve.pem", "saved.plan", "approve.go");
    at.append(&[json!({
        "type": "approval_given", "step": "approve.go", "by": "Ada", "statement": statement,
    })]);
    seen.at(&at.desk);
    at.desk.run(&["resume", "-approval", "ok.json", "-sign-key", "ada.pem"]).code(0);
    seen.at(&at.desk);
    at.rewrite(|records| records[2]["at"] = "2020-01-01T00:00:00.000000Z".into());
    seen.at(&at.desk);
    at.swap_plan(b"{}");
    seen.status_at(&at.desk);
}

/// The report of an upgrade, which takes a cluster to run.
fn of_an_upgrade() -> Report {
    Report {
        run: RunId("r".to_owned()),
        plan: "orthid".to_owned(),
        plan_digest: "0".repeat(64),
        versions: Some("2.6.0 → 2.7.1".to_owned()),
        created_at: "2026-11-24T09:00:00.000000Z".to_owned(),
        standing: Standing::Open,
        took: None,
        holders: Vec::new(),
        approvals: Vec::new(),
        steps: Vec::new(),
        pauses: Vec::new(),
        records: 1,
        vouched: Vec::new(),
        refused: BTreeMap::new(),
    }
}

#[test]
fn what_is_printed_of_broken_plans_keeps_to_its_schema() {
    let mut outputs = Documents::of("diagnostics");
    for path in corpus::files("hcl") {
        let document = outputs.check(&render::diagnostics::json(&corpus::diagnostics(&path)));
        if path.ends_with("115-unknown_references.hcl") {
            outputs.are_strict_about(&document);
        }
    }
    outputs.check(&printed(&root(), &["validate", "plans/runbook.hcl", "-json"]));
    outputs.are_complete_but_for(&[]);
}
