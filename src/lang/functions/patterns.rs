//! Regular expressions, compiled once a plan and within the budget.

use std::rc::Rc;
use std::sync::Arc;

use regex::RegexBuilder;

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Made, Wrong};

/// Compiled size of a regular expression.
const MAX_REGEX_BYTES: usize = 1 << 20;

fn compile(a: &Arguments, index: usize, pattern: &str) -> Result<Rc<regex::Regex>, Wrong> {
    const COMPILING: usize = 20_000;
    const MATCHING: usize = 20;
    if let Some(regex) = a.budget.regex(pattern) {
        a.spend(MATCHING, 0)?;
        return Ok(regex);
    }
    a.spend(COMPILING + pattern.len() * 20, MAX_REGEX_BYTES / 4)?;
    let mut builder = RegexBuilder::new(pattern);
    let built = builder.size_limit(MAX_REGEX_BYTES).nest_limit(50).build();
    let regex = built.map_err(|error| {
        let message = error.to_string();
        let reason =
            message.lines().last().unwrap_or("it is not one").trim_start_matches("error: ");
        Wrong::Argument(index, format!("this regular expression can't be used: {reason}"))
    })?;
    Ok(a.budget.keep_regex(pattern, regex))
}

fn found(regex: &regex::Regex, captures: &regex::Captures) -> Value {
    let group = |m: Option<regex::Match>| m.map_or(Value::Null, |m| Value::string(m.as_str()));
    let names: Vec<_> = regex.capture_names().skip(1).flatten().collect();
    if captures.len() == 1 {
        group(captures.get(0))
    } else if names.is_empty() {
        Value::list(captures.iter().skip(1).map(group).collect())
    } else {
        let entry = |name: &str| (Arc::from(name), group(captures.name(name)));
        Value::object(names.into_iter().map(entry).collect())
    }
}

pub(super) fn regex(a: &Arguments) -> Made {
    let regex = compile(a, 0, &a.text(0)?)?;
    let text = a.text(1)?;
    a.spend(text.len() / 8, text.len())?;
    match regex.captures(&text) {
        Some(captures) => Ok(found(&regex, &captures)),
        None => Err(Wrong::Call("nothing matches the regular expression".to_owned())),
    }
}

pub(super) fn regexall(a: &Arguments) -> Made {
    let regex = compile(a, 0, &a.text(0)?)?;
    let text = a.text(1)?;
    a.spend(text.len(), text.len())?;
    a.make_list(regex.captures_iter(&text).map(|captures| found(&regex, &captures)).collect())
}

pub(super) fn replace(a: &Arguments) -> Made {
    let (text, search, with) = (a.text(0)?, a.text(1)?, a.text(2)?);
    if search.len() > 1 && search.starts_with('/') && search.ends_with('/') {
        let regex = compile(a, 1, &search[1..search.len() - 1])?;
        let count = regex.find_iter(&text).count();
        a.spend(text.len(), count.saturating_mul(with.len() + text.len().min(64)))?;
        return a.string(regex.replace_all(&text, &*with).into_owned());
    }
    let count =
        if search.is_empty() { text.chars().count() + 1 } else { text.matches(&*search).count() };
    a.spend(count, count.saturating_mul(with.len()))?;
    a.string(text.replace(&*search, &with))
}
