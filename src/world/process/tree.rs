//! A command's process tree, as `/proc` shows it: who belongs to it, and telling all of them
//! something.
//!
//! A process belongs to a tree as a descendant of its keeper, whatever session it made for itself.
//! Where the keeper is gone (somebody killed it), by the keeper's session and by the variables that
//! every child is given.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::files::read;
use super::marker::Marker;

/// Clock ticks a second in `/proc`, by the kernel's ABI.
const TICKS: u64 = 100;
/// How often a tree that is not our child is looked at: at first, and at most.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(200));
/// The variables that every process of a step has.
pub const RUN: &str = "ORTHID_RUN";
pub const STEP: &str = "ORTHID_STEP";
pub const ATTEMPT: &str = "ORTHID_ATTEMPT";

/// Whose work a process does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub run: String,
    pub step: String,
}

/// One process, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    pub pid: i32,
    pub name: String,
    state: u8,
    parent: i32,
    session: i32,
    start_time: u64,
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.pid, self.name)
    }
}

impl Process {
    /// Stopped by a signal: it neither goes on nor ends.
    pub fn is_stopped(&self) -> bool {
        self.state == b'T'
    }

    fn is_alive(&self) -> bool {
        !matches!(self.state, b'Z' | b'X')
    }
}

/// Processes in words: `12 (sh), 13 (worker.sh)`.
pub fn named(processes: &[Process]) -> String {
    processes.iter().map(Process::to_string).collect::<Vec<_>>().join(", ")
}

/// What belongs to one command.
#[derive(Clone, Debug)]
pub(super) struct Tree {
    /// None where only the variables tell.
    pub keeper: Option<Marker>,
    /// The name of the command among those of its step.
    pub name: Option<String>,
    pub work: Option<Work>,
    /// The keeper is our child, so its session is no other's.
    pub is_ours: bool,
}

/// A process of a tree.
struct Member {
    process: Process,
    /// It can't be another's: a session's id alone may have been given again since.
    is_proven: bool,
}

impl Tree {
    /// Every process that is at work for this command, the keeper left out.
    pub(super) fn processes(&self) -> io::Result<Vec<Process>> {
        Ok(self.members()?.into_iter().map(|member| member.process).collect())
    }

    /// Whether neither the keeper nor anything of the tree is there any more.
    pub(super) fn is_gone(&self) -> io::Result<bool> {
        Ok(self.living_keeper().is_none() && self.members()?.is_empty())
    }

