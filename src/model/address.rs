//! Step addresses: `roll.app`, `migrate.schema["2.7.0"]`. Addresses are what is stored and printed; graph indices never are.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::StepKind;

/// Names one step of a plan: its kind, the name the author gave it, and one key for each way it was instantiated
/// (the hop's target version first, then the `for_each` key).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    pub kind: StepKind,
    /// Shared, because addresses are copied more often than made.
    pub name: Arc<str>,
    pub keys: Vec<String>,
}

impl Address {
    pub fn new(kind: StepKind, name: impl Into<Arc<str>>) -> Self {
        Address { kind, name: name.into(), keys: Vec::new() }
    }

    pub fn with_key(mut self, key: impl Into<String>) -> Self {
        self.keys.push(key.into());
        self
    }

    /// The address of the block that this step was instantiated from.
    pub fn block(&self) -> Address {
        Address::new(self.kind, Arc::clone(&self.name))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address { kind, name, keys } = self;
        write!(f, "{kind}.{name}")?;
        for key in keys {
            write!(f, "[{}]", quoted(key))?;
        }
        Ok(())
    }
}

/// A key as a JSON string, so that any key survives printing and parsing.
fn quoted(key: &str) -> String {
    serde_json::Value::String(key.to_owned()).to_string()
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a step address; it has the form kind.name or kind.name[\"key\"]")]
pub struct AddressError(pub(super) String);

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let bad = || AddressError(s.to_owned());
        let (kind, rest) = s.split_once('.').ok_or_else(bad)?;
        let kind = kind.parse().map_err(|_| bad())?;
        let name_end = rest.find('[').unwrap_or(rest.len());
        let (name, mut tail) = rest.split_at(name_end);
        if name.is_empty() {
            return Err(bad());
        }
        let mut keys = Vec::new();
        while !tail.is_empty() {
            let inner = tail.strip_prefix('[').ok_or_else(bad)?;
            let mut stream = serde_json::Deserializer::from_str(inner).into_iter::<String>();
            let key = stream.next().ok_or_else(bad)?.map_err(|_| bad())?;
            tail = inner[stream.byte_offset()..].strip_prefix(']').ok_or_else(bad)?;
            keys.push(key);
        }
        Ok(Address { kind, name: name.into(), keys })
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;

    fn try_from(s: String) -> Result<Self, Self::Error> {
        s.parse()
    }
}

impl From<Address> for String {
    fn from(address: Address) -> String {
        address.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn prints_as_the_plan_language_writes_it() {
        let plain = Address::new(StepKind::Roll, "app");
        assert_eq!(plain.to_string(), "roll.app");
        assert_eq!(plain.with_key("2.6.4").to_string(), r#"roll.app["2.6.4"]"#);
    }

    #[test]
    fn refuses_what_is_not_an_address() {
        for bad in [
            "",
            "roll",
            "roll.",
            "rol.app",
            "roll.app[",
            "roll.app[2]",
            r#"roll.app["a""#,
            r#"roll.app["a"]x"#,
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad} parsed");
        }
    }

    proptest! {
        #[test]
        fn printing_and_parsing_round_trip(name in "[a-z_][a-z0-9_]{0,12}", keys in prop::collection::vec(".*", 0..3)) {
            let address = Address { kind: StepKind::Migrate, name: name.into(), keys };
            prop_assert_eq!(address.to_string().parse::<Address>().unwrap(), address);
        }
    }
}
