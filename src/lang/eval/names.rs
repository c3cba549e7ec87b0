//! Names → values: `var.x`, `local.x`, `each.key`, `hop.to`, `plan.name`, `release.x`,
//! `database.x`, steps and captures.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::lang::diagnostic::shown;
use crate::lang::eval::deferred::{Leftover, step_source};
use crate::lang::eval::unknown::{
    HOP_NAMES, ROOTS, unknown_member, unknown_output, unknown_root, unknown_step,
};
use crate::lang::eval::{Eval, Evaluator, Failed};
use crate::lang::scope::{HopFilter, Instances, Moment, Names};
use crate::lang::syntax::{Expr, Kind, Name};
use crate::lang::value::{Deferred, Reference};
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::{Address, StepKind};

impl<'a> Evaluator<'a> {
    pub(super) fn bare_name(&mut self, name: &Name, span: Span) -> Eval<Value> {
        if let Some((_, value)) = self.loops.iter().rev().find(|(known, _)| known == name) {
            return Ok(value.clone());
        }
        let is_kind = name.parse::<StepKind>().is_ok();
        if ROOTS.contains(&&**name) || is_kind {
            let message = format!("`{name}` needs a name after it");
            let diagnostic = Diagnostic::new(Code::UnknownReference, message)
                .label(span, "not a value by itself")
                .help(format!("write `{name}.NAME`"));
            return self.fail(diagnostic);
        }
        let loops: Vec<_> = self.loops.iter().map(|(name, _)| name.clone()).collect();
        self.fail(unknown_root(name, &loops, span))
    }

    pub(super) fn attribute(&mut self, base: &Expr, name: &Name, span: Span) -> Eval<Value> {
        if let Kind::Name(root) = &base.kind
            && !self.is_loop_variable(root)
        {
            return self.root(root, name, base.span, span);
        }
        let value = self.eval(base)?;
        self.attribute_of(&value, name, span)
    }

    fn is_loop_variable(&self, name: &Name) -> bool {
        self.loops.iter().any(|(known, _)| known == name)
    }

    /// Whether names of the plan begin with this.
    pub(super) fn is_root(&self, name: &Name) -> bool {
        let known = ROOTS.contains(&&**name) || name.parse::<StepKind>().is_ok();
        known && !self.is_loop_variable(name)
    }

    pub(super) fn root(
        &mut self,
        root: &Name,
        name: &Name,
        root_span: Span,
        span: Span,
    ) -> Eval<Value> {
        let names = self.names;
        match &**root {
            "var" => self.variable(name, span),
            "local" => match names.locals.get(name) {
                Some(Some(value)) => Ok(value.clone()),
                Some(None) => Err(Failed),
                None if names.plan.locals.contains(name) => {
                    let message = format!("`local.{name}` is not known here yet");
                    let diagnostic = Diagnostic::new(Code::NotKnownYet, message)
                        .label(span, "it rests on a step, a hop or the release");
                    self.fail(diagnostic)
                }
                None => {
                    let known = names.plan.locals.names();
                    self.fail(unknown_member("local value", name, known, span))
                }
            },
            "each" => self.each(name, span),
            "hop" => self.hop(name, span),
            "plan" if &**name == "name" => Ok(Value::string(&names.plan.name)),
            "plan" => {
                self.fail(unknown_member("name of the plan", name, ["name"].into_iter(), span))
            }
            "release" => match &names.plan.release {
                Some((known, value)) if *known == **name => Ok(value.clone()),
                Some((known, _)) => {
                    self.fail(unknown_member("release", name, [known.as_str()].into_iter(), span))
                }
                None => self.fail(unknown_member("release", name, [].into_iter(), span)),
            },
            "database" => {
                let databases = &names.plan.databases;
                if databases.contains(&**name) {
                    return Ok(Value::Reference(Arc::new(Reference::Database(name.to_string()))));
                }
                let known = databases.iter().map(String::as_str);
                self.fail(unknown_member("database", name, known, span))
            }
            "capture" => match names.captures {
                Some(captures) if captures.contains(&**name) => {
                    Ok(Value::Reference(Arc::new(Reference::Capture(name.to_string()))))
                }
                Some(captures) => {
                    let known = captures.iter().map(String::as_str);
                    self.fail(unknown_member("captured value", name, known, span))
                }
                None => {
                    let message = "captured values exist only in the requests of a step";
                    self.error(Code::UnknownReference, message, span)
                }
            },
            _ => match root.parse::<StepKind>() {
                Ok(kind) => self.step(kind, name, span),
                Err(_) => self.bare_name(root, root_span),
            },
        }
    }

