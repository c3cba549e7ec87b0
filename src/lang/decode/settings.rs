//! The blocks of a file that are not steps: `upgrade`, `release`, `database`, `changelog`,
//! `policy`, `redact`.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};

use crate::lang::config::{ChangelogConfig, RedactConfig, Relaxation, UpgradeBlock};
use crate::lang::decode::{Reader, block, blocks, needed, parse_version};
use crate::lang::diagnostic::shown;
use crate::lang::eval::{Eval, Failed};
use crate::lang::schema::RULES;
use crate::lang::syntax::{Block, Body};
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::{
    Arg, DatabaseSpec, FileDigest, ReleaseSpec, ValuesPolicy, ValuesSpec, VersionOf,
};
use crate::text::closest::closest;

/// All of them, as far as they could be read.
#[derive(Debug, Default)]
pub(in crate::lang) struct Settings {
    pub upgrade: Option<UpgradeBlock>,
    pub release: Option<ReleaseSpec>,
    pub databases: BTreeMap<String, DatabaseSpec>,
    pub changelog: ChangelogConfig,
    pub policy: Vec<Relaxation>,
    pub redact: RedactConfig,
}

fn name_of(block: &Block) -> Eval<String> {
    block.labels.first().map(|label| label.text.to_string()).ok_or(Failed)
}

pub(in crate::lang) fn upgrade(reader: &mut Reader, found: &Block) -> Eval<UpgradeBlock> {
    let body = &found.body;
    let from = reader.range(body, "from");
    let to = reader.version(body, "to");
    let from_span =
        crate::lang::decode::attribute(body, "from").map(|attribute| attribute.value.span);
    let (to_span, span) = (reader.span_of(body, "to"), found.span);
    let (from, to) = (from?, needed(to)?);
    Ok(UpgradeBlock { name: name_of(found)?, from, to, from_span, to_span, span })
}

pub(in crate::lang) fn release(
    reader: &mut Reader,
    found: &Block,
    digest: &mut dyn FnMut(&str, Span) -> Result<FileDigest, Diagnostic>,
) -> Eval<ReleaseSpec> {
    const VERSION_OF: [(&str, VersionOf); 2] =
        [("chart", VersionOf::Chart), ("app", VersionOf::App)];
    let body = &found.body;
    let context = reader.full_text(body, "context");
    let namespace = reader.full_text(body, "namespace");
    let chart = reader.full_text(body, "chart");
    let repository = reader.full_text(body, "repository");
    let repository = repository.and_then(|repository| {
        reader.no_credentials(body, "repository", repository.as_deref().into_iter())?;
        Ok(repository)
    });
    let workloads = reader.texts(body, "workloads");
    let workloads = workloads.and_then(|list| reader.workloads(body, list.unwrap_or_default()));
    let version_of = reader.word(body, "version_of", &VERSION_OF);
    let values = reader.values(body, digest);
    Ok(ReleaseSpec {
        name: name_of(found)?,
        context: context?,
        namespace: needed(namespace)?,
        chart: needed(chart)?,
        repository: repository?,
        workloads: workloads?,
        version_of: version_of?.unwrap_or_default(),
        values: values?,
    })
}

pub(in crate::lang) fn databases<'b>(
    reader: &mut Reader,
    found: impl Iterator<Item = &'b Block>,
) -> BTreeMap<String, DatabaseSpec> {
    let mut databases = BTreeMap::new();
    for block in found {
        let url = reader.arg(&block.body, "url");
        let url = url.and_then(|url| reader.database_url(&block.body, url));
        if let (Ok(url), Ok(name)) = (needed(url), name_of(block)) {
            databases.insert(name.clone(), DatabaseSpec { name, url });
        }
    }
    databases
}

pub(in crate::lang) fn changelog(
    reader: &mut Reader,
    found: &Block,
    digest: &mut dyn FnMut(&str, Span) -> Result<FileDigest, Diagnostic>,
) -> Eval<ChangelogConfig> {
    let source = reader.full_text(&found.body, "source");
    let source = source.and_then(|source| {
        reader.no_credentials(&found.body, "source", source.as_deref().into_iter())?;
        Ok(source)
    });
    // The text is read when the world is; a file is one of the plan's files from here on.
    if let Ok(Some(path)) = &source
        && !path.contains("://")
        && let Err(diagnostic) = digest(path, reader.span_of(&found.body, "source"))
    {
        return reader.on.fail(diagnostic);
    }
    let mut guides = BTreeMap::new();
    for guide in blocks(&found.body, "guide") {
        let Some(label) = guide.labels.first() else { continue };
        let version = match parse_version(&label.text) {
            Ok(version) => version,
            Err(help) => {
                let message = format!("`{}` is not a version", shown(&label.text));
                let diagnostic = Diagnostic::new(Code::InvalidVersion, message);
                reader.on.found.push(diagnostic.label(label.span, "here").help(help));
                continue;
            }
        };
        if let Ok(Some(digest)) = reader.sha256(&guide.body) {
            guides.insert(version, digest);
        }
    }
    Ok(ChangelogConfig { source: source?, guides })
}

