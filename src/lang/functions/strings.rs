//! Strings. Positions and lengths are in characters, not bytes.

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};
use crate::lang::functions::{formats, patterns};

const G: Group = Group::Strings;

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
            Run::Known(formats::format),
        ),
        row(
            G,
            "formatlist(spec, lists...)",
            "`format` for each element of the lists.",
            (r#"formatlist("%s:5432", ["a", "b"])"#, r#"["a:5432", "b:5432"]"#),
            (1, None),
            Run::Known(formats::formatlist),
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
            Run::Known(patterns::regex),
        ),
        row(
            G,
            "regexall(pattern, string)",
            "Every match, as `regex` gives them.",
            (r#"regexall("[0-9]+", "2.7.1")"#, r#"["2", "7", "1"]"#),
            (2, Some(2)),
            Run::Known(patterns::regexall),
        ),
        row(
            G,
            "replace(string, search, replacement)",
            "Every occurrence replaced. A search in slashes (`/…/`) is a regular expression, with `$1` in the replacement.",
            (r#"replace("a.b.c", ".", "-")"#, r#""a-b-c""#),
            (3, Some(3)),
            Run::Known(patterns::replace),
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
