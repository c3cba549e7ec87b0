//! Attributes and blocks → the types of the model. Every attribute is read before any failure ends
//! the block, so that all of its errors are found.

mod common;
mod http;
mod named;
pub(super) mod paths;
mod secrets;
mod settings;
mod steps;

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

use crate::lang::diagnostic::shown;
use crate::lang::eval::{Eval, Evaluator, Failed};
use crate::lang::syntax::{Attribute, Block, Body};
use crate::lang::value::{Number, Reference};
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::{Address, Arg};
use crate::text::closest::closest;
use crate::text::duration;

/// The entries of an object, in order.
type Entries = Vec<(String, Value)>;
pub(super) use common::{Common, When};
pub(super) use settings::{Settings, changelog, databases, policy, redact, release, upgrade};
pub(super) use steps::step;

/// What stands in for a value that is not set, where a plan is only validated.
const NOT_SET: &str = "(not set)";

/// Reads attributes of one block.
pub(super) struct Reader<'e, 'a> {
    pub on: &'e mut Evaluator<'a>,
    /// Steps that the values read so far rest on.
    pub rests_on: BTreeSet<Address>,
}

pub(super) fn attribute<'b>(body: &'b Body, name: &str) -> Option<&'b Attribute> {
    body.attributes.iter().find(|attribute| &*attribute.name == name)
}

pub(super) fn block<'b>(body: &'b Body, name: &str) -> Option<&'b Block> {
    body.blocks.iter().find(|block| &*block.kind == name)
}

pub(super) fn blocks<'b>(body: &'b Body, name: &str) -> impl Iterator<Item = &'b Block> {
    body.blocks.iter().filter(move |block| &*block.kind == name)
}

/// A value, or the failure that a missing attribute is; the schema's check has reported it.
pub(super) fn needed<T>(value: Eval<Option<T>>) -> Eval<T> {
    value?.ok_or(Failed)
}

impl<'e, 'a> Reader<'e, 'a> {
    pub fn new(on: &'e mut Evaluator<'a>) -> Reader<'e, 'a> {
        Reader { on, rests_on: BTreeSet::new() }
    }

    /// The value of an attribute; none where it is not there or null.
    pub fn value(&mut self, body: &Body, name: &str) -> Eval<Option<(Value, Span)>> {
        let Some(attribute) = attribute(body, name) else { return Ok(None) };
        let value = self.on.eval(&attribute.value)?;
        value.steps(&mut self.rests_on);
        Ok(if value.is_null() { None } else { Some((value, attribute.value.span)) })
    }

    /// Reports a value of the wrong type.
    pub fn wrong<T>(&mut self, name: &str, what: &str, value: &Value, span: Span) -> Eval<T> {
        if let Value::Deferred(deferred) = value {
            let known_when = if deferred.sensitive {
                "it is secret, so it is read only when a step runs"
            } else {
                "it is known only when a step has run"
            };
            let diagnostic =
                Diagnostic::new(Code::NotKnownYet, format!("`{name}` must be known when planning"));
            return self.on.fail(diagnostic.label(span, known_when));
        }
        let message = format!("`{name}` must be {what}, not {}", value.with_article());
        let mut diagnostic = Diagnostic::new(Code::WrongType, message).label(span, "here");
        if let Value::Reference(reference) = value
            && let Reference::Step(address) | Reference::Steps(address, _) = &**reference
            && let Some(first) = address.kind.output_names().and_then(|mut names| names.next())
        {
            diagnostic =
                diagnostic.help(format!("name an output of it: `{}.{first}`", address.block()));
        }
        self.on.fail(diagnostic)
    }

    /// Whether the value is one that only validation may do without.
    fn is_unset(value: &Value) -> bool {
        matches!(value, Value::Deferred(deferred) if deferred.unset)
    }

