//! What is wrong with a plan's text before anything of it is computed.

mod between;
mod body;
mod names;

pub(super) use between::{hops, needs, references};
pub(super) use body::body;
