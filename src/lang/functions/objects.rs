//! Objects: their keys and values, taken apart and put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};

const G: Group = Group::Collections;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "keys(object)",
            "The keys, sorted.",
            ("keys({ b = 1, a = 2 })", r#"["a", "b"]"#),
            (1, Some(1)),
            Run::Shallow(keys),
        ),
        row(
            G,
            "lookup(object, key, default)",
            "The value of a key, or the default.",
            (r#"lookup({ a = 1 }, "b", 0)"#, "0"),
            (2, Some(3)),
            Run::Shallow(lookup),
        ),
        row(
            G,
            "matchkeys(values, keys, search)",
            "The values whose key, at the same place, is searched for.",
            (r#"matchkeys([1, 2], ["a", "b"], ["b"])"#, "[2]"),
            (3, Some(3)),
            Run::Known(matchkeys),
        ),
        row(
            G,
            "merge(objects...)",
            "One object; later values win. Null is skipped.",
            ("merge({ a = 1, b = 1 }, { b = 2 })", "{ a = 1, b = 2 }"),
            (1, None),
            Run::Shallow(merge),
        ),
        row(
            G,
            "transpose(object)",
            "From an object of lists of strings to the object the other way round.",
            (r#"transpose({ a = ["x"], b = ["x"] })"#, r#"{ x = ["a", "b"] }"#),
            (1, Some(1)),
            Run::Known(transpose),
        ),
        row(
            G,
            "values(object)",
            "The values, in the order of the keys.",
            ("values({ b = 1, a = 2 })", "[2, 1]"),
            (1, Some(1)),
            Run::Shallow(values),
        ),
        row(
            G,
            "zipmap(keys, values)",
            "An object from keys and values.",
            (r#"zipmap(["a", "b"], [1, 2])"#, "{ a = 1, b = 2 }"),
            (2, Some(2)),
            Run::Shallow(zipmap),
        ),
    ]
}

fn keys(a: &Arguments) -> Made {
    a.make_list(a.object(0)?.entries.keys().map(|key| Value::String(key.clone())).collect())
}

fn values(a: &Arguments) -> Made {
    a.make_list(a.object(0)?.entries.values().cloned().collect())
}

fn lookup(a: &Arguments) -> Made {
    let (object, key) = (a.object(0)?, a.text(1)?);
    match (object.entries.get(&key), a.all().get(2)) {
        (Some(value), _) => Ok(value.clone()),
        (None, Some(default)) => Ok(default.clone()),
        (None, None) => {
            Err(Wrong::Call("the object has no such key, and there is no default".to_owned()))
        }
    }
}

fn merge(a: &Arguments) -> Made {
    let mut entries: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    for index in 0..a.len() {
        if a.get(index).is_null() {
            continue;
        }
        let object = a.object(index)?;
        a.spend(object.entries.len(), 64 * object.entries.len())?;
        entries.extend(object.entries.iter().map(|(k, v)| (k.clone(), v.clone())));
    }
    Ok(Value::object(entries))
}

fn transpose(a: &Arguments) -> Made {
    let mut out: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, value) in &a.object(0)?.entries {
        let Value::List(list) = value else {
            return Err(Wrong::Argument(0, "the values must be lists of strings".to_owned()));
        };
        for item in &list.items {
            let Some(text) = item.to_text() else {
                return Err(Wrong::Argument(0, "the values must be lists of strings".to_owned()));
            };
            a.spend(1, 96)?;
            out.entry(text).or_default().push(Value::String(key.clone()));
        }
    }
    a.make_object(out.into_iter().map(|(key, items)| (key, Value::list(items))).collect())
}

fn zipmap(a: &Arguments) -> Made {
    let (keys, values) = (a.texts(0)?, a.list(1)?);
    if keys.len() != values.items.len() {
        return Err(Wrong::Call("there must be as many keys as values".to_owned()));
    }
    a.make_object(keys.into_iter().zip(values.items.iter().cloned()).collect())
}

fn matchkeys(a: &Arguments) -> Made {
    let (values, keys, search) = (a.list(0)?, a.list(1)?, a.list(2)?);
    if values.items.len() != keys.items.len() {
        return Err(Wrong::Call("there must be as many keys as values".to_owned()));
    }
    a.spend(keys.items.len().saturating_mul(search.items.len()), 0)?;
    let pairs = values.items.iter().zip(&keys.items);
    a.make_list(
        pairs
            .filter(|(_, key)| search.items.contains(key))
            .map(|(value, _)| value.clone())
            .collect(),
    )
}
