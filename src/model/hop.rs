//! One stop-to-stop move of the path.

use std::fmt;

use semver::Version;
use serde::{Deserialize, Serialize};

/// What SemVer calls the difference between two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HopKind {
    Patch,
    Minor,
    Major,
}

impl HopKind {
    pub fn between(from: &Version, to: &Version) -> HopKind {
        if from.major != to.major {
            HopKind::Major
        } else if from.minor != to.minor {
            HopKind::Minor
        } else {
            HopKind::Patch
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            HopKind::Patch => "patch",
            HopKind::Minor => "minor",
            HopKind::Major => "major",
        }
    }
}

impl fmt::Display for HopKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One move from an installed version to the next stop.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hop {
    /// Position on the path, from 0.
    pub index: usize,
    pub from: Version,
    pub to: Version,
    pub kind: HopKind,
}

impl Hop {
    pub fn new(index: usize, from: Version, to: Version) -> Hop {
        let kind = HopKind::between(&from, &to);
        Hop { index, from, to, kind }
    }
}
