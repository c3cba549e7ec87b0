//! What the outside is reached with: the invocation's environment, arguments that are computed from it, and the secrets
//! among them.

mod environment;
mod redactor;
mod resolve;

pub use environment::Environment;
pub use redactor::Redactor;
pub use resolve::Resolver;
