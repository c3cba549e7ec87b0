//! The blocks and attributes of the language, as data: what is checked, what is suggested, and what
//! documentation and editors are told.
//!
//! Must not: know how a value is computed.

mod blocks;
mod http;
mod rows;

pub use blocks::{FILE, RULES, STEP_ATTRIBUTES};

use crate::model::StepKind;

/// A block's schema.
#[derive(Debug)]
pub struct BlockSchema {
    pub name: &'static str,
    pub doc: &'static str,
    pub labels: Labels,
    pub attributes: &'static [AttributeSchema],
    pub blocks: &'static [&'static BlockSchema],
    /// Attributes of any name, with values of this type.
    pub open: Option<Ty>,
    /// Whether it may occur more than once (with different labels).
    pub many: bool,
    /// Whether it is a step, which takes the attributes of all steps.
    pub step: bool,
    pub required: bool,
}

/// What a block's labels are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    None,
    /// One, which is the block's name.
    Name,
    /// One, which is a version.
    Version,
    /// One or none.
    Optional,
}

#[derive(Debug)]
pub struct AttributeSchema {
    pub name: &'static str,
    pub ty: Ty,
    pub required: bool,
    pub doc: &'static str,
}

/// What an attribute's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ty {
    /// A string that is known when planning.
    Text,
    /// A string that may be known only when the step runs, or be secret.
    Argument,
    Bool,
    Number,
    Duration,
    Version,
    VersionRange,
    Texts,
    Arguments,
    Numbers,
    ArgumentMap,
    TextMap,
    /// A number, or a list of them.
    NumberOrNumbers,
    /// Anything that JSON can hold.
    Any,
    /// A list of steps.
    Steps,
    /// A backup's or a verified backup's `id`.
    BackupId,
    VerifiedId,
    Database,
    /// An object or a list of strings.
    ForEach,
    TypeConstraint,
    /// A condition over the names in scope.
    Condition,
    OneOf(&'static [&'static str]),
}

impl BlockSchema {
    /// Its own attributes and those of all steps.
    pub fn all_attributes(&self) -> impl Iterator<Item = &'static AttributeSchema> + Clone {
        let common: &'static [AttributeSchema] = if self.step { STEP_ATTRIBUTES } else { &[] };
        self.attributes.iter().chain(common)
    }

    pub fn block(&self, name: &str) -> Option<&'static BlockSchema> {
        self.blocks.iter().find(|block| block.name == name).copied()
    }
}

/// The schema of a kind of step.
pub fn step(kind: StepKind) -> &'static BlockSchema {
    FILE.block(kind.as_str()).expect("every kind of step has a schema: a test holds it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_has_a_schema() {
        for kind in StepKind::ALL {
            assert!(step(kind).step, "{kind}");
        }
    }

    fn names_are_unique(block: &BlockSchema) {
        let names: Vec<_> = block.all_attributes().map(|attribute| attribute.name).collect();
        let mut once = names.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!(once.len(), names.len(), "{}", block.name);
        block.blocks.iter().for_each(|inner| names_are_unique(inner));
    }

    #[test]
    fn no_attribute_is_there_twice() {
        names_are_unique(&FILE);
    }
}
