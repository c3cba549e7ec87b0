//! Expressions: precedence climbing over the operators, then the terms.

use super::ast::{Binary, Call, Expr, For, Kind, Name, Splat, Step, Unary};
use super::parser::{Parsed, Parser};
use crate::lang::budget::MAX_NAMES;
use crate::lang::value::Number;
use crate::lang::{Code, Diagnostic, Value};

impl<'a> Parser<'a> {
    pub fn expr(&mut self) -> Parsed<Expr> {
        self.nested(|parser| {
            let start = parser.pos;
            let condition = parser.binary(1)?;
            let after = parser.pos;
            parser.blank()?;
            if !parser.eat("?") {
                parser.pos = after;
                return Ok(condition);
            }
            parser.blank()?;
            let then = parser.expr()?;
            parser.blank()?;
            if !parser.eat(":") {
                return parser.expected("`:` and the value for when the condition is false");
            }
            parser.blank()?;
            let otherwise = parser.expr()?;
            parser.node(start, Kind::Conditional(Box::new([condition, then, otherwise])))
        })
    }

    fn binary(&mut self, lowest: u8) -> Parsed<Expr> {
        let start = self.pos;
        let mut left = self.unary()?;
        loop {
            let after = self.pos;
            self.blank()?;
            let operator = match self.operator() {
                Some(operator) if operator.precedence() >= lowest => operator,
                Some(_) | None => {
                    self.pos = after;
                    return Ok(left);
                }
            };
            self.pos += operator.as_str().len();
            self.blank()?;
            let right = self.binary(operator.precedence() + 1)?;
            left = self.node(start, Kind::Binary(operator, Box::new(left), Box::new(right)))?;
        }
    }

    fn operator(&self) -> Option<Binary> {
        const OPERATORS: [Binary; 13] = [
            Binary::Or,
            Binary::And,
            Binary::Equal,
            Binary::NotEqual,
            Binary::LessOrEqual,
            Binary::Less,
            Binary::GreaterOrEqual,
            Binary::Greater,
            Binary::Add,
            Binary::Subtract,
            Binary::Multiply,
            Binary::Divide,
            Binary::Remainder,
        ];
        // `=>` of a `for` is not a comparison, `%{` of a template not a remainder.
        let rest = self.rest();
        OPERATORS.into_iter().find(|operator| rest.starts_with(operator.as_str()))
    }

    fn unary(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        let operator = match self.peek() {
            Some(b'-') => Unary::Negate,
            Some(b'!') => Unary::Not,
            _ => return self.postfix(),
        };
        self.pos += 1;
        self.blank()?;
        let operand = self.nested(Self::unary)?;
        self.node(start, Kind::Unary(operator, Box::new(operand)))
    }

    /// A term with the `.name`, `[index]` and splats that follow it.
    fn postfix(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        let mut expr = self.term()?;
        loop {
            let after = self.pos;
            self.blank()?;
            if self.at(".") && !self.at("...") {
                self.pos += 1;
                self.blank()?;
                if self.eat("*") {
                    expr = self.splat(start, expr, false)?;
                    continue;
                }
                expr = match self.step_after_dot()? {
                    Step::Attr(name) => self.node(start, Kind::Attr(Box::new(expr), name))?,
                    Step::Index(index) => {
                        self.node(start, Kind::Index(Box::new(expr), Box::new(index)))?
                    }
                };
            } else if self.eat("[") {
                let splat = self.with_multiline(true, |parser| {
                    parser.blank()?;
                    if !parser.eat("*") {
                        return Ok(false);
                    }
                    parser.blank()?;
                    parser.close("]", "[")?;
                    Ok(true)
                })?;
                if splat {
                    expr = self.splat(start, expr, true)?;
                    continue;
                }
                let index = self.index()?;
                expr = self.node(start, Kind::Index(Box::new(expr), Box::new(index)))?;
            } else {
                self.pos = after;
                return Ok(expr);
            }
        }
    }

