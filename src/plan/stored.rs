//! A run's plan as a state store keeps it: opened only for the digest that the run was created
//! with.
//!
//! Must not: hand out bytes, or a plan that was not compared. Whoever can write to the store can
//! write another plan.

use std::fmt;

use super::{SavedPlan, SavedPlanError};

/// The saved plan's bytes, as they lie in a store.
#[derive(Clone, PartialEq, Eq)]
pub struct StoredPlan(Vec<u8>);

impl StoredPlan {
    pub fn new(bytes: Vec<u8>) -> StoredPlan {
        StoredPlan(bytes)
    }

    /// The plan, if it is the one of this digest.
    ///
    /// # Errors
    /// As [`SavedPlan::parse`], and [`SavedPlanError::Swapped`] where a whole plan stands there
    /// that is another one.
    pub fn open(&self, digest: &str) -> Result<SavedPlan, SavedPlanError> {
        let saved = SavedPlan::parse(&self.0)?;
        if saved.digest != digest {
            return Err(SavedPlanError::Swapped { found: saved.digest, wanted: digest.to_owned() });
        }
        Ok(saved)
    }
}

impl fmt::Debug for StoredPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredPlan({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::facts::Facts;
    use crate::plan::Plan;

    fn saved(name: &str) -> SavedPlan {
        let facts = Facts {
            format_version: 1,
            observed_at: "2026-01-02T03:04:05Z".into(),
            cluster: None,
            helm: None,
            release: None,
            databases: BTreeMap::new(),
            backup_space: BTreeMap::new(),
        };
        SavedPlan::new(Plan { name: name.to_owned(), ..Plan::default() }, &facts, ".")
    }

    #[test]
    fn it_opens_for_the_digest_of_its_plan_and_no_other() {
        let (day, night) = (saved("day"), saved("night"));
        let stored = StoredPlan::new(night.to_bytes());
        assert_eq!(stored.open(&night.digest).unwrap(), night);
        let error = stored.open(&day.digest).unwrap_err();
        assert!(matches!(&error, SavedPlanError::Swapped { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&day.digest) && text.contains(&night.digest), "{text}");
        // Another content under the digest that was asked for.
        let bytes = String::from_utf8(night.to_bytes()).unwrap();
        let forged = StoredPlan::new(bytes.replace(&night.digest, &day.digest).into_bytes());
        assert!(matches!(forged.open(&day.digest), Err(SavedPlanError::Tampered(_))));
    }
}
