//! Every plan killed at every moment, resumed, killed again at every moment of that, and resumed: the end is the same.
//!
//! Enumerated, not sampled. A moment is each side of each journal write, and each boundary of each effect: before it, in
//! its middle, after it, and each look at it. With orphans, what a killed process had begun goes on without it.

use std::sync::Arc;

use orthid::journal::{FailureClass, RunStatus};
use orthid::model::Address;
use orthid::plan::Plan;
use orthid::simulate::{End, Fault, Model, Phase, Stage, VirtualClock, wrongs};
use orthid::store::{MemoryStore, Store};

use crate::support::plans::{at, commands, upgrade};
use crate::support::postgres::Server;

/// Which way a run goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Forward,
    /// The last smoke fails, however often it is tried.
    Back,
    /// All went well, and then a person asks for it to be undone. Killed is the process that undoes it.
    Undone,
}

impl Direction {
    /// Processes before the one that is killed.
    fn before(self) -> usize {
        match self {
            Direction::Forward | Direction::Back => 0,
            Direction::Undone => 1,
        }
    }
}

struct Sweep {
    plan: Arc<Plan>,
    /// The step that fails on the way back.
    last: Address,
    direction: Direction,
    orphans: bool,
    /// Questions that only a person can answer are part of this plan.
    asks: bool,
}

/// What a rehearsal ends with.
struct Played {
    end: End,
    model: Model,
    wrong: Vec<String>,
}

impl Sweep {
    fn play(&self, kills: &[Option<u64>]) -> Played {
        let clock = VirtualClock::new();
        let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
        clock.runtime().block_on(self.play_on(clock.clone(), store, "sweep", kills))
    }

    async fn play_on(
        &self,
        clock: VirtualClock,
        store: Arc<dyn Store>,
        run: &str,
        kills: &[Option<u64>],
    ) -> Played {
        let mut stage = Stage::new(&self.plan, run, 7, self.orphans, clock, store);
        stage.rolls_back = self.direction == Direction::Undone;
        if self.direction == Direction::Back {
            stage.site.with_faults(|faults| {
                for _ in 0..40 {
                    let fault = Fault::Error(FailureClass::Permanent);
                    faults.add(Phase::Act, self.last.clone(), fault);
                }
            });
        }
        let end = stage.play(kills).await;
        let records = stage.records().await.unwrap();
        let model = stage.site.model();
        let mut wrong = wrongs(&self.plan, &stage.job.plan_digest, &records, &model);
        wrong.extend(stage.site.violations());
        if !wrong.is_empty() {
            wrong.extend(records.iter().map(|record| format!("{} {:?}", record.seq, record.event)));
        }
        Played { end, model: model.without_debris(), wrong }
    }

    fn baseline(&self) -> Played {
        let baseline = self.play(&[]);
        let expected = match self.direction {
            Direction::Forward => RunStatus::Succeeded,
            Direction::Back | Direction::Undone => RunStatus::RolledBack,
        };
        assert_eq!(baseline.end.status, Some(expected), "{:?}", baseline.end);
        assert_eq!(baseline.wrong, [""; 0]);
        baseline
    }

    fn check(&self, kills: &[Option<u64>], baseline: &Played, played: &Played) {
        let what = format!(
            "{:?} orphans={} kills={kills:?}\n{:#?}",
            self.direction, self.orphans, played.end
        );
        assert_eq!(played.wrong, [""; 0], "{what}");
        // A person who was asked has also put right what made the last smoke fail.
        let asked = self.asks && !played.end.asked.is_empty();
        if !asked || self.direction == Direction::Forward {
            assert_eq!(played.end.status, baseline.end.status, "{what}");
            assert_eq!(played.model, baseline.model, "{what}");
        }
        assert!(played.end.asked.is_empty() || self.asks, "{what}");
    }

    /// Returns how many moments there were.
    fn once(&self) -> u64 {
        let baseline = self.baseline();
        let before = self.direction.before();
        let moments = baseline.end.lives[before].0;
        for kill in 1..=moments {
            let kills = [vec![None; before], vec![Some(kill)]].concat();
            let played = self.play(&kills);
            self.check(&kills, &baseline, &played);
        }
        moments
    }

