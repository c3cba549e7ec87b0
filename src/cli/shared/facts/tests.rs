//! Every attribute of the language changes what is planned or what is observed.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::lang::schema::{BlockSchema, FILE, STEP_ATTRIBUTES};
use crate::lang::{self, Inputs, RawValue, Source, VariableInput, VariableOrigin};
use crate::plan::plan;

/// Two hops, with a place for another attribute (`#block`) in every block.
const PLAN: &str = r#"
upgrade "orthid" { #upgrade
  to = "2.7.1"
}
variable "v" { #variable
  default = 1 #default
  validation {
    condition = var.v != 7
    error_message = "not seven"
  }
}
variable "t" { #variable2
  default = "open"
}
variable "n" { #variable3
  default = null
}
locals { #locals
  l = "one"
}
release "orthid" { #release
  namespace = "orthid"
  chart = "orthid/orthid"
  workloads = ["deployment/orthid-api"]
  values { #values
  }
}
database "main" { url = env("URL") }
database "other" { url = env("OTHER_URL") }
changelog { #changelog
}
redact { #redact
}
policy {
  relax "smoke_after_roll" { reason = "a probe watches it" }
}
approve "yes" { #approve
}
backup "before" { #backup
  database = database.main
}
backup "another" { database = database.main }
verify "before" { #verify
  backup = backup.before.id
}
verify "another" { backup = backup.another.id }
migrate "schema" { #migrate
  backup = verify.before.id
  exec = ["orthid", "migrate", "up"]
  status = ["orthid", "migrate", "status", "--json"]
  rollback {}
}
roll "app" { #roll
  rollback {}
}
smoke "serves" {
  depends_on = [roll.app]
  request "ready" { #request
    url = "http://127.0.0.1/readyz"
    expect { #expect
      jwt {
        pointer = "/token"
        jwks_url = "http://127.0.0.1/jwks"
      }
    }
    capture { #capture
    }
  }
}
probe "tokens" { #probe
  during = [roll.app]
  before "mint" { #before
    url = "http://127.0.0.1/mint"
    expect { #before_expect
      jwt {
        pointer = "/token"
        jwks_url = "http://127.0.0.1/jwks"
      }
    }
    capture { #before_capture
    }
  }
  request { #probe_request
    url = "http://127.0.0.1/check"
    expect { #probe_expect
      jwt {
        pointer = "/token"
        jwks_url = "http://127.0.0.1/jwks"
      }
    }
  }
  budget { #budget
  }
}
run "announce" { #run
  depends_on = [roll.app]
  command = ["echo", "${var.v} ${local.l}"]
}
run "more" { #step
  command = ["true"]
  retry { #retry
  }
}
checkpoint "end" {}
"#;

