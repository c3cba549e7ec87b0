//! Sources and inputs → [`Config`], with every error that can be told without a cluster.

mod instantiate;
mod stand_ins;
mod variables;

use std::cell::RefCell;
use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::lang::budget::Budget;
use crate::lang::config::{Inputs, StepBlock};
use crate::lang::decode::paths::{outside, path_escape};
use crate::lang::decode::{Reader, Settings, attribute};
use crate::lang::diagnostic::{MAX_DIAGNOSTICS, shown};
use crate::lang::eval::Evaluator;
use crate::lang::scope::{
    BlockInfo, HopFilter, Locals, Moment, Names, PathScope, PlanScope, Which,
};
use crate::lang::syntax::{Block, Body, Name};
use crate::lang::{
    Code, Config, Diagnostic, Diagnostics, Source, Sources, Span, Value, check, decode, schema,
    syntax,
};
use crate::model::{Address, FileDigest, Step, StepKind};

use instantiate::Instantiated;
pub use stand_ins::Outline;
pub use variables::variable_file;

/// Reads a plan: its files, with values for its variables.
///
/// # Errors
/// Everything that is wrong with it, in the order of the text.
pub fn load(sources: &[Source], inputs: &Inputs) -> Result<Config, Diagnostics> {
    let Inspection { config, outline: _, diagnostics } = inspect(sources, inputs);
    diagnostics.into_result(config)
}

/// As much of a plan as can be read, with what is wrong with its text.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// What failed is not in it, so only that of a plan without errors may be planned from.
    pub config: Config,
    pub outline: Outline,
    /// Without what is wrong with the order, which the graph tells.
    pub diagnostics: Diagnostics,
}

/// Reads as much of a plan as can be read.
pub fn inspect(sources: &[Source], inputs: &Inputs) -> Inspection {
    let all = Sources::new(sources.to_vec());
    let mut loader = Loader {
        inputs,
        found: Vec::new(),
        budget: Budget::new(sources.iter().map(|source| source.text.len()).sum(), 1),
        files: RefCell::default(),
    };
    let body = loader.parse(sources);
    let (config, outline) = loader.config(body, sources, all.clone());
    let mut diagnostics = Diagnostics::new(all);
    loader.found.into_iter().for_each(|diagnostic| diagnostics.push(diagnostic));
    Inspection { config, outline, diagnostics }
}

/// Files that were read: path → text and digest.
#[derive(Debug, Default)]
struct Files {
    texts: BTreeMap<String, String>,
    digests: BTreeMap<String, String>,
}

struct Loader<'i> {
    inputs: &'i Inputs<'i>,
    found: Vec<Diagnostic>,
    budget: Budget,
    files: RefCell<Files>,
}

