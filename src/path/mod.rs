//! The SemVer path from the installed version to the target: hops, and the changelog entries
//! between.
//!
//! Reading order: `releases` (what `releases.yaml` says), `find` (the path), `candidates` (whose
//! charts it needs), `changelog` (the entries), `guide`.
//!
//! Must not: do I/O.

mod candidates;
mod changelog;
mod error;
mod find;
mod guide;
mod releases;

#[cfg(test)]
mod tests;

pub use candidates::{candidates, newest_patches};
pub use changelog::{ChangelogEntry, entries};
pub use error::PathError;
pub use find::{Path, Stop, StopReason, Wanted, find};
pub use guide::{Guides, acknowledged};
pub use releases::{
    Deprecation, MigrationEntry, ReleaseChange, ReleaseEntry, Releases, ReleasesError,
    RenamedValue, RequiredConfig, SchemaRange,
};
