//! The SemVer path from the installed version to the target: hops, and the changelog entries between.
//!
//! Must not: do I/O.