    fn twice(&self) -> usize {
        let baseline = self.baseline();
        let before = self.direction.before();
        let moments = baseline.end.lives[before].0;
        let mut played_in_all = 0;
        for first in 1..=moments {
            let kills = [vec![None; before], vec![Some(first)]].concat();
            let again = self.play(&kills).end.lives[before + 1].0;
            for second in 1..=again {
                let kills = [kills.clone(), vec![Some(second)]].concat();
                let played = self.play(&kills);
                self.check(&kills, &baseline, &played);
                played_in_all += 1;
            }
        }
        played_in_all
    }
}

fn sweep(plan: fn() -> Arc<Plan>, last: &str, asks: bool, direction: Direction, orphans: bool) {
    let sweep = Sweep { plan: plan(), last: at(last), direction, orphans, asks };
    let moments = sweep.once();
    let twice = sweep.twice();
    eprintln!("{last} {direction:?} orphans={orphans}: {moments} moments, {twice} pairs of them");
}

#[test]
fn an_upgrade_killed_anywhere_ends_as_if_it_had_not_been() {
    sweep(upgrade, "smoke.sign_in", false, Direction::Forward, false);
}

#[test]
fn an_upgrade_whose_children_go_on_without_it_ends_the_same() {
    sweep(upgrade, "smoke.sign_in", false, Direction::Forward, true);
}

#[test]
fn an_unwinding_killed_anywhere_ends_as_if_it_had_not_been() {
    sweep(upgrade, "smoke.sign_in", false, Direction::Back, false);
}

#[test]
fn an_unwinding_whose_children_go_on_without_it_ends_the_same() {
    sweep(upgrade, "smoke.sign_in", false, Direction::Back, true);
}

#[test]
fn a_rollback_killed_anywhere_ends_as_if_it_had_not_been() {
    sweep(upgrade, "smoke.sign_in", false, Direction::Undone, false);
}

#[test]
fn a_rollback_whose_children_go_on_without_it_ends_the_same() {
    sweep(upgrade, "smoke.sign_in", false, Direction::Undone, true);
}

#[test]
fn commands_killed_anywhere_end_as_if_they_had_not_been() {
    sweep(commands, "smoke.last", true, Direction::Forward, false);
}

#[test]
fn commands_that_go_on_by_themselves_end_the_same() {
    sweep(commands, "smoke.last", true, Direction::Forward, true);
}

#[test]
fn commands_killed_anywhere_while_they_unwind_end_the_same() {
    sweep(commands, "smoke.last", true, Direction::Back, false);
}

/// A store on a real database, with the runtime it was opened in and what keeps it on the disk.
struct RealStore {
    store: Arc<dyn Store>,
    runtime: tokio::runtime::Runtime,
    clock: VirtualClock,
    _folder: Option<tempfile::TempDir>,
}

impl RealStore {
    fn open(url: &str, folder: Option<tempfile::TempDir>) -> Self {
        let clock = VirtualClock::new();
        let runtime = clock.runtime();
        let held = clock.hold();
        let store = runtime.block_on(orthid::store::open(url)).unwrap();
        drop(held);
        Self { store, runtime, clock, _folder: folder }
    }
}

/// The same on a store of its own for all rehearsals of a sweep: one kill at every moment, both directions.
fn on_a_real_store(open: fn() -> RealStore) {
    for direction in [Direction::Forward, Direction::Back] {
        let sweep = Sweep {
            plan: upgrade(),
            last: at("smoke.sign_in"),
            direction,
            orphans: true,
            asks: false,
        };
        let baseline = sweep.baseline();
        let moments = baseline.end.lives[0].0;
        let RealStore { store, runtime, clock, _folder } = open();
        for kill in 1..=moments {
            // A second kill, somewhere in the resume.
            let kills = [Some(kill), Some(1 + kill * 7 % moments)];
            let run = format!("{direction:?}-{kill}");
            let playing = sweep.play_on(clock.clone(), Arc::clone(&store), &run, &kills);
            let played = runtime.block_on(playing);
            sweep.check(&kills, &baseline, &played);
        }
    }
}

#[test]
fn on_sqlite_an_upgrade_killed_anywhere_ends_the_same() {
    on_a_real_store(|| {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("state.db").display());
        RealStore::open(&url, Some(folder))
    });
}

#[test]
fn on_postgresql_an_upgrade_killed_anywhere_ends_the_same() {
    on_a_real_store(|| RealStore::open(&Server::shared().database(), None));
}
