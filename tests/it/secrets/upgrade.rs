//! Canaries in what an upgrade's plan is made from.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use orthid::text::secret::documents;
use serde_json::{Value, json};

use super::{SECRETS, Sweep};

const UPGRADE: &str = r#"
upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

release "orthid" {
  namespace = "orthid"
  chart     = "orthid/orthid"
  workloads = ["deployment/orthid-api"]
  values {
    set = {
      "motd"  = env("TOKEN")
      "pin"   = env("PIN")
      "quote" = env("PHRASE")
      "key"   = env("SIGNING")
      "idp"   = env("SERVICE_URL")
    }
  }
}

database "main" { url = env("SERVICE_URL") }

backup "before" {
  database = database.main
  to       = "backups"
}

verify "before" { backup = backup.before.id }

migrate "schema" {
  backup = verify.before.id
  exec   = ["orthid", "migrate", "up"]
  status = ["orthid", "migrate", "status"]
  rollback { restore = verify.before.id }
}

roll "app" {
  version = hop.to
  rollback {}
}
"#;

/// A recording that was made by an orthid that knew none of the secrets, with each in every form
/// and place.
fn recording() -> Value {
    let text = fs::read_to_string("tests/fixtures/facts/orthid-2.6.0.json").unwrap();
    let mut facts: Value = serde_json::from_str(&text).unwrap();
    let mut data = serde_json::Map::new();
    let mut args = Vec::new();
    for (name, secret) in SECRETS.iter().filter(|(name, _)| !name.starts_with("ORTHID")) {
        data.insert(format!("{name}-raw"), json!(format!("text with {secret} in it")));
        data.insert(format!("{name}-json"), json!(json!({"inner": secret}).to_string()));
        for before in ["", "x", "xy"] {
            let text = format!("{before}{secret}");
            data.insert(format!("{name}-{before}b64"), json!(STANDARD.encode(&text)));
            data.insert(format!("{name}-{before}url"), json!(URL_SAFE_NO_PAD.encode(&text)));
        }
        data.insert(
            format!("{name}-lines"),
            json!(secret.lines().map(|line| format!("  {line}\n")).collect::<String>()),
        );
        let encoded =
            percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC);
        args.push(json!(format!("--value={encoded}")));
        args.push(json!(secret));
    }
    data.insert("shown".to_owned(), json!("shown-in-config-map"));
    let list = json!({"apiVersion": "v1", "kind": "List", "items": [
        {"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "shown-cron"}, "spec": {"args": args, "pin": 4_815_162_342_u64}},
    ]});
    for chart in ["2.6.3", "2.7.1"] {
        for (_, render) in facts["release"]["charts"][chart]["renders"].as_object_mut().unwrap() {
            let mut objects = documents(render["manifest"].as_str().unwrap()).unwrap();
            for object in &mut objects {
                match object["kind"].as_str().unwrap() {
                    "ConfigMap" => object["data"].as_object_mut().unwrap().extend(data.clone()),
                    "Deployment" => {
                        let pod = &mut object["spec"]["template"];
                        pod["metadata"]["annotations"]["note"] = json!(SECRETS[0].1);
                        let container = &mut pod["spec"]["containers"][0];
                        container["args"] = json!(args);
                        container["env"] = json!([{"name": "QUOTE", "value": SECRETS[1].1}]);
                    }
                    _ => {}
                }
            }
            objects.push(list.clone());
            let texts: Vec<String> = objects.iter().map(Value::to_string).collect();
            render["manifest"] = json!(texts.join("\n---\n"));
            render["values"]["motd"] = json!(SECRETS[0].1);
            render["values"]["nested"] =
                json!({"list": [{"quote": SECRETS[1].1}], "shown": "shown-value"});
        }
    }
    facts["release"]["values"]["idp"] = json!(SECRETS[3].1);
    facts["release"]["hooks"] = json!([format!("pre-upgrade Job {}", SECRETS[0].1)]);
    facts["release"]["migrations_error"] = json!(format!("said {} and shown-error", SECRETS[1].1));
    facts
}

#[test]
fn no_secret_of_an_upgrade_is_in_its_plan() {
    let mut sweep = Sweep::new(UPGRADE);
    fs::write(sweep.desk.path("facts.json"), recording().to_string()).unwrap();
    let plan = ["plan", "plan.hcl", "-facts", "facts.json"];
    for args in [&["-out", "saved.plan", "-html", "plan.html"][..], &["-json"], &["-markdown"]] {
        let ended = sweep.run(&[&plan[..], args].concat());
        assert!(matches!(ended.code, Some(0 | 4)), "{ended:#?}");
    }
    sweep.run(&["show", "saved.plan"]).code(0);
    sweep.run(&["rehearse", "plan.hcl", "-facts", "facts.json"]);
    assert_eq!(sweep.leaks(), Vec::<String>::new());
    let page = fs::read_to_string(sweep.desk.path("plan.html")).unwrap();
    for shown in
        ["shown-in-config-map", "shown-cron", "nested.shown", "text with", "orthid-api", "2.7.1"]
    {
        assert!(sweep.said.contains(shown), "`{shown}` is not shown any more:\n{}", sweep.said);
        assert!(page.contains(shown), "`{shown}` is not on the page any more");
    }
}

#[test]
fn a_plan_that_was_made_where_a_secret_was_not_known_is_not_applied() {
    let mut sweep = Sweep::new(UPGRADE);
    fs::write(sweep.desk.path("facts.json"), recording().to_string()).unwrap();
    let plan = ["plan", "plan.hcl", "-facts", "facts.json", "-out", "saved.plan"];
    sweep.desk.run(&plan).code(0);
    let stored = fs::read_to_string(sweep.desk.path("saved.plan")).unwrap();
    assert!(stored.contains(SECRETS[0].1), "nothing told it that this is a secret");
    sweep.run(&["apply", "saved.plan"]).code(4).says("the plan holds a secret");
    assert!(!sweep.desk.path(".orthid").exists());
}
