//! `format` and `formatlist`: the verbs of Terraform's.

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Made, Wrong};
use crate::lang::value::Number;

pub(super) fn format(a: &Arguments) -> Made {
    let spec = a.text(0)?;
    let text = formatted(a, &spec, &a.all()[1..])?;
    a.string(text)
}

pub(super) fn formatlist(a: &Arguments) -> Made {
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
