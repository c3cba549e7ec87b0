//! Strings. Positions and lengths are in characters, not bytes.

use std::rc::Rc;
use std::sync::Arc;

use regex::RegexBuilder;

use super::{Arguments, Function, Group, Made, Run, Wrong, row};
use crate::lang::Value;
use crate::lang::value::Number;

const G: Group = Group::Strings;
/// Compiled size of a regular expression.
const MAX_REGEX_BYTES: usize = 1 << 20;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "chomp(string)",
            "Without the line ends at its end.",
            (r#"chomp("a\n")"#, r#""a""#),
            (1, Some(1)),
            Run::Known(chomp),
        ),
        row(
            G,
            "endswith(string, suffix)",
            "Does it end with this?",
            (r#"endswith("api.yaml", ".yaml")"#, "true"),
            (2, Some(2)),
            Run::Known(endswith),
        ),
        row(
            G,
            "format(spec, values...)",
            "Text by a pattern: `%s` string, `%d` whole number, `%f` and `%.2f` number, `%q` quoted, `%v` anything, `%t` bool, `%x` hexadecimal, `%%` a percent sign; a width, `-` and `0` as in `%-8s` and `%03d`.",
            (r#"format("%s-%03d", "db", 7)"#, r#""db-007""#),
            (1, None),
            Run::Known(format),
        ),
        row(
            G,
            "formatlist(spec, lists...)",
            "`format` for each element of the lists.",
            (r#"formatlist("%s:5432", ["a", "b"])"#, r#"["a:5432", "b:5432"]"#),
            (1, None),
            Run::Known(formatlist),
        ),
        row(
            G,
            "indent(spaces, string)",
            "Every line but the first gets this many spaces before it.",
            (r#"indent(2, "a\nb")"#, r#""a\n  b""#),
            (2, Some(2)),
            Run::Known(indent),
        ),
        row(
            G,
            "join(separator, lists...)",
            "The elements as one string.",
            (r#"join(", ", ["a", "b"])"#, r#""a, b""#),
            (2, None),
            Run::Known(join),
        ),
        row(
            G,
            "lower(string)",
            "In lower case.",
            (r#"lower("OrthID")"#, r#""orthid""#),
            (1, Some(1)),
            Run::Known(lower),
        ),
        row(
            G,
            "regex(pattern, string)",
            "The first match: a string without groups, a list of groups, or an object of named groups. An error where nothing matches.",
            (r#"regex("v([0-9]+)", "v26")"#, r#"["26"]"#),
            (2, Some(2)),
            Run::Known(regex),
        ),
        row(
            G,
            "regexall(pattern, string)",
            "Every match, as `regex` gives them.",
            (r#"regexall("[0-9]+", "2.7.1")"#, r#"["2", "7", "1"]"#),
            (2, Some(2)),
            Run::Known(regexall),
        ),
        row(
            G,
            "replace(string, search, replacement)",
            "Every occurrence replaced. A search in slashes (`/…/`) is a regular expression, with `$1` in the replacement.",
            (r#"replace("a.b.c", ".", "-")"#, r#""a-b-c""#),
            (3, Some(3)),
            Run::Known(replace),
        ),
        row(
            G,
            "split(separator, string)",
            "The pieces between the separators.",
            (r#"split(",", "a,b")"#, r#"["a", "b"]"#),
            (2, Some(2)),
            Run::Known(split),
        ),
        row(
            G,
            "startswith(string, prefix)",
            "Does it start with this?",
            (r#"startswith("oci://x", "oci://")"#, "true"),
            (2, Some(2)),
            Run::Known(startswith),
        ),
        row(
            G,
            "strcontains(string, part)",
            "Is this in it?",
            (r#"strcontains("orthid-api", "api")"#, "true"),
            (2, Some(2)),
            Run::Known(strcontains),
        ),
        row(
            G,
            "strlen(string)",
            "How many characters.",
            (r#"strlen("größe")"#, "5"),
            (1, Some(1)),
            Run::Known(strlen),
        ),
        row(
            G,
            "strrev(string)",
            "Backwards.",
            (r#"strrev("abc")"#, r#""cba""#),
            (1, Some(1)),
            Run::Known(strrev),
        ),
        row(
            G,
            "substr(string, offset, length)",
            "A part. A negative offset counts from the end; length -1 is the rest.",
            (r#"substr("orthid", 0, 4)"#, r#""orth""#),
            (3, Some(3)),
            Run::Known(substr),
        ),
        row(
            G,
            "title(string)",
            "Every word begins with a capital.",
            (r#"title("sign in")"#, r#""Sign In""#),
            (1, Some(1)),
            Run::Known(title),
        ),
        row(
            G,
            "trim(string, characters)",
            "Without these characters at both ends.",
            (r#"trim("--a--", "-")"#, r#""a""#),
            (2, Some(2)),
            Run::Known(trim),
        ),
        row(
            G,
            "trimprefix(string, prefix)",
            "Without this at its start.",
            (r#"trimprefix("v2.7.1", "v")"#, r#""2.7.1""#),
            (2, Some(2)),
            Run::Known(trimprefix),
        ),
        row(
            G,
            "trimspace(string)",
            "Without blanks at both ends.",
            (r#"trimspace("  a\n")"#, r#""a""#),
            (1, Some(1)),
            Run::Known(trimspace),
        ),
        row(
            G,
            "trimsuffix(string, suffix)",
            "Without this at its end.",
            (r#"trimsuffix("a.yaml", ".yaml")"#, r#""a""#),
            (2, Some(2)),
            Run::Known(trimsuffix),
        ),
        row(
            G,
            "upper(string)",
            "In upper case.",
            (r#"upper("orthid")"#, r#""ORTHID""#),
            (1, Some(1)),
            Run::Known(upper),
        ),
    ]
}

fn chomp(a: &Arguments) -> Made {
    a.string(a.text(0)?.trim_end_matches(['\n', '\r']).to_owned())
}

fn endswith(a: &Arguments) -> Made {
    Ok(Value::Bool(a.text(0)?.ends_with(&*a.text(1)?)))
}

fn startswith(a: &Arguments) -> Made {
    Ok(Value::Bool(a.text(0)?.starts_with(&*a.text(1)?)))
}

fn strcontains(a: &Arguments) -> Made {
    Ok(Value::Bool(a.text(0)?.contains(&*a.text(1)?)))
}

fn strlen(a: &Arguments) -> Made {
    Ok(Value::int(a.text(0)?.chars().count() as i64))
}

fn lower(a: &Arguments) -> Made {
    a.string(a.text(0)?.to_lowercase())
}

fn upper(a: &Arguments) -> Made {
    a.string(a.text(0)?.to_uppercase())
}

fn strrev(a: &Arguments) -> Made {
    a.string(a.text(0)?.chars().rev().collect())
}

fn title(a: &Arguments) -> Made {
    let mut start = true;
    let mut out = String::new();
    for c in a.text(0)?.chars() {
        if start {
            out.extend(c.to_uppercase());
        } else {
            out.push(c);
        }
        start = !c.is_alphanumeric();
    }
    a.string(out)
}

fn trim(a: &Arguments) -> Made {
    let set = a.text(1)?;
    a.string(a.text(0)?.trim_matches(|c| set.contains(c)).to_owned())
}

fn trimprefix(a: &Arguments) -> Made {
    let text = a.text(0)?;
    a.string(text.strip_prefix(&*a.text(1)?).unwrap_or(&text).to_owned())
}

fn trimsuffix(a: &Arguments) -> Made {
    let text = a.text(0)?;
    a.string(text.strip_suffix(&*a.text(1)?).unwrap_or(&text).to_owned())
}

fn trimspace(a: &Arguments) -> Made {
    a.string(a.text(0)?.trim().to_owned())
}

fn indent(a: &Arguments) -> Made {
    let (spaces, text) = (a.count(0)?, a.text(1)?);
    let lines = text.matches('\n').count();
    a.spend(1, spaces.saturating_mul(lines))?;
    a.string(text.replace('\n', &format!("\n{}", " ".repeat(if lines == 0 { 0 } else { spaces }))))
}

fn join(a: &Arguments) -> Made {
    let separator = a.text(0)?;
    let mut items = Vec::new();
    for index in 1..a.len() {
        items.extend(a.texts(index)?);
    }
    let bytes: usize = items.iter().map(|item| item.len() + separator.len()).sum();
    a.spend(items.len(), bytes)?;
    Ok(Value::string(items.join(&separator)))
}

fn split(a: &Arguments) -> Made {
    let (separator, text) = (a.text(0)?, a.text(1)?);
    let pieces: Vec<Value> = if separator.is_empty() {
        text.chars().map(|c| Value::string(c.encode_utf8(&mut [0; 4]))).collect()
    } else if text.is_empty() {
        Vec::new()
    } else {
        text.split(&*separator).map(Value::string).collect()
    };
    a.spend(pieces.len(), text.len())?;
    a.make_list(pieces)
}

fn substr(a: &Arguments) -> Made {
    let (text, offset, length) = (a.text(0)?, a.int(1)?, a.int(2)?);
    let count = text.chars().count() as i64;
    let start = if offset < 0 { count.saturating_add(offset) } else { offset };
    if start < 0 || start > count || length < -1 {
        return Err(Wrong::Call(format!("the string has {count} characters")));
    }
    let take = if length == -1 { count } else { length };
    a.string(text.chars().skip(start as usize).take(take as usize).collect())
}

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

fn regex(a: &Arguments) -> Made {
    let regex = compile(a, 0, &a.text(0)?)?;
    let text = a.text(1)?;
    a.spend(text.len() / 8, text.len())?;
    match regex.captures(&text) {
        Some(captures) => Ok(found(&regex, &captures)),
        None => Err(Wrong::Call("nothing matches the regular expression".to_owned())),
    }
}

fn regexall(a: &Arguments) -> Made {
    let regex = compile(a, 0, &a.text(0)?)?;
    let text = a.text(1)?;
    a.spend(text.len(), text.len())?;
    a.make_list(regex.captures_iter(&text).map(|captures| found(&regex, &captures)).collect())
}

fn replace(a: &Arguments) -> Made {
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

fn format(a: &Arguments) -> Made {
    let spec = a.text(0)?;
    let text = formatted(a, &spec, &a.all()[1..])?;
    a.string(text)
}

fn formatlist(a: &Arguments) -> Made {
    let spec = a.text(0)?;
    let lists = a.all()[1..].iter().filter_map(|value| match value {
        Value::List(list) => Some(list.items.len()),
        _ => None,
    });
    let lengths: Vec<_> = lists.collect();
    let length = lengths.first().copied().unwrap_or(1);
    if lengths.iter().any(|other| *other != length) {
        return Err(Wrong::Call("the lists have different lengths".to_owned()));
    }
    let mut out = Vec::with_capacity(length.min(1_000));
    for index in 0..length {
        let row: Vec<_> = a.all()[1..]
            .iter()
            .map(|value| match value {
                Value::List(list) => list.items[index].clone(),
                other => other.clone(),
            })
            .collect();
        let text = formatted(a, &spec, &row)?;
        out.push(a.string(text)?);
    }
    a.make_list(out)
}

/// A verb of a format: `%-08.2f`.
#[derive(Default)]
struct Verb {
    left: bool,
    zero: bool,
    plus: bool,
    width: usize,
    precision: Option<usize>,
}

fn formatted(a: &Arguments, spec: &str, values: &[Value]) -> Result<String, Wrong> {
    const WIDEST: usize = 1_000;
    let mut out = String::new();
    let mut chars = spec.chars().peekable();
    let mut next = 0;
    a.spend(spec.len(), spec.len())?;
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let mut verb = Verb::default();
        while let Some(flag) = chars.next_if(|c| matches!(c, '-' | '0' | '+')) {
            match flag {
                '-' => verb.left = true,
                '0' => verb.zero = true,
                _ => verb.plus = true,
            }
        }
        let mut digits = || {
            let mut number = None;
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                let digit = d as usize - '0' as usize;
                number = Some((number.unwrap_or(0usize) * 10 + digit).min(WIDEST + 1));
            }
            number
        };
        verb.width = digits().unwrap_or(0);
        if chars.next_if_eq(&'.').is_some() {
            let mut number = 0usize;
            while let Some(d) = chars.next_if(char::is_ascii_digit) {
                number = (number * 10 + (d as usize - '0' as usize)).min(WIDEST + 1);
            }
            verb.precision = Some(number);
        }
        if verb.width > WIDEST || verb.precision.is_some_and(|p| p > 100) {
            return Err(Wrong::Argument(0, "this width is too large".to_owned()));
        }
        match chars.next() {
            Some('%') => out.push('%'),
            Some(letter) => {
                let Some(value) = values.get(next) else {
                    return Err(Wrong::Call(format!("there is no value for `%{letter}`")));
                };
                next += 1;
                let text = one(letter, &verb, value).map_err(|what| {
                    let message = format!("`%{letter}` needs {what}, not {}", value.with_article());
                    Wrong::Argument(next, message)
                })?;
                a.spend(1, text.len())?;
                pad(&mut out, &verb, &text);
            }
            None => return Err(Wrong::Argument(0, "`%` at the end means nothing".to_owned())),
        }
    }
    if next < values.len() {
        return Err(Wrong::Argument(next + 1, "there is no verb for this value".to_owned()));
    }
    Ok(out)
}

fn pad(out: &mut String, verb: &Verb, text: &str) {
    let missing = verb.width.saturating_sub(text.chars().count());
    if verb.left {
        out.push_str(text);
        out.extend(std::iter::repeat_n(' ', missing));
    } else if verb.zero {
        let (sign, digits) = match text.strip_prefix(['-', '+']) {
            Some(digits) => (&text[..1], digits),
            None => ("", text),
        };
        out.push_str(sign);
        out.extend(std::iter::repeat_n('0', missing));
        out.push_str(digits);
    } else {
        out.extend(std::iter::repeat_n(' ', missing));
        out.push_str(text);
    }
}

fn one(letter: char, verb: &Verb, value: &Value) -> Result<String, &'static str> {
    let number = || value.to_number().ok_or("a number");
    let int = || number()?.as_int().ok_or("a whole number");
    let text = match letter {
        's' => value.to_text().ok_or("a string")?.to_string(),
        'q' => {
            let text = value.to_text().ok_or("a string")?;
            serde_json::Value::String(text.to_string()).to_string()
        }
        'v' => match value {
            Value::String(text) => text.to_string(),
            other => other.to_json().ok_or("a value")?.to_string(),
        },
        't' => value.to_bool().ok_or("a bool")?.to_string(),
        'd' => int()?.to_string(),
        'x' => format!("{:x}", int()?),
        'X' => format!("{:X}", int()?),
        'o' => format!("{:o}", int()?),
        'b' => format!("{:b}", int()?),
        'f' => format!("{:.*}", verb.precision.unwrap_or(6), number()?.as_f64()),
        'e' => format!("{:e}", number()?.as_f64()),
        'g' => Number::from_f64(number()?.as_f64()).map(|n| n.to_string()).unwrap_or_default(),
        _ => return Err("to be one of s, q, v, t, d, x, X, o, b, f, e, g"),
    };
    let signed = matches!(letter, 'd' | 'f' | 'e' | 'g') && verb.plus && !text.starts_with('-');
    Ok(if signed { format!("+{text}") } else { text })
}
