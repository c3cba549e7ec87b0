//! What a rehearsal says of small plans.

use expect_test::{Expect, expect, expect_file};
use orthid::model::Address;
use orthid::plan::Plan;
use orthid::simulate::{Row, rehearse};

use crate::support::plans::{Command, commands, plan, runs, upgrade};
use crate::support::program;

fn list(steps: &[Address]) -> String {
    if steps.is_empty() {
        return "nothing".to_owned();
    }
    steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn line(row: &Row) -> String {
    assert_eq!(row.trouble, [""; 0]);
    let failing = row.failing.as_ref().map_or("-".to_owned(), ToString::to_string);
    let asked: Vec<Address> = row.asked.iter().map(|(step, _)| step.clone()).collect();
    format!(
        "{failing}: {}; undone: {}; left: {}; asked at: {}\n",
        row.status.map_or("waits", orthid::journal::RunStatus::text),
        list(&row.undone),
        list(&row.left),
        list(&asked)
    )
}

fn check(plan: &std::sync::Arc<Plan>, expect: Expect) {
    let all: Vec<Address> = plan.steps.iter().map(|step| step.address.clone()).collect();
    let rehearsal = rehearse(plan, &all, true);
    let mut text = line(&rehearsal.smooth);
    for row in &rehearsal.rows {
        text.push_str(&line(row));
    }
    let stays = rehearsal.first_that_stays.map_or("none".to_owned(), |step| step.to_string());
    text.push_str(&format!("first that stays: {stays}\n"));
    let kills = rehearsal.kills.unwrap();
    text.push_str(&format!(
        "killed {} times, the same end {} times, asked {} times\n",
        kills.moments,
        kills.same,
        kills.asked.len()
    ));
    expect.assert_eq(&text);
}

#[test]
fn an_upgrade_rolls_back_from_anywhere() {
    check(
        &upgrade(),
        expect![[r#"
            -: succeeded; undone: nothing; left: migrate.schema, roll.app; asked at: nothing
            approve.gate: waits; undone: nothing; left: nothing; asked at: approve.gate
            backup.before: failed, not rolled back; undone: nothing; left: nothing; asked at: nothing
            verify.before: failed, not rolled back; undone: nothing; left: nothing; asked at: nothing
            migrate.schema: rolled back; undone: migrate.schema; left: nothing; asked at: nothing
            roll.app: rolled back; undone: roll.app, migrate.schema; left: nothing; asked at: nothing
            smoke.sign_in: rolled back; undone: roll.app, migrate.schema; left: nothing; asked at: nothing
            probe.tokens: failed, not rolled back; undone: nothing; left: nothing; asked at: nothing
            checkpoint.done: rolled back; undone: roll.app, migrate.schema; left: nothing; asked at: nothing
            first that stays: none
            killed 39 times, the same end 39 times, asked 0 times
        "#]],
    );
}

#[test]
fn commands_of_which_nothing_can_be_told_need_a_person() {
    check(
        &commands(),
        expect![[r#"
        -: succeeded; undone: nothing; left: run.observable, run.idempotent, run.opaque; asked at: nothing
        run.observable: rolled back; undone: run.idempotent; left: nothing; asked at: nothing
        run.idempotent: rolled back; undone: run.observable, run.idempotent; left: nothing; asked at: nothing
        run.opaque: rolled back; undone: run.opaque, run.observable, run.idempotent; left: nothing; asked at: nothing
        checkpoint.join: rolled back; undone: run.opaque, run.observable, run.idempotent; left: nothing; asked at: nothing
        smoke.last: rolled back; undone: run.opaque, run.observable, run.idempotent; left: nothing; asked at: nothing
        first that stays: none
        killed 31 times, the same end 31 times, asked 8 times
    "#]],
    );
}

#[test]
fn a_step_without_a_way_back_stays() {
    let mut one_way = runs("run.one_way", &[], Command::Observable);
    one_way.rollback = None;
    check(
        &plan(vec![one_way, runs("run.after", &["run.one_way"], Command::Observable)]),
        expect![[r#"
            -: succeeded; undone: nothing; left: run.one_way, run.after; asked at: nothing
            run.one_way: failed, not rolled back; undone: nothing; left: nothing; asked at: nothing
            run.after: rolled back; undone: nothing; left: run.one_way; asked at: nothing
            first that stays: run.one_way
            killed 16 times, the same end 16 times, asked 0 times
        "#]],
    );
}

/// `orthid rehearse` on one of the plans that people start from, from a recording.
fn rehearsed(args: &[&str]) -> (Option<i32>, String, String) {
    let out = program::orthid(std::path::Path::new(env!("CARGO_MANIFEST_DIR")))
        .arg("rehearse")
        .args(args)
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (out.status.code(), text(out.stdout), text(out.stderr))
}

const MINOR: [&str; 3] =
    ["plans/orthid-2.7.hcl", "-facts", "tests/fixtures/facts/orthid-2.6.0.json"];

#[test]
fn the_command_draws_what_becomes_of_a_plan() {
    let (code, table, _) = rehearsed(&[&MINOR[..], &["-crash-everywhere"]].concat());
    assert_eq!(code, Some(0));
    expect_file!["./snapshots/rehearsal.txt"].assert_eq(&table);
}

#[test]
fn the_command_tells_programs_too() {
    let (code, json, _) = rehearsed(&[&MINOR[..], &["-fail", "roll.app", "-json"]].concat());
    assert_eq!(code, Some(0));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["failures"].as_array().unwrap().len(), 1);
    assert_eq!(json["failures"][0]["status"], "rolled_back");
    assert_eq!(json["failures"][0]["undone"][0], "roll.app");
    assert_eq!(json["failures"][0]["trouble"], serde_json::json!([]));
    assert_eq!(json["first_that_stays"], "migrate.schema");
}

#[test]
fn a_step_that_is_not_there_is_suggested() {
    let (code, _, error) = rehearsed(&[&MINOR[..], &["-fail", "roll.ap"]].concat());
    assert_eq!(code, Some(1));
    assert!(error.contains("did you mean `roll.app`?"), "{error}");
}
