//! The tree of a plan's text: small, spanned, without comments. Layout is the formatter's business.

use std::sync::Arc;

use crate::lang::{Span, Value};

/// A name as written; equal names of one file share their text.
pub type Name = Arc<str>;

#[derive(Clone, Debug, Default)]
pub struct Body {
    pub attributes: Vec<Attribute>,
    pub blocks: Vec<Block>,
    /// Something in it could not be read, so that what is missing may stand there.
    pub broken: bool,
}

#[derive(Clone, Debug)]
pub struct Attribute {
    pub name: Name,
    pub span: Span,
    pub value: Expr,
}

#[derive(Clone, Debug)]
pub struct Block {
    pub kind: Name,
    pub kind_span: Span,
    pub labels: Vec<Label>,
    /// Kind and labels.
    pub span: Span,
    pub body: Body,
}

#[derive(Clone, Debug)]
pub struct Label {
    pub text: Name,
    pub span: Span,
}

/// An expression. `height` bounds every recursion over it.
#[derive(Clone, Debug)]
pub struct Expr {
    pub kind: Kind,
    pub span: Span,
    pub height: u16,
}

#[derive(Clone, Debug)]
pub enum Kind {
    Literal(Value),
    Template(Vec<Part>),
    List(Vec<Expr>),
    Object(Vec<(Expr, Expr)>),
    /// A root name: `var`, `each`, a step kind, a loop's variable.
    Name(Name),
    Attr(Box<Expr>, Name),
    Index(Box<Expr>, Box<Expr>),
    Splat(Box<Splat>),
    Call(Box<Call>),
    Unary(Unary, Box<Expr>),
    Binary(Binary, Box<Expr>, Box<Expr>),
    Conditional(Box<[Expr; 3]>),
    For(Box<For>),
    Parenthesis(Box<Expr>),
}

/// `x[*].a` (full), or `x.*.a`.
#[derive(Clone, Debug)]
pub struct Splat {
    pub value: Expr,
    pub full: bool,
    pub each: Vec<Step>,
}

/// What a splat does to each element.
#[derive(Clone, Debug)]
pub enum Step {
    Attr(Name),
    Index(Expr),
}

#[derive(Clone, Debug)]
pub struct Call {
    pub name: Name,
    pub name_span: Span,
    pub arguments: Vec<Expr>,
    /// The last argument is a list whose elements are the remaining arguments: `f(xs...)`.
    pub spread: bool,
}

#[derive(Clone, Debug)]
pub struct For {
    pub key: Option<Name>,
    pub value: Name,
    pub collection: Expr,
    /// Present where an object is made.
    pub result_key: Option<Expr>,
    pub result: Expr,
    /// `...`: several results of one key are kept as a list.
    pub group: bool,
    pub condition: Option<Expr>,
}

#[derive(Clone, Debug)]
pub enum Part {
    Text(Arc<str>),
    Value(Expr),
    If(Box<PartIf>),
    For(Box<PartFor>),
}

#[derive(Clone, Debug)]
pub struct PartIf {
    pub condition: Expr,
    pub then: Vec<Part>,
    pub otherwise: Vec<Part>,
}

#[derive(Clone, Debug)]
pub struct PartFor {
    pub key: Option<Name>,
    pub value: Name,
    pub collection: Expr,
    pub body: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Negate,
    Not,
}

impl Unary {
    pub fn as_str(self) -> &'static str {
        match self {
            Unary::Negate => "-",
            Unary::Not => "!",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Or,
    And,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

impl Binary {
    pub fn as_str(self) -> &'static str {
        match self {
            Binary::Or => "||",
            Binary::And => "&&",
            Binary::Equal => "==",
            Binary::NotEqual => "!=",
            Binary::Less => "<",
            Binary::LessOrEqual => "<=",
            Binary::Greater => ">",
            Binary::GreaterOrEqual => ">=",
            Binary::Add => "+",
            Binary::Subtract => "-",
            Binary::Multiply => "*",
            Binary::Divide => "/",
            Binary::Remainder => "%",
        }
    }

    /// Higher binds tighter.
    pub fn precedence(self) -> u8 {
        match self {
            Binary::Or => 1,
            Binary::And => 2,
            Binary::Equal | Binary::NotEqual => 3,
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => 4,
            Binary::Add | Binary::Subtract => 5,
            Binary::Multiply | Binary::Divide | Binary::Remainder => 6,
        }
    }
}

impl Part {
    pub(super) fn height(&self) -> u16 {
        let of = |parts: &[Part]| parts.iter().map(Part::height).max().unwrap_or(0);
        match self {
            Part::Text(_) => 0,
            Part::Value(expr) => expr.height,
            Part::If(part) => {
                1 + part.condition.height.max(of(&part.then)).max(of(&part.otherwise))
            }
            Part::For(part) => 1 + part.collection.height.max(of(&part.body)),
        }
    }
}

impl Kind {
    /// One more than the highest child.
    pub(super) fn height(&self) -> u16 {
        let below = match self {
            Kind::Literal(_) | Kind::Name(_) => 0,
            Kind::Template(parts) => parts.iter().map(Part::height).max().unwrap_or(0),
            Kind::List(items) => items.iter().map(|e| e.height).max().unwrap_or(0),
            Kind::Object(items) => {
                items.iter().map(|(k, v)| k.height.max(v.height)).max().unwrap_or(0)
            }
            Kind::Attr(expr, _) | Kind::Unary(_, expr) | Kind::Parenthesis(expr) => expr.height,
            Kind::Index(a, b) | Kind::Binary(_, a, b) => a.height.max(b.height),
            Kind::Splat(splat) => {
                let steps = splat.each.iter().map(|step| match step {
                    Step::Attr(_) => 0,
                    Step::Index(expr) => expr.height,
                });
                splat.value.height.max(steps.max().unwrap_or(0))
            }
            Kind::Call(call) => call.arguments.iter().map(|e| e.height).max().unwrap_or(0),
            Kind::Conditional(branches) => branches.iter().map(|e| e.height).max().unwrap_or(0),
            Kind::For(f) => [Some(&f.collection), f.result_key.as_ref(), Some(&f.result)]
                .into_iter()
                .chain([f.condition.as_ref()])
                .flatten()
                .map(|e| e.height)
                .max()
                .unwrap_or(0),
        };
        below.saturating_add(1)
    }
}
