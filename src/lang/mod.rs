//! Source text → spanned tree → typed, validated configuration, with all errors at once.
//!
//! Reading order: `source`, `diagnostic`, `syntax` (text → tree), `value` and `eval` (tree → values), `schema` (what
//! blocks there are), `load` (tree → [`Config`]), `instantiate` (`Config` and hops → steps), `residual` (what is left for
//! apply).
//!
//! Must not: do I/O; the caller hands in sources, variables and files.

mod budget;
mod check;
mod code;
mod config;
mod decode;
mod diagnostic;
mod eval;
pub mod fmt;
pub mod functions;
mod instantiate;
pub mod json_schema;
mod load;
mod locals;
mod outline;
pub mod reference;
mod references;
mod render;
mod residual;
pub mod schema;
mod scope;
mod source;
mod syntax;
mod together;
mod types;
mod value;
mod variables;

#[cfg(test)]
mod tests;

pub use code::Code;
pub use config::{
    ChangelogConfig, Config, HopFilter, Inputs, RawValue, Relaxation, StepBlock, UpgradeBlock,
    VariableInput, VariableOrigin,
};
pub use diagnostic::{Diagnostic, Diagnostics, Label, MAX_DIAGNOSTICS, Severity};
pub use load::{Inspection, inspect, load};
pub use outline::Outline;
pub use residual::{ResidualError, eval_condition, eval_residual, eval_value, quoted};
pub use scope::ReadOutput;
pub use source::{Source, Sources, Span};
pub use value::Value;
pub use variables::variable_file;
