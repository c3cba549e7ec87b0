//! What integration tests share: folders to run the program in, throwaway PostgreSQL servers, a transaction pooler, journals to write.
//!
//! Must not: know what is being tested.

pub mod broken;
pub mod chain;
pub mod desk;
pub mod disk;
pub mod gated;
pub mod hostile;
pub mod json_documents;
pub mod json_schema;
pub mod modules;
pub mod plans;
pub mod pooler;
pub mod postgres;
pub mod program;
pub mod runbook;
pub mod seeded;
pub mod terminal;
