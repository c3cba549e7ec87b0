//! What several commands need.

pub mod approvals;
pub mod error;
pub mod execute;
pub mod exit;
pub mod facts;
pub mod files;
pub mod history;
pub mod keys;
pub mod plan_text;
pub mod saved;
pub mod source_args;
pub mod state;
pub mod write;