impl Loader<'_> {
    /// All files as one body.
    fn parse(&mut self, sources: &[Source]) -> Body {
        let mut all = Body::default();
        for (file, source) in sources.iter().enumerate() {
            let (body, mut found) = syntax::parse_body(source, file as u32);
            self.found.append(&mut found);
            all.attributes.extend(body.attributes);
            all.blocks.extend(body.blocks);
            all.broken |= body.broken;
        }
        all
    }

    fn config(&mut self, body: Body, sources: &[Source], all: Sources) -> (Config, Outline) {
        let start = Span::default();
        check::body(&body, &schema::FILE, start, &mut self.found);
        let mut plan = PlanScope {
            name: plan_name(&body, sources),
            source_bytes: sources.iter().map(|source| source.text.len()).sum(),
            ..PlanScope::default()
        };
        let of = |kind: &'static str| body.blocks.iter().filter(move |block| &*block.kind == kind);
        let variable_blocks: Vec<_> = of("variable").collect();
        variables::resolve(&variable_blocks, self.inputs, &mut plan, &self.budget, &mut self.found);
        plan.databases =
            of("database").filter_map(|b| Some(b.labels.first()?.text.to_string())).collect();
        plan.locals = Locals::collect(of("locals").map(|block| &block.body), &mut self.found);
        self.index_steps(&body, &mut plan);
        let early = self.early_locals(&plan);
        let settings = self.settings(&body, &plan, &early);
        plan.release = settings
            .release
            .as_ref()
            .map(|release| (release.name.clone(), Settings::release_value(release)));
        if plan.release.is_none()
            && let Some(name) = of("release").next().and_then(|block| block.labels.first())
        {
            // It could not be read, which was reported; what names it is not wrong.
            plan.release = Some((name.text.to_string(), unread_release()));
        }
        check::references(&body, &plan, &mut self.found);
        check::needs(&body, &settings, &mut self.found);
        let release_span = of("release").next().map(|block| block.span);
        let has_upgrade = of("upgrade").next().is_some();
        let is_whole = is_whole(&body);
        let step_blocks = self.step_blocks(body, &plan);
        let steps = self.check_steps(&plan, &step_blocks, &settings, has_upgrade);
        let files = self.files.take();
        plan.files = files.texts;
        let mut digests: Vec<FileDigest> = sources.iter().map(digest_of).collect();
        digests.extend(files.digests.into_iter().map(|(path, sha256)| FileDigest { path, sha256 }));
        let config = Config {
            name: plan.name.clone(),
            upgrade: settings.upgrade,
            release: settings.release,
            release_span,
            databases: settings.databases,
            changelog: settings.changelog,
            policy: settings.policy,
            redact: settings.redact,
            step_blocks,
            files: digests,
            sources: all,
            scope: plan,
        };
        (config, Outline { steps, is_whole })
    }

    fn index_steps(&mut self, body: &Body, plan: &mut PlanScope) {
        plan.block_index.reserve(body.blocks.len());
        plan.blocks.reserve(body.blocks.len());
        for block in &body.blocks {
            let (Ok(kind), Some(label)) = (block.kind.parse::<StepKind>(), block.labels.first())
            else {
                continue;
            };
            let address = Address::new(kind, label.text.clone());
            if plan.block_index.contains_key(&address) {
                continue;
            }
            plan.block_index.insert(address.clone(), plan.blocks.len());
            let hops = hop_filter(&block.body);
            let sensitive_outputs = sensitive_outputs(&block.body);
            plan.blocks.push(BlockInfo { address, hops, sensitive_outputs });
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>, Diagnostic> {
        if outside(path) {
            return Err(path_escape(path));
        }
        (self.inputs.files)(path).map_err(|message| {
            Diagnostic::new(Code::FileError, format!("the file can't be read: {message}"))
        })
    }

    fn text_of(&self, path: &str) -> Result<String, Diagnostic> {
        if let Some(text) = self.files.borrow().texts.get(path) {
            return Ok(text.clone());
        }
        let bytes = self.read(path)?;
        let digest = hex::encode(Sha256::digest(&bytes));
        let text = String::from_utf8(bytes).map_err(|_| {
            Diagnostic::new(Code::NotUtf8, format!("`{}` is not UTF-8 text", shown(path)))
        })?;
        let mut files = self.files.borrow_mut();
        files.digests.insert(path.to_owned(), digest);
        files.texts.insert(path.to_owned(), text.clone());
        Ok(text)
    }

    fn digest(&self, path: &str, span: Span) -> Result<FileDigest, Diagnostic> {
        let bytes = self.read(path).map_err(|diagnostic| diagnostic.label(span, "here"))?;
        let sha256 = hex::encode(Sha256::digest(&bytes));
        self.files.borrow_mut().digests.insert(path.to_owned(), sha256.clone());
        Ok(FileDigest { path: path.to_owned(), sha256 })
    }

    fn early_locals(&mut self, plan: &PlanScope) -> BTreeMap<Name, Option<Value>> {
        let (path, mut found) = (PathScope::default(), Vec::new());
        let mut values = BTreeMap::new();
        let files = |path: &str| self.text_of(path);
        plan.locals.compute(Which::Early, &mut values, |values, expr| {
            let names = early(plan, values, &path);
            let mut evaluator = Evaluator::new(names, &self.budget, &files);
            evaluator.eval_into(expr, &mut found)
        });
        self.found.append(&mut found);
        values
    }

    fn settings(
        &mut self,
        body: &Body,
        plan: &PlanScope,
        locals: &BTreeMap<Name, Option<Value>>,
    ) -> Settings {
        let path = PathScope::default();
        let files = |path: &str| self.text_of(path);
        let mut evaluator = Evaluator::new(early(plan, locals, &path), &self.budget, &files);
        let mut reader = Reader::new(&mut evaluator);
        let first = |kind: &str| decode::block(body, kind);
        let upgrade = first("upgrade").and_then(|block| decode::upgrade(&mut reader, block).ok());
        let mut settings = Settings { upgrade, ..Settings::default() };
        let mut digest = |path: &str, span: Span| self.digest(path, span);
        settings.release = first("release")
            .and_then(|block| decode::release(&mut reader, block, &mut digest).ok());
        settings.databases = decode::databases(&mut reader, decode::blocks(body, "database"));
        if let Some(block) = first("changelog") {
            settings.changelog =
                decode::changelog(&mut reader, block, &mut digest).unwrap_or_default();
        }
        if let Some(block) = first("policy") {
            settings.policy = decode::policy(&mut reader, block);
        }
        if let Some(block) = first("redact") {
            settings.redact = decode::redact(&mut reader, block).unwrap_or_default();
        }
        let mut found = evaluator.found;
        self.found.append(&mut found);
        settings
    }

    fn step_blocks(&mut self, body: Body, plan: &PlanScope) -> Vec<StepBlock> {
        let mut seen = vec![false; plan.blocks.len()];
        let mut blocks = Vec::with_capacity(plan.blocks.len());
        for block in body.blocks {
            let (Ok(kind), Some(label)) = (block.kind.parse::<StepKind>(), block.labels.first())
            else {
                continue;
            };
            let address = Address::new(kind, label.text.clone());
            let Some(index) = plan.step_index(&address) else { continue };
            if std::mem::replace(&mut seen[index], true) {
                continue;
            }
            blocks.push(StepBlock {
                address,
                span: block.span,
                depends_on: attribute(&block.body, "depends_on").map(|attribute| attribute.span),
                rollback: decode::block(&block.body, "rollback").map(|block| block.span),
                hops: plan.blocks[index].hops,
                block,
            });
        }
        blocks
    }

    /// Instantiates the steps as far as that goes without a cluster, for the errors in them.
    fn check_steps(
        &mut self,
        plan: &PlanScope,
        blocks: &[StepBlock],
        settings: &Settings,
        has_upgrade: bool,
    ) -> Vec<Step> {
        for block in blocks {
            if let Some(hops) = attribute(&block.block.body, "hops") {
                check::hops(hops, has_upgrade, &mut self.found);
            }
        }
        let path = match (&settings.upgrade, has_upgrade) {
            (Some(upgrade), _) => PathScope::symbolic(upgrade.to.clone()),
            // The target could not be read: any other does for finding what else is wrong.
            (None, true) => PathScope::symbolic(semver::Version::new(0, 0, 0)),
            (None, false) => PathScope::default(),
        };
        let files = |path: &str| self.text_of(path);
        let Instantiated { steps, unread, mut found } =
            instantiate::steps(plan, blocks, path, !has_upgrade, &files);
        self.found.append(&mut found);
        if self.found.len() >= MAX_DIAGNOSTICS {
            // More than anybody reads is wrong with the text already.
            return Vec::new();
        }
        stand_ins::complete(plan, blocks, steps, &unread, has_upgrade.then_some(0))
    }
}

fn early<'a>(
    plan: &'a PlanScope,
    locals: &'a BTreeMap<Name, Option<Value>>,
    path: &'a PathScope,
) -> Names<'a> {
    Names { plan, locals, path, hop: None, each: None, captures: None, moment: Moment::Early }
}