pub(in crate::lang) fn policy(reader: &mut Reader, found: &Block) -> Vec<Relaxation> {
    let mut relaxations = Vec::new();
    for relax in blocks(&found.body, "relax") {
        let Some(label) = relax.labels.first() else { continue };
        if !RULES.contains(&&*label.text) {
            let message = format!("there is no safety rule `{}`", shown(&label.text));
            let diagnostic =
                Diagnostic::new(Code::UnknownRule, message).label(label.span, "not a rule");
            reader.on.found.push(match closest(&label.text, RULES) {
                Some(close) => diagnostic.help(format!("did you mean `{close}`?")),
                None => diagnostic.help(format!("there is {}", RULES.join(", "))),
            });
        }
        let Ok(Some(reason)) = reader.text(&relax.body, "reason") else { continue };
        if reason.trim().chars().count() < 10 {
            let message = format!("`{}` is relaxed without a reason", shown(&label.text));
            let diagnostic = Diagnostic::new(Code::PolicyReason, message)
                .label(reader.span_of(&relax.body, "reason"), "says too little")
                .help("say why in a sentence: reviewers see it in the plan");
            reader.on.found.push(diagnostic);
            continue;
        }
        relaxations.push(Relaxation { rule: label.text.to_string(), reason, span: relax.span });
    }
    relaxations
}

pub(in crate::lang) fn redact(reader: &mut Reader, found: &Block) -> Eval<RedactConfig> {
    let names = reader.texts(&found.body, "names");
    let reveal = reader.texts(&found.body, "reveal");
    let reveal = reveal?.unwrap_or_default().into_iter().collect();
    Ok(RedactConfig { names: names?.unwrap_or_default(), reveal })
}

impl Reader<'_, '_> {
    fn range(&mut self, body: &Body, name: &str) -> Eval<Option<VersionReq>> {
        let Some(text) = self.text(body, name)? else { return Ok(None) };
        match VersionReq::parse(&text) {
            Ok(range) => Ok(Some(range)),
            Err(_) if text == crate::lang::decode::NOT_SET => Ok(None),
            Err(error) => {
                let message = format!("`{name}` is not a range of versions: {error}");
                let help = if text.contains("||") {
                    "`||` is Helm's; write one range, with commas: \">= 2.6.0, < 2.7.0\""
                } else {
                    "a range is written \">= 2.6.0, < 2.7.0\", \"~2.6\" or \"^2.6.3\""
                };
                let span = self.span_of(body, name);
                let diagnostic = Diagnostic::new(Code::InvalidVersionRange, message);
                self.on.fail(diagnostic.label(span, "here").help(help))
            }
        }
    }

    fn workloads(&mut self, body: &Body, workloads: Vec<String>) -> Eval<Vec<String>> {
        for workload in &workloads {
            self.workload(body, "workloads", workload)?;
        }
        Ok(workloads)
    }

    fn values(
        &mut self,
        body: &Body,
        digest: &mut dyn FnMut(&str, Span) -> Result<FileDigest, Diagnostic>,
    ) -> Eval<ValuesSpec> {
        const POLICY: [(&str, ValuesPolicy); 3] = [
            ("reuse", ValuesPolicy::Reuse),
            ("reset_then_reuse", ValuesPolicy::ResetThenReuse),
            ("reset", ValuesPolicy::Reset),
        ];
        let Some(block) = block(body, "values") else { return Ok(ValuesSpec::default()) };
        let policy = self.word(&block.body, "policy", &POLICY);
        let paths = self.texts(&block.body, "files");
        let set = self.arg_map(&block.body, "set");
        let span = self.span_of(&block.body, "files");
        let mut files = Vec::new();
        let mut failed = false;
        for path in paths?.unwrap_or_default() {
            match digest(&path, span) {
                Ok(file) => files.push(file),
                Err(diagnostic) => {
                    self.on.found.push(diagnostic);
                    failed = true;
                }
            }
        }
        if failed {
            return Err(Failed);
        }
        Ok(ValuesSpec { policy: policy?.unwrap_or_default(), files, set: set? })
    }

