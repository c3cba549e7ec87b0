//! Secrets that stand in the plan's text: refused, and not shown.

use std::collections::BTreeMap;

use crate::lang::decode::Reader;
use crate::lang::diagnostic::shown;
use crate::lang::eval::Eval;
use crate::lang::syntax::Body;
use crate::lang::{Code, Diagnostic};
use crate::model::Arg;
use crate::text::secret;

impl Reader<'_, '_> {
    /// Refuses credentials among the texts of an attribute: in a URL, as `-u user:password`, as a
    /// token that says itself what it is.
    pub(super) fn no_credentials<'a>(
        &mut self,
        body: &Body,
        name: &str,
        texts: impl Iterator<Item = &'a str>,
    ) -> Eval<()> {
        let texts: Vec<&str> = texts.collect();
        if !secret::holds_credentials(&texts.join(" ")) {
            return Ok(());
        }
        let message = format!("credentials stand in `{name}`");
        self.on.fail(
            Diagnostic::new(Code::SecretInPlan, message)
                .label_secret(self.span_of(body, name), "here")
                .help("read them with `env(\"NAME\")`, or from a sensitive variable"),
        )
    }

    /// Refuses variables of a command whose names are a secret's and whose values stand in the
    /// plan.
    pub(super) fn no_secret_variables(
        &mut self,
        body: &Body,
        env: BTreeMap<String, Arg>,
    ) -> Eval<BTreeMap<String, Arg>> {
        let is_written = |value: &Arg| value.known().is_some_and(|text| !text.is_empty());
        let mut secrets = env.iter().filter(|(name, _)| secret::is_secret_name(name));
        if let Some((name, _)) = secrets.find(|(_, value)| is_written(value)) {
            let message = format!("the value of `{}` stands in the plan's text", shown(name));
            let help = format!(
                "give it as `{} = env(\"NAME\")`, or from a sensitive variable",
                shown(name)
            );
            return self.on.fail(
                Diagnostic::new(Code::SecretInPlan, message)
                    .label_secret(self.span_of(body, "env"), "here")
                    .help(help),
            );
        }
        self.no_credentials(body, "env", env.values().map(Arg::source))?;
        Ok(env)
    }
}
