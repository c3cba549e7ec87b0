//! What commands print, and where.

pub mod live;
pub mod terminal;
