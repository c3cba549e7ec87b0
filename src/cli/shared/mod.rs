//! What several commands need.

pub mod approvals;
pub mod confirm;
pub mod context;
pub mod environment;
pub mod error;
pub mod execute;
pub mod exit;
pub mod facts;
pub mod files;
pub mod history;
pub mod holder;
pub mod keys;
pub mod plan_text;
pub mod planning;
pub mod refusals;
pub mod reports;
pub mod runtime;
pub mod saved;
pub mod signals;
pub mod source_args;
pub mod state;
pub mod unset;
pub mod write;
