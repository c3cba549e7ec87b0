//! Upgrade guides: a path that crosses into a new major needs the guide read, and the digest of its
//! text says which text that was.

use std::collections::BTreeMap;

use semver::Version;
use sha2::{Digest, Sha256};

use super::{Path, PathError, Releases};
use crate::model::{Hop, HopKind};

/// The guides that the chart packages of a path ship: version → text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guides(pub BTreeMap<Version, String>);

impl Guides {
    /// Digest of a guide's text as a plan names it: SHA-256, hex.
    pub fn sha256(&self, version: &Version) -> Option<String> {
        self.0.get(version).map(|text| hex::encode(Sha256::digest(text.as_bytes())))
    }
}

/// Checks that every guide that the path needs is acknowledged, by the digest of what was read.
///
/// A release that names a guide needs it acknowledged by every hop across it. A hop into a new
/// major needs one even where nothing ships a guide: there is always something to read before a
/// major.
///
/// # Errors
/// The first guide that is not acknowledged, or that changed since it was read.
pub fn acknowledged(
    path: &Path,
    releases: &Releases,
    shipped: &Guides,
    read: &BTreeMap<Version, String>,
) -> Result<(), PathError> {
    for hop in &path.hops {
        for (version, name) in needed(hop, releases, shipped) {
            let Some(expected) = read.get(&version) else {
                let sha256 = shipped.sha256(&version);
                return Err(PathError::GuideNotAcknowledged { version, name, sha256 });
            };
            if let Some(found) = shipped.sha256(&version)
                && !found.eq_ignore_ascii_case(expected)
            {
                let expected = expected.clone();
                return Err(PathError::GuideChanged { version, name, expected, found });
            }
        }
    }
    Ok(())
}

/// The guides of one hop: version they are acknowledged by, and their name.
fn needed(hop: &Hop, releases: &Releases, shipped: &Guides) -> Vec<(Version, Option<String>)> {
    let crossed = |version: &Version| version > &hop.from && version <= &hop.to;
    let named = releases.iter().filter(|entry| crossed(&entry.version));
    let mut found: BTreeMap<Version, Option<String>> = named
        .filter_map(|entry| Some((entry.version.clone(), Some(entry.guide.clone()?))))
        .collect();
    if hop.kind != HopKind::Major {
        return found.into_iter().collect();
    }
    for version in shipped.0.keys().filter(|version| crossed(version)) {
        found.entry(version.clone()).or_insert(None);
    }
    if found.is_empty() {
        found.insert(Version::new(hop.to.major, 0, 0), None);
    }
    found.into_iter().collect()
}
