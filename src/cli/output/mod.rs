//! What commands print, and where.

pub mod live;
pub mod screen;
pub mod terminal;
