//! Expressions: precedence climbing over the operators, then the terms.

use crate::lang::syntax::ast::{Binary, Call, Expr, Kind, Name, Splat, Step, Unary};
use crate::lang::syntax::parser::{Parsed, Parser};
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

    pub(super) fn close(&mut self, closing: &str, opening: &str) -> Parsed<()> {
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
        if self.rest().starts_with(crate::lang::syntax::parser::is_name_start) {
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
}
