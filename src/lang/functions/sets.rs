//! Lists as sets: sorted, without repetitions.

use std::sync::Arc;

use crate::lang::Value;
use crate::lang::functions::collections::distinct_items;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};

const G: Group = Group::Sets;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "setintersection(lists...)",
            "What is in every list.",
            (r#"setintersection(["a", "b"], ["b", "c"])"#, r#"["b"]"#),
            (1, None),
            Run::Known(setintersection),
        ),
        row(
            G,
            "setproduct(lists...)",
            "Every combination of one element of each list.",
            (r#"setproduct(["a", "b"], [1])"#, r#"[["a", 1], ["b", 1]]"#),
            (1, None),
            Run::Known(setproduct),
        ),
        row(
            G,
            "setsubtract(list, without)",
            "What is in the first list and not in the second.",
            (r#"setsubtract(["a", "b"], ["b"])"#, r#"["a"]"#),
            (2, Some(2)),
            Run::Known(setsubtract),
        ),
        row(
            G,
            "setunion(lists...)",
            "What is in any of the lists.",
            (r#"setunion(["b"], ["a", "b"])"#, r#"["a", "b"]"#),
            (1, None),
            Run::Known(setunion),
        ),
        row(
            G,
            "toset(list)",
            "Sorted and without repetitions, for `for_each`.",
            (r#"toset(["b", "a", "b"])"#, r#"["a", "b"]"#),
            (1, Some(1)),
            Run::Known(toset),
        ),
    ]
}

/// Strings before everything else, by their characters; the rest by its JSON.
fn sorted(a: &Arguments, items: &[Value]) -> Made {
    let mut items = distinct_items(a, items)?;
    a.spend(items.len() * 8, 0)?;
    items.sort_by_cached_key(|item| match item {
        Value::Number(number) => (1, Some(*number), Arc::from("")),
        Value::String(text) => (0, None, text.clone()),
        other => (2, None, Arc::from(other.to_json().map(|j| j.to_string()).unwrap_or_default())),
    });
    a.make_list(items)
}

fn toset(a: &Arguments) -> Made {
    sorted(a, &a.list(0)?.items)
}

fn setunion(a: &Arguments) -> Made {
    let mut items = Vec::new();
    for index in 0..a.len() {
        let list = a.list(index)?;
        a.spend(list.items.len(), 32 * list.items.len())?;
        items.extend(list.items.iter().cloned());
    }
    sorted(a, &items)
}

fn keep(
    a: &Arguments,
    other: usize,
    present: bool,
    items: Vec<Value>,
) -> Result<Vec<Value>, Wrong> {
    let other = a.list(other)?;
    a.spend(items.len().saturating_mul(other.items.len()), 0)?;
    Ok(items.into_iter().filter(|item| other.items.contains(item) == present).collect())
}

fn setintersection(a: &Arguments) -> Made {
    let mut items = a.list(0)?.items.clone();
    for index in 1..a.len() {
        items = keep(a, index, true, items)?;
    }
    sorted(a, &items)
}

fn setsubtract(a: &Arguments) -> Made {
    let items = keep(a, 1, false, a.list(0)?.items.clone())?;
    sorted(a, &items)
}

fn setproduct(a: &Arguments) -> Made {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for index in 0..a.len() {
        let list = a.list(index)?;
        let count = rows.len().saturating_mul(list.items.len());
        a.spend(count, count.saturating_mul(32 * (index + 2)))?;
        rows = rows
            .iter()
            .flat_map(|row| {
                list.items.iter().map(|item| {
                    let mut longer = row.clone();
                    longer.push(item.clone());
                    longer
                })
            })
            .collect();
    }
    a.make_list(rows.into_iter().map(Value::list).collect())
}
