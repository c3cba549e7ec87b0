//! The language end to end: text in, steps and diagnostics out.

use super::*;
use crate::model::{Address, Arg, Hop, Step, StepSpec};
use expect_test::{Expect, expect};
use semver::Version;
use std::collections::BTreeMap;

const PLAN: &str = r#"
upgrade "orthid" {
  from = ">= 2.6.0, < 2.7.0"
  to   = "2.7.1"
}

variable "namespace" {
  type    = string
  default = "orthid"
}

release "orthid" {
  namespace = var.namespace
  chart     = "orthid/orthid"
  workloads = ["deployment/orthid-api"]
  values {
    policy = "reuse"
  }
}

database "main" { url = env("ORTHID_DATABASE_URL") }

backup "before" {
  database = database.main
  to       = "backups"
}

verify "before" {
  backup = backup.before.id
  checks = ["select count(*) > 0 from signing_keys"]
}

migrate "schema" {
  backup = verify.before.id
  exec   = ["orthid", "migrate", "up"]
  status = ["orthid", "migrate", "status", "--json"]
  rollback { restore = verify.before.id }
}

roll "app" {
  version = hop.to
  atomic  = true
  timeout = "10m"
  rollback {}
}

smoke "sign_in" {
  request "token" {
    method = "POST"
    url    = "http://127.0.0.1:30080/v1/token"
    json   = { user = "ada", password = env("SMOKE_PASSWORD") }
    expect {
      status = 200
      jwt {
        pointer  = "/access_token"
        jwks_url = "http://127.0.0.1:30080/.well-known/jwks.json"
      }
    }
    capture { token = "/access_token" }
  }
  request "me" {
    url     = "http://127.0.0.1:30080/v1/me"
    headers = { Authorization = "Bearer ${capture.token}" }
    expect { json = { "/email" = "ada@example.com" } }
  }
}
"#;

fn config(text: &str) -> Config {
    let sources = [Source::new("plan.hcl", text)];
    load(&sources, &Inputs::none()).unwrap_or_else(|errors| panic!("{}", errors.render(100, false)))
}

fn hops(versions: &[&str]) -> Vec<Hop> {
    let versions: Vec<Version> = versions.iter().map(|v| v.parse().unwrap()).collect();
    let pairs = versions.windows(2).enumerate();
    pairs.map(|(index, pair)| Hop::new(index, pair[0].clone(), pair[1].clone())).collect()
}

fn steps(text: &str, versions: &[&str]) -> Vec<Step> {
    let steps = config(text).steps(&hops(versions));
    steps.unwrap_or_else(|errors| panic!("{}", errors.render(100, false)))
}

