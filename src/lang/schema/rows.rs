//! How rows of the schema are written.

use super::{AttributeSchema, BlockSchema, Labels, Ty};

pub(super) const fn required(name: &'static str, ty: Ty, doc: &'static str) -> AttributeSchema {
    AttributeSchema { name, ty, required: true, doc }
}

pub(super) const fn optional(name: &'static str, ty: Ty, doc: &'static str) -> AttributeSchema {
    AttributeSchema { name, ty, required: false, doc }
}

/// A block of nothing, for `..BLOCK`.
pub(super) const BLOCK: BlockSchema = BlockSchema {
    name: "",
    doc: "",
    labels: Labels::None,
    attributes: &[],
    blocks: &[],
    open: None,
    many: false,
    step: false,
    required: false,
};