/// Whether nothing in the text might have been another step, or more of one.
fn is_whole(body: &Body) -> bool {
    let known = |block: &Block| {
        schema::FILE.block(&block.kind).is_some()
            && (block.kind.parse::<StepKind>().is_err() || !block.labels.is_empty())
    };
    body.blocks.iter().all(known) && !is_broken(body)
}

fn is_broken(body: &Body) -> bool {
    body.broken || body.blocks.iter().any(|block| is_broken(&block.body))
}

fn hop_filter(body: &Body) -> HopFilter {
    match attribute(body, "hops").map(|attribute| &attribute.value.kind) {
        Some(syntax::Kind::Literal(Value::String(word))) if &**word == "first" => HopFilter::First,
        Some(syntax::Kind::Literal(Value::String(word))) if &**word == "last" => HopFilter::Last,
        Some(_) | None => HopFilter::Every,
    }
}

/// The outputs that a block calls sensitive, as far as they are written out; the decoder reads the
/// attribute in full.
fn sensitive_outputs(body: &Body) -> Vec<Name> {
    match attribute(body, "sensitive_outputs").map(|attribute| &attribute.value.kind) {
        Some(syntax::Kind::List(items)) => items
            .iter()
            .filter_map(|item| match &item.kind {
                syntax::Kind::Literal(Value::String(name)) => Some(name.clone()),
                _ => None,
            })
            .collect(),
        Some(_) | None => Vec::new(),
    }
}

/// The `upgrade` block's name, or the first file's stem.
fn plan_name(body: &Body, sources: &[Source]) -> String {
    let label = decode::block(body, "upgrade").and_then(|block| block.labels.first());
    if let Some(label) = label {
        return label.text.to_string();
    }
    let path = sources.first().map_or("plan", |source| source.path.as_str());
    let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
    file.strip_suffix(".hcl").unwrap_or(file).to_owned()
}

fn digest_of(source: &Source) -> FileDigest {
    let sha256 = hex::encode(Sha256::digest(source.text.as_bytes()));
    FileDigest { path: source.path.clone(), sha256 }
}

fn unread_release() -> Value {
    let names = ["name", "namespace", "chart", "context", "repository", "workloads"];
    Value::object(names.into_iter().map(|name| (name.into(), Value::string("(not set)"))).collect())
}
