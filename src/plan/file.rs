//! The saved plan: one file of canonical JSON that applies what was reviewed, and nothing else.
//!
//! The file is `{"format_version":1,"digest":"…","content":{…}}` with sorted keys and a line end.
//! Reading it back must give the same bytes, so that no change of a file, however small, goes
//! unseen.
//!
//! Must not: touch a disk.

use std::fmt::Display;

use miette::Diagnostic;
use semver::Version;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::basis::facts_of;
use super::{Plan, Rests};
use crate::facts::Facts;

/// Version of the file's format. A change of any stored field's name or meaning is a new one.
pub const FORMAT_VERSION: u32 = 1;

/// A plan as it was saved, with what identifies it.
#[derive(Clone, Debug, PartialEq)]
pub struct SavedPlan {
    /// SHA-256 (hex) of the content.
    pub digest: String,
    /// Version of the orthid that made it.
    pub engine: String,
    /// When its facts were observed, RFC 3339.
    pub observed_at: String,
    /// The plan's folder, as seen from where it was made; relative paths of the plan start there.
    pub base: String,
    pub plan: Plan,
}

/// A fact that the plan depends on and that has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaleFact {
    pub fact: String,
    pub planned: String,
    pub now: String,
}

/// Why a file is not a plan that may be applied.
#[derive(Debug, thiserror::Error)]
pub enum SavedPlanError {
    #[error("this is not a saved plan: {0}")]
    NotAPlan(String),
    #[error(
        "the plan was saved in format {found}; this orthid knows formats up to {FORMAT_VERSION}"
    )]
    NewerFormat { found: u64 },
    #[error("the saved plan was changed after it was made: {0}")]
    Tampered(String),
    #[error("it is the plan {found}, where {wanted} was approved")]
    Swapped { found: String, wanted: String },
}

impl Diagnostic for SavedPlanError {
    fn code<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.explain().0))
    }

    fn help<'a>(&'a self) -> Option<Box<dyn Display + 'a>> {
        Some(Box::new(self.explain().1))
    }
}

impl SavedPlanError {
    /// The stable code and the way out.
    fn explain(&self) -> (&'static str, &'static str) {
        match self {
            SavedPlanError::NotAPlan(_) => {
                ("orthid::plan::not_a_plan", "`orthid plan FILE -out PLAN` makes one")
            }
            SavedPlanError::NewerFormat { .. } => (
                "orthid::plan::newer_format",
                "apply it with the orthid that made it, or a newer one",
            ),
            SavedPlanError::Tampered(_) | SavedPlanError::Swapped { .. } => (
                "orthid::plan::tampered",
                "nothing was done. Make the plan again and have it reviewed",
            ),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    base: String,
    engine: String,
    observed_at: String,
    plan: Plan,
}

impl SavedPlan {
    pub fn new(plan: Plan, facts: &Facts, base: &str) -> SavedPlan {
        let content = Content {
            base: base.to_owned(),
            engine: env!("CARGO_PKG_VERSION").to_owned(),
            observed_at: facts.observed_at.clone(),
            plan,
        };
        let digest = digest(&canonical(&content));
        SavedPlan::from_content(digest, content)
    }

    fn from_content(digest: String, content: Content) -> SavedPlan {
        let Content { base, engine, observed_at, plan } = content;
        SavedPlan { digest, engine, observed_at, base, plan }
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let SavedPlan { digest, engine, observed_at, base, plan } = self;
        let content = Content {
            base: base.clone(),
            engine: engine.clone(),
            observed_at: observed_at.clone(),
            plan: plan.clone(),
        };
        framed(digest, &canonical(&content))
    }

    /// Reads a file back.
    ///
    /// # Errors
    /// Where it is not a plan, is of a newer format, or any byte of it was changed.
    pub fn parse(bytes: &[u8]) -> Result<SavedPlan, SavedPlanError> {
        let not_a_plan = |error: serde_json::Error| SavedPlanError::NotAPlan(error.to_string());
        let document: serde_json::Value = serde_json::from_slice(bytes).map_err(not_a_plan)?;
        let format = document.get("format_version").and_then(serde_json::Value::as_u64);
        match format {
            None => return Err(SavedPlanError::NotAPlan("it names no format_version".into())),
            Some(found) if found > u64::from(FORMAT_VERSION) => {
                return Err(SavedPlanError::NewerFormat { found });
            }
            Some(_) => {}
        }
        let tampered = |reason: &str| SavedPlanError::Tampered(reason.to_owned());
        let claimed =
            document.get("digest").and_then(serde_json::Value::as_str).unwrap_or_default();
        // The content's own bytes are hashed, not what a parser made of them: a number may be
        // written in many ways.
        let Some(content) = unframed(claimed, bytes) else {
            return Err(tampered("its bytes are not those that were written"));
        };
        if digest(content) != claimed {
            return Err(tampered("its digest does not fit its content"));
        }
        let claimed = claimed.to_owned();
        let content: Content = serde_json::from_slice(content).map_err(not_a_plan)?;
        Ok(SavedPlan::from_content(claimed, content))
    }

    /// What differs between the facts that the plan depends on and these.
    pub fn stale(&self, facts: &Facts) -> Vec<StaleFact> {
        let stops: Vec<Version> = self.plan.hops.iter().map(|hop| hop.to.clone()).collect();
        let now = facts_of(facts, &stops);
        let rests_on = self.plan.facts.iter().filter(|fact| fact.rests == Rests::MustMatch);
        let differing = rests_on.filter_map(|planned| {
            let found = now.iter().find(|fact| fact.name == planned.name);
            let found = found.map_or("(not found)", |fact| fact.value.as_str());
            (found != planned.value).then(|| StaleFact {
                fact: planned.name.clone(),
                planned: planned.value.clone(),
                now: found.to_owned(),
            })
        });
        differing.collect()
    }

    /// What a run of this plan holds the lease on.
    pub fn subject(&self) -> String {
        self.plan.subject()
    }
}

/// JSON with sorted keys and no white space.
fn canonical(content: &impl Serialize) -> Vec<u8> {
    // Through `Value`, whose maps are ordered by key.
    let value = serde_json::to_value(content).expect("a plan has string keys only");
    serde_json::to_vec(&value).expect("a JSON value can be written")
}

fn digest(canonical: &[u8]) -> String {
    hex::encode(Sha256::digest(canonical))
}

fn framed(digest: &str, canonical: &[u8]) -> Vec<u8> {
    let mut bytes = head(digest).into_bytes();
    bytes.extend_from_slice(canonical);
    bytes.extend_from_slice(TAIL);
    bytes
}

/// The content's bytes; none where what stands around them is not what was written.
fn unframed<'a>(digest: &str, bytes: &'a [u8]) -> Option<&'a [u8]> {
    bytes.strip_prefix(head(digest).as_bytes())?.strip_suffix(TAIL)
}

