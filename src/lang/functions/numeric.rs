//! Numbers.

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};
use crate::lang::value::Number;

const G: Group = Group::Numbers;

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(G, "abs(number)", "Without its sign.", ("abs(-3)", "3"), (1, Some(1)), Run::Known(abs)),
        row(
            G,
            "ceil(number)",
            "The next whole number up.",
            ("ceil(1.2)", "2"),
            (1, Some(1)),
            Run::Known(ceil),
        ),
        row(
            G,
            "floor(number)",
            "The next whole number down.",
            ("floor(1.8)", "1"),
            (1, Some(1)),
            Run::Known(floor),
        ),
        row(
            G,
            "log(number, base)",
            "The logarithm.",
            ("log(8, 2)", "3"),
            (2, Some(2)),
            Run::Known(log),
        ),
        row(
            G,
            "parseint(string, base)",
            "A whole number written in a base from 2 to 36.",
            (r#"parseint("ff", 16)"#, "255"),
            (2, Some(2)),
            Run::Known(parseint),
        ),
        row(
            G,
            "pow(number, exponent)",
            "The power.",
            ("pow(2, 10)", "1024"),
            (2, Some(2)),
            Run::Known(pow),
        ),
        row(
            G,
            "signum(number)",
            "-1, 0 or 1.",
            ("signum(-9)", "-1"),
            (1, Some(1)),
            Run::Known(signum),
        ),
    ]
}

fn finite(number: f64) -> Made {
    Number::from_f64(number)
        .map(Value::Number)
        .ok_or_else(|| Wrong::Call("the result is not a finite number".to_owned()))
}

fn abs(a: &Arguments) -> Made {
    finite(a.number(0)?.as_f64().abs())
}

fn ceil(a: &Arguments) -> Made {
    finite(a.number(0)?.as_f64().ceil())
}

fn floor(a: &Arguments) -> Made {
    finite(a.number(0)?.as_f64().floor())
}

fn log(a: &Arguments) -> Made {
    let (number, base) = (a.number(0)?.as_f64(), a.number(1)?.as_f64());
    // The two most used bases are exact, which a quotient of logarithms is not.
    finite(if base == 2.0 {
        number.log2()
    } else if base == 10.0 {
        number.log10()
    } else {
        number.log(base)
    })
}

fn pow(a: &Arguments) -> Made {
    finite(a.number(0)?.as_f64().powf(a.number(1)?.as_f64()))
}

fn signum(a: &Arguments) -> Made {
    let number = a.number(0)?;
    Ok(Value::int(match number.cmp(&Number::Int(0)) {
        std::cmp::Ordering::Less => -1,
        std::cmp::Ordering::Equal => 0,
        std::cmp::Ordering::Greater => 1,
    }))
}

fn parseint(a: &Arguments) -> Made {
    let (text, base) = (a.text(0)?, a.int(1)?);
    let base = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let Some(base) = base else {
        return Err(Wrong::Argument(1, "the base must be from 2 to 36".to_owned()));
    };
    i64::from_str_radix(&text, base)
        .map(Value::int)
        .map_err(|_| Wrong::Argument(0, format!("this is not a whole number in base {base}")))
}
