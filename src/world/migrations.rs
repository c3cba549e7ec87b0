//! What an app's own status command says of its schema.
//!
//! Assumptions: the command, or the command with `--json` appended, prints a JSON object
//! `{"schema": 7, "applied": [names], "pending": [names]}`; a name may also be the `name` or `id` of an object.

use std::time::Duration;

use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::kubernetes::Cluster;
use super::kubernetes::exec::{Exec, ExecError, ExecOutput, exec};
use crate::facts::MigrationFacts;

/// Bound on one status command.
pub const STATUS_TIMEOUT: Duration = Duration::from_secs(30);

/// The command that asks for JSON.
pub fn json_command(status: &[String]) -> Vec<String> {
    let mut command = status.to_vec();
    if !command.iter().any(|word| word == "--json") {
        command.push("--json".to_owned());
    }
    command
}

/// Asks in a running pod.
pub async fn ask(
    cluster: &Cluster,
    namespace: &str,
    pod: &str,
    container: Option<&str>,
    status: &[String],
) -> Result<MigrationFacts, String> {
    let command = json_command(status);
    let request = Exec { namespace, pod, container, command: &command, timeout: STATUS_TIMEOUT };
    let mut last = String::new();
    // Asking changes nothing, so a cut stream is simply asked again.
    for _ in 0..3 {
        match exec(cluster, &request, &CancellationToken::new()).await {
            Ok(output) => return read(&output, &command),
            Err(ExecError::NotStarted(error)) => last = error.message,
            Err(ExecError::Unknown(reason)) => last = reason,
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Err(last)
}

fn read(output: &ExecOutput, command: &[String]) -> Result<MigrationFacts, String> {
    if output.code != 0 {
        let words = output.stderr.lines().last().unwrap_or_default();
        return Err(format!("`{}` exited with {}: {words}", command.join(" "), output.code));
    }
    parse(&output.stdout).map_err(|reason| format!("`{}`: {reason}", command.join(" ")))
}

/// Reads the last JSON object of a status command's output; log lines may stand before it.
pub fn parse(text: &str) -> Result<MigrationFacts, String> {
    let object = serde_json::from_str::<Value>(text.trim())
        .ok()
        .filter(Value::is_object)
        .or_else(|| {
            text.lines()
                .rev()
                .filter_map(|l| serde_json::from_str(l.trim()).ok())
                .find(Value::is_object)
        })
        .ok_or("it printed no JSON object")?;
    let names = |field: &str| -> Result<Vec<String>, String> {
        let items = object.get(field).and_then(Value::as_array);
        let items = items.ok_or_else(|| format!("its answer has no list `{field}`"))?;
        items
            .iter()
            .map(|item| name(item).ok_or_else(|| format!("`{field}` holds {item}")))
            .collect()
    };
    Ok(MigrationFacts {
        schema: object.get("schema").and_then(Value::as_u64),
        applied: names("applied")?,
        pending: names("pending")?,
    })
}

fn name(item: &Value) -> Option<String> {
    match item {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(map) => {
            map.get("name").or_else(|| map.get("id")).and_then(Value::as_str).map(str::to_owned)
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_is_read_after_log_lines_and_in_both_shapes() {
        let text = "INFO connecting\n{\"schema\":7,\"applied\":[\"0001_init\"],\"pending\":[{\"name\":\"0002_x\"}]}\n";
        let facts = parse(text).unwrap();
        assert_eq!(facts.schema, Some(7));
        assert_eq!(
            (facts.applied, facts.pending),
            (vec!["0001_init".into()], vec!["0002_x".into()])
        );
        let pretty = "{\n  \"applied\": [],\n  \"pending\": []\n}";
        assert_eq!(parse(pretty).unwrap().schema, None);
    }

    #[test]
    fn what_says_nothing_of_migrations_is_refused() {
        assert!(parse("all good").is_err());
        assert!(parse("{\"ok\":true}").is_err());
    }
}
