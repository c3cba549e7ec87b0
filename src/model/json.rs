//! JSON that steps print, kept exactly: `serde_json`'s numbers are a `u64`, an `i64` or an `f64`, and what is none of
//! these stands as `{"$number": "TEXT"}` in records and in memory. [`Exact`] writes it as the number that it is.
//!
//! Must not: be used for what orthid writes itself; `serde` reads that.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::{Error as _, SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The one key of an object that stands for a number.
const NUMBER: &str = "$number";

/// Deepest nesting that is kept; what reads, compares and prints values recurses.
pub const MAX_DEPTH: usize = 500;

/// Why a text is not kept as a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    #[error("it is not JSON: {0}")]
    Syntax(String),
    #[error("`{0}` stands there twice")]
    Repeated(String),
    #[error("it is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    #[error("`{0}` is an object with the key `{NUMBER}`, in which orthid keeps numbers")]
    Reserved(String),
}

/// The value of a JSON text, nothing of it lost.
///
/// # Errors
/// Where a parser would have to choose (a key that an object has twice), and where the value can't be kept.
pub fn read(text: &str) -> Result<Value, JsonError> {
    let raw: &RawValue = serde_json::from_str(text).map_err(syntax)?;
    Reader { foreign: true, path: Vec::new() }.value(raw.get())
}

/// Whether a text is one JSON value, of whatever depth.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<&RawValue>(text).is_ok()
}

/// An object's members, one that stands there twice both times. What can't be kept is its text.
pub fn members(object: &str) -> Vec<(String, Value)> {
    let Ok(Members(members)) = serde_json::from_str(object) else { return Vec::new() };
    let value = |raw: &RawValue| read_back(raw.get()).unwrap_or_else(|_| raw.get().into());
    members.into_iter().map(|(name, raw)| (name, value(raw))).collect()
}

/// A value that was written by orthid, of any depth that [`read`] takes.
pub(crate) fn read_back(text: &str) -> Result<Value, JsonError> {
    Reader { foreign: false, path: Vec::new() }.value(text)
}

/// The text of a number that `serde_json` has no number for.
pub fn exact_number(value: &Value) -> Option<&str> {
    let object = value.as_object().filter(|object| object.len() == 1)?;
    object.get(NUMBER)?.as_str()
}

fn syntax(error: serde_json::Error) -> JsonError {
    JsonError::Syntax(error.to_string())
}

/// Reads level by level: of what is inside, `serde_json` tells only where it begins and ends, at whatever depth.
struct Reader {
    /// Whether the text is somebody else's.
    foreign: bool,
    path: Vec<Place>,
}

enum Place {
    Key(String),
    Index(usize),
}

impl Reader {
    fn value(&mut self, text: &str) -> Result<Value, JsonError> {
        match text.as_bytes().first() {
            Some(b'{' | b'[') if self.path.len() >= MAX_DEPTH => Err(JsonError::TooDeep),
            Some(b'{') => self.object(text),
            Some(b'[') => {
                let raws: Vec<&RawValue> = serde_json::from_str(text).map_err(syntax)?;
                let mut items = Vec::with_capacity(raws.len());
                for (index, raw) in raws.into_iter().enumerate() {
                    items.push(self.at(Place::Index(index), raw)?);
                }
                Ok(Value::Array(items))
            }
            Some(b'"' | b't' | b'f' | b'n') => serde_json::from_str(text).map_err(syntax),
            Some(_) | None => Ok(number(text)),
        }
    }

