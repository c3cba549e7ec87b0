//! Every example of the reference, run.

use super::{ALL, Group};
use crate::lang::budget::Budget;
use crate::lang::eval::Evaluator;
use crate::lang::scope::{Moment, Names, PathScope, PlanScope};
use crate::lang::{Code, Diagnostic, Value, syntax};
use std::collections::{BTreeMap, BTreeSet};

fn value(text: &str) -> Result<Value, String> {
    let expr = syntax::parse_expr(text, 0).map_err(|d| d.message)?;
    let (plan, locals, path) = (PlanScope::default(), BTreeMap::new(), PathScope::default());
    let names = Names {
        plan: &plan,
        locals: &locals,
        path: &path,
        hop: None,
        each: None,
        captures: None,
        moment: Moment::Plan,
    };
    let budget = Budget::new(text.len(), 1);
    let files = |_: &str| Err(Diagnostic::new(Code::FileError, "there are no files"));
    let mut evaluator = Evaluator::new(names, &budget, &files);
    let value = evaluator.eval(&expr);
    value.map_err(|_| evaluator.found.first().map(|d| d.message.clone()).unwrap_or_default())
}

#[test]
fn every_example_gives_what_it_says() {
    for function in ALL.iter() {
        let (example, expected) = function.example;
        assert!(
            example.contains(function.name),
            "{}: the example is of something else",
            function.name
        );
        let expected = value(expected).unwrap_or_else(|e| panic!("{}: {e}", function.name));
        match value(example) {
            Ok(value) => assert_eq!(value, expected, "{}", function.name),
            Err(error) => panic!("{}: {error}", function.name),
        }
    }
}

#[test]
fn every_function_has_its_own_name_and_every_group_some() {
    let names: BTreeSet<_> = ALL.iter().map(|function| function.name).collect();
    assert_eq!(names.len(), ALL.len());
    for group in Group::ALL {
        assert!(ALL.iter().any(|function| function.group == group), "{}", group.title());
    }
}

#[test]
fn wrong_arguments_are_named() {
    let cases = [
        ("upper()", "`upper` takes 1 argument, not 0"),
        ("upper([1])", "`upper`: argument 1 must be a string, not a list"),
        ("substr(\"abc\", 9, 1)", "`substr`: the string has 3 characters"),
        ("format(\"%d\", \"x\")", "`format`: `%d` needs a number, not a string"),
        ("format(\"%s\")", "`format`: there is no value for `%s`"),
        ("parseint(\"9\", 8)", "`parseint`: this is not a whole number in base 8"),
        ("regex(\"(\", \"x\")", "`regex`: this regular expression can't be used: unclosed group"),
        ("one([1, 2])", "`one`: the list has 2 elements, not one"),
        ("element([], 0)", "`element`: the list is empty"),
        ("csvdecode(\"a,b\\n1\")", "`csvdecode`: this is not CSV: row 1 has 1 fields, not 2"),
        ("csvdecode(\"a,a\")", "`csvdecode`: this is not CSV: the column `a` occurs twice"),
        ("csvdecode(\"\\\"a\")", "`csvdecode`: this is not CSV: a quote is not closed"),
        (
            "timeadd(\"yesterday\", \"1h\")",
            "`timeadd`: this is not a time; one is written \"2026-11-23T08:00:00Z\"",
        ),
    ];
    for (text, message) in cases {
        assert_eq!(value(text).unwrap_err(), message, "{text}");
    }
}

#[test]
fn tables_and_paths_have_their_edges() {
    let cases = [
        (
            r#"csvdecode("a,b\r\n\"x\"\"y\",\r\n\n,2\n")"#,
            r#"[{ a = "x\"y", b = "" }, { a = "", b = "2" }]"#,
        ),
        (r#"csvdecode("a,b\n1,")"#, r#"[{ a = "1", b = "" }]"#),
        (r#"csvdecode("")"#, "[]"),
        (r#"basename("/")"#, r#""/""#),
        (r#"basename("a/b/")"#, r#""b""#),
        (r#"dirname("/a")"#, r#""/""#),
        (r#"dirname("a")"#, r#"".""#),
    ];
    for (text, expected) in cases {
        assert_eq!(value(text), value(expected), "{text}");
        assert!(value(expected).is_ok(), "{expected}");
    }
}

#[test]
fn yaml_reads_back() {
    let text =
        "{ a = [1, { b = \"x: y\", c = [] }, [2, [3]]], d = { e = null, f = {} }, g = \"true\" }";
    let round = format!("yamldecode(yamlencode({text}))");
    assert_eq!(value(&round).unwrap(), value(text).unwrap());
}
