//! What the outside is reached with: the invocation's environment, arguments that are computed from
//! it, and the secrets among them.

mod environment;
mod resolve;
mod sensitive;

pub use environment::Environment;
pub use resolve::Resolver;
pub use sensitive::{HeldOutputs, SENSITIVE_OUTPUT};
