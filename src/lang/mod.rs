//! Source text → spanned HCL → typed, validated configuration, with all errors at once.
//!
//! Must not: do I/O; the caller hands in sources and environment.