    fn variable(&mut self, name: &Name, span: Span) -> Eval<Value> {
        if let Moment::Apply { env, .. } = self.names.moment {
            let variable = format!("ORTHID_VAR_{name}");
            return match env(&variable) {
                Some(text) => Ok(Value::string(text)),
                None => {
                    let message = format!(
                        "the sensitive variable `{name}` is read from the environment variable {variable}, which is not set"
                    );
                    self.error(Code::VariableNotSet, message, span)
                }
            };
        }
        match self.names.plan.variables.get(&**name) {
            Some(Some(value)) => Ok(value.clone()),
            Some(None) => Err(Failed),
            None => {
                let known = self.names.plan.variables.keys().map(String::as_str);
                self.fail(unknown_member("variable", name, known, span))
            }
        }
    }

    fn each(&mut self, name: &Name, span: Span) -> Eval<Value> {
        match (self.names.each, &**name) {
            (Some((key, _)), "key") => Ok(key.clone()),
            (Some((_, value)), "value") => Ok(value.clone()),
            (Some(_), _) => {
                let known = ["key", "value"].into_iter();
                self.fail(unknown_member("part of `each` named", name, known, span))
            }
            (None, _) => {
                let diagnostic = Diagnostic::new(
                    Code::UnknownReference,
                    "`each` exists only in a step with `for_each`",
                );
                self.fail(diagnostic.label(span, "no `for_each` here"))
            }
        }
    }

    fn hop(&mut self, name: &Name, span: Span) -> Eval<Value> {
        if !HOP_NAMES.contains(&&**name) {
            let diagnostic =
                unknown_member("part of `hop` named", name, HOP_NAMES.into_iter(), span);
            return self.fail(diagnostic);
        }
        let Some(hop) = self.names.hop else {
            let message = "`hop` exists only in the steps of a plan with an `upgrade` block";
            return self.error(Code::UnknownReference, message, span);
        };
        let hop = &self.names.path.hops[hop];
        let known = match &**name {
            "to" => Some(Value::string(hop.to.to_string())),
            "from" => hop.from.as_ref().map(|from| Value::string(from.to_string())),
            "kind" => hop.kind.map(|kind| Value::string(kind.as_str())),
            _ if self.names.path.symbolic => None,
            _ => Some(Value::int(hop.index as i64)),
        };
        match known {
            Some(value) => Ok(value),
            None => self.unset(format!("hop.{name}"), span),
        }
    }

    /// A value that only validating may do without.
    pub fn unset(&mut self, expr: String, span: Span) -> Eval<Value> {
        let mut left = Leftover::new();
        left.unset = true;
        left.finish(self, expr, true, span)
    }

    fn step(&mut self, kind: StepKind, name: &Name, span: Span) -> Eval<Value> {
        let block = Address::new(kind, &**name);
        match self.names.moment {
            Moment::Apply { .. } => {
                return Ok(Value::Reference(Arc::new(Reference::Step(block))));
            }
            Moment::Early => {
                let message = "steps can't be named here: nothing of a step is known yet";
                return self.error(Code::NotKnownYet, message, span);
            }
            Moment::Plan => {}
        }
        let plan = self.names.plan;
        let Some(index) = plan.step_index(&block) else {
            return self.fail(unknown_step(plan, kind, name, span));
        };
        match resolve(&self.names, index, self.names.hop) {
            Some(reference) => Ok(Value::Reference(Arc::new(reference))),
            // Its `for_each` could not be computed, which was reported.
            None => Err(Failed),
        }
    }

