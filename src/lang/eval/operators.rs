//! Operators. `&&` and `||` do not look at their right side where the left one decides.

use crate::lang::eval::deferred::Leftover;
use crate::lang::eval::{Eval, Evaluator};
use crate::lang::syntax::{Binary, Expr, Unary};
use crate::lang::value::Number;
use crate::lang::{Code, Diagnostic, Span, Value};

impl Evaluator<'_> {
    pub(super) fn unary(&mut self, operator: Unary, operand: &Expr, span: Span) -> Eval<Value> {
        let value = self.eval(operand)?;
        if let Value::Deferred(_) = value {
            let mut left = Leftover::new();
            let text = format!("{}{}", operator.as_str(), left.operand(&value));
            return left.finish(self, text, false, span);
        }
        match operator {
            Unary::Not => Ok(Value::Bool(!self.truth(&value, operand.span)?)),
            Unary::Negate => {
                let number = self.number(&value, operator.as_str(), operand.span)?;
                self.arithmetic(Binary::Subtract, Number::Int(0), number, span)
            }
        }
    }

    pub(super) fn binary(
        &mut self,
        operator: Binary,
        left: &Expr,
        right: &Expr,
        span: Span,
    ) -> Eval<Value> {
        if let Binary::And | Binary::Or = operator {
            return self.logic(operator, left, right, span);
        }
        let left_value = self.eval(left);
        let right_value = self.eval(right);
        let (left_value, right_value) = (left_value?, right_value?);
        match operator {
            Binary::Equal | Binary::NotEqual => {
                self.spend(left_value.weight().min(right_value.weight()) / 8, 0, span)?;
                if !left_value.is_known() || !right_value.is_known() {
                    return self.deferred_binary(operator, &left_value, &right_value, span);
                }
                Ok(Value::Bool((left_value == right_value) == (operator == Binary::Equal)))
            }
            Binary::Less | Binary::LessOrEqual | Binary::Greater | Binary::GreaterOrEqual => {
                if is_deferred(&left_value) || is_deferred(&right_value) {
                    return self.deferred_binary(operator, &left_value, &right_value, span);
                }
                let (a, b) = self.numbers(operator, &left_value, &right_value, left, right)?;
                Ok(Value::Bool(match operator {
                    Binary::Less => a < b,
                    Binary::LessOrEqual => a <= b,
                    Binary::Greater => a > b,
                    _ => a >= b,
                }))
            }
            Binary::Add
            | Binary::Subtract
            | Binary::Multiply
            | Binary::Divide
            | Binary::Remainder => {
                if is_deferred(&left_value) || is_deferred(&right_value) {
                    return self.deferred_binary(operator, &left_value, &right_value, span);
                }
                let (a, b) = self.numbers(operator, &left_value, &right_value, left, right)?;
                self.arithmetic(operator, a, b, span)
            }
            Binary::And | Binary::Or => unreachable!("handled above"),
        }
    }

    fn deferred_binary(
        &mut self,
        operator: Binary,
        left: &Value,
        right: &Value,
        span: Span,
    ) -> Eval<Value> {
        let mut leftover = Leftover::new();
        let left = leftover.operand(left);
        let text = format!("{left} {} {}", operator.as_str(), leftover.operand(right));
        leftover.finish(self, text, false, span)
    }

    fn logic(&mut self, operator: Binary, left: &Expr, right: &Expr, span: Span) -> Eval<Value> {
        let left_value = self.eval(left)?;
        // The value of the left side that decides by itself.
        let decides = operator == Binary::Or;
        if is_deferred(&left_value) {
            let right_value = self.eval(right)?;
            return self.deferred_binary(operator, &left_value, &right_value, span);
        }
        if self.truth(&left_value, left.span)? == decides {
            return Ok(Value::Bool(decides));
        }
        let right_value = self.eval(right)?;
        if is_deferred(&right_value) {
            return Ok(right_value);
        }
        Ok(Value::Bool(self.truth(&right_value, right.span)?))
    }

    fn number(&mut self, value: &Value, operator: &str, span: Span) -> Eval<Number> {
        if let Some(number) = value.to_number() {
            return Ok(number);
        }
        let message = format!("`{operator}` needs a number, not {}", value.with_article());
        let mut diagnostic = Diagnostic::new(Code::WrongType, message).label(span, "here");
        let is_version = value.as_str().is_some_and(|text| semver::Version::parse(text).is_ok());
        if is_version {
            diagnostic = diagnostic.help("versions are compared with `semver_compare(a, b)`");
        } else if operator == "+" && value.as_str().is_some() {
            diagnostic = diagnostic.help("texts are joined in a template: `\"${a}${b}\"`");
        }
        self.fail(diagnostic)
    }

    fn numbers(
        &mut self,
        operator: Binary,
        left_value: &Value,
        right_value: &Value,
        left: &Expr,
        right: &Expr,
    ) -> Eval<(Number, Number)> {
        let a = self.number(left_value, operator.as_str(), left.span);
        let b = self.number(right_value, operator.as_str(), right.span);
        Ok((a?, b?))
    }

    fn arithmetic(&mut self, operator: Binary, a: Number, b: Number, span: Span) -> Eval<Value> {
        if let Binary::Divide | Binary::Remainder = operator
            && b == Number::Int(0)
        {
            return self.error(Code::ExpressionError, "this divides by zero", span);
        }
        let exact = match (a.as_int(), b.as_int()) {
            (Some(a), Some(b)) => match operator {
                Binary::Add => a.checked_add(b),
                Binary::Subtract => a.checked_sub(b),
                Binary::Multiply => a.checked_mul(b),
                Binary::Divide if a.checked_rem(b) == Some(0) => a.checked_div(b),
                Binary::Remainder => a.checked_rem(b),
                _ => None,
            },
            _ => None,
        };
        let (x, y) = (a.as_f64(), b.as_f64());
        let number = exact.map(Number::Int).or_else(|| {
            Number::from_f64(match operator {
                Binary::Add => x + y,
                Binary::Subtract => x - y,
                Binary::Multiply => x * y,
                Binary::Divide => x / y,
                _ => x % y,
            })
        });
        match number {
            Some(number) => Ok(Value::Number(number)),
            None => self.error(Code::ExpressionError, "the result is too large", span),
        }
    }
}

fn is_deferred(value: &Value) -> bool {
    matches!(value, Value::Deferred(_))
}
