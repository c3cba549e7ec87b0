//! Source text → spanned tree → typed, validated configuration, with all errors at once.
//!
//! Reading order: `source`, `diagnostic`, `syntax` (text → tree), `value` and `eval` (tree →
//! values), `schema` (what blocks there are), `load` (tree → [`Config`]), `instantiate` (`Config`
//! and hops → steps), `residual` (what is left for apply).
//!
//! Must not: do I/O; the caller hands in sources, variables and files.

mod budget;
mod check;
mod config;
mod decode;
mod diagnostic;
pub mod docs;
mod eval;
pub mod fmt;
pub mod functions;
mod load;
pub mod schema;
mod scope;
mod source;
mod syntax;
mod types;
mod value;

#[cfg(test)]
mod tests;

pub use config::{
    ChangelogConfig, Config, Inputs, RawValue, RedactConfig, Relaxation, StepBlock, UpgradeBlock,
    VariableInput, VariableOrigin,
};
pub use diagnostic::{Code, Diagnostic, Diagnostics, Label, MAX_DIAGNOSTICS, Severity};
pub use eval::{ResidualError, eval_condition, eval_residual, eval_value, quoted};
pub use load::{Inspection, Outline, inspect, load, variable_file};
pub use scope::{HopFilter, ReadOutput};
pub use source::{Source, Sources, Span};
pub use value::Value;
