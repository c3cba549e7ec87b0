//! What a plan's text says, typed and validated. Steps are instantiated from it for the hops of a
//! path.
//!
//! Must not: know the world. The same text and variables give the same configuration everywhere.

use std::collections::{BTreeMap, BTreeSet};

use semver::{Version, VersionReq};

use crate::lang::scope::HopFilter;
use crate::lang::{Sources, Span};
use crate::model::{Address, DatabaseSpec, FileDigest, ReleaseSpec};

/// What the caller knows besides the text.
pub struct Inputs<'a> {
    /// Values of the plan's variables by name.
    pub variables: BTreeMap<String, VariableInput>,
    /// Reads a file of the plan's folder for `file()`; the caller confines it and says what is
    /// wrong.
    pub files: &'a dyn Fn(&str) -> Result<Vec<u8>, String>,
    /// Whether every variable without a default must have a value. `validate` does without.
    pub require_variables: bool,
}

impl std::fmt::Debug for Inputs<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inputs")
            .field("variables", &self.variables.keys())
            .field("require_variables", &self.require_variables)
            .finish_non_exhaustive()
    }
}

impl Inputs<'static> {
    /// No variables and no files.
    pub fn none() -> Inputs<'static> {
        Inputs {
            variables: BTreeMap::new(),
            files: &|path| Err(format!("`{path}` does not exist")),
            require_variables: true,
        }
    }
}

/// One value given for a variable.
#[derive(Clone)]
pub struct VariableInput {
    pub value: RawValue,
    pub from: VariableOrigin,
}

/// Values may be secret: only where they come from is shown.
impl std::fmt::Debug for VariableInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VariableInput").field("from", &self.from).finish_non_exhaustive()
    }
}

#[derive(Clone)]
pub enum RawValue {
    /// As written: the text itself for a string variable, otherwise an expression.
    Text(String),
    Json(serde_json::Value),
}

impl std::fmt::Debug for RawValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RawValue(…)")
    }
}

/// Where a variable's value was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VariableOrigin {
    /// `-var`
    Flag,
    /// `-var-file`, or a file that is read without being named
    File(String),
    /// `ORTHID_VAR_name`
    Environment,
}

/// The `upgrade` block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpgradeBlock {
    pub name: String,
    /// Installed versions that the plan was written for; any when absent.
    pub from: Option<VersionReq>,
    pub to: Version,
    pub from_span: Option<Span>,
    pub to_span: Span,
    pub span: Span,
}

/// The `changelog` block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangelogConfig {
    /// File or URL of the `releases.yaml`; the chart package's own when absent.
    pub source: Option<String>,
    /// Upgrade guides that were read: version → SHA-256 of the text.
    pub guides: BTreeMap<Version, String>,
}

/// A safety rule that the `policy` block switches off, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relaxation {
    pub rule: String,
    pub reason: String,
    pub span: Span,
}

/// The `redact` block: what planning takes for a secret, besides what it knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedactConfig {
    /// Names of fields that hold secrets.
    pub names: Vec<String>,
    /// Exact paths of what holds none: `values.auth.issuerKey`, `ConfigMap/orthid.data.PUBLIC_KEY`.
    pub reveal: BTreeSet<String>,
}

/// A step block as written, before it is instantiated.
#[derive(Clone, Debug)]
pub struct StepBlock {
    /// Without keys.
    pub address: Address,
    /// The block's header.
    pub span: Span,
    /// The `depends_on` attribute, where there is one: such a step takes no part in the order by
    /// phases.
    pub depends_on: Option<Span>,
    /// The `rollback` block's header, where there is one.
    pub rollback: Option<Span>,
    pub hops: HopFilter,
    pub(super) block: crate::lang::syntax::Block,
}

/// A plan's text, understood.
#[derive(Clone, Debug)]
pub struct Config {
    /// The `upgrade` block's name, or the first file's stem for a runbook.
    pub name: String,
    pub upgrade: Option<UpgradeBlock>,
    pub release: Option<ReleaseSpec>,
    pub release_span: Option<Span>,
    pub databases: BTreeMap<String, DatabaseSpec>,
    pub changelog: ChangelogConfig,
    pub policy: Vec<Relaxation>,
    pub redact: RedactConfig,
    /// In the order of the text.
    pub step_blocks: Vec<StepBlock>,
    /// The plan's own files and those that `file()` and `values` read, by digest.
    pub files: Vec<FileDigest>,
    pub sources: Sources,
    pub(super) scope: crate::lang::scope::PlanScope,
}

impl Config {
    /// The relaxation of this safety rule, if the plan relaxes it.
    pub fn relaxes(&self, rule: &str) -> Option<&Relaxation> {
        self.policy.iter().find(|relaxation| relaxation.rule == rule)
    }

    /// The block that a step comes from.
    pub fn step_block(&self, address: &Address) -> Option<&StepBlock> {
        self.scope.step_index(&address.block()).map(|index| &self.step_blocks[index])
    }

    /// The header of the block that a step comes from.
    pub fn span_of(&self, address: &Address) -> Option<Span> {
        self.step_block(address).map(|block| block.span)
    }
}