    pub(super) fn index_reference(
        &mut self,
        reference: &Reference,
        key: &Value,
        span: Span,
    ) -> Eval<Value> {
        let (address, keys) = match reference {
            Reference::Step(address) => (address, &[][..]),
            Reference::Steps(address, keys) => (address, &keys[..]),
            Reference::Database(_) | Reference::Capture(_) => {
                return self.error(Code::WrongType, "this has no elements", span);
            }
        };
        let Some(text) = key.to_text() else {
            let message = "the key of a step must be a string";
            return self.error(Code::WrongType, message, span);
        };
        let step = |address: Address| Ok(Value::Reference(Arc::new(Reference::Step(address))));
        if let Moment::Apply { .. } = self.names.moment {
            return step(address.clone().with_key(&*text));
        }
        if keys.contains(&text) {
            return step(address.clone().with_key(&*text));
        }
        let path = self.names.path;
        let hop = path.hops.iter().position(|hop| hop.to.to_string() == *text);
        let found = hop.and_then(|hop| {
            let index = self.names.plan.step_index(&address.block())?;
            resolve(&self.names, index, Some(hop))
        });
        if let Some(reference) = found {
            return Ok(Value::Reference(Arc::new(reference)));
        }
        if path.symbolic && semver::Version::parse(&text).is_ok() {
            return Ok(Value::Reference(Arc::new(reference.clone())));
        }
        let versions = path.hops.iter().map(|hop| hop.to.to_string()).collect::<BTreeSet<_>>();
        let known = keys.iter().map(|key| &**key).chain(versions.iter().map(String::as_str));
        let what = format!("instance of `{}` with the key", address.block());
        self.fail(unknown_member(&what, &text, known, span))
    }

    pub(super) fn attribute_of(&mut self, value: &Value, name: &Name, span: Span) -> Eval<Value> {
        match value {
            Value::Object(object) => match object.entries.get(name) {
                Some(value) => Ok(value.clone()),
                None => self.no_such_key(name, object.entries.keys(), span),
            },
            Value::Deferred(_) => {
                let mut left = Leftover::new();
                let base = left.operand(value);
                left.finish(self, format!("{base}.{name}"), true, span)
            }
            Value::Reference(reference) => match &**reference {
                Reference::Step(address) => self.output(address, name, span),
                Reference::Steps(address, keys) => {
                    let message = format!("`{}` has several instances", address.block());
                    let example = keys.first().map_or("key", |key| &**key);
                    let diagnostic = Diagnostic::new(Code::WrongType, message)
                        .label(span, "which one?")
                        .help(format!(
                            "pick one: `{}[\"{}\"].{name}`",
                            address.block(),
                            shown(example)
                        ));
                    self.fail(diagnostic)
                }
                Reference::Database(_) | Reference::Capture(_) => {
                    let message =
                        format!("{} has nothing inside that could be named", value.with_article());
                    self.error(Code::UnknownReference, message, span)
                }
            },
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::List(_) => {
                let message = format!("{} has no `{}`", value.with_article(), shown(name));
                self.error(Code::WrongType, message, span)
            }
        }
    }

    fn output(&mut self, address: &Address, name: &Name, span: Span) -> Eval<Value> {
        if let Moment::Apply { outputs, .. } = self.names.moment {
            let Some(output) = outputs(address, name) else {
                let message = format!("`{address}` has no output `{name}`");
                return self.error(Code::ExpressionError, message, span);
            };
            return Ok(Value::from_json(&output));
        }
        if !address.kind.may_put_out(name) {
            return self.fail(unknown_output(address.kind, name, span));
        }
        let block = self.names.plan.step_index(&address.block());
        let declared =
            block.is_some_and(|at| self.names.plan.blocks[at].sensitive_outputs.contains(name));
        let deferred = Deferred {
            expr: format!("{}.{name}", step_source(address)),
            atom: true,
            height: 1,
            steps: BTreeSet::from([address.clone()]),
            env: BTreeSet::new(),
            needed_env: BTreeSet::new(),
            sensitive: declared,
            unset: false,
            output: Some((address.clone(), name.to_string())),
        };
        self.spend(1, deferred.expr.len() as u64 + 64, span)?;
        Ok(Value::Deferred(Arc::new(deferred)))
    }
}

/// A block as seen from a hop: the instance of the same hop, else the nearest one before, else the
/// only one there is.
fn resolve(names: &Names, block: usize, hop: Option<usize>) -> Option<Reference> {
    let info = &names.plan.blocks[block];
    let path = names.path;
    let at = match (info.hops, hop) {
        (_, None) => None,
        (HopFilter::Every, Some(hop)) => Some(hop),
        (HopFilter::First, Some(_)) => Some(0),
        (HopFilter::Last, Some(_)) => Some(path.hops.len().checked_sub(1)?),
    };
    match path.instances(block, at) {
        Instances::None => None,
        Instances::One => Some(Reference::Step(path.address(&info.address, at))),
        Instances::Keys(keys) => {
            Some(Reference::Steps(path.address(&info.address, at), keys.clone()))
        }
    }
}
