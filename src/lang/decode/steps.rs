//! One function a kind of step: block → spec.

use std::collections::BTreeSet;

use semver::Version;

use crate::lang::decode::{Common, Reader, attribute, block, blocks, needed};
use crate::lang::diagnostic::shown;
use crate::lang::eval::{Eval, Failed};
use crate::lang::syntax::{Block, Body};
use crate::lang::value::Reference;
use crate::lang::{Code, Diagnostic, Span, Value};
use crate::model::{
    ApproveSpec, Arg, BackupSpec, MigrateSpec, MigrateVia, ProbeBudget, ProbeSpec, PublicKey,
    RollSpec, Rollback, RunSpec, SmokeSpec, StepKind, StepSpec, VerifySpec,
};

/// Helm's own default is 5 minutes.
const HELM_TIMEOUT_MS: u64 = 600_000;
const PROBE_EVERY_MS: u64 = 200;
/// More signatures than anybody collects.
const MOST_APPROVALS: i64 = 100;

/// Reads a step. The hop's target is what versions default to.
pub(in crate::lang) fn step(
    reader: &mut Reader,
    kind: StepKind,
    block: &Block,
    hop_to: Option<&Version>,
) -> Eval<(Common, StepSpec)> {
    let body = &block.body;
    let common = Common::read(reader, body);
    let timeout_ms = common.as_ref().ok().and_then(|common| common.timeout_ms);
    let spec = match kind {
        StepKind::Approve => reader.approve(body).map(StepSpec::Approve),
        StepKind::Backup => reader.backup(body).map(StepSpec::Backup),
        StepKind::Verify => reader.verify(body).map(StepSpec::Verify),
        StepKind::Migrate => reader.migrate(body, hop_to).map(StepSpec::Migrate),
        StepKind::Roll => reader.roll(block, hop_to, timeout_ms).map(StepSpec::Roll),
        StepKind::Smoke => reader.smoke(body).map(StepSpec::Smoke),
        StepKind::Probe => reader.probe(body).map(Box::new).map(StepSpec::Probe),
        StepKind::Run => reader.run(body).map(StepSpec::Run),
        StepKind::Checkpoint => Ok(StepSpec::Checkpoint),
    };
    let (mut common, spec) = (common?, spec?);
    match &spec {
        StepSpec::Run(run) if run.undo.is_some() => {
            common.rollback.get_or_insert_with(Rollback::default);
        }
        StepSpec::Run(_) if common.rollback.is_some() => {
            let span =
                crate::lang::decode::block(body, "rollback").map_or(block.span, |block| block.span);
            let diagnostic =
                Diagnostic::new(Code::MissingAttribute, "`rollback` of a `run` step needs `undo`")
                    .label(span, "undone how?")
                    .help("`undo = [\"program\", \"argument\"]` is the command that undoes");
            return reader.on.fail(diagnostic);
        }
        StepSpec::Roll(roll) => common.timeout_ms = Some(roll.step_bound_ms()),
        StepSpec::Run(_)
        | StepSpec::Approve(_)
        | StepSpec::Backup(_)
        | StepSpec::Verify(_)
        | StepSpec::Migrate(_)
        | StepSpec::Smoke(_)
        | StepSpec::Probe(_)
        | StepSpec::Checkpoint => {}
    }
    Ok((common, spec))
}

impl Reader<'_, '_> {
    fn approve(&mut self, body: &Body) -> Eval<ApproveSpec> {
        let keys = self.texts(body, "keys");
        // Keys that come from a variable without a value yet can't be counted.
        let is_counted = !matches!(keys, Ok(None)) || attribute(body, "keys").is_none();
        let keys = keys.and_then(|keys| self.public_keys(body, keys.unwrap_or_default()));
        let threshold = self.number(body, "threshold", 1, MOST_APPROVALS);
        let deadline_ms = self.duration(body, "deadline");
        let (keys, threshold) = (keys?, threshold?);
        // One is what there is without it.
        let threshold = threshold.map(|threshold| threshold as u32).filter(|needed| *needed > 1);
        if let Some(needed) = threshold
            && is_counted
            && keys.len() < needed as usize
        {
            let message = format!("{needed} approvals can't come from {} keys", keys.len());
            let diagnostic = Diagnostic::new(Code::InvalidValue, message)
                .label(self.span_of(body, "threshold"), "here")
                .help("list as many different keys as must sign, or more");
            return self.on.fail(diagnostic);
        }
        Ok(ApproveSpec { keys, threshold, deadline_ms: deadline_ms? })
    }

