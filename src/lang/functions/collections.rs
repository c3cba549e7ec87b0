//! Lists and objects.

use std::collections::HashSet;

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};
use crate::lang::value::Number;

const G: Group = Group::Collections;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "alltrue(list)",
            "Is every element true?",
            ("alltrue([true, true])", "true"),
            (1, Some(1)),
            Run::Known(alltrue),
        ),
        row(
            G,
            "anytrue(list)",
            "Is an element true?",
            ("anytrue([false, true])", "true"),
            (1, Some(1)),
            Run::Known(anytrue),
        ),
        row(
            G,
            "chunklist(list, size)",
            "Lists of at most this many elements.",
            ("chunklist([1, 2, 3], 2)", "[[1, 2], [3]]"),
            (2, Some(2)),
            Run::Shallow(chunklist),
        ),
        row(
            G,
            "coalesce(values...)",
            "The first that is neither null nor empty text.",
            (r#"coalesce(null, "", "main")"#, r#""main""#),
            (1, None),
            Run::Known(coalesce),
        ),
        row(
            G,
            "coalescelist(lists...)",
            "The first list that is not empty.",
            ("coalescelist([], [1])", "[1]"),
            (1, None),
            Run::Shallow(coalescelist),
        ),
        row(
            G,
            "compact(list)",
            "Without null and empty text.",
            (r#"compact(["a", "", null])"#, r#"["a"]"#),
            (1, Some(1)),
            Run::Known(compact),
        ),
        row(
            G,
            "concat(lists...)",
            "The lists one after the other.",
            ("concat([1], [2, 3])", "[1, 2, 3]"),
            (1, None),
            Run::Shallow(concat),
        ),
        row(
            G,
            "contains(list, value)",
            "Is the value an element?",
            (r#"contains(["patch", "minor"], "minor")"#, "true"),
            (2, Some(2)),
            Run::Known(contains),
        ),
        row(
            G,
            "distinct(list)",
            "Without repetitions; the first of each stays.",
            ("distinct([2, 1, 2])", "[2, 1]"),
            (1, Some(1)),
            Run::Known(distinct),
        ),
        row(
            G,
            "element(list, index)",
            "An element; an index past the end starts over.",
            (r#"element(["a", "b"], 3)"#, r#""b""#),
            (2, Some(2)),
            Run::Shallow(element),
        ),
        row(
            G,
            "flatten(list)",
            "Lists in it, at any depth, are replaced by their elements.",
            ("flatten([1, [2, [3]]])", "[1, 2, 3]"),
            (1, Some(1)),
            Run::Shallow(flatten),
        ),
        row(
            G,
            "index(list, value)",
            "Where the value is first found.",
            (r#"index(["a", "b"], "b")"#, "1"),
            (2, Some(2)),
            Run::Known(index),
        ),
        row(
            G,
            "length(value)",
            "Elements of a list or object; characters of a string.",
            ("length([1, 2])", "2"),
            (1, Some(1)),
            Run::Shallow(length),
        ),
        row(G, "max(numbers...)", "The largest.", ("max(2, 3)", "3"), (1, None), Run::Known(max)),
        row(G, "min(numbers...)", "The smallest.", ("min(2, 3)", "2"), (1, None), Run::Known(min)),
        row(
            G,
            "one(list)",
            "The only element; null where there is none. An error where there are more.",
            ("one([7])", "7"),
            (1, Some(1)),
            Run::Shallow(one),
        ),
        row(
            G,
            "range(limit) or range(start, limit, step)",
            "Numbers from start (0), up to but without the limit.",
            ("range(1, 7, 2)", "[1, 3, 5]"),
            (1, Some(3)),
            Run::Known(range),
        ),
        row(
            G,
            "reverse(list)",
            "Backwards.",
            ("reverse([1, 2])", "[2, 1]"),
            (1, Some(1)),
            Run::Shallow(reverse),
        ),
        row(
            G,
            "slice(list, start, end)",
            "The elements from start up to but without end.",
            ("slice([1, 2, 3], 1, 3)", "[2, 3]"),
            (3, Some(3)),
            Run::Shallow(slice),
        ),
        row(
            G,
            "sort(list)",
            "Strings in the order of their characters. Versions have `semver_sort`.",
            (r#"sort(["b", "a"])"#, r#"["a", "b"]"#),
            (1, Some(1)),
            Run::Known(sort),
        ),
        row(
            G,
            "sum(numbers)",
            "The sum of a list.",
            ("sum([1, 2, 3])", "6"),
            (1, Some(1)),
            Run::Known(sum),
        ),
    ]
}

fn bools(a: &Arguments) -> Result<Vec<bool>, Wrong> {
    let items = a.list(0)?.items.iter().map(Value::to_bool).collect::<Option<_>>();
    items.ok_or_else(|| Wrong::Argument(0, "the elements must be true or false".to_owned()))
}

fn alltrue(a: &Arguments) -> Made {
    Ok(Value::Bool(bools(a)?.into_iter().all(|b| b)))
}

fn anytrue(a: &Arguments) -> Made {
    Ok(Value::Bool(bools(a)?.into_iter().any(|b| b)))
}

fn chunklist(a: &Arguments) -> Made {
    let (list, size) = (a.list(0)?, a.count(1)?);
    if size == 0 {
        return Err(Wrong::Argument(1, "the size must be at least 1".to_owned()));
    }
    a.spend(list.items.len(), 64 * list.items.len())?;
    a.make_list(list.items.chunks(size).map(|chunk| Value::list(chunk.to_vec())).collect())
}

fn coalesce(a: &Arguments) -> Made {
    let found = a.all().iter().find(|value| !value.is_null() && value.as_str() != Some(""));
    found.cloned().ok_or_else(|| Wrong::Call("every argument is null or empty".to_owned()))
}

fn coalescelist(a: &Arguments) -> Made {
    for index in 0..a.len() {
        if !a.list(index)?.items.is_empty() {
            return Ok(a.get(index).clone());
        }
    }
    Err(Wrong::Call("every list is empty".to_owned()))
}

fn compact(a: &Arguments) -> Made {
    let items = a.list(0)?.items.iter();
    a.make_list(
        items.filter(|item| !item.is_null() && item.as_str() != Some("")).cloned().collect(),
    )
}

fn concat(a: &Arguments) -> Made {
    let mut items = Vec::new();
    for index in 0..a.len() {
        let list = a.list(index)?;
        a.spend(list.items.len(), 32 * list.items.len())?;
        items.extend(list.items.iter().cloned());
    }
    Ok(Value::list(items))
}

fn contains(a: &Arguments) -> Made {
    Ok(Value::Bool(a.list(0)?.items.contains(a.get(1))))
}

/// Removes repetitions, by the value as JSON.
pub(super) fn distinct_items(a: &Arguments, items: &[Value]) -> Result<Vec<Value>, Wrong> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for item in items {
        let key = item.to_json().map(|json| json.to_string()).unwrap_or_default();
        a.spend(1, key.len())?;
        if seen.insert(key) {
            out.push(item.clone());
        }
    }
    Ok(out)
}

fn distinct(a: &Arguments) -> Made {
    let items = distinct_items(a, &a.list(0)?.items)?;
    a.make_list(items)
}

fn element(a: &Arguments) -> Made {
    let (list, index) = (a.list(0)?, a.int(1)?);
    if list.items.is_empty() {
        return Err(Wrong::Argument(0, "the list is empty".to_owned()));
    }
    Ok(list.items[index.rem_euclid(list.items.len() as i64) as usize].clone())
}

fn flatten_into(a: &Arguments, value: &Value, out: &mut Vec<Value>) -> Result<(), Wrong> {
    a.spend(1, 32)?;
    match value {
        Value::List(list) => list.items.iter().try_for_each(|item| flatten_into(a, item, out)),
        other => {
            out.push(other.clone());
            Ok(())
        }
    }
}

fn flatten(a: &Arguments) -> Made {
    a.list(0)?;
    let mut out = Vec::new();
    flatten_into(a, a.get(0), &mut out)?;
    Ok(Value::list(out))
}

fn index(a: &Arguments) -> Made {
    let position = a.list(0)?.items.iter().position(|item| item == a.get(1));
    position
        .map(|at| Value::int(at as i64))
        .ok_or_else(|| Wrong::Call("the list has no such element".to_owned()))
}

fn length(a: &Arguments) -> Made {
    let length = match a.get(0) {
        Value::List(list) => list.items.len(),
        Value::Object(object) => object.entries.len(),
        Value::String(text) => text.chars().count(),
        other => {
            let message = format!("{} has no length", other.with_article());
            return Err(Wrong::Argument(0, message));
        }
    };
    Ok(Value::int(length as i64))
}

fn numbers(a: &Arguments) -> Result<Vec<Number>, Wrong> {
    (0..a.len()).map(|index| a.number(index)).collect()
}

fn max(a: &Arguments) -> Made {
    Ok(numbers(a)?.into_iter().max().map_or(Value::Null, Value::Number))
}

fn min(a: &Arguments) -> Made {
    Ok(numbers(a)?.into_iter().min().map_or(Value::Null, Value::Number))
}

fn one(a: &Arguments) -> Made {
    match a.list(0)?.items.as_slice() {
        [] => Ok(Value::Null),
        [only] => Ok(only.clone()),
        many => Err(Wrong::Argument(0, format!("the list has {} elements, not one", many.len()))),
    }
}

fn range(a: &Arguments) -> Made {
    let (start, limit) = match a.len() {
        1 => (0, a.int(0)?),
        _ => (a.int(0)?, a.int(1)?),
    };
    let step = match a.len() {
        3 => a.int(2)?,
        _ if limit < start => -1,
        _ => 1,
    };
    if step == 0 {
        return Err(Wrong::Argument(2, "the step must not be 0".to_owned()));
    }
    let distance = i128::from(limit) - i128::from(start);
    let step = i128::from(step);
    let count = if (distance > 0) == (step > 0) {
        (distance.abs() + step.abs() - 1) / step.abs()
    } else {
        0
    };
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    a.spend(count, count.saturating_mul(32))?;
    let number = |at: usize| Value::int((i128::from(start) + step * at as i128) as i64);
    Ok(Value::list((0..count).map(number).collect()))
}

fn reverse(a: &Arguments) -> Made {
    a.make_list(a.list(0)?.items.iter().rev().cloned().collect())
}

fn slice(a: &Arguments) -> Made {
    let (list, start, end) = (a.list(0)?, a.count(1)?, a.count(2)?);
    match list.items.get(start..end) {
        Some(items) => a.make_list(items.to_vec()),
        None => Err(Wrong::Call(format!("the list has {} elements", list.items.len()))),
    }
}

fn sort(a: &Arguments) -> Made {
    let mut items = a.texts(0)?;
    a.spend(items.len() * 8, 0)?;
    items.sort();
    a.make_list(items.into_iter().map(Value::String).collect())
}

fn sum(a: &Arguments) -> Made {
    let mut total = Some(Number::Int(0));
    for item in &a.list(0)?.items {
        let Some(number) = item.to_number() else {
            return Err(Wrong::Argument(0, "the elements must be numbers".to_owned()));
        };
        total = total.and_then(|sum| match (sum, number) {
            (Number::Int(x), Number::Int(y)) if x.checked_add(y).is_some() => {
                Some(Number::Int(x + y))
            }
            _ => Number::from_f64(sum.as_f64() + number.as_f64()),
        });
    }
    total.map(Value::Number).ok_or_else(|| Wrong::Call("the sum is too large".to_owned()))
}
