//! All that a person or a machine reads of plans, runs, graphs and diagnostics. Pure: values in,
//! text out.
//!
//! Must not: print, decide, or look anything up. Everything that shows the same value takes its
//! words from here.

pub mod diagnostics;
pub(crate) mod escape;
pub mod event;
pub mod graph;
pub mod page;
pub mod plan;
pub mod rehearsal;
pub mod report;
mod table;
pub mod versions;
pub(crate) mod words;