    /// Different keys, each as it is written without its comment.
    fn public_keys(&mut self, body: &Body, keys: Vec<String>) -> Eval<Vec<String>> {
        let mut known: Vec<PublicKey> = Vec::new();
        let mut texts = Vec::new();
        for text in &keys {
            if text == crate::lang::decode::NOT_SET {
                texts.push(text.clone());
                continue;
            }
            let key = match text.parse::<PublicKey>() {
                Ok(key) => key,
                Err(why) => {
                    let message = format!("`{}` is not a public key: {why}", shown(text));
                    let diagnostic = Diagnostic::new(Code::InvalidValue, message)
                        .label(self.span_of(body, "keys"), "here")
                        .help("a key is an ed25519 public key: 32 bytes in Base64, or OpenSSH's `ssh-ed25519 …`");
                    return self.on.fail(diagnostic);
                }
            };
            if !known.contains(&key) {
                texts.push(key.to_string());
                known.push(key);
            }
        }
        Ok(texts)
    }

    fn backup(&mut self, body: &Body) -> Eval<BackupSpec> {
        let database = self.database(body);
        let to = self.full_text(body, "to");
        let to = to.and_then(|to| self.destination(body, to));
        Ok(BackupSpec {
            database: needed(database)?,
            to: to?.unwrap_or_else(|| "backups".to_owned()),
        })
    }

    fn database(&mut self, body: &Body) -> Eval<Option<String>> {
        let Some((value, span)) = self.value(body, "database")? else { return Ok(None) };
        if let Value::Reference(reference) = &value
            && let Reference::Database(name) = &**reference
        {
            return Ok(Some(name.clone()));
        }
        let message = format!("`database` must name a database, not {}", value.with_article());
        let mut diagnostic = Diagnostic::new(Code::WrongType, message).label(span, "here");
        diagnostic = match value.as_str() {
            Some(text) => diagnostic.help(format!("write `database.{}`", shown(text))),
            None => diagnostic.help("write `database.NAME`"),
        };
        self.on.fail(diagnostic)
    }

    /// A folder, relative to the plan's.
    fn destination(&mut self, body: &Body, to: Option<String>) -> Eval<Option<String>> {
        let Some(text) = &to else { return Ok(None) };
        if let Some((scheme, _)) = text.split_once("://")
            && scheme != "file"
        {
            let message = format!("`to` can't be a `{}` URL", shown(scheme));
            let diagnostic = Diagnostic::new(Code::InvalidValue, message)
                .label(self.span_of(body, "to"), "here")
                .help("backups are written to a folder; one that is mounted from a store will do");
            return self.on.fail(diagnostic);
        }
        Ok(to)
    }

    fn verify(&mut self, body: &Body) -> Eval<VerifySpec> {
        let backup = self.id_of(body, "backup", &[StepKind::Backup]);
        let checks = self.texts(body, "checks");
        Ok(VerifySpec { backup: needed(backup)?, checks: checks?.unwrap_or_default() })
    }

    fn migrate(&mut self, body: &Body, hop_to: Option<&Version>) -> Eval<MigrateSpec> {
        const VIA: [(&str, MigrateVia); 3] =
            [("auto", MigrateVia::Auto), ("job", MigrateVia::Job), ("exec", MigrateVia::Exec)];
        let backup = self.id_of(body, "backup", &[StepKind::Verify]);
        let via = self.word(body, "via", &VIA);
        let exec = self.texts(body, "exec");
        let exec = self.command(body, "exec", exec);
        let status = self.texts(body, "status");
        let status = self.command(body, "status", status);
        let to = self.version(body, "to");
        let workload = self.full_text(body, "workload");
        let workload = workload.and_then(|workload| match &workload {
            Some(text) => self.workload(body, "workload", text).map(|()| workload),
            None => Ok(None),
        });
        let container = self.full_text(body, "container");
        let quiesce = self.bool(body, "quiesce");
        Ok(MigrateSpec {
            backup: backup?,
            via: via?.unwrap_or_default(),
            exec: needed(exec)?,
            status: needed(status)?,
            to: to?.or_else(|| hop_to.cloned()),
            workload: workload?,
            container: container?,
            quiesce: quiesce?.unwrap_or(false),
            breaking: false,
            pending: Vec::new(),
        })
    }

    fn roll(
        &mut self,
        block: &Block,
        hop_to: Option<&Version>,
        timeout_ms: Option<u64>,
    ) -> Eval<RollSpec> {
        let body = &block.body;
        let version = self.version(body, "version");
        let atomic = self.bool(body, "atomic");
        let (version, atomic) = (version?, atomic?.unwrap_or(true));
        let Some(version) = version.or_else(|| hop_to.cloned()) else {
            let message = "a `roll` step needs a version where the plan has no `upgrade` block";
            let diagnostic = Diagnostic::new(Code::MissingAttribute, message)
                .label(block.span, "roll to what?")
                .help("give `version`, or add an `upgrade` block");
            return self.on.fail(diagnostic);
        };
        Ok(RollSpec { version, atomic, helm_timeout_ms: timeout_ms.unwrap_or(HELM_TIMEOUT_MS) })
    }

