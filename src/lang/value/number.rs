//! Numbers: counts stay exact.

use std::cmp::Ordering;
use std::fmt;

/// A number: whole where it can be, otherwise a finite float.
#[derive(Clone, Copy, Debug)]
pub enum Number {
    Int(i64),
    Float(f64),
}

impl Number {
    /// None where it is not finite.
    pub fn from_f64(float: f64) -> Option<Number> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        if !float.is_finite() {
            None
        } else if float.fract() == 0.0 && float.abs() <= EXACT {
            Some(Number::Int(float as i64))
        } else {
            Some(Number::Float(float))
        }
    }

    pub fn as_f64(self) -> f64 {
        match self {
            Number::Int(int) => int as f64,
            Number::Float(float) => float,
        }
    }

    /// None where it is not whole.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Number::Int(int) => Some(int),
            Number::Float(_) => None,
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Number) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Number) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Number) -> Ordering {
        match (self, other) {
            (Number::Int(a), Number::Int(b)) => a.cmp(b),
            _ => self.as_f64().total_cmp(&other.as_f64()),
        }
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Number::Int(int) => write!(f, "{int}"),
            Number::Float(float) if float.abs() >= 1e21 || float.abs() < 1e-7 => {
                write!(f, "{float:e}")
            }
            Number::Float(float) => write!(f, "{float}"),
        }
    }
}

impl std::str::FromStr for Number {
    type Err = ();

    fn from_str(text: &str) -> Result<Number, ()> {
        let numeric = text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && text.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
        if !numeric {
            return Err(());
        }
        let int = text.parse().ok().map(Number::Int);
        int.or_else(|| text.parse().ok().and_then(Number::from_f64)).ok_or(())
    }
}