/// Attribute → what of the plan's text is replaced by what. An attribute that is added stands
/// behind its block's mark.
fn changes() -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    let mut row = |attribute: &str, from: &str, to: &str| {
        rows.push((attribute.to_owned(), from.to_owned(), to.to_owned()));
    };
    let mark = |name: &str| format!("#{name}\n");
    for (block, of, added) in [
        ("upgrade", "upgrade", "from = \">= 2.6.0\"\n"),
        ("variable", "variable", "type = bool\n"),
        ("variable", "variable2", "sensitive = true\n"),
        ("variable", "variable3", "nullable = false\n"),
        ("release", "release", "context = \"other\"\n"),
        ("release", "release", "repository = \"https://charts.example\"\n"),
        ("release", "release", "version_of = \"app\"\n"),
        ("release.values", "values", "policy = \"reset\"\n"),
        ("release.values", "values", "files = [\"v.yaml\"]\n"),
        ("release.values", "values", "set = { \"a.b\" = \"1\" }\n"),
        ("changelog", "changelog", "source = \"releases.yaml\"\n"),
        ("redact", "redact", "names = [\"serial\"]\n"),
        ("redact", "redact", "reveal = [\"values.auth.issuerKey\"]\n"),
        ("approve", "approve", "keys = [\"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\"]\n"),
        ("approve", "approve", "deadline = \"1h\"\n"),
        ("approve", "approve", "threshold = 2\n"),
        ("backup", "backup", "to = \"elsewhere\"\n"),
        ("verify", "verify", "checks = [\"select true\"]\n"),
        ("migrate", "migrate", "via = \"exec\"\n"),
        ("migrate", "migrate", "to = \"2.6.0\"\n"),
        ("migrate", "migrate", "workload = \"deployment/other\"\n"),
        ("migrate", "migrate", "container = \"api\"\n"),
        ("migrate", "migrate", "quiesce = true\n"),
        ("roll", "roll", "version = \"2.6.1\"\n"),
        ("roll", "roll", "atomic = false\n"),
        ("probe", "probe", "every = \"1s\"\n"),
        ("probe.budget", "budget", "failures = 3\n"),
        ("probe.budget", "budget", "gap = \"5s\"\n"),
        ("run", "run", "workdir = \"w\"\n"),
        ("run", "run", "env = { A = \"b\" }\n"),
        ("run", "run", "exit_codes = [0, 3]\n"),
        ("run", "run", "observe = [\"true\"]\n"),
        ("run", "run", "undo = [\"true\"]\n"),
        ("run", "run", "idempotent = true\n"),
        ("run", "run", "detached = true\n"),
        ("run", "run", "sensitive_outputs = [\"token\"]\n"),
        ("run", "run", "pass_env = [\"DEPLOY_KEY\"]\n"),
        ("step", "step", "depends_on = [backup.before]\n"),
        ("step", "step", "when = hop.index == 1\n"),
        ("step", "step", "for_each = [\"a\", \"b\"]\n"),
        ("step", "step", "timeout = \"9s\"\n"),
        ("step", "step", "on_failure = \"continue\"\n"),
        ("step", "step", "description = \"told\"\n"),
        ("step", "step", "hops = \"first\"\n"),
        ("retry", "retry", "attempts = 9\n"),
        ("retry", "retry", "delay = \"9s\"\n"),
        ("retry", "retry", "max_delay = \"99s\"\n"),
    ] {
        let attribute = added.split(' ').next().unwrap();
        row(&format!("{block}.{attribute}"), &mark(of), &format!("{}{added}", mark(of)));
    }
    for (block, of, expect) in [
        ("smoke.request", "request", "expect"),
        ("probe.before", "before", "before_expect"),
        ("probe.request", "probe_request", "probe_expect"),
    ] {
        for added in [
            "method = \"PUT\"\n",
            "headers = { A = \"b\" }\n",
            "body = \"b\"\n",
            "json = { a = 1 }\n",
            "timeout = \"9s\"\n",
        ] {
            let attribute = added.split(' ').next().unwrap();
            row(&format!("{block}.{attribute}"), &mark(of), &format!("{}{added}", mark(of)));
        }
        for added in [
            "status = 204\n",
            "headers = { A = \"b\" }\n",
            "json = { \"/a\" = 1 }\n",
            "latency = \"9s\"\n",
        ] {
            let attribute = added.split(' ').next().unwrap();
            let to = format!("{}{added}", mark(expect));
            row(&format!("{block}.expect.{attribute}"), &mark(expect), &to);
        }
        let url = format!("#{of}\n    url = \"http://127.0.0.1");
        row(&format!("{block}.url"), &url, &url.replace("127.0.0.1", "localhost"));
        let jwt = format!(
            "#{expect}\n      jwt {{\n        pointer = \"/token\"\n        jwks_url = \"http://127.0.0.1"
        );
        row(&format!("{block}.expect.jwt.pointer"), &jwt, &jwt.replace("/token", "/other"));
        row(&format!("{block}.expect.jwt.jwks_url"), &jwt, &jwt.replace("127.0.0.1", "localhost"));
    }
    for (attribute, from, to) in [
        ("upgrade.to", "to = \"2.7.1\"", "to = \"2.7.0\""),
        ("variable.default", "default = 1 #", "default = 2 #"),
        ("variable.validation.condition", "var.v != 7", "var.v != 1"),
        ("locals.*", "l = \"one\"", "l = \"two\""),
        ("release.namespace", "namespace = \"orthid\"", "namespace = \"other\""),
        ("release.chart", "chart = \"orthid/orthid\"", "chart = \"other/orthid\""),
        ("release.workloads", "deployment/orthid-api", "deployment/other"),
        ("database.url", "env(\"URL\")", "env(\"URL2\")"),
        ("policy.relax.reason", "a probe watches it", "another reason"),
        (
            "backup.database",
            "#backup\n  database = database.main",
            "#backup\n  database = database.other",
        ),
        ("verify.backup", "backup = backup.before.id", "backup = backup.another.id"),
        ("migrate.backup", "backup = verify.before.id", "backup = verify.another.id"),
        ("migrate.exec", "\"migrate\", \"up\"", "\"migrate\", \"on\""),
        ("migrate.status", "\"--json\"", "\"--yaml\""),
        ("smoke.request.capture.*", "#capture\n", "#capture\ntoken = \"/token\"\n"),
        ("probe.before.capture.*", "#before_capture\n", "#before_capture\ntoken = \"/token\"\n"),
        ("probe.during", "during = [roll.app]", "during = [migrate.schema]"),
        ("run.command", "\"echo\"", "\"printf\""),
    ] {
        row(attribute, from, to);
    }
    rows
}