    fn object(&mut self, text: &str) -> Result<Value, JsonError> {
        let Members(members) = serde_json::from_str(text).map_err(syntax)?;
        let mut object = Map::new();
        let is_one = members.len() == 1;
        for (key, raw) in members {
            if self.foreign && is_one && key == NUMBER {
                return Err(JsonError::Reserved(self.shown()));
            }
            if object.contains_key(&key) {
                self.path.push(Place::Key(key));
                return Err(JsonError::Repeated(self.shown()));
            }
            let value = self.at(Place::Key(key.clone()), raw)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }

    fn at(&mut self, place: Place, raw: &RawValue) -> Result<Value, JsonError> {
        self.path.push(place);
        let value = self.value(raw.get());
        self.path.pop();
        value
    }

    fn shown(&self) -> String {
        let mut shown = String::new();
        for place in &self.path {
            match place {
                Place::Key(key) if shown.is_empty() => shown.push_str(key),
                Place::Key(key) => shown.push_str(&format!(".{key}")),
                Place::Index(index) => shown.push_str(&format!("[{index}]")),
            }
        }
        if shown.is_empty() { "it".to_owned() } else { shown }
    }
}

/// An object's members in their order, repeated ones too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(All)
    }
}

/// A number as `serde_json` has it, where its value is the same.
fn number(text: &str) -> Value {
    let near: Option<Value> = serde_json::from_str(text).ok();
    match near.filter(|near| Decimal::of(&near.to_string()) == Decimal::of(text)) {
        Some(near) => near,
        None => Value::Object(Map::from_iter([(NUMBER.to_owned(), text.into())])),
    }
}

/// The value of a number's text, whatever its spelling.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Without zeros at either end; empty for 0.
    digits: String,
    /// Of the last digit.
    exponent: i128,
}

impl Decimal {
    /// None for an exponent that is itself beyond numbers: such a text equals only itself.
    fn of(text: &str) -> Option<Decimal> {
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all = [whole, fraction].concat();
        let digits = all.trim_end_matches('0');
        let dropped = (all.len() - digits.len()) as i128;
        let digits = digits.trim_start_matches('0').to_owned();
        let exponent: i128 = exponent.trim_start_matches('+').parse().ok()?;
        let exponent = exponent.checked_sub(fraction.len() as i128)?.checked_add(dropped)?;
        let exponent = if digits.is_empty() { 0 } else { exponent };
        Some(Decimal { is_negative, digits, exponent })
    }
}

/// A number's text; None for what is no number.
fn number_text(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        other => exact_number(other).map(str::to_owned),
    }
}

/// Whether two values are the same: numbers by what they are worth, however they are spelt, and objects in any order.
pub fn same(one: &Value, other: &Value) -> bool {
    if let (Some(one), Some(other)) = (number_text(one), number_text(other)) {
        let (a, b) = (Decimal::of(&one), Decimal::of(&other));
        return match (a, b) {
            (Some(a), Some(b)) if a.digits.is_empty() => b.digits.is_empty(),
            (Some(a), Some(b)) => a == b,
            _ => one == other,
        };
    }
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            let names = |map: &Map<String, Value>| map.keys().cloned().collect::<BTreeSet<_>>();
            names(one) == names(other) && one.iter().all(|(name, value)| same(value, &other[name]))
        }
        (one, other) => one == other,
    }
}

/// A value as its text: every number as it is.
#[derive(Clone, Copy, Debug)]
pub struct Exact<'a>(pub &'a Value);

impl Serialize for Exact<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(text) = exact_number(self.0) {
            let raw: &RawValue = serde_json::from_str(text).map_err(S::Error::custom)?;
            return raw.serialize(serializer);
        }
        match self.0 {
            Value::Array(items) => {
                let mut array = serializer.serialize_seq(Some(items.len()))?;
                items.iter().try_for_each(|item| array.serialize_element(&Exact(item)))?;
                array.end()
            }
            Value::Object(map) => {
                let mut object = serializer.serialize_map(Some(map.len()))?;
                map.iter()
                    .try_for_each(|(name, value)| object.serialize_entry(name, &Exact(value)))?;
                object.end()
            }
            scalar => scalar.serialize(serializer),
        }
    }
}

/// On one line; with `{:#}` over several.
impl fmt::Display for Exact<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match f.alternate() {
            true => serde_json::to_string_pretty(self),
            false => serde_json::to_string(self),
        };
        // A `{"$number": …}` that holds none was not written by orthid.
        f.write_str(&text.unwrap_or_else(|_| self.0.to_string()))
    }
}

#[cfg(test)]
mod tests;
