//! The language end to end: text in, steps and diagnostics out.

use super::*;
use crate::model::{Arg, Hop, Step, StepSpec};
use expect_test::{Expect, expect};
use semver::Version;

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
    let text = eval_residual(body, &Default::default(), &|_| Some("hunter2".to_owned())).unwrap();
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
