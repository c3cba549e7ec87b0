//! Source text → spanned tree → typed, validated configuration, with all errors at once.
//!
//! Reading order: `source`, `diagnostic`, `syntax` (text → tree), `value` and `eval` (tree → values), `schema` (what
//! blocks there are), `load` (tree → [`Config`]), `instantiate` (`Config` and hops → steps), `residual` (what is left for
//! apply).
//!
//! Must not: do I/O; the caller hands in sources, variables and files.

mod code;
mod config;
mod diagnostic;
pub mod fmt;
mod render;
mod scope;
mod source;
mod syntax;
mod value;

pub use code::Code;
pub use config::{
    ChangelogConfig, Config, HopFilter, Inputs, RawValue, Relaxation, StepBlock, UpgradeBlock,
    VariableInput, VariableOrigin,
};
pub use diagnostic::{Diagnostic, Diagnostics, Label, MAX_DIAGNOSTICS, Severity, printable};
pub use source::{Source, Sources, Span};
pub use value::Value;
