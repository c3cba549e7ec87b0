//! Secrets in texts, values and manifests: finding them and taking them out. The one place that
//! does.
//!
//! Two ways of finding one. A secret that is *known* (a plan read it from the environment, a
//! database URL, an HTTP answer) is found wherever it stands, in each form that programs write it
//! in (`forms`). Anything else is found by its *look*: the name it stands under, or a shape such as
//! a password in a URL (`look`).
//!
//! Guarantees: whatever becomes a fact, an output, a record, evidence, an error or a page went
//! through a [`Redactor`]. Must not: use anything of the crate, keep a secret anywhere but in
//! memory, or show one in a `Debug`.

mod fingerprint;
mod forms;
mod look;
mod plain;
mod redactor;
mod tree;

pub use fingerprint::{holds_fingerprint, without_fingerprints};
pub use look::{holds_credentials, is_secret_name};
pub use redactor::{Part, Redactor};
pub use tree::{ManifestError, documents};

/// What stands where a secret stood.
pub const HIDDEN: &str = "(sensitive value)";