fn check_edges(steps: &[Step], expected: Expect) {
    let lines = steps.iter().map(|step| {
        let after: Vec<_> = step.depends_on.iter().map(ToString::to_string).collect();
        format!("{} <- {}\n", step.address, after.join(" "))
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn a_plan_becomes_steps() {
    let steps = steps(PLAN, &["2.6.3", "2.7.1"]);
    check_edges(
        &steps,
        expect![[r#"
            backup.before <- 
            verify.before <- backup.before
            migrate.schema <- verify.before
            roll.app <- 
            smoke.sign_in <- 
        "#]],
    );
    let StepSpec::Smoke(smoke) = &steps[4].spec else { panic!("not a smoke step") };
    let me = &smoke.requests[1];
    assert_eq!(me.headers["Authorization"], Arg::Known("Bearer {{token}}".to_owned()));
    let Some(Arg::Later(body)) = &smoke.requests[0].body else { panic!("the body holds a secret") };
    assert!(body.sensitive);
    assert_eq!(body.env, ["SMOKE_PASSWORD"]);
    let text = eval_residual(body, &|_, _| None, &|_| Some("hunter2".to_owned())).unwrap();
    assert_eq!(text, r#"{"password":"hunter2","user":"ada"}"#);
}

#[test]
fn hops_give_addresses_a_key_and_references_stay_in_their_hop() {
    let steps = steps(PLAN, &["2.5.0", "2.6.3", "2.7.1"]);
    check_edges(
        &steps[..5],
        expect![[r#"
            backup.before["2.6.3"] <- 
            verify.before["2.6.3"] <- backup.before["2.6.3"]
            migrate.schema["2.6.3"] <- verify.before["2.6.3"]
            roll.app["2.6.3"] <- 
            smoke.sign_in["2.6.3"] <- 
        "#]],
    );
    assert_eq!(steps.len(), 10);
}

/// The plans of this repository, as they are shipped.
const PLANS: [(&str, &str); 6] = [
    ("everything", include_str!("../../plans/everything.hcl")),
    ("orthid-2.5-to-2.7", include_str!("../../plans/orthid-2.5-to-2.7.hcl")),
    ("orthid-2.7.1", include_str!("../../plans/orthid-2.7.1.hcl")),
    ("orthid-2.7", include_str!("../../plans/orthid-2.7.hcl")),
    ("orthid-3.0", include_str!("../../plans/orthid-3.0.hcl")),
    ("runbook", include_str!("../../plans/runbook.hcl")),
];

#[test]
fn every_plan_of_the_repository_is_valid() {
    for (name, text) in PLANS {
        let steps = config(text).validate_steps().unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!steps.is_empty(), "{name} has no steps");
    }
}

/// Locals of a runbook, as the variables of a step, which may be sensitive.
fn values(locals: &str, exprs: &[&str]) -> Vec<Arg> {
    let env: String =
        exprs.iter().enumerate().map(|(i, expr)| format!("v{i:02} = {expr}\n")).collect();
    let text = format!(
        "locals {{\n{locals}\n}}\nbackup \"b\" {{ database = database.main }}\n\
         database \"main\" {{ url = env(\"U\") }}\n\
         run \"x\" {{\ncommand = [\"true\"]\nenv = {{\n{env}}}\n}}\n"
    );
    let steps = steps(&text, &[]);
    let run = steps.into_iter().find_map(|step| match step.spec {
        StepSpec::Run(run) => Some(run),
        _ => None,
    });
    run.expect("there is a run step").env.into_values().collect()
}

fn check_values(locals: &str, exprs: &[&str], expected: Expect) {
    let lines = values(locals, exprs).into_iter().zip(exprs).map(|(arg, expr)| match arg {
        Arg::Known(text) => format!("{expr} = {text}\n"),
        Arg::Later(residual) => {
            let secret = if residual.sensitive { " (secret)" } else { "" };
            format!("{expr} = later{secret}: {}\n", residual.expr)
        }
    });
    expected.assert_eq(&lines.collect::<String>());
}

#[test]
fn expressions_follow_hcl() {
    check_values(
        "list = [1, 2, 3]\nobj = { a = { b = \"deep\" }, \"c d\" = true }",
        &[
            "1 + 2 * 3",
            "(1 + 2) * 3",
            "7 / 2",
            "7 % 4",
            "-local.list[1]",
            "!true || 2 > 1 && \"a\" == \"a\"",
            "local.obj.a.b",
            "local.obj[\"c d\"]",
            "local.list[*]  == [1, 2, 3]",
            "join(\",\", [for i, x in local.list : \"${i}:${x}\" if x > 1])",
            "jsonencode({ for k, v in { a = 1, b = 2 } : upper(k) => v * 10 })",
            "jsonencode({ for x in [\"a\", \"b\", \"a\"] : x => 1... })",
            "jsonencode([for o in [{ n = 1 }, { n = 2 }] : o][*].n)",
        ],
        expect![[r#"
            1 + 2 * 3 = 7
            (1 + 2) * 3 = 9
            7 / 2 = 3.5
            7 % 4 = 3
            -local.list[1] = -2
            !true || 2 > 1 && "a" == "a" = true
            local.obj.a.b = deep
            local.obj["c d"] = true
            local.list[*]  == [1, 2, 3] = true
            join(",", [for i, x in local.list : "${i}:${x}" if x > 1]) = 1:2,2:3
            jsonencode({ for k, v in { a = 1, b = 2 } : upper(k) => v * 10 }) = {"A":10,"B":20}
            jsonencode({ for x in ["a", "b", "a"] : x => 1... }) = {"a":[1,1],"b":[1]}
            jsonencode([for o in [{ n = 1 }, { n = 2 }] : o][*].n) = [1,2]
        "#]],
    );
}

#[test]
fn what_is_not_known_yet_is_folded_to_what_is_left() {
    check_values(
        "id = backup.b.id\nname = \"x\"\nparts = [local.id, \"y\"]",
        &[
            "\"${local.name}-${local.id}\"",
            "local.id",
            "upper(local.id)",
            "local.id == \"a\" ? local.name : \"$${not}\"",
            "join(\"+\", local.parts)",
            "local.parts[1]",
            "length(local.parts)",
            "env(\"HOME\")",
            "\"${env(\"A\")}:${1 + 1}$${x}\"",
            "[for p in local.parts : \"<${p}>\"][0]",
            "nonsensitive(env(\"HOME\"))",
            "try(local.id, \"none\")",
        ],
        expect![[r#"
            "${local.name}-${local.id}" = later: "x-${backup.b.id}"
            local.id = later: backup.b.id
            upper(local.id) = later: upper(backup.b.id)
            local.id == "a" ? local.name : "$${not}" = later: (backup.b.id == "a") ? "x" : "$${not}"
            join("+", local.parts) = later: join("+", [backup.b.id, "y"])
            local.parts[1] = y
            length(local.parts) = 2
            env("HOME") = later (secret): env("HOME")
            "${env("A")}:${1 + 1}$${x}" = later (secret): "${env("A")}:2$${x}"
            [for p in local.parts : "<${p}>"][0] = later: "<${backup.b.id}>"
            nonsensitive(env("HOME")) = later: nonsensitive(env("HOME"))
            try(local.id, "none") = later: try(backup.b.id, "none")
        "#]],
    );
}

#[test]
fn what_is_left_computes_to_the_same_later() {
    let outputs = BTreeMap::from([(
        "backup.b".parse::<Address>().unwrap(),
        BTreeMap::from([("id".to_owned(), serde_json::json!("b-1"))]),
    )]);
    let output = |step: &Address, name: &str| outputs.get(step)?.get(name).cloned();
    let env = |name: &str| (name == "A").then(|| "secret \"${x}\"".to_owned());
    let exprs = [
        ("\"pre-${backup.b.id}\"", "pre-b-1"),
        ("upper(backup.b.id)", "B-1"),
        ("backup.b.id == \"b-1\" ? \"$${yes}\" : \"no\"", "${yes}"),
        ("\"${env(\"A\")}\\n%%{if}\"", "secret \"${x}\"\n%{if}"),
        (
            "jsonencode({ id = backup.b.id, \"a b\" = [1, -2, null, true] })",
            r#"{"a b":[1,-2,null,true],"id":"b-1"}"#,
        ),
        ("join(\",\", [for c in split(\"-\", backup.b.id) : \"<${c}>\"])", "<b>,<1>"),
        ("join(\",\", [for i, c in split(\"-\", backup.b.id) : \"${i}${c}\" if c != \"b\"])", "11"),
        ("\"%{ for c in split(\"-\", backup.b.id) }[${c}]%{ endfor }\"", "[b][1]"),
        ("\"%{ if backup.b.id == \"x\" }a%{ else }${backup.b.id}%{ endif }\"", "b-1"),
        ("split(\"-\", backup.b.id)[1]", "1"),
        ("\"$${${backup.b.id}}\"", "${b-1}"),
        ("\"$${backup.b.id}$\"", "${backup.b.id}$"),
        ("\"cost $${backup}$${\\\"}%\"", "cost ${backup}${\"}%"),
        ("-(length(backup.b.id) + 2)", "-5"),
    ];
    for (expr, expected) in exprs {
        let args = values("", &[expr]);
        let text = match &args[0] {
            Arg::Known(text) => text.clone(),
            Arg::Later(residual) => eval_residual(residual, &output, &env)
                .unwrap_or_else(|error| panic!("{expr} → {}: {error}", residual.expr)),
        };
        assert_eq!(text, expected, "{expr}");
    }
}