    /// Waits until nothing of it is left.
    pub(super) async fn gone(&self) {
        let (mut pause, longest) = POLL;
        // Where `/proc` can't be read now, nothing is known: it is asked again.
        while !self.is_gone().unwrap_or(false) {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }

    /// The keeper as a process, where it lives.
    pub(super) fn living_keeper(&self) -> Option<Process> {
        let keeper = self.keeper.as_ref()?;
        let process = process(keeper.pid)?;
        (process.is_alive() && process.start_time == keeper.start_time).then_some(process)
    }

    /// Sends a signal to every process of the tree that is certainly ours.
    pub(super) fn signal(&self, signal: Signal) {
        for Member { process, is_proven } in self.members().unwrap_or_default() {
            let same =
                self::process(process.pid).is_some_and(|p| p.start_time == process.start_time);
            if is_proven && same {
                // It may have ended meanwhile, or be another user's: who is still there is found by
                // looking again.
                let _ = kill(Pid::from_raw(process.pid), signal);
            }
        }
        // A keeper that somebody stopped would never tell that all is over.
        if let Some(keeper) = self.living_keeper() {
            let _ = kill(Pid::from_raw(keeper.pid), Signal::SIGCONT);
        }
    }

    fn members(&self) -> io::Result<Vec<Member>> {
        let all = all()?;
        let keeper = self.living_keeper().map(|keeper| keeper.pid);
        let mut found: BTreeMap<i32, bool> = BTreeMap::new();
        for process in all.values() {
            let in_session = self.keeper.as_ref().is_some_and(|keeper| {
                process.session == keeper.pid && process.start_time >= keeper.start_time
            });
            if keeper.is_none() && self.is_marked(process) {
                found.insert(process.pid, true);
            } else if in_session {
                found.insert(process.pid, self.is_ours || keeper.is_some());
            }
        }
        found.extend(keeper.map(|keeper| (keeper, true)));
        descend(&all, &mut found);
        let own = ancestors(&all, own_pid());
        let members =
            found.into_iter().filter(|(pid, _)| Some(*pid) != keeper && !own.contains(pid));
        let members = members.filter_map(|(pid, is_proven)| {
            let process = all.get(&pid).filter(|process| process.is_alive())?.clone();
            Some(Member { process, is_proven })
        });
        Ok(members.collect())
    }

    /// Whether the process has the variables that this command was given.
    fn is_marked(&self, process: &Process) -> bool {
        let Some(work) = &self.work else { return false };
        marks(process.pid).is_some_and(|(found, attempt)| {
            found == *work && self.name.as_ref().is_none_or(|name| *name == attempt)
        })
    }
}

/// Adds the descendants of what was found, which are as certain.
fn descend(all: &BTreeMap<i32, Process>, found: &mut BTreeMap<i32, bool>) {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for process in all.values() {
        children.entry(process.parent).or_default().push(process.pid);
    }
    let mut pending: Vec<(i32, bool)> = found.iter().map(|(pid, proven)| (*pid, *proven)).collect();
    while let Some((pid, is_proven)) = pending.pop() {
        for child in children.get(&pid).into_iter().flatten() {
            let known = found.get(child).copied();
            if known.is_none_or(|known| is_proven && !known) {
                found.insert(*child, is_proven);
                pending.push((*child, is_proven));
            }
        }
    }
}

/// A process and all that are above it: an orthid that a step runs is no work of that step's to be
/// ended by itself.
fn ancestors(all: &BTreeMap<i32, Process>, of: i32) -> BTreeSet<i32> {
    let mut found = BTreeSet::new();
    let mut next = Some(of);
    while let Some(pid) = next.filter(|pid| *pid > 0 && found.insert(*pid)) {
        next = all.get(&pid).map(|process| process.parent);
    }
    found
}

fn own_pid() -> i32 {
    nix::unistd::getpid().as_raw()
}

/// The run, step and attempt that a process works for, by its variables; none where it has none or
/// may not be read.
pub(super) fn marks(pid: i32) -> Option<(Work, String)> {
    let variables = read(Path::new(&format!("/proc/{pid}/environ"))).ok()?;
    let value = |name: &str| {
        let mut all = variables.split(|byte| *byte == 0);
        let found =
            all.find_map(|variable| variable.strip_prefix(name.as_bytes())?.strip_prefix(b"="))?;
        Some(String::from_utf8_lossy(found).into_owned())
    };
    Some((Work { run: value(RUN)?, step: value(STEP)? }, value(ATTEMPT)?))
}

/// Every process that this one may see.
pub(super) fn all() -> io::Result<BTreeMap<i32, Process>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let pid = entry?.file_name().to_str().and_then(|name| name.parse().ok());
        let Some(pid) = pid else { continue };
        match read(Path::new(&format!("/proc/{pid}/stat"))) {
            Ok(stat) => drop(parse(&stat).map(|process| found.insert(pid, process))),
            // It ended while we looked. Anything else, such as no descriptor left, would hide one
            // that is there.
            Err(error)
                if matches!(error.raw_os_error(), Some(nix::libc::ENOENT | nix::libc::ESRCH)) => {}
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

fn process(pid: i32) -> Option<Process> {
    parse(&read(Path::new(&format!("/proc/{pid}/stat"))).ok()?)
}

/// Reads a `stat`. The second field is the name in parentheses and may hold anything, spaces and
/// parentheses included.
fn parse(stat: &[u8]) -> Option<Process> {
    let begins = stat.iter().position(|byte| *byte == b'(')?;
    let ends = stat.iter().rposition(|byte| *byte == b')')?;
    let number = |field: &[u8]| std::str::from_utf8(field).ok()?.trim().parse::<i32>().ok();
    let mut fields = stat[ends + 1..].split(u8::is_ascii_whitespace).filter(|f| !f.is_empty());
    Some(Process {
        pid: number(&stat[..begins])?,
        name: String::from_utf8_lossy(stat.get(begins + 1..ends)?).into_owned(),
        state: *fields.next()?.first()?,
        parent: number(fields.next()?)?,
        session: number(fields.nth(1)?)?,
        start_time: start_time_in(stat)?,
    })
}

/// Field 22 of a `stat`, in clock ticks since boot. Allocates nothing.
pub(super) fn start_time_in(stat: &[u8]) -> Option<u64> {
    let name_ends = stat.iter().rposition(|byte| *byte == b')')?;
    let mut fields = stat[name_ends + 1..].split(u8::is_ascii_whitespace).filter(|f| !f.is_empty());
    std::str::from_utf8(fields.nth(19)?).ok()?.parse().ok()
}

/// When a process was started; none where it is gone.
pub(super) fn start_time_of(pid: i32) -> Option<u64> {
    process(pid).map(|process| process.start_time)
}

/// How long ago a process was started, by its start time.
pub(super) fn age(start_time: u64) -> Duration {
    let uptime = read(Path::new("/proc/uptime")).unwrap_or_default();
    let uptime = String::from_utf8_lossy(&uptime);
    let seconds: f64 =
        uptime.split_whitespace().next().and_then(|text| text.parse().ok()).unwrap_or_default();
    let started = Duration::from_millis(start_time.saturating_mul(1_000 / TICKS));
    Duration::try_from_secs_f64(seconds).unwrap_or_default().saturating_sub(started)
}

impl Process {
    pub(super) fn age(&self) -> Duration {
        age(self.start_time)
    }
}

#[cfg(test)]
pub(super) fn is_alive(pid: i32) -> bool {
    process(pid).is_some_and(|process| process.is_alive())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_is_read_whatever_the_name() {
        let rest = "S 10 11 12 0 -1 4194304 1 0 0 0 0 0 0 0 20 0 1 0 98765 1 1 1";
        for name in ["sh", "a b", "x) S 1 (y", ""] {
            let process = parse(format!("7 ({name}) {rest}\n").as_bytes()).unwrap();
            assert_eq!(process.name, name);
            let Process { pid, parent, session, start_time, state, .. } = process;
            assert_eq!((pid, parent, session, start_time, state), (7, 10, 12, 98765, b'S'));
        }
        assert!(parse(b"7 (sh").is_none());
    }

    #[test]
    fn descendants_are_as_certain_as_who_they_descend_from() {
        let line = |pid: i32, parent: i32| Process {
            pid,
            parent,
            name: "x".into(),
            state: b'S',
            session: pid,
            start_time: 1,
        };
        let lines = [line(1, 0), line(2, 1), line(3, 2), line(4, 3), line(5, 1), line(6, 5)];
        let all: BTreeMap<i32, Process> = lines.into_iter().map(|p| (p.pid, p)).collect();
        let mut found = BTreeMap::from([(2, true), (3, false), (5, false)]);
        descend(&all, &mut found);
        let expected = [(2, true), (3, true), (4, true), (5, false), (6, false)];
        assert_eq!(found, BTreeMap::from(expected));
        assert_eq!(ancestors(&all, 4), BTreeSet::from([1, 2, 3, 4]));
    }

    #[test]
    fn own_processes_are_seen_with_their_age() {
        let own = all().unwrap().remove(&own_pid()).unwrap();
        assert!(own.is_alive() && !own.is_stopped());
        assert!(own.age() < Duration::from_secs(3_600), "{:?}", own.age());
    }
}
