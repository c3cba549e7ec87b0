//! What commands print, and where.

pub mod diagnostics;
pub mod live;
pub mod terminal;
