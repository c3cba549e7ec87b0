//! Builder → sealed step graph; ready set.
//!
//! [`Builder`] takes steps with the edges their author wrote and adds the recommended order; what
//! it makes is a [`StepGraph`], which has no cycle, names no missing step and never changes again.
//! A saved plan's steps carry every edge already, so [`StepGraph::from_steps`] makes the same graph
//! of them, without a choice left open.
//!
//! Must not: do I/O, or store a graph index: addresses are what leaves this module.

mod build;
mod builder;
mod cycle;
mod frontier;
mod links;
mod order;
pub mod safety;
mod sealed;

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;

pub use build::{build, build_for_validation};
pub use builder::{Builder, Draft};
pub use cycle::Cycle;
pub use frontier::{Frontier, Ready};
pub use sealed::{RollbackEdge, StepGraph};

use crate::model::Address;

/// Why steps don't make a graph.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    #[error("two steps have the address {0}")]
    Duplicate(Address),
    #[error("{step} names {missing}, which is not a step of this plan")]
    UnknownStep { step: Address, missing: Address },
    /// Every cycle, each shown whole or shortened.
    #[error("steps wait for each other: {}", cycle::list(.0))]
    Cycles(Vec<Cycle>),
}
