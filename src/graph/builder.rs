//! Steps on their way into a graph: what their authors wrote, before the recommended order is added.

use super::GraphError;
use super::order;
use super::sealed::StepGraph;
use crate::model::Step;

/// A step as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its `depends_on` holds references and what the author gave, and nothing else yet.
    pub step: Step,
    /// The author gave `depends_on`, and with it the step's place; the recommended order adds nothing.
    pub placed: bool,
}

/// Collects drafts until [`Builder::seal`].
#[derive(Clone, Debug, Default)]
pub struct Builder {
    drafts: Vec<Draft>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    pub fn add(&mut self, draft: Draft) {
        self.drafts.push(draft);
    }

    /// Adds the recommended order (see [`order`]) and seals.
    ///
    /// # Errors
    /// Cycles are reported from what the author wrote alone: the recommended order can't make one.
    pub fn seal(self) -> Result<StepGraph, GraphError> {
        StepGraph::from_steps(order::complete(self.drafts)?)
    }
}

impl Extend<Draft> for Builder {
    fn extend<T: IntoIterator<Item = Draft>>(&mut self, drafts: T) {
        self.drafts.extend(drafts);
    }
}
