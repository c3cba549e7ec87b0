//! Steps on their way into a graph: what their authors wrote, before the recommended order is
//! added.

use super::GraphError;
use super::order;
use super::sealed::StepGraph;
use crate::model::Step;

/// A step as its author wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// Its `depends_on` holds references and what the author gave, and nothing else yet.
    pub step: Step,
    /// The author gave `depends_on`, and with it the step's place; the recommended order adds
    /// nothing.
    pub placed: bool,
}

/// Collects drafts until [`Builder::seal`]. Steps are large and there may be 100,000 of them, so
/// they are moved as seldom as can be: what is known beside a step stands beside it.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    steps: Vec<Step>,
    placed: Vec<bool>,
}

impl Builder {
    pub fn new() -> Builder {
        Builder::default()
    }

    /// Steps, of which `placed` tells those whose place their author gave.
    pub fn of(steps: Vec<Step>, placed: impl Fn(&Step) -> bool) -> Builder {
        let placed = steps.iter().map(placed).collect();
        Builder { steps, placed }
    }

    pub fn add(&mut self, draft: Draft) {
        let Draft { step, placed } = draft;
        self.steps.push(step);
        self.placed.push(placed);
    }

    /// Adds the recommended order (see [`order`]) and seals.
    ///
    /// # Errors
    /// Cycles are reported from what the author wrote alone: the recommended order can't make one.
    pub fn seal(self) -> Result<StepGraph, GraphError> {
        order::complete(self.steps, self.placed)
    }
}

impl Extend<Draft> for Builder {
    fn extend<T: IntoIterator<Item = Draft>>(&mut self, drafts: T) {
        drafts.into_iter().for_each(|draft| self.add(draft));
    }
}
