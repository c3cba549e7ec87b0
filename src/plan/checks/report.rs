//! What checks look at, and what they found.

use std::collections::BTreeSet;

use super::check::Check;
use crate::model::{Address, Step};
use crate::plan::diff::Manifest;
use crate::plan::situation::Situation;
use crate::plan::{CheckSummary, Finding, HopDiff, Level, ObjectChange};

/// What checks look at.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    pub situation: &'a Situation<'a>,
    pub steps: &'a [Step],
    pub diff: &'a [HopDiff],
    pub drift: &'a [ObjectChange],
}

impl<'a> Subject<'a> {
    /// The manifest that will be running when the path ends, or the one that runs now.
    pub(super) fn final_manifest(&self) -> &'a Manifest {
        self.situation.last().map_or(&self.situation.deployed, |hop| &hop.manifest)
    }
}

/// What the checks found so far.
#[derive(Clone, Debug, Default)]
pub struct Report {
    findings: Vec<(Check, Finding)>,
    checked: BTreeSet<Check>,
}

impl Report {
    /// The check was made, whatever it found.
    pub fn checked(&mut self, check: Check) {
        self.checked.insert(check);
    }

    pub fn find(&mut self, check: Check, level: Level, message: impl Into<String>) -> Found<'_> {
        self.checked.insert(check);
        let finding = Finding {
            code: check.code().to_owned(),
            level,
            message: message.into(),
            step: None,
            help: None,
        };
        self.findings.push((check, finding));
        let (_, finding) = self.findings.last_mut().expect("it was pushed just now");
        Found { finding }
    }

    /// Findings by gravity and then by check; every check that was made.
    pub fn finish(self) -> (Vec<Finding>, Vec<CheckSummary>) {
        let Report { mut findings, checked } = self;
        findings.sort_by(|(a, x), (b, y)| (x.level, a, &x.message).cmp(&(y.level, b, &y.message)));
        let count = |check: Check| findings.iter().filter(|(found, _)| *found == check).count();
        let checks = checked
            .into_iter()
            .map(|check| CheckSummary {
                code: check.code().to_owned(),
                title: check.title().to_owned(),
                findings: count(check),
            })
            .collect();
        (findings.into_iter().map(|(_, finding)| finding).collect(), checks)
    }
}

/// A finding that more can be said about.
#[derive(Debug)]
pub struct Found<'a> {
    finding: &'a mut Finding,
}

impl Found<'_> {
    pub fn help(self, text: impl Into<String>) -> Self {
        self.finding.help = Some(text.into());
        self
    }

    pub fn step(self, address: &Address) -> Self {
        self.finding.step = Some(address.clone());
        self
    }
}
