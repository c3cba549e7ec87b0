use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What is written of what was read.
fn again(text: &str) -> String {
    Exact(&read(text).unwrap()).to_string()
}

#[test]
fn numbers_come_back_as_they_are_worth() {
    for (text, expected) in [
        ("1.1124053581027782e-07", "1.1124053581027782e-7"),
        ("9007199254740993", "9007199254740993"),
        ("18446744073709551615", "18446744073709551615"),
        ("18446744073709551616", "18446744073709551616"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("1e400", "1e400"),
        ("5e-324", "5e-324"),
        ("4e-324", "4e-324"),
        ("1e-400", "1e-400"),
        ("0.1", "0.1"),
        ("0.10", "0.1"),
        ("0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        ("1.0", "1.0"),
        ("-0", "-0.0"),
        ("-0.0", "-0.0"),
        ("1E+2", "100.0"),
        (
            "1e99999999999999999999999999999999999999999",
            "1e99999999999999999999999999999999999999999",
        ),
    ] {
        assert_eq!(again(text), expected, "{text}");
        assert_eq!(
            again(&format!(r#"{{"a": [{text}, "x"]}}"#)),
            format!(r#"{{"a":[{expected},"x"]}}"#)
        );
    }
}

#[test]
fn what_a_parser_would_have_to_choose_from_is_refused_by_name() {
    for (text, refused) in [
        (r#"{"a": 1, "a": 2}"#, JsonError::Repeated("a".into())),
        (r#"{"b": {"a": 1, "\u0061": 2}}"#, JsonError::Repeated("b.a".into())),
        (r#"[{"a": [0, {"x": 1, "x": 1}]}]"#, JsonError::Repeated("[0].a[1].x".into())),
        (r#"{"a": {"$number": "1"}}"#, JsonError::Reserved("a".into())),
    ] {
        assert_eq!(read(text).unwrap_err(), refused, "{text}");
    }
    assert!(matches!(read("{\"a\": }"), Err(JsonError::Syntax(_))));
    assert!(matches!(read(r#"{"a": "\ud800"}"#), Err(JsonError::Syntax(_))));
    assert!(read(r#"[{"a": 1}, {"a": 2}, {"$number": 1, "b": 2}]"#).is_ok());
}

#[test]
fn deep_values_come_back_and_the_deepest_are_refused() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    for depth in [1, 127, 128, 200, MAX_DEPTH] {
        assert_eq!(again(&nested(depth)), nested(depth));
        let value = read(&nested(depth)).unwrap();
        assert_eq!(read_back(&value.to_string()).unwrap(), value);
    }
    for depth in [MAX_DEPTH + 1, 100_000] {
        assert_eq!(read(&nested(depth)), Err(JsonError::TooDeep));
    }
}

#[test]
fn numbers_are_compared_by_what_they_are_worth() {
    for (one, other, expected) in [
        ("9007199254740993", "9007199254740992", false),
        ("9007199254740993", "9007199254740993.0", true),
        ("1", "1.0", true),
        ("100", "1e2", true),
        ("0", "-0.0", true),
        ("1e400", "10e399", true),
        ("1e400", "1e401", false),
        ("0.1", "0.1000000000000000055511151231257827", false),
        ("[1, {\"a\": 2.0}]", "[1.0, {\"a\": 2}]", true),
        ("[1]", "[1, 1]", false),
        ("1", "\"1\"", false),
        ("null", "0", false),
    ] {
        assert_eq!(same(&read(one).unwrap(), &read(other).unwrap()), expected, "{one} {other}");
    }
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<u64>().prop_map(|n| n.to_string()),
        any::<i64>().prop_map(|n| n.to_string()),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| json!(n).to_string()),
        "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,40})?([eE][+-]?[0-9]{1,4})?",
    ]
}

/// JSON texts as anybody may print them, no key twice in an object.
pub(crate) fn texts() -> impl Strategy<Value = String> {
    let strings = any::<String>().prop_map(|text| json!(text).to_string());
    let keys = proptest::collection::btree_set("[^$]{0,6}", 0..6);
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|b| b.to_string()),
        numbers(),
        strings,
    ];
    leaf.prop_recursive(8, 64, 6, move |inner| {
        let items = proptest::collection::vec(inner, 0..6);
        prop_oneof![
            items.clone().prop_map(|items| format!("[ {} ]", items.join(" , "))),
            (keys.clone(), items).prop_map(|(keys, items)| {
                let members = keys.into_iter().zip(items);
                let members = members.map(|(key, item)| format!("{}: {item}", json!(key)));
                format!("{{{}}}", members.collect::<Vec<_>>().join(",\n"))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_printed_comes_back(text in texts()) {
        let value = read(&text).unwrap();
        // As records keep it, and as people get it.
        prop_assert_eq!(&read_back(&value.to_string()).unwrap(), &value);
        let written = Exact(&value).to_string();
        prop_assert_eq!(&read(&written).unwrap(), &value);
        prop_assert!(tokens(&text).eq(&tokens(&written)), "{} {}", text, written);
    }
}

/// What a text says, told apart by hand: strings decoded, numbers as digits and an exponent.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    let mut keys: Vec<String> = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => {
                let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
                let text = stream.next().unwrap().unwrap();
                keys.push(format!("{text:?}"));
                stream.byte_offset()
            }
            '-' | '0'..='9' => {
                let end = |c: char| !"+-.eE0123456789".contains(c);
                let length = rest.find(end).unwrap_or(rest.len());
                tokens.push(worth(&rest[..length]));
                length
            }
            c => {
                if !",: []{}".contains(c) {
                    tokens.push(c.to_string());
                }
                c.len_utf8()
            }
        };
        rest = rest[length..].trim_start();
    }
    // An object's members come back in the order of their keys.
    keys.sort();
    tokens.sort();
    [keys, tokens].concat()
}

/// `-12.50e3` → `-125 e2`.
fn worth(number: &str) -> String {
    let lower = number.to_lowercase();
    let (mantissa, exponent) = lower.split_once('e').unwrap_or((&lower, "0"));
    let exponent: i64 = exponent.parse().unwrap();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}").trim_start_matches('0').to_owned();
    let mut exponent = exponent - fraction.len() as i64;
    while digits.ends_with('0') {
        digits.pop();
        exponent += 1;
    }
    if digits.is_empty() { format!("{sign}0") } else { format!("{sign}{digits} e{exponent}") }
}

#[test]
fn members_are_all_given_even_those_that_are_refused() {
    let deep = format!("{}1{}", "[".repeat(600), "]".repeat(600));
    let text = format!(r#"{{"a": "one", "a": "two", "b": {deep}}}"#);
    assert!(read(&text).is_err() && is_json(&text));
    let expected = [("a", json!("one")), ("a", json!("two")), ("b", json!(deep))];
    assert_eq!(members(&text), expected.map(|(name, value)| (name.to_owned(), value)));
}
