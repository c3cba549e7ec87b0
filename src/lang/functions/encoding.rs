//! Encodings and digests.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use sha2::{Digest, Sha256, Sha512};

use crate::lang::Value;
use crate::lang::functions::function::{Arguments, Function, Group, Made, Run, Wrong, row};
use crate::lang::value::Number;

const G: Group = Group::Encoding;
/// What RFC 3986 calls unreserved stays.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn functions() -> Vec<Function> {
    vec![
        row(
            G,
            "base64decode(string)",
            "Text from Base64.",
            (r#"base64decode("T3J0aElE")"#, r#""OrthID""#),
            (1, Some(1)),
            Run::Known(base64decode),
        ),
        row(
            G,
            "base64encode(string)",
            "In Base64, with padding.",
            (r#"base64encode("OrthID")"#, r#""T3J0aElE""#),
            (1, Some(1)),
            Run::Known(base64encode),
        ),
        row(
            G,
            "base64sha256(string)",
            "The SHA-256 digest in Base64.",
            (r#"base64sha256("")"#, r#""47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=""#),
            (1, Some(1)),
            Run::Known(base64sha256),
        ),
        row(
            G,
            "base64sha512(string)",
            "The SHA-512 digest in Base64.",
            (r#"substr(base64sha512(""), 0, 8)"#, r#""z4PhNX7v""#),
            (1, Some(1)),
            Run::Known(base64sha512),
        ),
        row(
            G,
            "jsondecode(string)",
            "A value from JSON.",
            (r#"jsondecode("{\"a\": [1]}").a"#, "[1]"),
            (1, Some(1)),
            Run::Known(jsondecode),
        ),
        row(
            G,
            "jsonencode(value)",
            "As JSON.",
            ("jsonencode({ a = [1, null] })", r#""{\"a\":[1,null]}""#),
            (1, Some(1)),
            Run::Known(jsonencode),
        ),
        row(
            G,
            "sha256(string)",
            "The SHA-256 digest in hexadecimal.",
            (r#"substr(sha256("orthid"), 0, 8)"#, r#""4df5e4d4""#),
            (1, Some(1)),
            Run::Known(sha256),
        ),
        row(
            G,
            "sha512(string)",
            "The SHA-512 digest in hexadecimal.",
            (r#"strlen(sha512("orthid"))"#, "128"),
            (1, Some(1)),
            Run::Known(sha512),
        ),
        row(
            G,
            "urldecode(string)",
            "Percent signs undone.",
            (r#"urldecode("a%20b")"#, r#""a b""#),
            (1, Some(1)),
            Run::Known(urldecode),
        ),
        row(
            G,
            "urlencode(string)",
            "For a URL's query: everything but letters, digits and `-_.~` by percent signs.",
            (r#"urlencode("a b&c")"#, r#""a%20b%26c""#),
            (1, Some(1)),
            Run::Known(urlencode),
        ),
        row(
            G,
            "yamldecode(string)",
            "A value from YAML, one document.",
            (r#"yamldecode("a: [1, two]").a"#, r#"[1, "two"]"#),
            (1, Some(1)),
            Run::Known(yamldecode),
        ),
        row(
            G,
            "yamlencode(value)",
            "As YAML.",
            ("yamlencode({ a = [1, \"x\"] })", r#""\"a\":\n- 1\n- \"x\"\n""#),
            (1, Some(1)),
            Run::Known(yamlencode),
        ),
    ]
}

fn utf8(bytes: Vec<u8>) -> Result<String, Wrong> {
    String::from_utf8(bytes).map_err(|_| Wrong::Call("the result is not UTF-8 text".to_owned()))
}

fn base64decode(a: &Arguments) -> Made {
    let decoded = STANDARD.decode(a.text(0)?.as_bytes());
    let bytes = decoded.map_err(|_| Wrong::Argument(0, "this is not Base64".to_owned()))?;
    a.string(utf8(bytes)?)
}

fn base64encode(a: &Arguments) -> Made {
    a.string(STANDARD.encode(a.text(0)?.as_bytes()))
}

fn base64sha256(a: &Arguments) -> Made {
    a.string(STANDARD.encode(Sha256::digest(a.text(0)?.as_bytes())))
}

fn base64sha512(a: &Arguments) -> Made {
    a.string(STANDARD.encode(Sha512::digest(a.text(0)?.as_bytes())))
}

fn sha256(a: &Arguments) -> Made {
    a.string(hex::encode(Sha256::digest(a.text(0)?.as_bytes())))
}

fn sha512(a: &Arguments) -> Made {
    a.string(hex::encode(Sha512::digest(a.text(0)?.as_bytes())))
}

fn urlencode(a: &Arguments) -> Made {
    a.string(utf8_percent_encode(&a.text(0)?, UNRESERVED).to_string())
}

fn urldecode(a: &Arguments) -> Made {
    let decoded = percent_decode_str(&a.text(0)?).collect();
    a.string(utf8(decoded)?)
}

fn jsonencode(a: &Arguments) -> Made {
    let value = a.get(0);
    let Some(json) = value.to_json() else {
        let message = format!("{} can't be encoded", value.with_article());
        return Err(Wrong::Argument(0, message));
    };
    a.string(json.to_string())
}

fn jsondecode(a: &Arguments) -> Made {
    let text = a.text(0)?;
    a.spend(text.len(), text.len().saturating_mul(16))?;
    let json = serde_json::from_str(&text)
        .map_err(|error| Wrong::Argument(0, format!("this is not JSON: {error}")))?;
    Ok(Value::from_json(&json))
}

fn yamldecode(a: &Arguments) -> Made {
    let text = a.text(0)?;
    a.spend(text.len(), text.len().saturating_mul(16))?;
    // Aliases make a little text into a lot of value; the reader has bounds of its own for that.
    let json: serde_json::Value = serde_saphyr::from_str(&text).map_err(|error| {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or("").to_owned();
        Wrong::Argument(0, format!("this is not YAML: {first}"))
    })?;
    a.spend(1, json_size(&json))?;
    Ok(Value::from_json(&json))
}

fn json_size(json: &serde_json::Value) -> usize {
    match json {
        serde_json::Value::Array(items) => 32 + items.iter().map(json_size).sum::<usize>(),
        serde_json::Value::Object(map) => {
            32 + map.iter().map(|(key, item)| key.len() + 32 + json_size(item)).sum::<usize>()
        }
        serde_json::Value::String(text) => 32 + text.len(),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => 32,
    }
}

fn yamlencode(a: &Arguments) -> Made {
    let value = a.get(0);
    if !value.is_known() || value.has_reference() {
        return Err(Wrong::Argument(0, format!("{} can't be encoded", value.with_article())));
    }
    let mut out = String::new();
    yaml(value, 0, false, &mut out);
    a.string(out)
}

/// Block style with every string quoted, as Terraform writes it: no text can be taken for another
/// type.
fn yaml(value: &Value, indent: usize, inline: bool, out: &mut String) {
    let margin = "  ".repeat(indent);
    let entry = |out: &mut String, first: bool| {
        if !(inline && first) {
            out.push_str(&margin);
        }
    };
    match value {
        Value::List(list) if !list.items.is_empty() => {
            for (index, item) in list.items.iter().enumerate() {
                entry(out, index == 0);
                out.push_str("- ");
                yaml(item, indent + 1, true, out);
            }
        }
        Value::Object(object) if !object.entries.is_empty() => {
            for (index, (key, item)) in object.entries.iter().enumerate() {
                entry(out, index == 0);
                out.push_str(&scalar(&Value::String(key.clone())));
                out.push(':');
                let nested = match item {
                    Value::List(list) => !list.items.is_empty(),
                    Value::Object(object) => !object.entries.is_empty(),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Reference(_)
                    | Value::Deferred(_) => false,
                };
                if nested {
                    out.push('\n');
                    let deeper = usize::from(matches!(item, Value::Object(_)));
                    yaml(item, indent + deeper, false, out);
                } else {
                    out.push(' ');
                    yaml(item, indent, true, out);
                }
            }
        }
        scalar_value => {
            out.push_str(&scalar(scalar_value));
            out.push('\n');
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(b) => b.to_string(),
        Value::Number(Number::Int(int)) => int.to_string(),
        Value::Number(float) => float.to_string(),
        Value::String(text) => serde_json::Value::String(text.to_string()).to_string(),
        Value::List(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::Reference(_) | Value::Deferred(_) => {
            let text = value.to_text().unwrap_or_else(|| Arc::from(""));
            serde_json::Value::String(text.to_string()).to_string()
        }
    }
}
