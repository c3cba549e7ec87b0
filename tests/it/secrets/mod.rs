//! Canaries: secrets planted in every form and place that needs no cluster, and looked for in
//! everything that orthid writes or says.

mod upgrade;

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::desk::{Desk, Ended};

const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\n-----END PRIVATE KEY-----\n";

/// The environment of every command: variables of the plan, and what else a machine has.
const SECRETS: [(&str, &str); 7] = [
    ("TOKEN", "glpat-Zq81xCanary"),
    ("PHRASE", "c@nary/\"pa&s<w>ord'ü"),
    ("SIGNING", KEY),
    ("SERVICE_URL", "https://ann:canary%2Fin%2Furl@idp.test/x"),
    ("PIN", "4815162342"),
    ("ORTHID_VAR_pat", "ghx-V4riableCanary"),
    // No plan names this one.
    ("CI_JOB_TOKEN", "amb1ent-canary"),
];

/// What nobody may find: the secrets, what is secret of them by itself, and each as programs write
/// it.
fn traces() -> Vec<String> {
    let mut texts: Vec<String> = SECRETS.iter().map(|(_, secret)| secret.to_string()).collect();
    texts.extend(
        ["canary/in/url", "canary%2Fin%2Furl", "m1nted-canary", "w1tnessed-canary"]
            .map(str::to_owned),
    );
    texts.extend(KEY.lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    let mut traces = texts.clone();
    for text in &texts {
        let escaped = Value::from(text.as_str()).to_string();
        traces.push(escaped[1..escaped.len() - 1].to_owned());
        traces.push(
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string(),
        );
        for before in ["", "x", "xy"] {
            // What stands around it decides the characters at the edges.
            let encoded = STANDARD.encode(format!("{before}{text}"));
            traces.push(encoded[4..encoded.len() - 4].to_owned());
            let encoded = URL_SAFE_NO_PAD.encode(format!("{before}{text}"));
            traces.push(encoded[4..encoded.len() - 4].to_owned());
        }
    }
    traces.retain(|trace| trace.len() >= 6);
    traces
}

/// A folder where everything that is said is kept.
struct Sweep {
    desk: Desk,
    said: String,
    env: BTreeMap<&'static str, &'static str>,
}

impl Sweep {
    fn new(plan: &str) -> Sweep {
        Sweep { desk: Desk::new(plan), said: String::new(), env: BTreeMap::from(SECRETS) }
    }

    fn begin(&self, args: &[&str]) -> Child {
        let mut command = self.desk.command(args);
        command.envs(&self.env).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn run(&mut self, args: &[&str]) -> Ended {
        let ended = Ended::of(self.begin(args));
        self.said.push_str(&format!("{}\n{}\n", ended.stdout, ended.stderr));
        ended
    }

    /// Every place that holds a trace of a secret.
    fn leaks(&self) -> Vec<String> {
        let mut texts = vec![("(said)".to_owned(), self.said.clone())];
        for file in files(&self.desk.path(".")) {
            if !file.ends_with("facts.json") {
                let text = String::from_utf8_lossy(&fs::read(&file).unwrap()).into_owned();
                texts.push((file.display().to_string(), text));
            }
        }
        let traces = traces();
        let found = texts.iter().flat_map(|(place, text)| {
            let here = traces.iter().filter(|trace| text.contains(trace.as_str()));
            here.map(move |trace| {
                let at = text.find(trace.as_str()).unwrap();
                let around = text[..at].chars().rev().take(60).collect::<Vec<_>>();
                format!("{place}: {}{trace}", around.into_iter().rev().collect::<String>())
            })
        });
        found.collect()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Answers every request with a failure that says back what it was sent, and more.
fn echo_server() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap_or(0);
            let said = String::from_utf8_lossy(&request[..read]).replace("\r\n", " ");
            let body = json!({"captured": "w1tnessed-canary", "said": said, "ok": "answer-shown"})
                .to_string();
            let head = format!(
                "HTTP/1.1 422 No\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            );
            drop(stream.write_all(format!("{head}{body}").as_bytes()));
        }
    });
    port
}

const RUNBOOK: &str = r#"
variable "pat" {
  type      = string
  sensitive = true
}

run "blabs" {
  description = "shown-description"
  on_failure  = "continue"
  env         = { PHRASE = env("PHRASE"), SIGNING = env("SIGNING"), PIN = env("PIN") }
  pass_env    = ["TOKEN", "ORTHID_VAR_pat", "CI_JOB_TOKEN"]
  command = ["sh", "-c", <<-SH
    echo shown-on-stdout
    env
    for text in "$TOKEN" "$PHRASE" "$SIGNING" "$PIN" "$ORTHID_VAR_pat" "$CI_JOB_TOKEN"; do
      printf %s "$text" | base64; printf x%s "$text" | base64; printf xy%s "$text" | base64 -w0; echo
      printf x%s "$text" | base64 -w0 | tr '+/' '-_' | tr -d =; echo
    done
    echo "shown-on-stderr: $PHRASE was refused at canary/$(echo in)/url" >&2
    exit 3
  SH
  ]
}

run "tells" {
  depends_on        = [run.blabs]
  sensitive_outputs = ["minted"]
  env = { T = env("TOKEN"), P = env("PIN"), SERVICE_URL = env("SERVICE_URL") }
  command = ["sh", "-c", "echo \"{\\\"user\\\": \\\"shown-user\\\", \\\"token\\\": \\\"Bearer $T\\\", \\\"minted\\\": \\\"m1nted-$(echo canary)\\\", \\\"deep\\\": [{\\\"pin\\\": $P}]}\""]
}

run "uses" {
  pass_env = ["TOKEN"]
  env     = { A = run.tells.token, B = run.tells.minted, C = run.tells.user, V = var.pat }
  command = ["sh", "-c", "echo \"used $A $B $C $V\"; test \"$A\" = \"Bearer $TOKEN\" -a \"$B\" = \"m1nted-$(echo canary)\""]
}

smoke "asks" {
  depends_on = [run.uses]
  on_failure = "continue"
  request "sign_in" {
    url     = "http://127.0.0.1:PORT/sign-in"
    method  = "POST"
    headers = { authorization = "Bearer ${env("TOKEN")}" }
    body    = jsonencode({ password = env("PHRASE"), pat = var.pat, minted = run.tells.minted })
    capture { witnessed = "/captured" }
  }
}

run "lasts" {
  depends_on = [smoke.asks]
  idempotent = true
  env        = { T = run.tells.token, B = run.tells.minted }
  command    = ["sh", "-c", "echo \"working with $T $B\"; echo begun >> lines; until test -e quick; do sleep 0.02; done"]
}
"#;

#[test]
fn no_secret_of_a_runbook_is_found_anywhere() {
    let mut sweep = Sweep::new(&RUNBOOK.replace("PORT", &echo_server().to_string()));
    sweep.run(&["validate", "plan.hcl"]).code(0);
    sweep.run(&["plan", "plan.hcl", "-out", "saved.plan", "-html", "plan.html"]).code(0);
    sweep.run(&["plan", "plan.hcl", "-json"]).code(0);
    sweep.run(&["plan", "plan.hcl", "-markdown"]).code(0);
    sweep.run(&["show", "saved.plan"]).code(0);
    let mut child = sweep.begin(&["apply", "saved.plan", "-json"]);
    sweep.desk.wait_for_line("begun");
    child.kill().unwrap();
    let ended = Ended::of(child);
    sweep.said.push_str(&format!("{}\n{}", ended.stdout, ended.stderr));
    fs::write(sweep.desk.path("quick"), "").unwrap();
    sweep.run(&["resume", "-explain"]).code(0);
    sweep.env.insert("ORTHID_OUTPUT_run_tells_minted", "m1nted-canary");
    sweep.run(&["resume"]).code(0);
    for args in [
        &["report"][..],
        &["report", "-json"],
        &["report", "-markdown"],
        &["report", "-html", "report.html"],
        &["log"],
        &["log", "-json"],
        &["status"],
        &["status", "-json"],
        &["status", "-all"],
    ] {
        sweep.run(args).code(0);
    }
    assert_eq!(sweep.leaks(), Vec::<String>::new());
    let report = fs::read_to_string(sweep.desk.path("report.html")).unwrap();
    let everything = files(&sweep.desk.path(".orthid/runs")).into_iter();
    let evidence: String = everything.map(|file| fs::read_to_string(file).unwrap()).collect();
    for (text, shown) in [
        (&sweep.said, "shown-description"),
        (&sweep.said, "shown-user"),
        (&sweep.said, "shown-on-stderr"),
        (&sweep.said, "answer-shown"),
        (&sweep.said, "env(\\\"TOKEN\\\")"),
        (&sweep.said, "Bearer $T"),
        (&report, "shown-user"),
        (&evidence, "shown-on-stdout"),
        (&evidence, "used (sensitive value)"),
        (&evidence, "PATH=/usr/bin:/bin"),
    ] {
        assert!(text.contains(shown), "`{shown}` is not shown any more:\n{text}");
    }
}

/// What a step does with secrets that it was not given, or that it was given only now.
#[test]
fn secrets_that_no_step_has_used_yet_are_known() {
    let mut sweep = Sweep::new(
        r#"
run "first" {
  pass_env   = ["TOKEN", "PHRASE"]
  command    = ["sh", "-c", "echo $TOKEN, $PHRASE. >&2; exit 3"]
  on_failure = "continue"
}

run "second" {
  depends_on = [run.first]
  env        = { T = env("TOKEN"), P = env("PHRASE") }
  command    = ["true"]
}
"#,
    );
    sweep
        .run(&["apply", "plan.hcl", "-auto-approve"])
        .code(0)
        .says("(sensitive value), (sensitive value).");
    sweep.run(&["report"]).code(0);
    assert_eq!(sweep.leaks(), Vec::<String>::new());
}

#[test]
fn a_command_gets_what_it_needs_and_what_the_plan_passes() {
    let plan = "run \"one\" {\n  env = { OWN = \"x\" }\n  pass_env = [\"PIN\"]\n  command = [\"env\"]\n}\n";
    let mut sweep = Sweep::new(plan);
    sweep.run(&["apply", "plan.hcl", "-auto-approve"]).code(0);
    let kept = files(&sweep.desk.path(".orthid/runs")).into_iter();
    let kept: String = kept.map(|file| fs::read_to_string(file).unwrap()).collect();
    let mut names: Vec<&str> =
        kept.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    names.sort_unstable();
    let marks = ["ORTHID_ATTEMPT", "ORTHID_RUN", "ORTHID_STEP"];
    assert_eq!(names, [&marks[..], &["OWN", "PATH", "PIN"]].concat(), "{kept}");
}

#[test]
fn no_process_of_a_run_leaves_a_core_dump() {
    let desk = Desk::new("run \"one\" { command = [\"sh\", \"-c\", \"ulimit -c\"] }\n");
    desk.apply().code(0);
    let kept = files(&desk.path(".orthid/runs"));
    assert_eq!(fs::read_to_string(&kept[0]).unwrap(), "0\n", "{kept:?}");
}

#[test]
fn an_output_that_holds_a_secret_is_no_argument() {
    let plan = r#"
run "one" {
  env     = { T = env("TOKEN") }
  command = ["sh", "-c", "echo \"{\\\"user\\\": \\\"ann\\\", \\\"found\\\": \\\"$T\\\"}\""]
}

run "two" { command = ["echo", run.one.OUTPUT] }
"#;
    let mut sweep = Sweep::new(&plan.replace("OUTPUT", "user"));
    sweep.run(&["apply", "plan.hcl", "-auto-approve"]).code(0);
    let mut sweep = Sweep::new(&plan.replace("OUTPUT", "found"));
    let refused = sweep.run(&["apply", "plan.hcl", "-auto-approve"]);
    refused
        .says("a sensitive value stands among the arguments of a command")
        .says("pass it by `env`");
    assert_eq!(sweep.leaks(), Vec::<String>::new());
    let declared = plan
        .replace("OUTPUT", "user")
        .replace("env     =", "sensitive_outputs = [\"user\"]\n  env     =");
    let mut sweep = Sweep::new(&declared);
    sweep.run(&["validate", "plan.hcl"]).code(1).says("a sensitive value can't be an argument");
}

#[test]
fn a_secret_in_the_plans_text_is_refused_and_not_shown() {
    for attribute in [
        "url = \"https://ann:plain-canary@idp.test/\"",
        "headers = { authorization = \"Bearer plain-canary\" }\n url = \"http://h/\"",
    ] {
        let plan = format!("smoke \"s\" {{\n  request \"r\" {{\n {attribute}\n }}\n}}\n");
        refused(&plan);
    }
    for attribute in [
        "env = { API_TOKEN = \"plain-canary\", MODE = \"shown\" }",
        "command = [\"curl\", \"-u\", \"ann:plain-canary\", \"http://h/\"]",
        "env = { X = \"ghp_plaincanary0123456789\" }",
    ] {
        let command = if attribute.starts_with("command") { "" } else { "command = [\"true\"]\n" };
        refused(&format!("run \"r\" {{\n {command} {attribute}\n}}\n"));
    }
    refused("variable \"v\" {\n  sensitive = true\n  default = \"plain-canary\"\n}\n");
    refused("database \"d\" {\n  url = \"postgres://u:plain-canary@h/d\"\n}\n");
}

#[test]
fn what_a_run_leaves_is_its_owners_and_not_for_git() {
    let desk = Desk::new("run \"one\" { command = [\"echo\", \"done\"] }\n");
    desk.apply().code(0);
    desk.run(&["plan", "plan.hcl", "-html", "plan.html", "-out", "saved.plan"]).code(0);
    desk.run(&["show", "saved.plan", "-html", "shown.html"]).code(0);
    desk.run(&["report", "-html", "report.html"]).code(0);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for page in ["plan.html", "shown.html", "report.html", "saved.plan"] {
        assert_eq!(mode(&desk.path(page)), 0o600, "{page}");
    }
    for file in files(&desk.path(".orthid")) {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    assert_eq!(mode(&desk.path(".orthid")), 0o700);
    let ignored = fs::read_to_string(desk.path(".orthid/.gitignore")).unwrap();
    assert!(ignored.lines().any(|line| line == "*"), "{ignored}");
}

#[test]
fn a_state_folder_of_somebody_else_is_refused() {
    let desk = Desk::new("run \"one\" { command = [\"true\"] }\n");
    fs::create_dir(desk.path(".orthid")).unwrap();
    if std::os::unix::fs::chown(desk.path(".orthid"), Some(4242), None).is_err() {
        return eprintln!("only root gives a folder away: not covered");
    }
    desk.apply().code(1).says("belongs to uid 4242").says("chown");
    assert!(!desk.path(".orthid/state.db").exists());
}

fn refused(plan: &str) {
    let desk = Desk::new(plan);
    for format in [
        &["validate", "plan.hcl"][..],
        &["validate", "plan.hcl", "-json"],
        &["validate", "plan.hcl", "-sarif"],
    ] {
        let ended = desk.run(format).code(1);
        let said = format!("{}{}", ended.stdout, ended.stderr);
        assert!(said.contains("secret_in_plan"), "{plan}: {said}");
        assert!(!said.contains("canary"), "{plan}: {said}");
    }
}

#[test]
fn errors_hold_no_secret() {
    let mut sweep = Sweep::new(
        "database \"main\" { url = env(\"SERVICE_URL\") }\nbackup \"b\" {\n  database = database.main\n  to = \"x\"\n}\n",
    );
    sweep.run(&["plan", "plan.hcl"]).code(1);
    sweep.run(&["plan", "glpat-Zq81xCanary.hcl"]).code(1).says("(sensitive value)");
    assert_eq!(sweep.leaks(), Vec::<String>::new());
}
