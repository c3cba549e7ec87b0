//! What steps print, through the journal and back: the built program, and both stores with whatever JSON there is.

use std::collections::BTreeMap;

use orthid::journal::{Event, hash_of};
use orthid::model::{Address, StepKind, json};
use orthid::store::{Holder, SqliteStore, Store};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::chain::{Chain, new_run};
use crate::support::desk::Desk;

/// A step that prints this, one that is given it, and one that fails.
fn printing(text: &str) -> Desk {
    let desk = Desk::new(
        r#"
run "measure" {
  command = ["cat", "printed"]
}

run "use" {
  depends_on = [run.measure]
  command    = ["sh", "-c", "echo \"$VALUE\" >> lines"]
  env        = { VALUE = run.measure.value }
}

run "stop" {
  depends_on = [run.use]
  command    = ["false"]
  on_failure = "stop"
}
"#,
    );
    std::fs::write(desk.path("printed"), text).unwrap();
    desk
}

#[test]
fn numbers_come_back_from_the_journal_as_they_were_printed() {
    for number in [
        "1.1124053581027782e-7",
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890",
        "0.1000000000000000055511151231257827",
        "1e400",
        "5e-324",
    ] {
        let desk = printing(&format!("{{\"value\": \"x\", \"number\": {number}}}\n"));
        desk.apply().code(9);
        for command in
            [&["log", "-json"][..], &["report", "-json"], &["report"], &["status", "-json"]]
        {
            let shown = desk.run(command).code(0).stdout;
            assert!(shown.contains(number), "{number}: {command:?}: {shown}");
        }
        desk.run(&["status"]).code(0);
        desk.run(&["log"]).code(0);
    }
}

#[test]
fn values_of_any_depth_come_back() {
    for depth in [100, 126, 127, 128, 300, 498] {
        let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let desk = printing(&format!("{{\"value\": \"x\", \"deep\": {deep}}}\n"));
        desk.apply().code(9);
        assert_eq!(desk.lines(), ["x"]);
        for command in [&["log", "-json"][..], &["report"], &["log"], &["status"]] {
            let shown = desk.run(command).code(0).stdout;
            assert!(command != ["log", "-json"] || shown.contains(&deep), "{depth}: {shown}");
        }
        assert!(desk.run(&["report", "-html", "r.html"]).code(0).stderr.is_empty());
    }
}

#[test]
fn outputs_that_cannot_be_kept_are_refused_by_name() {
    let deepest = format!("{{\"value\": {}1{}}}", "[".repeat(600), "]".repeat(600));
    for (printed, names) in [
        (r#"{"value": "x", "value": "y"}"#, "`value` stands there twice"),
        (r#"{"value": {"a": [{"b": 1, "b": 1}]}}"#, "`value.a[0].b` stands there twice"),
        (r#"{"value": {"$number": "1"}}"#, "`value` is an object with the key `$number`"),
        (&deepest, "nested more than 500 levels deep"),
    ] {
        let desk = printing(&format!("{{\"value\": \"older\"}}\n{printed}\n"));
        desk.apply().code(9).says("run.measure: failed").says(names);
        assert_eq!(desk.lines(), [""; 0], "{printed}");
        desk.run(&["report"]).code(0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// What a store gives back is what was printed, and its hash is that of the bytes that it holds.
    #[test]
    fn a_store_gives_back_what_was_printed(texts in proptest::collection::vec(texts(), 1..6)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(stored_and_read(&texts));
    }
}

async fn stored_and_read(texts: &[String]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let store = SqliteStore::open(&path).await.unwrap();
    let holder = Holder { who: "ada@one".to_owned(), pid: 4711 };
    let ttl = std::time::Duration::from_secs(60);
    let lease = store.acquire_lease("s", &holder, ttl).await.unwrap();
    let mut chain = Chain::new("r", lease.epoch);
    store.create_run(&lease, &new_run("r", "s"), &[chain.next("created")]).await.unwrap();
    for text in texts {
        let value = json::read(text).unwrap();
        let event = Event::StepSucceeded {
            step: Address::new(StepKind::Run, "a"),
            outputs: BTreeMap::from([("value".to_owned(), value)]),
            adopted: false,
        };
        store.append(&lease, &[chain.next_event(event)]).await.unwrap();
    }
    drop(store);
    let reopened = SqliteStore::open(&path).await.unwrap();
    let records = reopened.records(&chain.run, 1).await.unwrap();
    let bodies = rusqlite::Connection::open(&path).unwrap();
    for (record, text) in records.iter().zip(texts) {
        let Event::StepSucceeded { outputs, .. } = &record.event else { panic!("{record:?}") };
        let expected = json::read(text).unwrap();
        assert_eq!(outputs["value"], expected);
        assert!(json::same(&outputs["value"], &expected));
        let sql = "SELECT body FROM records WHERE seq = ?1";
        let body: String = bodies.query_row(sql, [record.seq as i64], |row| row.get(0)).unwrap();
        assert_eq!(hash_of(body.as_bytes()), record.hash());
    }
    assert_eq!(records.len(), texts.len());
}

/// JSON texts as anybody may print them.
fn texts() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,4})?";
    let leaf = prop_oneof![
        Just("null".to_owned()),
        number,
        any::<f64>()
            .prop_filter("finite", |n| n.is_finite())
            .prop_map(|n| Value::from(n).to_string()),
        any::<u64>().prop_map(|n| n.to_string()),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
    ];
    leaf.prop_recursive(6, 32, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5)
                .prop_map(|items| format!("[{}]", items.join(", "))),
            proptest::collection::btree_map("[a-zé \"\\\\]{0,4}", inner, 0..5).prop_map(
                |members| {
                    let members = members.into_iter();
                    let members =
                        members.map(|(key, value)| format!("{}: {value}", Value::from(key)));
                    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
                }
            ),
        ]
    })
}