    pub fn text(&mut self, body: &Body, name: &str) -> Eval<Option<String>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        match value.to_text() {
            Some(text) if !value.has_reference() => Ok(Some(text.to_string())),
            _ if Self::is_unset(&value) => Ok(Some(NOT_SET.to_owned())),
            _ => self.wrong(name, "a string", &value, span),
        }
    }

    /// A string that is there and not empty.
    pub fn full_text(&mut self, body: &Body, name: &str) -> Eval<Option<String>> {
        let text = self.text(body, name)?;
        if text.as_deref().is_some_and(|text| text.trim().is_empty()) {
            let message = format!("`{name}` must not be empty");
            return self.on.error(Code::InvalidValue, message, self.span_of(body, name));
        }
        Ok(text)
    }

    pub fn span_of(&self, body: &Body, name: &str) -> Span {
        attribute(body, name).map_or_else(Span::default, |attribute| attribute.value.span)
    }

    pub fn as_arg(&mut self, name: &str, value: &Value, span: Span) -> Eval<Arg> {
        match value.to_arg() {
            Some(arg) => Ok(arg),
            None => self.wrong(name, "a string", value, span),
        }
    }

    pub fn arg(&mut self, body: &Body, name: &str) -> Eval<Option<Arg>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        self.as_arg(name, &value, span).map(Some)
    }

    pub fn bool(&mut self, body: &Body, name: &str) -> Eval<Option<bool>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        match value.to_bool() {
            Some(b) => Ok(Some(b)),
            None if Self::is_unset(&value) => Ok(None),
            None => self.wrong(name, "true or false", &value, span),
        }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, body: &Body, name: &str, least: i64, most: i64) -> Eval<Option<i64>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        self.as_number(name, &value, span, least, most)
    }

    fn as_number(
        &mut self,
        name: &str,
        value: &Value,
        span: Span,
        least: i64,
        most: i64,
    ) -> Eval<Option<i64>> {
        match value.to_number().and_then(Number::as_int) {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            Some(_) => {
                let message = format!("`{name}` must be from {least} to {most}");
                self.on.error(Code::InvalidValue, message, span)
            }
            None if Self::is_unset(value) => Ok(None),
            None if value.to_number().is_some() => {
                let message = format!("`{name}` must be a whole number");
                self.on.error(Code::InvalidValue, message, span)
            }
            None => self.wrong(name, "a whole number", value, span),
        }
    }

    pub fn duration(&mut self, body: &Body, name: &str) -> Eval<Option<u64>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        if Self::is_unset(&value) {
            return Ok(None);
        }
        if let Value::Deferred(_) = &value {
            return self.wrong(name, "a duration", &value, span);
        }
        let Value::String(text) = &value else {
            let message = format!("`{name}` must be a duration");
            let diagnostic =
                Diagnostic::new(Code::InvalidDuration, message).label(span, "not a duration").help(
                    "a duration is written in quotes with its unit: \"500ms\", \"10m\", \"1h30m\"",
                );
            return self.on.fail(diagnostic);
        };
        match duration::parse(text) {
            Ok(milliseconds) => Ok(Some(milliseconds)),
            Err(reason) => {
                let message = format!("`{name}`: {reason}");
                self.on.error(Code::InvalidDuration, message, span)
            }
        }
    }

    pub fn version(&mut self, body: &Body, name: &str) -> Eval<Option<Version>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        if Self::is_unset(&value) {
            return Ok(None);
        }
        let Value::String(text) = &value else {
            return self.wrong(name, "a version in quotes", &value, span);
        };
        parse_version(text).map(Some).map_err(|help| {
            let message = format!("`{name}` is not a version: `{}`", shown(text));
            let diagnostic = Diagnostic::new(Code::InvalidVersion, message).label(span, "here");
            self.on.found.push(diagnostic.help(help));
            Failed
        })
    }

    /// One of some words.
    pub fn word<T: Copy>(
        &mut self,
        body: &Body,
        name: &str,
        words: &[(&str, T)],
    ) -> Eval<Option<T>> {
        let Some(text) = self.text(body, name)? else { return Ok(None) };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Ok(Some(*value));
        }
        if text == NOT_SET {
            return Ok(None);
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let message = format!("`{name}` can't be `{}`", shown(&text));
        let mut diagnostic = Diagnostic::new(Code::InvalidValue, message)
            .label(self.span_of(body, name), "here")
            .help(format!("it is {}", known.join(", ")));
        if let Some(close) = closest(&text, known.iter().copied()) {
            diagnostic = diagnostic.help(format!("did you mean `{close}`?"));
        }
        self.on.fail(diagnostic)
    }

    /// The elements of a list; none where the attribute is not there.
    fn elements(
        &mut self,
        body: &Body,
        name: &str,
        what: &str,
    ) -> Eval<Option<(Vec<Value>, Span)>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        match &value {
            Value::List(list) => Ok(Some((list.items.clone(), span))),
            _ if Self::is_unset(&value) => Ok(None),
            _ => self.wrong(name, what, &value, span),
        }
    }

    pub fn texts(&mut self, body: &Body, name: &str) -> Eval<Option<Vec<String>>> {
        let Some((items, span)) = self.elements(body, name, "a list of strings")? else {
            return Ok(None);
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in &items {
            texts.push(match item.to_text() {
                Some(text) if !item.has_reference() => text.to_string(),
                _ if Self::is_unset(item) => NOT_SET.to_owned(),
                _ => return self.wrong(name, "a list of strings", item, span),
            });
        }
        Ok(Some(texts))
    }

    pub fn args(&mut self, body: &Body, name: &str) -> Eval<Option<Vec<Arg>>> {
        let Some((items, span)) = self.elements(body, name, "a list of strings")? else {
            return Ok(None);
        };
        let args: Vec<_> = items.iter().map(|item| self.as_arg(name, item, span)).collect();
        args.into_iter().collect::<Eval<_>>().map(Some)
    }

    /// A list that has elements.
    pub fn command<T>(
        &mut self,
        body: &Body,
        name: &str,
        list: Eval<Option<Vec<T>>>,
    ) -> Eval<Option<Vec<T>>> {
        let list = list?;
        if list.as_ref().is_some_and(Vec::is_empty) {
            let diagnostic =
                Diagnostic::new(Code::InvalidValue, format!("`{name}` must not be empty"))
                    .label(self.span_of(body, name), "no command")
                    .help("a command is a list: the program, then its arguments");
            return self.on.fail(diagnostic);
        }
        Ok(list)
    }

    /// Fails where a text of attribute `name` is not what the engine can watch and scale: a
    /// DaemonSet is not.
    pub fn workload(&mut self, body: &Body, name: &str, text: &str) -> Eval<()> {
        const KINDS: [&str; 2] = ["deployment", "statefulset"];
        let parts = text.split_once('/');
        if parts.is_some_and(|(kind, name)| KINDS.contains(&kind) && !name.is_empty())
            || text == NOT_SET
        {
            return Ok(());
        }
        let diagnostic =
            Diagnostic::new(Code::InvalidValue, format!("`{}` is not a workload", shown(text)))
                .label(self.span_of(body, name), "here")
                .help("a workload is `deployment/NAME` or `statefulset/NAME`");
        self.on.fail(diagnostic)
    }

    pub fn numbers(
        &mut self,
        body: &Body,
        name: &str,
        least: i64,
        most: i64,
    ) -> Eval<Option<Vec<i64>>> {
        let Some((items, span)) = self.elements(body, name, "a list of numbers")? else {
            return Ok(None);
        };
        let numbers: Vec<_> =
            items.iter().map(|item| self.as_number(name, item, span, least, most)).collect();
        Ok(Some(numbers.into_iter().collect::<Eval<Vec<_>>>()?.into_iter().flatten().collect()))
    }

    /// The entries of an object; none where the attribute is not there.
    pub fn entries(&mut self, body: &Body, name: &str) -> Eval<Option<(Entries, Span)>> {
        let Some((value, span)) = self.value(body, name)? else { return Ok(None) };
        match &value {
            Value::Object(object) => {
                let entries = object.entries.iter();
                Ok(Some((entries.map(|(k, v)| (k.to_string(), v.clone())).collect(), span)))
            }
            _ if Self::is_unset(&value) => Ok(None),
            _ => self.wrong(name, "an object", &value, span),
        }
    }

    pub fn arg_map(&mut self, body: &Body, name: &str) -> Eval<BTreeMap<String, Arg>> {
        let Some((entries, span)) = self.entries(body, name)? else { return Ok(BTreeMap::new()) };
        let mut map = BTreeMap::new();
        for (key, value) in entries {
            let arg = self.as_arg(&format!("{name}.{}", shown(&key)), &value, span)?;
            map.insert(key, arg);
        }
        Ok(map)
    }
}

/// Errors: what to do about it.
pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    Version::parse(text).map_err(|_| {
        let bare = text.strip_prefix('v').unwrap_or(text);
        let padded =
            format!("{bare}{}", if bare.matches('.').count() == 1 { ".0" } else { ".0.0" });
        if bare != text && Version::parse(bare).is_ok() {
            format!("write it without the `v`: \"{bare}\"")
        } else if text == "latest" {
            "a plan names the exact version, never the latest".to_owned()
        } else if Version::parse(&padded).is_ok() {
            format!("a version has three numbers: \"{padded}\"")
        } else {
            "a version has three numbers and perhaps a pre-release: \"2.7.1\", \"3.0.0-rc.1\""
                .to_owned()
        }
    })
}
