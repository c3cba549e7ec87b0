//! A function of the library, and how a call of one reads its arguments.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::lang::Value;
use crate::lang::budget::Budget;
use crate::lang::value::{List, Number, Object};

/// One function.
#[derive(Debug)]
pub struct Function {
    pub name: &'static str,
    pub group: Group,
    pub signature: &'static str,
    pub doc: &'static str,
    /// An expression and what it gives, in the language itself.
    pub example: (&'static str, &'static str),
    /// Least and most arguments.
    pub(in crate::lang) arity: (usize, Option<usize>),
    pub(in crate::lang) run: Run,
}

/// The chapters of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    Strings,
    Collections,
    Sets,
    Numbers,
    Encoding,
    Dates,
    Versions,
    Types,
    Outside,
}

impl Group {
    pub const ALL: [Group; 9] = [
        Group::Strings,
        Group::Collections,
        Group::Sets,
        Group::Numbers,
        Group::Encoding,
        Group::Dates,
        Group::Versions,
        Group::Types,
        Group::Outside,
    ];

    pub fn title(self) -> &'static str {
        match self {
            Group::Strings => "Strings",
            Group::Collections => "Lists and objects",
            Group::Sets => "Lists as sets",
            Group::Numbers => "Numbers",
            Group::Encoding => "Encoding and digests",
            Group::Dates => "Dates",
            Group::Versions => "Versions",
            Group::Types => "Types and errors",
            Group::Outside => "Files and the environment",
        }
    }
}

/// How a function is run.
#[derive(Clone, Copy, Debug)]
pub(in crate::lang) enum Run {
    /// Every argument is known to its leaves.
    Known(Body),
    /// Elements of the arguments may be unknown: the function only moves them.
    Shallow(Body),
    /// The evaluator itself.
    Evaluator(Special),
}

pub(in crate::lang) type Body = fn(&Arguments) -> Result<Value, Wrong>;

/// Functions that see more than the values of their arguments.
#[derive(Clone, Copy, Debug)]
pub(in crate::lang) enum Special {
    Try,
    Can,
    Sensitive,
    Nonsensitive,
    Env,
    File,
}

/// Why a call gives nothing.
#[derive(Debug)]
pub(in crate::lang) enum Wrong {
    Argument(usize, String),
    Call(String),
    Budget,
}

impl From<String> for Wrong {
    fn from(message: String) -> Wrong {
        Wrong::Call(message)
    }
}

pub(in crate::lang) type Made = Result<Value, Wrong>;

impl Function {
    pub(in crate::lang) fn accepts(&self, count: usize) -> Result<(), String> {
        let (least, most) = self.arity;
        if count >= least && most.is_none_or(|most| count <= most) {
            return Ok(());
        }
        let takes = match most {
            Some(most) if most == least => format!("{least}"),
            Some(most) => format!("{least} to {most}"),
            None => format!("at least {least}"),
        };
        let plural = if takes == "1" || takes == "at least 1" { "" } else { "s" };
        Err(format!("`{}` takes {takes} argument{plural}, not {count}", self.name))
    }

    pub(in crate::lang) fn call(&self, values: &[Value], budget: &Budget) -> Made {
        let arguments = Arguments { values, budget };
        match self.run {
            Run::Known(body) | Run::Shallow(body) => body(&arguments),
            Run::Evaluator(_) => Err(Wrong::Call("is run by the evaluator".to_owned())),
        }
    }
}

/// The arguments of a call, read by type.
pub(in crate::lang) struct Arguments<'a> {
    values: &'a [Value],
    pub budget: &'a Budget,
}

impl<'a> Arguments<'a> {
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn all(&self) -> &'a [Value] {
        self.values
    }

    pub fn get(&self, index: usize) -> &'a Value {
        &self.values[index]
    }

    /// Takes from the budget before something large is made.
    pub fn spend(&self, operations: usize, bytes: usize) -> Result<(), Wrong> {
        if self.budget.spend(operations as u64, bytes as u64) { Ok(()) } else { Err(Wrong::Budget) }
    }

    fn wrong<T>(&self, index: usize, what: &str) -> Result<T, Wrong> {
        let got = self.values[index].type_name();
        Err(Wrong::Argument(index, format!("argument {} must be {what}, not a {got}", index + 1)))
    }

    pub fn text(&self, index: usize) -> Result<Arc<str>, Wrong> {
        match self.values[index].to_text() {
            Some(text) if !self.values[index].has_reference() => Ok(text),
            _ => self.wrong(index, "a string"),
        }
    }

    pub fn number(&self, index: usize) -> Result<Number, Wrong> {
        self.values[index].to_number().map_or_else(|| self.wrong(index, "a number"), Ok)
    }

    pub fn int(&self, index: usize) -> Result<i64, Wrong> {
        let number = self.values[index].to_number().and_then(Number::as_int);
        number.map_or_else(|| self.wrong(index, "a whole number"), Ok)
    }

    /// A whole number that is not negative.
    pub fn count(&self, index: usize) -> Result<usize, Wrong> {
        let int = self.int(index)?;
        usize::try_from(int).map_err(|_| {
            Wrong::Argument(index, format!("argument {} must not be negative", index + 1))
        })
    }

    pub fn list(&self, index: usize) -> Result<&'a List, Wrong> {
        match &self.values[index] {
            Value::List(list) => Ok(list),
            _ => self.wrong(index, "a list"),
        }
    }

    pub fn object(&self, index: usize) -> Result<&'a Object, Wrong> {
        match &self.values[index] {
            Value::Object(object) => Ok(object),
            _ => self.wrong(index, "an object"),
        }
    }

    /// A list of strings.
    pub fn texts(&self, index: usize) -> Result<Vec<Arc<str>>, Wrong> {
        let items = self.list(index)?.items.iter().map(Value::to_text).collect::<Option<_>>();
        items.map_or_else(|| self.wrong(index, "a list of strings"), Ok)
    }

    pub fn string(&self, text: String) -> Made {
        self.spend(1, text.len())?;
        Ok(Value::string(text))
    }

    pub fn make_list(&self, items: Vec<Value>) -> Made {
        self.spend(1, 32 * items.len())?;
        Ok(Value::list(items))
    }

    pub fn make_object(&self, entries: BTreeMap<Arc<str>, Value>) -> Made {
        self.spend(1, 64 * entries.len())?;
        Ok(Value::object(entries))
    }
}

/// Rows of a table: `row(name, signature, doc, (example, result), arity, run)`.
pub(in crate::lang) fn row(
    group: Group,
    signature: &'static str,
    doc: &'static str,
    example: (&'static str, &'static str),
    arity: (usize, Option<usize>),
    run: Run,
) -> Function {
    let name = signature.split('(').next().unwrap_or(signature);
    Function { name, group, signature, doc, example, arity, run }
}
