//! Seeded schedules: plans, faults, kills, interrupts and a disk that refuses, all from one number, and what must hold in all
//! of them.
//!
//! 2,000 by default; as many as `ORTHID_SOAK` says. A failure prints its seed, and `ORTHID_SEED` plays that one alone.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use orthid::journal::Failure;
use orthid::model::{Outputs, StepKind};
use orthid::run::{Observation, StepContext, World};
use orthid::simulate::{Disguise, End, Stage, VirtualClock, wrongs};
use orthid::store::{MemoryStore, Store};

use crate::support::broken::{Breach, breaking};
use crate::support::seeded::{Dice, seeded_faults, seeded_plan, seeded_trouble};

/// What one schedule came to.
struct Played {
    end: End,
    wrong: Vec<String>,
    fired: BTreeMap<&'static str, u64>,
}

/// What is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    Nothing,
    /// A store that acknowledges some records without writing them.
    Acknowledges,
    /// A disk that forgets the last record when the process dies.
    Forgets,
    /// A world in which some effects are reported and not made.
    Pretends,
}

fn play(seed: u64, broken: Broken) -> Played {
    let mut dice = Dice::new(seed);
    let plan = seeded_plan(&mut dice);
    let clock = VirtualClock::new();
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    clock.runtime().block_on(async {
        let (orphans, run) = (dice.once_in(2), format!("seed-{seed}"));
        let mut stage = Stage::new(&plan, &run, seed, orphans, clock.clone(), Arc::clone(&store));
        stage.site.with_faults(|faults| seeded_faults(&mut dice, &plan, faults));
        let kills = seeded_trouble(&mut dice, &mut stage);
        let stage = disguised(stage, store, broken, &mut dice);
        let end = stage.play(&kills).await;
        let records = stage.records().await.unwrap();
        let digest = &stage.job.plan_digest;
        let mut wrong = wrongs(&plan, digest, &records, &stage.site.model());
        wrong.extend(stage.site.violations());
        wrong.extend(end.trouble.clone());
        let mut fired = stage.site.with_faults(|faults| faults.fired().clone());
        fired.extend(stage.troubles.fired());
        fired.insert("kill", end.lives.iter().filter(|(_, died)| died.is_some()).count() as u64);
        if !wrong.is_empty() {
            wrong.push(format!("orphans={orphans} kills={kills:?} {end:#?}"));
            wrong.extend(plan.steps.iter().map(|step| {
                format!(
                    "{} after {:?} on_failure={:?} rollback={} {:?}",
                    step.address,
                    step.depends_on.iter().map(ToString::to_string).collect::<Vec<_>>(),
                    step.on_failure,
                    step.rollback.is_some(),
                    step.retry
                )
            }));
            wrong.extend(
                records
                    .iter()
                    .map(|record| format!("{} {} {:?}", record.seq, record.at, record.event)),
            );
        }
        Played { end, wrong, fired }
    })
}

fn disguised(stage: Stage, store: Arc<dyn Store>, broken: Broken, dice: &mut Dice) -> Stage {
    match broken {
        Broken::Nothing => stage,
        Broken::Acknowledges => {
            let breach = Breach::LiesAt(1 + dice.below(10));
            stage.seeing_store(Arc::new(breaking(store, breach)))
        }
        Broken::Forgets => stage.seeing_store(Arc::new(breaking(store, Breach::Forgets))),
        Broken::Pretends => {
            let disguise: Disguise = Arc::new(|inner| Arc::new(PretendingWorld { inner }));
            stage.seeing_world(disguise)
        }
    }
}

#[test]
fn soak() {
    let one: Option<u64> = std::env::var("ORTHID_SEED").ok().map(|seed| seed.parse().unwrap());
    let count = std::env::var("ORTHID_SOAK").map_or(2_000, |count| count.parse().unwrap());
    let seeds = one.map_or(0..count, |seed| seed..seed + 1);
    let next = AtomicU64::new(seeds.start);
    let tally: Mutex<BTreeMap<String, u64>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let played = play(seed, Broken::Nothing);
                    if !played.wrong.is_empty() {
                        next.store(u64::MAX / 2, Ordering::Relaxed);
                        panic!("ORTHID_SEED={seed}\n{}", played.wrong.join("\n"));
                    }
                    let mut tally = tally.lock().unwrap();
                    for (name, fired) in played.fired {
                        *tally.entry(name.to_owned()).or_default() += fired;
                    }
                    let status = played.end.status.unwrap();
                    *tally.entry(format!("ended: {status:?}")).or_default() += 1;
                    let asked = u64::from(!played.end.asked.is_empty());
                    *tally.entry("ended: a person was asked".to_owned()).or_default() += asked;
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    eprintln!("{tally:#?}");
    if one.is_none() {
        for kind in KINDS {
            assert!(tally.get(kind).is_some_and(|count| *count > 0), "no {kind} in {tally:#?}");
        }
    }
}

/// Everything that must have happened at least once for a soak to mean something.
const KINDS: [&str; 21] = [
    "transient error",
    "permanent error",
    "half an effect",
    "request lost",
    "reply lost",
    "hang",
    "hang after the effect",
    "slow",
    "disk full",
    "flapping",
    "clock jump",
    "crash before",
    "crash during",
    "crash after",
    "kill",
    "write refused",
    "write's reply lost",
    "ended: Succeeded",
    "ended: RolledBack",
    "ended: Failed",
    "ended: a person was asked",
];

/// How many of 300 schedules notice what is broken.
fn caught(broken: Broken) -> usize {
    (0..300).filter(|seed| !play(*seed, broken).wrong.is_empty()).count()
}

#[test]
fn a_store_that_acknowledges_without_writing_is_caught() {
    assert!(caught(Broken::Acknowledges) > 100);
}

#[test]
fn a_disk_that_forgets_what_it_acknowledged_is_caught() {
    assert!(caught(Broken::Forgets) > 20);
}

#[test]
fn a_world_that_only_pretends_is_caught() {
    assert!(caught(Broken::Pretends) > 100);
}

struct PretendingWorld {
    inner: Arc<dyn World>,
}

#[async_trait::async_trait]
impl World for PretendingWorld {
    async fn observe(&self, cx: &StepContext) -> Observation {
        self.inner.observe(cx).await
    }

    async fn act(&self, cx: &StepContext) -> Result<Outputs, Failure> {
        match cx.step.kind() {
            StepKind::Run | StepKind::Roll => Ok(Outputs::new()),
            _ => self.inner.act(cx).await,
        }
    }

    async fn observe_undo(&self, cx: &StepContext) -> Observation {
        self.inner.observe_undo(cx).await
    }

    async fn undo(&self, cx: &StepContext) -> Result<(), Failure> {
        self.inner.undo(cx).await
    }
}
