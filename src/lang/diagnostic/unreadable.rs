//! Bytes that are no text of a plan.

use crate::lang::source::{MAX_SOURCE_BYTES, Source, Sources, Span};
use crate::lang::{Code, Diagnostic, Diagnostics};

impl Source {
    /// Errors: not UTF-8, a NUL byte, or larger than [`MAX_SOURCE_BYTES`].
    pub fn from_bytes(path: impl Into<String>, bytes: Vec<u8>) -> Result<Source, Diagnostics> {
        let path = path.into();
        if bytes.len() > MAX_SOURCE_BYTES {
            let message = format!(
                "the file is {} MiB; at most {} MiB are read",
                bytes.len() >> 20,
                MAX_SOURCE_BYTES >> 20
            );
            return Err(whole_file(path, "", 0, Diagnostic::new(Code::BudgetExceeded, message)));
        }
        let nul = bytes.iter().position(|b| *b == 0);
        match (String::from_utf8(bytes), nul) {
            (Ok(text), None) => Ok(Source::new(path, text)),
            (Ok(text), Some(at)) => {
                let diagnostic = Diagnostic::new(Code::NotUtf8, "the file contains a NUL byte")
                    .help("a plan is plain UTF-8 text; is this the right file?");
                Err(whole_file(path, &text, at, diagnostic))
            }
            (Err(error), _) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
                let diagnostic =
                    Diagnostic::new(Code::NotUtf8, format!("byte {at} of the file is not UTF-8"))
                        .help("save the file as UTF-8");
                Err(whole_file(path, &text, at, diagnostic))
            }
        }
    }
}

fn whole_file(path: String, text: &str, at: usize, diagnostic: Diagnostic) -> Diagnostics {
    let at = at.min(text.len()) as u32;
    let sources = Sources::new(vec![Source::new(path, text)]);
    let mut diagnostics = Diagnostics::new(sources);
    diagnostics.push(diagnostic.label(Span { file: 0, start: at, end: at }, "here"));
    diagnostics
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_not_text_are_refused() {
        for bytes in [&b"a = \xff"[..], b"a = \"\0\""] {
            let errors = Source::from_bytes("bad.hcl", bytes.to_vec()).unwrap_err();
            assert_eq!(errors.iter().map(|d| d.code).collect::<Vec<_>>(), [Code::NotUtf8]);
        }
    }
}
