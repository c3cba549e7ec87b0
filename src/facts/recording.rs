//! Facts on disk: one JSON document, so that a plan can be made where the world can't be reached.
//!
//! Must not: touch a disk. The content was redacted when it was observed; reading does not make it
//! safer.

use std::fmt::Display;

use miette::Diagnostic;

use super::Facts;

/// Version of the format. A change of any field's name or meaning is a new one.
pub const FORMAT_VERSION: u32 = 1;

/// Why a file is not a recording that can be planned from.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    #[error("this is not a recording of facts: {0}")]
    NotFacts(String),
    #[error(
        "the facts were recorded in format {0}; this orthid knows formats up to {FORMAT_VERSION}"
    )]
    NewerFormat(u64),
}

impl Diagnostic for RecordingError {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(match self {
            RecordingError::NotFacts(_) => "orthid::facts::not_facts",
            RecordingError::NewerFormat(_) => "orthid::facts::newer_format",
        }))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(match self {
            RecordingError::NotFacts(_) => "`orthid observe FILE -out FACTS` records them",
            RecordingError::NewerFormat(_) => {
                "plan with the orthid that recorded them, or a newer one"
            }
        }))
    }
}

/// The recording's bytes: indented, because people diff recordings.
pub fn write(facts: &Facts) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(facts).expect("facts have string keys only");
    bytes.push(b'\n');
    bytes
}

/// Reads a recording.
///
/// # Errors
/// It is not one, or is of a newer format.
pub fn read(bytes: &[u8]) -> Result<Facts, RecordingError> {
    let not_facts = |error: serde_json::Error| RecordingError::NotFacts(error.to_string());
    let document: serde_json::Value = serde_json::from_slice(bytes).map_err(not_facts)?;
    match document.get("format_version").and_then(serde_json::Value::as_u64) {
        None => Err(RecordingError::NotFacts("it names no format_version".to_owned())),
        Some(found) if found > u64::from(FORMAT_VERSION) => Err(RecordingError::NewerFormat(found)),
        Some(_) => serde_json::from_value(document).map_err(not_facts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDED: &[u8] = include_bytes!("../../tests/fixtures/facts/orthid-2.6.0.json");

    #[test]
    fn a_recording_reads_back_as_it_was_written() {
        let facts = read(RECORDED).unwrap();
        assert_eq!(read(&write(&facts)).unwrap(), facts);
    }

    #[test]
    fn what_is_newer_or_something_else_is_refused() {
        let text = String::from_utf8(RECORDED.to_vec()).unwrap();
        let newer = text.replacen("\"format_version\": 1", "\"format_version\": 9", 1);
        assert!(matches!(read(newer.as_bytes()), Err(RecordingError::NewerFormat(9))));
        assert!(matches!(read(b"{}"), Err(RecordingError::NotFacts(_))));
        assert!(matches!(read(b"kind: List"), Err(RecordingError::NotFacts(_))));
        let unknown = text.replacen('{', "{\"surprise\": 1,", 1);
        assert!(read(unknown.as_bytes()).is_err(), "an unknown field is not skipped over");
    }
}
