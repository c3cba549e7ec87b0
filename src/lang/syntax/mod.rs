//! Text → tree. A parser of our own, for three reasons: it goes on after an error, so that every
//! error of a file is reported at once; it bounds depth and memory on hostile input; and its tree
//! is small enough for 100,000 steps. A test holds it against `hcl-edit`, which the formatter uses.
//!
//! Must not: know what any name means.

mod ast;
mod body;
mod collection;
mod expression;
pub(in crate::lang) mod names;
mod parser;
mod template;

pub use ast::{
    Attribute, Binary, Block, Body, Call, Expr, For, Kind, Name, Part, PartFor, PartIf, Splat,
    Step, Unary,
};

use crate::lang::{Diagnostic, Source};

/// The body of a source, as much of it as can be read, with everything that can't be.
pub fn parse_body(source: &Source, file: u32) -> (Body, Vec<Diagnostic>) {
    let mut parser = parser::Parser::new(&source.text, file);
    let body = parser.file();
    (body, parser.found)
}

/// One expression and nothing else.
pub fn parse_expr(text: &str, file: u32) -> Result<Expr, Box<Diagnostic>> {
    parser::Parser::new(text, file).only_expression()
}
