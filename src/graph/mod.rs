//! Builder → sealed step graph; ready set; drawings.
//!
//! Must not: do I/O, or store a graph index.
