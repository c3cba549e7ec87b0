//! What a command printed: its outputs, and those of them that are secret.
//!
//! Must not: start a command, or know where its output is kept.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::journal::Failure;
use crate::model::json;
use crate::model::{Outputs, RunSpec};
use crate::text::secret::Redactor;
use crate::world::failure::permanent;

/// Registers what a command printed and its step calls secret; false where some of that is not
/// there.
pub fn learn(spec: &RunSpec, stdout: &str, redactor: &Redactor) -> bool {
    let members = last_object(stdout).map(json::members).unwrap_or_default();
    let outputs: BTreeMap<String, Value> = members.into_iter().collect();
    for value in spec.sensitive_outputs.iter().filter_map(|name| outputs.get(name)) {
        redactor.register_value(value);
    }
    spec.sensitive_outputs.iter().all(|name| outputs.contains_key(name))
}

/// The last line that is a JSON object.
fn last_object(stdout: &str) -> Option<&str> {
    let mut lines = stdout.lines().rev().map(str::trim);
    lines.find(|line| line.starts_with('{') && json::is_json(line))
}

/// The members of the last line that is a JSON object.
///
/// # Errors
/// Where it can't be kept as it is: the failure names the place in it.
pub fn outputs(stdout: &str) -> Result<Outputs, Failure> {
    match last_object(stdout).map(json::read) {
        Some(Ok(Value::Object(map))) => Ok(map.into_iter().collect()),
        Some(Ok(_)) | None => Ok(Outputs::new()),
        Some(Err(error)) => {
            let message =
                format!("the command did its work, but its outputs can't be kept: {error}");
            Err(permanent(message).help("change the last JSON object that it prints"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::json::Exact;

    #[test]
    fn the_last_object_is_taken_as_it_is() {
        for (stdout, expected) in [
            ("", Ok("{}")),
            ("{\"a\": 1}\nnot {json}\n{ broken }\n", Ok(r#"{"a":1}"#)),
            ("{\"a\": 1}\n  {\"b\": 1e400}  \n[1]\n", Ok(r#"{"b":1e400}"#)),
            ("{\"a\": 1}\n{\"b\": {\"c\": 1, \"c\": 2}}\n", Err("`b.c` stands there twice")),
        ] {
            let shown = outputs(stdout)
                .map(|outputs| Exact(&Value::Object(outputs.into_iter().collect())).to_string());
            match expected {
                Ok(expected) => assert_eq!(shown.unwrap(), expected, "{stdout}"),
                Err(why) => assert!(shown.unwrap_err().message.ends_with(why), "{stdout}"),
            }
        }
    }
}
