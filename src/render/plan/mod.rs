//! Renderings of one plan value: terminal text, JSON, Markdown, HTML. None knows more than another,
//! they only show it otherwise.
//!
//! Must not: print, or compute anything that is not in the plan.

mod changes;
mod html;
mod json;
mod markdown;
mod text;

pub use html::html;
pub use json::{FORMAT_VERSION as JSON_FORMAT_VERSION, json};
pub use markdown::markdown;
pub use text::text;
