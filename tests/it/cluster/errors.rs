//! What can't be planned: one paragraph that names the thing and the way out, exit 1, nothing changed.

use std::time::{Duration, Instant};

use super::{HELM_3, installed};

type Pairs = &'static [(&'static str, &'static str)];

/// What is missing; how the plan and the environment are changed for it; what the error names.
type Case = (&'static str, Pairs, Pairs, &'static [&'static str]);

#[test]
fn what_is_missing_is_named_with_the_way_out() {
    let mut place = installed!("orthid-errors", HELM_3, "2.6.0");
    let cases: [Case; 5] = [
        (
            "a version that is not offered",
            &[("to   = \"2.7.1\"", "to   = \"2.7.9\"")],
            &[],
            &["2.7.9", "2.7.1"],
        ),
        (
            "a release that is not installed",
            &[],
            &[("ORTHID_VAR_namespace", "orthid-nowhere")],
            &["orthid-nowhere", "helm list"],
        ),
        ("a cluster that does not answer", &[], &[("KUBECONFIG", "kubeconfig")], &["127.0.0.1:9"]),
        ("no helm", &[], &[("PATH", "/usr/bin:/bin")], &["helm", "PATH"]),
        (
            "a database that does not answer",
            &[],
            &[("ORTHID_DATABASE_URL", "postgres://orthid:s3cret-word@127.0.0.1:9/orthid")],
            &["`main`", "127.0.0.1:9"],
        ),
    ];
    let kubeconfig = std::fs::read_to_string(place.var("KUBECONFIG")).unwrap();
    let (_, port) = kubeconfig.split_once("https://127.0.0.1:").unwrap();
    let port: String = port.chars().take_while(char::is_ascii_digit).collect();
    place.write("kubeconfig", &kubeconfig.replace(&format!("127.0.0.1:{port}"), "127.0.0.1:9"));
    for (what, edits, vars, named) in cases {
        place.plan("orthid-2.7.hcl", edits);
        let kept: Vec<(&str, Option<String>)> =
            vars.iter().map(|(name, _)| (*name, place.maybe(name))).collect();
        for (name, value) in vars {
            place.set_var(name, value);
        }
        let began = Instant::now();
        let ended = place.orthid(&["plan", "plan.hcl", "-out", "saved.plan"]);
        eprintln!("== {what}\n{}", ended.stderr);
        assert_eq!(ended.code, Some(1), "{what}: {}", ended.stdout);
        assert_eq!(ended.stdout, "", "{what}");
        assert!(began.elapsed() < Duration::from_secs(60), "{what} took {:?}", began.elapsed());
        for name in named {
            assert!(ended.stderr.contains(name), "{what} does not name `{name}`");
        }
        assert!(!ended.stderr.contains("s3cret-word"), "{what}");
        for (name, value) in kept {
            match value {
                Some(value) => place.set_var(name, &value),
                None => place.unset_var(name),
            }
        }
    }
    assert_eq!(place.revisions(), ["deployed orthid-2.6.0"]);
    assert_eq!(place.serves(), ("2.6.0".to_owned(), 3));
    assert!(place.evidence().is_empty(), "no run was begun");
}

#[test]
fn a_workload_that_is_not_there_blocks_the_plan() {
    let place = installed!("orthid-workloads", HELM_3, "2.6.0");
    let both = r#"["deployment/orthid-api", "statefulset/orthid-cache"]"#;
    place.plan("orthid-2.7.hcl", &[(r#"["deployment/orthid-api"]"#, both)]);
    let ended = place.orthid(&["plan", "plan.hcl", "-out", "saved.plan"]);
    assert_eq!(ended.code, Some(4), "{}", ended.stderr);
    let finding = "statefulset/orthid-cache is not in namespace orthid-workloads";
    assert!(ended.stdout.contains(finding), "{}", ended.stdout);
    assert!(!ended.stdout.contains("deployment/orthid-api is not"), "{}", ended.stdout);
}
