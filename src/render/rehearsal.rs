//! A rehearsal's outcome.

use serde_json::{Value, json};

use super::table;
use crate::model::Address;
use crate::plan::Plan;
use crate::simulate::{Kills, Rehearsal, Row};
use crate::text::safe::masked;

/// The table of failures. Width in columns.
pub fn text(plan: &Plan, rehearsal: &Rehearsal, width: usize) -> String {
    let mut table = table::ruled(["fails", "the run ends", "undone", "stays"], width);
    for row in std::iter::once(&rehearsal.smooth).chain(&rehearsal.rows) {
        table.add_row([failing(row), ends(row).to_owned(), list(&row.undone), list(&row.left)]);
    }
    let mut text = format!("{table}\n\n");
    let point = point_of_no_return(plan).unwrap_or_else(|| "none".to_owned());
    text.push_str(&format!("Point of no return: {point}\n"));
    if let Some(step) = &rehearsal.first_that_stays
        && plan.point_of_no_return.is_none()
    {
        text.push_str(&format!("What {step} does stays when a later step fails.\n"));
    }
    if let Some(kills) = &rehearsal.kills {
        text.push_str(&format!(
            "Killed at {} moments and resumed: {} times the same end.\n",
            kills.moments, kills.same
        ));
    }
    let asked = asked(rehearsal);
    if asked.is_empty() {
        text.push_str("A person is never needed.\n");
    } else {
        text.push_str("\nA person is needed where\n");
    }
    for Asked { when, step, question } in asked {
        text.push_str(&format!("  {when}: {step}\n    {question}\n"));
    }
    masked(&text)
}

/// The document that `--json` prints.
pub fn json(plan: &Plan, rehearsal: &Rehearsal) -> Value {
    let row = |row: &Row| {
        json!({
            "fails": row.failing,
            "status": row.status,
            "undone": row.undone,
            "stays": row.left,
            "trouble": row.trouble,
        })
    };
    let kills = |kills: &Kills| {
        let other = kills.other.iter().map(|(moment, end)| json!({"moment": moment, "end": end}));
        json!({
            "moments": kills.moments,
            "same_end": kills.same,
            "other_end": other.collect::<Vec<_>>(),
        })
    };
    let asked: Vec<Value> = asked(rehearsal)
        .into_iter()
        .map(|Asked { when, step, question }| {
            json!({"when": when, "step": step, "question": question})
        })
        .collect();
    json!({
        "format_version": 1,
        "smooth": row(&rehearsal.smooth),
        "failures": rehearsal.rows.iter().map(row).collect::<Vec<_>>(),
        "point_of_no_return": plan.point_of_no_return,
        "first_that_stays": rehearsal.first_that_stays,
        "kills": rehearsal.kills.as_ref().map(kills),
        "person_needed": asked,
    })
}

fn list(steps: &[Address]) -> String {
    match steps.is_empty() {
        true => "—".to_owned(),
        false => steps.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
    }
}

fn ends(row: &Row) -> &'static str {
    match row.status {
        Some(status) => status.text(),
        None if row.trouble.is_empty() => "waits for an approval",
        None => "does not come to an end",
    }
}

fn failing(row: &Row) -> String {
    row.failing.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
}

fn point_of_no_return(plan: &Plan) -> Option<String> {
    plan.point_of_no_return.as_ref().map(|point| format!("{}: {}", point.step, point.reason))
}

/// A state in which a person would be needed.
struct Asked {
    when: String,
    step: String,
    question: String,
}

fn asked(rehearsal: &Rehearsal) -> Vec<Asked> {
    let rows = std::iter::once(&rehearsal.smooth).chain(&rehearsal.rows);
    let failing = rows.flat_map(|row| {
        row.asked.iter().map(|(step, question)| Asked {
            when: format!("{} fails", self::failing(row)),
            step: step.to_string(),
            question: question.clone(),
        })
    });
    let killed = rehearsal.kills.iter().flat_map(|kills| &kills.asked);
    let killed = killed.map(|(moment, step, question)| Asked {
        when: format!("orthid is killed at {moment}"),
        step: step.to_string(),
        question: question.clone(),
    });
    failing.chain(killed).collect()
}
