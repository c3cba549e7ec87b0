//! Dates: RFC 3339 texts. There is no function that reads the clock.

use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};

const G: Group = Group::Dates;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "formatdate(spec, timestamp)",
            "A date by a pattern: `YYYY` `YY`, `MMMM` `MMM` `MM` `M`, `DD` `D`, `EEEE` `EEE`, `hh` `h` `HH` `H`, `AA` `aa`, `mm` `m`, `ss` `s`, `ZZZZZ` `ZZZZ` `ZZZ` `Z`; other letters in single quotes.",
            (
                r#"formatdate("DD MMM YYYY hh:mm", "2026-11-23T08:05:00Z")"#,
                r#""23 Nov 2026 08:05""#,
            ),
            (2, Some(2)),
            Run::Known(formatdate),
        ),
        row(
            G,
            "timeadd(timestamp, duration)",
            "A time later, or earlier with a negative duration.",
            (r#"timeadd("2026-11-23T08:00:00Z", "90m")"#, r#""2026-11-23T09:30:00Z""#),
            (2, Some(2)),
            Run::Known(timeadd),
        ),
        row(
            G,
            "timecmp(a, b)",
            "-1, 0 or 1, as the first time is before, at or after the second.",
            (r#"timecmp("2026-11-23T08:00:00Z", "2026-11-23T09:00:00+01:00")"#, "0"),
            (2, Some(2)),
            Run::Known(timecmp),
        ),
    ]
}

/// A time with the offset it was written with.
fn zoned(a: &Arguments, index: usize) -> Result<Zoned, Wrong> {
    let text = a.text(index)?;
    let wrong = || {
        let message = "this is not a time; one is written \"2026-11-23T08:00:00Z\"".to_owned();
        Wrong::Argument(index, message)
    };
    let timestamp: Timestamp = text.parse().map_err(|_| wrong())?;
    let offset = match text.rfind(['+', '-']).filter(|at| *at > 10) {
        Some(at) => {
            let digits: String = text[at + 1..].chars().filter(char::is_ascii_digit).collect();
            let number = |range| digits.get(range).and_then(|part: &str| part.parse::<i32>().ok());
            let hours = number(0..2).ok_or_else(wrong)?;
            let minutes = number(2..4).unwrap_or(0);
            let sign = if text.as_bytes()[at] == b'-' { -1 } else { 1 };
            Offset::from_seconds(sign * (hours * 3_600 + minutes * 60)).map_err(|_| wrong())?
        }
        None => Offset::UTC,
    };
    Ok(timestamp.to_zoned(TimeZone::fixed(offset)))
}

fn rfc3339(time: &Zoned) -> String {
    let date = time.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    if time.offset() == Offset::UTC { date + "Z" } else { date + &time.strftime("%:z").to_string() }
}

fn timeadd(a: &Arguments) -> Made {
    let time = zoned(a, 0)?;
    let text = a.text(1)?;
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, &*text),
    };
    let milliseconds =
        crate::text::duration::parse(rest).map_err(|reason| Wrong::Argument(1, reason))?;
    let milliseconds = i64::try_from(milliseconds).unwrap_or(i64::MAX);
    let sum = time.checked_add(SignedDuration::from_millis(sign * milliseconds));
    let sum = sum.map_err(|_| Wrong::Call("the time is out of range".to_owned()))?;
    a.string(rfc3339(&sum))
}

fn timecmp(a: &Arguments) -> Made {
    let order = zoned(a, 0)?.timestamp().cmp(&zoned(a, 1)?.timestamp());
    Ok(Value::int(order as i64))
}

fn formatdate(a: &Arguments) -> Made {
    let (spec, time) = (a.text(0)?, zoned(a, 1)?);
    let mut out = String::new();
    let mut rest = &*spec;
    while let Some(c) = rest.chars().next() {
        if c == '\'' {
            let Some(end) = rest[1..].find('\'') else {
                return Err(Wrong::Argument(0, "a quote is not closed".to_owned()));
            };
            out.push_str(if end == 0 { "'" } else { &rest[1..=end] });
            rest = &rest[end + 2..];
        } else if c.is_ascii_alphabetic() {
            let len = rest.bytes().take_while(|b| *b == c as u8).count();
            let Some(directive) = directive(&rest[..len]) else {
                let message = format!(
                    "`{}` is not a part of a date; other letters stand in single quotes",
                    &rest[..len.min(20)]
                );
                return Err(Wrong::Argument(0, message));
            };
            let text = time.strftime(directive).to_string();
            out.push_str(&if &rest[..len] == "Z" && text == "+00:00" {
                "Z".to_owned()
            } else {
                text
            });
            rest = &rest[len..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    a.string(out)
}

fn directive(part: &str) -> Option<&'static str> {
    Some(match part {
        "YYYY" => "%Y",
        "YY" => "%y",
        "MMMM" => "%B",
        "MMM" => "%b",
        "MM" => "%m",
        "M" => "%-m",
        "DD" => "%d",
        "D" => "%-d",
        "EEEE" => "%A",
        "EEE" => "%a",
        "hh" => "%H",
        "h" => "%-H",
        "HH" => "%I",
        "H" => "%-I",
        "AA" => "%p",
        "aa" => "%P",
        "mm" => "%M",
        "m" => "%-M",
        "ss" => "%S",
        "s" => "%-S",
        "ZZZZZ" | "Z" => "%:z",
        "ZZZZ" | "ZZZ" => "%z",
        _ => return None,
    })
}
