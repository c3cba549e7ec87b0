//! What an upgrade changes in the cluster, as the plan keeps it. Secrets are gone: a sensitive
//! change has no values.

use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that one hop changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HopDiff {
    /// Changed objects only, sorted by kind, namespace and name.
    pub objects: Vec<ObjectChange>,
    pub images: Vec<ImageChange>,
    pub hooks: Vec<NameChange>,
    /// Files under `crds/`, which Helm installs once and never upgrades.
    pub crds: Vec<NameChange>,
    pub values: ValuesDiff,
    /// How many objects stay as they are.
    pub unchanged: usize,
}

/// Identifies an object of a manifest. The API version is not part of it: Helm upgrades
/// `apps/v1beta1` to `apps/v1` in place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectRef {
    pub kind: String,
    /// None for cluster-wide objects and where the manifest leaves it to Helm.
    pub namespace: Option<String>,
    pub name: String,
}

impl std::fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ObjectRef { kind, namespace, name } = self;
        match namespace {
            Some(namespace) => write!(f, "{kind} {namespace}/{name}"),
            None => write!(f, "{kind} {name}"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChangeAction {
    Create,
    Update,
    Delete,
}

impl ChangeAction {
    pub fn as_str(self) -> &'static str {
        match self {
            ChangeAction::Create => "create",
            ChangeAction::Update => "update",
            ChangeAction::Delete => "delete",
        }
    }

    /// The sign in front of a line: `+`, `~`, `-`.
    pub fn sign(self) -> char {
        match self {
            ChangeAction::Create => '+',
            ChangeAction::Update => '~',
            ChangeAction::Delete => '-',
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObjectChange {
    pub object: ObjectRef,
    pub action: ChangeAction,
    /// Field by field; empty for objects that are created or deleted whole.
    pub changes: Vec<Change>,
}

/// One field that changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// `spec.template.spec.containers[api].image`
    pub path: String,
    /// None where the field is added, or where it is sensitive.
    pub before: Option<Value>,
    /// None where the field is removed, or where it is sensitive.
    pub after: Option<Value>,
    pub action: ChangeAction,
    /// The values were secrets; that they differ is all that is kept.
    pub sensitive: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageChange {
    /// `Deployment orthid/orthid-api`
    pub workload: String,
    pub container: String,
    pub before: Option<String>,
    pub after: Option<String>,
}

/// Something that is known by its name alone is added, changed or removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameChange {
    pub name: String,
    pub action: ChangeAction,
}

/// What becomes of the release's values.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValuesDiff {
    /// Defaults that the new chart adds and the values policy hides, by dotted path.
    pub defaults_lost: Vec<String>,
    /// Values that the new chart calls otherwise: (old, new).
    pub renamed: Vec<(String, String)>,
    /// Values that are set and that the new chart does not know.
    pub orphaned: Vec<String>,
    /// Other values policies that render something else: policy's name and count of differing
    /// objects.
    pub other_policies: Vec<(String, usize)>,
    /// The version whose chart this speaks of.
    pub chart: Option<Version>,
}
