//! The service's log: one JSON object a line, on stderr. Secrets are never among the fields.

use std::fmt::Display;
use std::io::Write;

/// Something that happened as it should.
pub fn info(message: &str, fields: &[(&str, &dyn Display)]) {
    write("info", message, fields);
}

/// Something that did not.
pub fn error(message: &str, fields: &[(&str, &dyn Display)]) {
    write("error", message, fields);
}

fn write(level: &str, message: &str, fields: &[(&str, &dyn Display)]) {
    let mut line = serde_json::Map::new();
    line.insert("at".to_owned(), crate::clock::now().into());
    line.insert("level".to_owned(), level.into());
    line.insert("message".to_owned(), message.into());
    for (name, value) in fields {
        line.insert((*name).to_owned(), value.to_string().into());
    }
    // Nobody is left to tell when stderr is closed.
    let line = format!("{}\n", serde_json::Value::Object(line));
    drop(std::io::stderr().write_all(line.as_bytes()));
}
