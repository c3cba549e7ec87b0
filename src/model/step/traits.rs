//! What is true of every step of a kind, as data: the rest of the crate reads a field where it would ask for the kind.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use super::rights::Rights;
use crate::model::{AddressError, Outputs, StepKind};

/// One kind's row.
#[derive(Debug)]
pub struct Traits {
    /// The word that the plan language, addresses and stored plans use.
    pub word: &'static str,
    pub effect: Effect,
    /// Position in the recommended order of a hop; None for kinds that only edges place.
    pub phase: Option<Phase>,
    pub place: Place,
    pub way_back: WayBack,
    /// What a finished step puts out; None where nobody knows before it runs.
    pub outputs: Option<&'static [Output]>,
    /// What the cluster must grant, beyond what observing a release takes.
    pub rights: &'static [Rights],
    pub look: Look,
}

/// What a step leaves in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing that could be looked for.
    None,
    /// Something that is kept whatever becomes of the run, and that nobody is served from.
    Kept,
    /// A change of what serves, which unwinding has to deal with.
    Changes,
}

/// The phases of a hop, in the recommended order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Approve,
    Backup,
    Verify,
    Migrate,
    Roll,
    Smoke,
}

/// How a step counts against `--parallelism`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Takes,
    /// It runs beside other steps, or nothing would be probed at `--parallelism 1`.
    Beside,
    /// It only waits, for a person; the executor decides it without asking the outside.
    Waits,
}

/// By what means a step's effect is undone, where it has a rollback edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayBack {
    /// Nothing that serves was changed.
    None,
    /// The verified backup that its edge names takes the database's place.
    Restore,
    /// The release goes back to the revision of before.
    Revision,
    /// The step knows how to undo itself.
    Own { action: &'static str, proof: &'static str },
}

/// What a drawing shows a step as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Person,
    Data,
    Schema,
    Release,
    Check,
    Watch,
    Work,
    Join,
}

impl Look {
    /// The class that style sheets name.
    pub const fn class(self) -> &'static str {
        match self {
            Look::Person => "person",
            Look::Data => "data",
            Look::Schema => "schema",
            Look::Release => "release",
            Look::Check => "check",
            Look::Watch => "watch",
            Look::Work => "work",
            Look::Join => "join",
        }
    }
}

/// The name and type of a value that finished steps put out.
pub type Output = (&'static str, OutputType);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputType {
    Text,
    Number,
    Texts,
}

impl OutputType {
    /// Null stands for a value that could not be measured.
    fn admits(self, value: &Value) -> bool {
        let fits = match self {
            OutputType::Text => value.is_string(),
            OutputType::Number => value.is_number(),
            OutputType::Texts => {
                value.as_array().is_some_and(|all| all.iter().all(Value::is_string))
            }
        };
        fits || value.is_null()
    }
}

impl StepKind {
    pub const fn as_str(self) -> &'static str {
        self.traits().word
    }

    /// The names of its outputs; None where nobody knows them before it runs.
    pub fn output_names(self) -> Option<impl Iterator<Item = &'static str> + Clone> {
        self.traits().outputs.map(|outputs| outputs.iter().map(|(name, _)| *name))
    }

    /// Whether a plan may read this output of a step of this kind.
    pub fn may_put_out(self, name: &str) -> bool {
        self.output_names().is_none_or(|mut known| known.any(|known| known == name))
    }

    /// The first of these outputs that the kind does not promise: by another name, or of another type.
    pub fn unpromised(self, outputs: &Outputs) -> Option<&str> {
        let promised = self.traits().outputs?;
        let is_promised = |(name, value): (&String, &Value)| {
            promised.iter().any(|(known, ty)| known == name && ty.admits(value))
        };
        outputs.iter().find(|output| !is_promised(*output)).map(|(name, _)| name.as_str())
    }
}

impl fmt::Display for StepKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for StepKind {
    type Err = AddressError;

    fn from_str(s: &str) -> Result<Self, Self::Err> {
        let found = StepKind::ALL.into_iter().find(|kind| kind.as_str() == s);
        found.ok_or_else(|| AddressError(s.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_are_held_to_names_and_types() {
        let unpromised = |kind: StepKind, name: &str, value: Value| {
            kind.unpromised(&Outputs::from([(name.to_owned(), value)])).map(str::to_owned)
        };
        for (kind, name, value, fits) in [
            (StepKind::Roll, "revision", json!(3), true),
            (StepKind::Roll, "revision", json!("3"), false),
            (StepKind::Roll, "revisions", json!(3), false),
            (StepKind::Migrate, "applied", json!(["a"]), true),
            (StepKind::Migrate, "applied", json!([1]), false),
            (StepKind::Probe, "p50_ms", json!(null), true),
            (StepKind::Run, "whatever", json!({"a": 1}), true),
            (StepKind::Checkpoint, "id", json!("x"), false),
        ] {
            let found = unpromised(kind, name, value.clone());
            assert_eq!(found.is_none(), fits, "{kind} {name} {value}");
            assert!(found.is_none_or(|found| found == name));
        }
    }
}