    fn step_after_dot(&mut self) -> Parsed<Step> {
        if let Some((name, _)) = self.name() {
            return Ok(Step::Attr(name));
        }
        let digits = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return self.expected("a name after `.`");
        }
        let start = self.pos;
        self.pos += digits;
        match self.text[start..self.pos].parse::<i64>() {
            Ok(index) => {
                let literal = Kind::Literal(Value::Number(Number::Int(index)));
                Ok(Step::Index(self.node(start, literal)?))
            }
            Err(_) => self.error("this index is too large"),
        }
    }

    /// What is between `[` and `]`.
    fn index(&mut self) -> Parsed<Expr> {
        self.with_multiline(true, |parser| {
            parser.blank()?;
            let index = parser.expr()?;
            parser.blank()?;
            parser.close("]", "[")?;
            Ok(index)
        })
    }

    fn splat(&mut self, start: usize, value: Expr, full: bool) -> Parsed<Expr> {
        let mut each = Vec::new();
        loop {
            let after = self.pos;
            self.blank()?;
            if self.at(".") && !self.at("...") && !self.at(".*") {
                self.pos += 1;
                self.blank()?;
                each.push(self.step_after_dot()?);
            } else if full && self.at("[") && !self.at("[*") {
                self.pos += 1;
                each.push(Step::Index(self.index()?));
            } else {
                self.pos = after;
                return self.node(start, Kind::Splat(Box::new(Splat { value, full, each })));
            }
        }
    }

    fn close(&mut self, closing: &str, opening: &str) -> Parsed<()> {
        if self.eat(closing) {
            return Ok(());
        }
        self.expected(&format!("`{closing}` for the `{opening}` before it"))
    }

    fn term(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'<') if self.at("<<") => self.heredoc(),
            Some(b'0'..=b'9') => self.number(),
            Some(b'(') => {
                self.pos += 1;
                let inner = self.with_multiline(true, |parser| {
                    parser.blank()?;
                    let inner = parser.expr()?;
                    parser.blank()?;
                    parser.close(")", "(")?;
                    Ok(inner)
                })?;
                self.node(start, Kind::Parenthesis(Box::new(inner)))
            }
            Some(b'[') => self.list(),
            Some(b'{') => self.object(),
            Some(b'\'') => {
                let message = "strings are written with double quotes";
                Err(Box::new(
                    Diagnostic::new(Code::Syntax, message)
                        .label(self.here(), "here")
                        .help("write `\"…\"`"),
                ))
            }
            _ => match self.name() {
                Some((name, _)) => self.named(start, name),
                None => self.expected("a value"),
            },
        }
    }

    fn named(&mut self, start: usize, name: Name) -> Parsed<Expr> {
        let name_span = self.span(start);
        let after = self.pos;
        self.blank()?;
        if self.at("::") {
            return self.error("functions have no namespaces here");
        }
        if self.at("(") {
            self.pos += 1;
            let (arguments, spread) = self.arguments()?;
            let call = Call { name, name_span, arguments, spread };
            return self.node(start, Kind::Call(Box::new(call)));
        }
        self.pos = after;
        let kind = match &*name {
            "true" => Kind::Literal(Value::Bool(true)),
            "false" => Kind::Literal(Value::Bool(false)),
            "null" => Kind::Literal(Value::Null),
            _ => Kind::Name(name),
        };
        self.node(start, kind)
    }

    fn arguments(&mut self) -> Parsed<(Vec<Expr>, bool)> {
        self.with_multiline(true, |parser| {
            let mut arguments = Vec::new();
            let mut spread = false;
            loop {
                parser.blank()?;
                if parser.eat(")") {
                    return Ok((arguments, spread));
                }
                if spread {
                    return parser.expected("`)` after `...`");
                }
                arguments.push(parser.expr()?);
                parser.blank()?;
                spread = parser.eat("...");
                parser.blank()?;
                if !parser.eat(",") && !parser.at(")") {
                    return parser.expected("`,` or `)` after an argument");
                }
            }
        })
    }

    fn number(&mut self) -> Parsed<Expr> {
        let start = self.pos;
        let bytes = self.rest().as_bytes();
        let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
        let mut len = digits(0);
        let mut whole = true;
        if bytes.get(len) == Some(&b'.') && digits(len + 1) > 0 {
            len += 1 + digits(len + 1);
            whole = false;
        }
        if matches!(bytes.get(len), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(len + 1), Some(b'+' | b'-')));
            let exponent = digits(len + 1 + sign);
            if exponent > 0 {
                len += 1 + sign + exponent;
                whole = false;
            }
        }
        self.pos += len;
        if self.rest().starts_with(super::parser::is_name_start) {
            let name = self.found_here();
            let text = format!("{}{}", &self.text[start..self.pos], name.trim_matches('`'));
            let diagnostic = Diagnostic::new(Code::Syntax, format!("`{text}` is not a number"))
                .label(self.here(), "here")
                .help(format!("durations and other text stand in double quotes: \"{text}\""));
            return Err(Box::new(diagnostic));
        }
        let text = &self.text[start..self.pos];
        let int = if whole { text.parse::<i64>().ok().map(Number::Int) } else { None };
        match int.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64)) {
            Some(number) => self.node(start, Kind::Literal(Value::Number(number))),
            None => self.error(format!("the number {text} is too large")),
        }
    }

    fn list(&mut self) -> Parsed<Expr> {
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

    fn object(&mut self) -> Parsed<Expr> {
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
