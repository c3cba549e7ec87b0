//! How a command ends that has shown a run.

use crate::cli::output::terminal;
use crate::cli::shared::exit::Exit;
use crate::run::Report;
use crate::text::safe::masked;

/// The exit of a command that has shown this run.
pub fn exit(report: &Report) -> Exit {
    if report.refused.is_empty() {
        return Exit::Done;
    }
    for (seq, why) in &report.refused {
        terminal::note(&masked(&format!("record {seq} of the journal is NOT VERIFIED: {why}")));
    }
    terminal::note(
        "nobody entitled signed what the journal holds there: orthid writes nothing like it, so \
         somebody else wrote to the state store",
    );
    Exit::Stale
}
