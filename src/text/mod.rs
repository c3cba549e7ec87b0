//! How anything is said: characters that are safe to print, durations, sizes, wrapped lines,
//! suggestions; secrets taken out.
//!
//! Must not: know what the text is about, or use another module of this crate.

pub mod bytes;
pub mod closest;
pub mod duration;
pub mod safe;
pub mod secret;
pub mod wrap;
