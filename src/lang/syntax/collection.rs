//! Lists, objects and the `for` expressions that make them.

use crate::lang::budget::MAX_NAMES;
use crate::lang::syntax::ast::{Expr, For, Kind, Name};
use crate::lang::syntax::parser::{Parsed, Parser};
use crate::lang::{Code, Diagnostic, Value};

impl<'a> Parser<'a> {
    pub(super) fn list(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        self.pos += 1;
        let kind = self.with_multiline(true, |parser| {
            parser.blank()?;
            if parser.at_for() {
                return parser.for_list();
            }
            let mut items = Vec::new();
            loop {
                parser.blank()?;
                if parser.eat("]") {
                    items.shrink_to_fit();
                    return Ok(Kind::List(items));
                }
                items.push(parser.expr()?);
                parser.blank()?;
                if !parser.eat(",") && !parser.at("]") {
                    return parser.expected("`,` or `]` after an element");
                }
            }
        })?;
        self.node(start, kind)
    }

    pub(super) fn object(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        self.pos += 1;
        let before = self.pos;
        let is_for = self.with_multiline(true, |parser| {
            parser.blank()?;
            Ok(parser.at_for())
        })?;
        let kind = if is_for {
            self.with_multiline(true, Self::for_object)?
        } else {
            self.pos = before;
            Kind::Object(self.object_items()?)
        };
        self.node(start, kind)
    }

    fn object_items(&mut self) -> Parsed<Vec<(Expr, Expr)>> {
        let mut items = Vec::new();
        loop {
            self.with_multiline(true, Self::blank)?;
            if self.eat("}") {
                return Ok(items);
            }
            if items.len() == MAX_NAMES {
                let message = format!("this object is written with more than {MAX_NAMES} elements");
                return Err(Box::new(
                    Diagnostic::new(Code::BudgetExceeded, message)
                        .label(self.here(), "one too many"),
                ));
            }
            let item = self.with_multiline(false, |parser| {
                let key = parser.object_key()?;
                parser.blank()?;
                if parser.at("==") || !(parser.eat("=") || parser.eat(":")) {
                    return parser.expected("`=` after an object's key");
                }
                parser.blank()?;
                let value = parser.expr()?;
                parser.blank()?;
                if !(parser.eat(",") || parser.at("\n") || parser.at("}")) {
                    return parser.expected("`,`, a new line or `}` after an object's value");
                }
                Ok((key, value))
            })?;
            items.push(item);
        }
    }

    /// A bare name is a key by itself; anything else is computed.
    fn object_key(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        let key = self.expr()?;
        match key.kind {
            Kind::Name(name) => self.node(start, Kind::Literal(Value::String(name))),
            _ => Ok(key),
        }
    }

    fn at_for(&self) -> bool {
        let rest = self.rest();
        rest.starts_with("for") && rest[3..].starts_with([' ', '\t', '\n', '\r', '#', '/'])
    }

    /// `for k, v in collection :`
    fn for_intro(&mut self) -> Parsed<(Option<Name>, Name, Expr)> {
        let (key, value, collection) = self.loop_variables("for")?;
        self.blank()?;
        if !self.eat(":") {
            return self.expected("`:` after the collection of `for`");
        }
        self.blank()?;
        Ok((key, value, collection))
    }

    /// `for k, v in collection`, of expressions and of templates.
    pub fn loop_variables(&mut self, keyword: &str) -> Parsed<(Option<Name>, Name, Expr)> {
        assert!(self.eat(keyword), "the caller saw `{keyword}`");
        self.blank()?;
        let Some((first, _)) = self.name() else {
            return self.expected("a name for the element");
        };
        self.blank()?;
        let mut key = None;
        let mut value = first;
        if self.eat(",") {
            self.blank()?;
            let Some((second, _)) = self.name() else {
                return self.expected("a name for the element's value");
            };
            key = Some(std::mem::replace(&mut value, second));
            self.blank()?;
        }
        match self.name() {
            Some((word, _)) if &*word == "in" => {}
            Some((_, span)) => {
                self.pos = span.start as usize;
                return self.expected("`in`");
            }
            None => return self.expected("`in`"),
        }
        self.blank()?;
        Ok((key, value, self.expr()?))
    }

    fn for_condition(&mut self) -> Parsed<Option<Expr>> {
        self.blank()?;
        let start = self.pos;
        match self.name() {
            Some((word, _)) if &*word == "if" => {
                self.blank()?;
                Ok(Some(self.expr()?))
            }
            Some(_) => {
                self.pos = start;
                Ok(None)
            }
            None => Ok(None),
        }
    }

    fn for_list(&mut self) -> Parsed<Kind> {
        let (key, value, collection) = self.for_intro()?;
        let result = self.expr()?;
        let condition = self.for_condition()?;
        self.blank()?;
        self.close("]", "[")?;
        let result_key = None;
        let group = false;
        Ok(Kind::For(Box::new(For {
            key,
            value,
            collection,
            result_key,
            result,
            group,
            condition,
        })))
    }

    fn for_object(&mut self) -> Parsed<Kind> {
        let (key, value, collection) = self.for_intro()?;
        let result_key = Some(self.expr()?);
        self.blank()?;
        if !self.eat("=>") {
            return self.expected("`=>` between the key and the value of an object's `for`");
        }
        self.blank()?;
        let result = self.expr()?;
        self.blank()?;
        let group = self.eat("...");
        let condition = self.for_condition()?;
        self.blank()?;
        self.close("}", "{")?;
        Ok(Kind::For(Box::new(For {
            key,
            value,
            collection,
            result_key,
            result,
            group,
            condition,
        })))
    }
}
