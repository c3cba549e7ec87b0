//! orthid upgrades a Helm release with a migrating database, by a plan that was reviewed first.
//!
//! The modules in the order that data flows:
//!
//! ```text
//! plan file ─► lang ─► graph ─┐
//! the world ─► facts ─────────┴► plan ─► run (store, world) ─► report
//! ```

pub mod cli;
pub mod facts;
pub mod graph;
pub mod journal;
pub mod lang;
pub mod model;
pub mod path;
pub mod plan;
pub mod render;
pub mod run;
pub mod simulate;
pub mod store;
pub mod text;
pub mod world;
