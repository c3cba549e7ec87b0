//! Why there is no path, in words that name the way out.

use semver::{Version, VersionReq};

use crate::model::Hop;

/// How many offered versions an error names.
const NEAREST: usize = 6;

/// Why the target can't be reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("{installed} is installed and the plan's target {target} is older")]
    Downgrade { installed: Version, target: Version },
    #[error("version {target} is not offered by the chart source")]
    NotOffered { target: Version, nearest: Vec<Version>, offered: usize },
    #[error("{installed} is installed, and the plan was written for {range}")]
    OutsideRange { installed: Version, range: VersionReq },
    #[error(
        "the path from {installed} to {target} stops at {stop}, which the chart source does not offer"
    )]
    StopNotOffered { installed: Version, target: Version, stop: String },
    #[error("{} can't be reached from {}: a new major starts from the last minor before it", hop.to, hop.from)]
    MajorNotFromLastMinor { hop: Hop, last_minor: u64 },
    #[error("the upgrade guide of {version} is not acknowledged in the plan")]
    GuideNotAcknowledged { version: Version, name: Option<String>, sha256: Option<String> },
    #[error("the upgrade guide of {version} is not the one that the plan acknowledges")]
    GuideChanged { version: Version, name: Option<String>, expected: String, found: String },
}

impl PathError {
    pub(super) fn not_offered(target: &Version, offered: &[Version]) -> PathError {
        let mut nearest: Vec<Version> = offered
            .iter()
            .filter(|version| version.pre.is_empty() || !target.pre.is_empty())
            .cloned()
            .collect();
        nearest.sort_by_key(|version| {
            let away = |a: u64, b: u64| a.abs_diff(b);
            (
                away(version.major, target.major),
                away(version.minor, target.minor),
                away(version.patch, target.patch),
            )
        });
        nearest.truncate(NEAREST);
        nearest.sort();
        PathError::NotOffered { target: target.clone(), nearest, offered: offered.len() }
    }

    /// Stable; each has a page in the book.
    pub fn code(&self) -> &'static str {
        match self {
            PathError::Downgrade { .. } => "orthid::plan::downgrade",
            PathError::NotOffered { .. } => "orthid::plan::version_not_offered",
            PathError::OutsideRange { .. } => "orthid::plan::outside_range",
            PathError::StopNotOffered { .. } => "orthid::plan::stop_not_offered",
            PathError::MajorNotFromLastMinor { .. } => "orthid::plan::major_not_from_last_minor",
            PathError::GuideNotAcknowledged { .. } => "orthid::plan::guide_not_acknowledged",
            PathError::GuideChanged { .. } => "orthid::plan::guide_changed",
        }
    }

    /// The way out.
    pub fn help(&self) -> String {
        match self {
            PathError::Downgrade { .. } => {
                "upgrades only go forward; `orthid rollback` undoes the run that brought the newer \
                 version, as far as its plan has rollback edges"
                    .to_owned()
            }
            PathError::NotOffered { nearest, offered, .. } if nearest.is_empty() => match offered {
                0 => "the chart source offers no version at all; check `chart` and \
                          `repository` in the release block"
                    .to_owned(),
                _ => "the chart source offers pre-releases only; they are used only when \
                          `to` names one"
                    .to_owned(),
            },
            PathError::NotOffered { nearest, .. } => {
                let names: Vec<String> = nearest.iter().map(Version::to_string).collect();
                format!(
                    "nearest on offer: {}; `helm search repo --versions` lists all",
                    names.join(", ")
                )
            }
            PathError::OutsideRange { .. } => {
                "review the plan for the installed version, then widen `from`".to_owned()
            }
            PathError::StopNotOffered { stop, .. } => {
                format!("offer {stop} in the chart repository, or upgrade to a version before it")
            }
            PathError::MajorNotFromLastMinor { hop, last_minor } => {
                format!("upgrade to the newest {}.{last_minor} first", hop.from.major)
            }
            PathError::GuideNotAcknowledged { version, name, sha256 } => {
                let read = match name {
                    Some(name) => format!("read {name} in the chart package"),
                    None => format!("read what has to be done for {version}"),
                };
                let digest = sha256.as_deref().unwrap_or("…");
                format!(
                    "{read}, then say so in the plan: changelog {{ guide \"{version}\" {{ sha256 \
                     = \"{digest}\" }} }}"
                )
            }
            PathError::GuideChanged { name, found, .. } => {
                let name = name.as_deref().unwrap_or("the guide");
                format!("read {name} again; the digest of its text is now {found}")
            }
        }
    }
}