    fn database_url(&mut self, body: &Body, url: Option<Arg>) -> Eval<Option<Arg>> {
        let text = match &url {
            None => return Ok(None),
            Some(Arg::Known(text)) => text,
            Some(Arg::Later(residual)) => &residual.expr,
        };
        if has_password(text) {
            let diagnostic = Diagnostic::new(
                Code::SecretInPlan,
                "the database's password stands in the plan's text",
            );
            return self.on.fail(
                diagnostic
                    .label_secret(self.span_of(body, "url"), "here")
                    .help("read the URL with `env(\"NAME\")`, or from a sensitive variable"),
            );
        }
        let is_postgres = text.starts_with("postgres://") || text.starts_with("postgresql://");
        if matches!(url, Some(Arg::Known(_))) && !is_postgres {
            let diagnostic = Diagnostic::new(
                Code::InvalidValue,
                "`url` is not the URL of a PostgreSQL database",
            )
            .label(self.span_of(body, "url"), "here")
            .help("it begins with `postgres://`");
            return self.on.fail(diagnostic);
        }
        Ok(url)
    }

    fn sha256(&mut self, body: &Body) -> Eval<Option<String>> {
        let Some(text) = self.text(body, "sha256")? else { return Ok(None) };
        if text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Some(text.to_ascii_lowercase()));
        }
        let span = self.span_of(body, "sha256");
        let diagnostic = Diagnostic::new(Code::InvalidValue, "this is not a SHA-256 digest")
            .label(span, "here")
            .help("it is 64 hexadecimal digits, as `sha256sum` prints them");
        self.on.fail(diagnostic)
    }
}

/// Whether there is literal text where a URL has its password. What comes from `${…}` is not
/// literal.
fn has_password(text: &str) -> bool {
    if text.to_ascii_lowercase().contains("password=") {
        return !text.to_ascii_lowercase().contains("password=${");
    }
    let Some((_, rest)) = text.split_once("://") else { return false };
    let Some((user, _)) = rest.split_once('@') else { return false };
    let password = user.split_once(':').map(|(_, password)| password);
    password.is_some_and(|password| !password.is_empty() && !password.starts_with("${"))
}

impl Settings {
    /// What expressions can read of the release.
    pub fn release_value(release: &ReleaseSpec) -> Value {
        let text = |text: &str| Value::string(text);
        let optional = |value: &Option<String>| value.as_deref().map_or(Value::Null, text);
        let workloads = release.workloads.iter().map(|workload| text(workload)).collect();
        let entries = [
            ("name", text(&release.name)),
            ("namespace", text(&release.namespace)),
            ("chart", text(&release.chart)),
            ("context", optional(&release.context)),
            ("repository", optional(&release.repository)),
            ("workloads", Value::list(workloads)),
        ];
        Value::object(entries.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// Reports a range that admits a version not lower than the target: the plan would downgrade.
    pub fn check_direction(upgrade: &UpgradeBlock) -> Option<Diagnostic> {
        let from = upgrade.from.as_ref()?;
        let only_above = from.comparators.iter().any(|comparator| {
            let lowest = Version::new(
                comparator.major,
                comparator.minor.unwrap_or(0),
                comparator.patch.unwrap_or(0),
            );
            matches!(comparator.op, semver::Op::Greater | semver::Op::GreaterEq | semver::Op::Exact)
                && lowest > upgrade.to
        });
        only_above.then(|| {
            Diagnostic::new(
                Code::InvalidVersionRange,
                format!("every version of `from` is higher than `to`, {}", upgrade.to),
            )
            .label(upgrade.from_span.unwrap_or(upgrade.span), "only higher versions")
            .label(upgrade.to_span, "the target")
            .help("a plan only goes up; `helm rollback` takes the app back where the schema allows it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::has_password;

    #[test]
    fn literal_passwords_are_seen() {
        for text in [
            "postgres://app:hunter2@db/orthid",
            "\"postgres://app:hunter2@${env(\"HOST\")}/orthid\"",
            "postgres://db/orthid?password=hunter2",
        ] {
            assert!(has_password(text), "{text}");
        }
        for text in [
            "postgres://db/orthid",
            "postgres://app@db/orthid",
            "env(\"URL\")",
            "\"postgres://app:${env(\"PW\")}@db/orthid\"",
            "\"postgres://db/x?password=${env(\"PW\")}\"",
        ] {
            assert!(!has_password(text), "{text}");
        }
    }
}