fn head(digest: &str) -> String {
    format!("{{\"format_version\":{FORMAT_VERSION},\"digest\":\"{digest}\",\"content\":")
}

const TAIL: &[u8] = b"}\n";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn facts() -> Facts {
        Facts {
            format_version: 1,
            observed_at: "2026-01-02T03:04:05Z".into(),
            cluster: None,
            helm: None,
            release: None,
            databases: BTreeMap::new(),
            backup_space: BTreeMap::new(),
        }
    }

    fn saved() -> SavedPlan {
        let plan = Plan { name: "night".into(), ..Plan::default() };
        SavedPlan::new(plan, &facts(), "plans")
    }

    #[test]
    fn it_reads_back_what_it_wrote() {
        let saved = saved();
        assert_eq!(SavedPlan::parse(&saved.to_bytes()).unwrap(), saved);
        assert_eq!(saved.subject(), "runbook/night");
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let bytes = saved().to_bytes();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(SavedPlan::parse(&changed).is_err(), "byte {at} may be changed");
        }
        let mut longer = bytes.clone();
        longer.push(b' ');
        assert!(matches!(SavedPlan::parse(&longer), Err(SavedPlanError::Tampered(_))));
        assert!(SavedPlan::parse(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn a_newer_format_is_told_apart() {
        let text = String::from_utf8(saved().to_bytes()).unwrap();
        let newer = text.replacen("\"format_version\":1", "\"format_version\":2", 1);
        let error = SavedPlan::parse(newer.as_bytes()).unwrap_err();
        assert!(matches!(error, SavedPlanError::NewerFormat { found: 2 }));
    }

    #[test]
    fn a_fact_that_is_gone_is_stale() {
        let mut saved = saved();
        let (name, value) = ("cluster.uid".to_owned(), "a".to_owned());
        saved.plan.facts = vec![super::super::PlanFact { name, value, rests: Rests::MustMatch }];
        assert_eq!(
            saved.stale(&facts()),
            [StaleFact {
                fact: "cluster.uid".into(),
                planned: "a".into(),
                now: "(not found)".into()
            }]
        );
    }
}