    fn smoke(&mut self, body: &Body) -> Eval<SmokeSpec> {
        let requests = self.requests(blocks(body, "request"), &mut BTreeSet::new())?;
        if requests.is_empty() {
            // The schema's check reported that there is none.
            return Err(Failed);
        }
        Ok(SmokeSpec { requests })
    }

    fn probe(&mut self, body: &Body) -> Eval<ProbeSpec> {
        let during = self.steps(body, "during");
        let mut captured = BTreeSet::new();
        let before = self.requests(blocks(body, "before"), &mut captured);
        let request = block(body, "request").map(|block| self.request(block, &mut captured));
        let every = self.duration(body, "every");
        let budget = self.budget(body);
        let (during, span) = needed(during)?;
        if during.is_empty() {
            return self.on.error(Code::InvalidValue, "`during` must not be empty", span);
        }
        let every_ms = every?.unwrap_or(PROBE_EVERY_MS);
        if every_ms == 0 {
            let message = "`every` must be longer than nothing";
            let span = self.span_of(body, "every");
            return self.on.error(Code::InvalidDuration, message, span);
        }
        let request = request.ok_or(Failed)??;
        Ok(ProbeSpec { during, before: before?, request, every_ms, budget: budget? })
    }

    fn budget(&mut self, body: &Body) -> Eval<ProbeBudget> {
        let Some(block) = block(body, "budget") else { return Ok(ProbeBudget::default()) };
        let failures = self.number(&block.body, "failures", 0, i64::from(u32::MAX));
        let gap_ms = self.duration(&block.body, "gap");
        Ok(ProbeBudget { failures: failures?.unwrap_or(0) as u64, gap_ms: gap_ms? })
    }

    fn run(&mut self, body: &Body) -> Eval<RunSpec> {
        let command = self.words(body, "command");
        let workdir = self.full_text(body, "workdir");
        let workdir =
            workdir.and_then(|workdir| self.inside(workdir, self.span_of(body, "workdir")));
        let env = self.arg_map(body, "env");
        let env = env.and_then(|env| self.no_secret_variables(body, env));
        let exit_codes = self.numbers(body, "exit_codes", 0, 255);
        let observe = self.words(body, "observe");
        let undo = self.words(body, "undo");
        let idempotent = self.bool(body, "idempotent");
        let pass_env = self.texts(body, "pass_env");
        let detached = self.bool(body, "detached");
        let sensitive_outputs = self.texts(body, "sensitive_outputs");
        let exit_codes = exit_codes?.unwrap_or_else(|| vec![0]);
        if exit_codes.is_empty() && attribute(body, "exit_codes").is_some() {
            let span = self.span_of(body, "exit_codes");
            let message = "`exit_codes` is empty, so the step could never succeed";
            return self.on.error(Code::InvalidValue, message, span);
        }
        Ok(RunSpec {
            command: needed(command)?,
            workdir: workdir?,
            env: env?,
            exit_codes: exit_codes.into_iter().map(|code| code as i32).collect(),
            observe: observe?,
            undo: undo?,
            idempotent: idempotent?.unwrap_or(false),
            pass_env: pass_env?.unwrap_or_default(),
            detached: detached?.unwrap_or(false),
            sensitive_outputs: sensitive_outputs?.unwrap_or_default(),
        })
    }

    /// A program and its arguments, none of them secret.
    fn words(&mut self, body: &Body, name: &str) -> Eval<Option<Vec<Arg>>> {
        let words = self.args(body, name);
        let words = self.command(body, name, words)?;
        let is_secret = |word: &Arg| matches!(word, Arg::Later(residual) if residual.sensitive);
        if words.iter().flatten().any(is_secret) {
            let message = format!("a sensitive value can't be an argument of `{name}`");
            let diagnostic = Diagnostic::new(Code::InvalidValue, message)
                .label(self.span_of(body, name), "public while the command runs")
                .help("every user of the machine can read arguments: pass it by `env`");
            return self.on.fail(diagnostic);
        }
        self.no_credentials(body, name, words.iter().flatten().map(Arg::source))?;
        Ok(words)
    }

    fn inside(&mut self, path: Option<String>, span: Span) -> Eval<Option<String>> {
        match path.as_deref().map(crate::lang::decode::paths::outside) {
            Some(true) => {
                let diagnostic =
                    crate::lang::decode::paths::path_escape(path.as_deref().unwrap_or(""));
                self.on.fail(diagnostic.label(span, "here"))
            }
            Some(false) | None => Ok(path),
        }
    }
}
