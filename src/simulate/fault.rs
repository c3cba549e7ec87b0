//! What can be made to go wrong in a simulated world, and when.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use jiff::SignedDuration;

use crate::journal::FailureClass;
use crate::model::Address;

/// Which dealing with a step a fault falls on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    Act,
    Undo,
    /// Looking at a step or at its undo.
    Observe,
}

/// A moment of an effect at which the process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    Before,
    During,
    After,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Fails before anything was done.
    Error(FailureClass),
    /// Fails with a part of the effect made.
    Half(FailureClass),
    /// Nothing was done, and nothing says so.
    LostBefore,
    /// The effect is there, and the answer that would say so is lost.
    ReplyLost,
    /// Never ends by itself, before or after the effect.
    Hang {
        after: bool,
    },
    Slow(Duration),
    /// A part of the effect is made when the disk is full.
    DiskFull,
    /// Readiness comes and goes: it can't be told for a moment.
    Flapping,
    /// The wall clock is set forward or back.
    ClockJump(SignedDuration),
    /// `kill -9`.
    Crash(Moment),
}

impl Fault {
    pub fn name(&self) -> &'static str {
        match self {
            Fault::Error(FailureClass::Transient) => "transient error",
            Fault::Error(FailureClass::Permanent) => "permanent error",
            Fault::Error(FailureClass::Unknown) | Fault::LostBefore => "request lost",
            Fault::Half(_) => "half an effect",
            Fault::ReplyLost => "reply lost",
            Fault::Hang { after: false } => "hang",
            Fault::Hang { after: true } => "hang after the effect",
            Fault::Slow(_) => "slow",
            Fault::DiskFull => "disk full",
            Fault::Flapping => "flapping",
            Fault::ClockJump(_) => "clock jump",
            Fault::Crash(Moment::Before) => "crash before",
            Fault::Crash(Moment::During) => "crash during",
            Fault::Crash(Moment::After) => "crash after",
        }
    }
}

/// Faults that wait for their moment, each for one occurrence, and how many of each kind have fired.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    waiting: BTreeMap<(Phase, Address), VecDeque<Fault>>,
    fired: BTreeMap<&'static str, u64>,
}

impl Faults {
    /// The next occurrence that has no fault yet gets this one.
    pub fn add(&mut self, phase: Phase, step: Address, fault: Fault) {
        self.waiting.entry((phase, step)).or_default().push_back(fault);
    }

    pub(super) fn take(&mut self, phase: Phase, step: &Address) -> Option<Fault> {
        let fault = self.waiting.get_mut(&(phase, step.clone()))?.pop_front()?;
        *self.fired.entry(fault.name()).or_default() += 1;
        Some(fault)
    }

    /// Everything that still could go wrong won't.
    pub fn clear(&mut self) {
        self.waiting.clear();
    }

    pub fn fired(&self) -> &BTreeMap<&'static str, u64> {
        &self.fired
    }
}