/// What the language has that changes no plan, and why.
const WITHOUT: [(&str, &str); 4] = [
    ("variable.description", "for people who read the text"),
    ("variable.validation.error_message", "said where the condition fails: a test of its own"),
    ("migrate.rollback.restore", "counts where a migration breaks the old app: a test of its own"),
    ("changelog.guide.sha256", "counts where a major is entered: a test of its own"),
];

/// What is planned from the text and what is observed for it; or what is wrong with it.
fn effect(text: &str) -> String {
    let files = |_: &str| Ok(b"format: 1\n".to_vec());
    let given =
        VariableInput { value: RawValue::Text("x".to_owned()), from: VariableOrigin::Environment };
    let variables = BTreeMap::from([("unused".to_owned(), given)]);
    let inputs = Inputs { variables, files: &files, require_variables: true };
    let config = match lang::load(&[Source::new("p.hcl", text)], &inputs) {
        Ok(config) => config,
        Err(errors) => return errors.to_string(),
    };
    let steps = config.validate_steps().unwrap();
    let subject = subject(&config, Path::new("/plan"), &steps);
    let wanted = Wanted { observed_at: String::new(), ..wanted(subject) };
    let redact = subject.redact;
    let bytes = include_bytes!("../../../../tests/fixtures/facts/orthid-2.5.0.json");
    let planned = match plan(&config, &recording::read(bytes).unwrap()) {
        // The digest of the text itself differs whatever the text says.
        Ok(plan) => format!("{:?}", Plan { files: Vec::new(), ..plan }),
        Err(error) => format!("{error}"),
    };
    format!("{wanted:?}\n{redact:?}\n{planned}")
}

/// Attributes of a block and of those in it: `probe.budget.gap`. What all steps have is there once.
fn attributes(block: &BlockSchema, path: &str, found: &mut BTreeSet<String>) {
    let prefix = if block.name == "retry" { "retry" } else { path };
    let own = block.attributes.iter().map(|attribute| attribute.name);
    let open = block.open.iter().map(|_| "*");
    found.extend(own.chain(open).map(|name| format!("{prefix}.{name}")));
    if block.step {
        found.extend(STEP_ATTRIBUTES.iter().map(|attribute| format!("step.{}", attribute.name)));
    }
    for inner in block.blocks {
        attributes(inner, &format!("{path}.{}", inner.name), found);
    }
}

#[test]
fn no_attribute_is_without_effect() {
    let before = effect(PLAN);
    assert!(before.contains("roll"), "the plan that is changed can be planned: {before}");
    let (mut tried, mut idle) = (BTreeSet::new(), Vec::new());
    for (attribute, from, to) in changes() {
        assert!(PLAN.contains(&from), "{attribute}: the plan has no `{from}`");
        if effect(&PLAN.replacen(&from, &to, 1)) == before {
            idle.push(attribute.clone());
        }
        tried.insert(attribute);
    }
    assert!(idle.is_empty(), "these change nothing: {idle:?}");
    let mut known = BTreeSet::new();
    for block in FILE.blocks {
        attributes(block, block.name, &mut known);
    }
    tried.extend(WITHOUT.map(|(attribute, _)| attribute.to_owned()));
    assert_eq!(tried, known, "every attribute of the schema is tried, and no other");
}

#[test]
fn what_a_validation_says_is_said() {
    let text = PLAN.replacen("var.v != 7", "var.v != 1", 1);
    assert!(effect(&text).contains("not seven"));
}

#[test]
fn a_major_needs_its_guide_and_names_the_way_back() {
    let text = include_str!("../../../../plans/orthid-3.0.hcl");
    let bytes = include_bytes!("../../../../tests/fixtures/facts/orthid-2.8.0.json");
    let facts = recording::read(bytes).unwrap();
    let planned = |text: &str| {
        let source = Source::new("p.hcl", text);
        let config = lang::load(&[source], &Inputs::none()).unwrap_or_else(|e| panic!("{e}"));
        plan(&config, &facts)
    };
    let restores = |plan: Plan| plan.rollback_edges.iter().any(|edge| edge.restores.is_some());
    assert!(restores(planned(text).unwrap()));
    let restore = "restore = verify.before.id";
    assert!(text.contains(restore) && !restores(planned(&text.replace(restore, "")).unwrap()));
    let digest = text.split("sha256 = \"").nth(1).unwrap().split('"').next().unwrap();
    assert!(planned(&text.replace(digest, &"0".repeat(64))).is_err());
}
