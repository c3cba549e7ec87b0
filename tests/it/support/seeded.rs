//! Plans, faults, kills and interrupts from a seed: the same ones for the same seed, on every machine.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use orthid::journal::FailureClass::{Permanent, Transient};
use orthid::model::{Address, OnFailure, Rollback, Step, StepKind, StepSpec};
use orthid::plan::Plan;
use orthid::simulate::{Fault, Faults, Interrupt, Moment, Phase, Stage, Trouble};

use super::plans::{Command, plan, probe, runs, step};

/// SplitMix64.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        self.roll() % bound
    }

    /// True once in `n` times.
    pub fn once_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize]
    }
}

/// An upgrade's chain or not, and commands, smokes, probes and joins around it.
pub fn seeded_plan(dice: &mut Dice) -> Arc<Plan> {
    let mut steps: Vec<Step> = Vec::new();
    if !dice.once_in(3) {
        steps.push(step("backup.b", &[]));
        steps.push(step("verify.v", &["backup.b"]));
        steps.push(step("migrate.m", &["verify.v"]));
        steps.push(step("roll.r", &["migrate.m"]));
        if dice.once_in(2) {
            steps.push(probe("probe.p", &["migrate.m", "roll.r"]));
        }
    }
    if dice.once_in(4) {
        steps.push(step("approve.a", &[]));
    }
    for n in 0..1 + dice.below(6) {
        let mut after: Vec<String> = Vec::new();
        for earlier in &steps {
            if dice.once_in(3) {
                after.push(earlier.address.to_string());
            }
        }
        let after: Vec<&str> = after.iter().map(String::as_str).collect();
        let how = dice.pick(&[Command::Observable, Command::Idempotent, Command::Opaque]);
        let mut step = match dice.below(5) {
            0 => step(&format!("smoke.s{n}"), &after),
            1 => step(&format!("checkpoint.c{n}"), &after),
            _ => runs(&format!("run.x{n}"), &after, how),
        };
        step.on_failure = dice.pick(&[
            OnFailure::Rollback,
            OnFailure::Rollback,
            OnFailure::Stop,
            OnFailure::Continue,
        ]);
        if step.kind() == StepKind::Run && dice.once_in(4) {
            step.rollback = None;
        }
        step.retry.attempts = 1 + dice.below(3) as u32;
        steps.push(step);
    }
    if let Some(migrate) = steps.iter_mut().find(|step| step.kind() == StepKind::Migrate)
        && dice.once_in(2)
        && let StepSpec::Migrate(spec) = &mut migrate.spec
    {
        spec.breaking = false;
        migrate.rollback = dice.once_in(2).then(Rollback::default);
    }
    plan(steps)
}

fn some_fault(dice: &mut Dice, kind: StepKind, phase: Phase) -> Fault {
    let slow = Fault::Slow(Duration::from_millis(dice.below(50_000)));
    let jump = Fault::ClockJump(SignedDuration::from_secs(dice.below(7_200) as i64 - 3_600));
    let crash = Fault::Crash(dice.pick(&[Moment::Before, Moment::During, Moment::After]));
    let error =
        dice.pick(&[Fault::Error(Transient), Fault::Error(Transient), Fault::Error(Permanent)]);
    let any = [
        error,
        slow,
        jump,
        crash,
        crash,
        Fault::LostBefore,
        Fault::Flapping,
        Fault::ReplyLost,
        Fault::DiskFull,
        Fault::Half(Permanent),
        Fault::Hang { after: true },
        Fault::Hang { after: false },
    ];
    match (phase, kind) {
        (Phase::Observe, _) => dice.pick(&[slow, jump, crash, Fault::Flapping]),
        // Waiting a day for an undo or a probe that hangs proves nothing that a minute does not.
        (Phase::Undo, _) => dice.pick(&any[..10]),
        (Phase::Act, StepKind::Probe) => dice.pick(&any[..7]),
        (Phase::Act, _) => dice.pick(&any),
    }
}

pub fn seeded_faults(dice: &mut Dice, plan: &Plan, faults: &mut Faults) {
    for step in &plan.steps {
        let address: &Address = &step.address;
        if step.kind() == StepKind::Approve {
            continue;
        }
        for (phase, rarity) in [(Phase::Act, 3), (Phase::Undo, 4), (Phase::Observe, 6)] {
            while dice.once_in(rarity) {
                faults.add(phase, address.clone(), some_fault(dice, step.kind(), phase));
            }
        }
    }
}

/// Sets the stage's interrupts and its disk's troubles, and returns the kills.
pub fn seeded_trouble(dice: &mut Dice, stage: &mut Stage) -> Vec<Option<u64>> {
    stage.parallelism = 1 + dice.below(8) as usize;
    for _ in 0..dice.below(3) {
        stage.interrupts.push(dice.once_in(2).then(|| Interrupt {
            after: Duration::from_millis(dice.below(20_000)),
            at_once: dice.once_in(2),
        }));
    }
    if dice.once_in(3) {
        for _ in 0..dice.below(40) {
            let trouble = dice.pick(&[Trouble::Refused, Trouble::ReplyLost]);
            stage.troubles.add(dice.once_in(5).then_some(trouble));
        }
    }
    (0..dice.below(4)).map(|_| dice.once_in(2).then(|| 1 + dice.below(60))).collect()
}
