//! Tables as RFC 4180 writes them: commas, quotes, and a first line of names.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};

pub(super) fn functions() -> Vec<Function> {
    vec![row(
        Group::Encoding,
        "csvdecode(string)",
        "A list of objects from CSV; the first line names the columns.",
        (r#"csvdecode("name,size\n\"db, one\",2")"#, r#"[{ name = "db, one", size = "2" }]"#),
        (1, Some(1)),
        Run::Known(csvdecode),
    )]
}

fn csvdecode(a: &Arguments) -> Made {
    let text = a.text(0)?;
    a.spend(text.len(), text.len().saturating_mul(32))?;
    let wrong = |message: String| Wrong::Argument(0, format!("this is not CSV: {message}"));
    let mut records = records(&text).map_err(wrong)?.into_iter();
    let names: Vec<Arc<str>> =
        records.next().unwrap_or_default().into_iter().map(Arc::from).collect();
    if let Some(twice) = names.iter().enumerate().find(|(n, name)| names[..*n].contains(name)) {
        return Err(wrong(format!("the column `{}` occurs twice", twice.1)));
    }
    let mut rows = Vec::new();
    for (number, record) in records.enumerate() {
        if record.len() != names.len() {
            let (has, needs) = (record.len(), names.len());
            return Err(wrong(format!("row {} has {has} fields, not {needs}", number + 1)));
        }
        let entries = names.iter().cloned().zip(record.into_iter().map(Value::string));
        rows.push(a.make_object(entries.collect::<BTreeMap<_, _>>())?);
    }
    a.make_list(rows)
}

/// The fields of every line that is not empty.
fn records(text: &str) -> Result<Vec<Vec<String>>, String> {
    let mut records = Vec::new();
    let mut record = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (field, after) = field(rest)?;
        let ended = after.strip_prefix("\r\n").or_else(|| after.strip_prefix('\n'));
        let empty = record.is_empty() && field.is_empty();
        record.push(field);
        match (after.strip_prefix(','), ended) {
            (Some(""), _) => {
                record.push(String::new());
                rest = "";
            }
            (Some(after), _) => rest = after,
            (None, Some(after)) => {
                let done = std::mem::take(&mut record);
                records.extend((!empty).then_some(done));
                rest = after;
            }
            (None, None) => rest = "",
        }
    }
    records.extend((!record.is_empty()).then_some(record));
    Ok(records)
}

/// One field, and what comes after it: a comma, a line's end or nothing.
fn field(text: &str) -> Result<(String, &str), String> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find([',', '\n']).unwrap_or(text.len());
        let (field, after) = text.split_at(end);
        return match field.strip_suffix('\r') {
            Some(field) if after.starts_with('\n') => Ok((field.to_owned(), after)),
            Some(_) | None => Ok((field.to_owned(), after)),
        };
    };
    let mut field = String::new();
    loop {
        let Some((part, after)) = rest.split_once('"') else {
            return Err("a quote is not closed".to_owned());
        };
        field.push_str(part);
        let Some(more) = after.strip_prefix('"') else {
            let ends =
                after.is_empty() || after.starts_with([',', '\n']) || after.starts_with("\r\n");
            return if ends {
                Ok((field, after))
            } else {
                Err("something follows a closing quote".to_owned())
            };
        };
        field.push('"');
        rest = more;
    }
}
