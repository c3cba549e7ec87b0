//! What the language is, for programs and for the book.

pub mod json_schema;
pub mod reference;
