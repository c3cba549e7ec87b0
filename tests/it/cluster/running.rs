//! The program under way: its events as they come, its children, its end.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Bound on anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ended {
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        self
    }

    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not said:\n{}", self.stderr);
        self
    }
}

/// A run under way.
pub struct Running {
    child: Child,
    events: Arc<Mutex<Vec<Value>>>,
    errors: PathBuf,
}

impl Running {
    /// Starts a command that prints events, in a folder that has room for what else it says.
    pub fn new(mut command: Command, folder: &Path) -> Running {
        let errors = folder.join("stderr");
        command.stdout(Stdio::piped()).stderr(fs::File::create(&errors).unwrap());
        let mut child = command.spawn().unwrap();
        let events = Arc::new(Mutex::new(Vec::new()));
        let (stdout, seen) = (child.stdout.take().unwrap(), Arc::clone(&events));
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                seen.lock().unwrap().push(serde_json::from_str(&line).unwrap());
            }
        });
        Running { child, events, errors }
    }

    pub fn wait_for(&mut self, kind: &str, step: &str) {
        wait_until(&format!("{kind} {step}"), || {
            let events = self.events.lock().unwrap();
            let said = events.iter().any(|event| event["type"] == kind && event["step"] == step);
            let ended = self.child.try_wait().unwrap();
            assert!(said || ended.is_none(), "it ended before {kind} {step}: {:#?}", *events);
            said
        });
    }

    pub fn kill(mut self) {
        assert_eq!(self.child.try_wait().unwrap(), None, "it ended before it was killed");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Kills the first process of this name that descends from the run. Only what the run itself started is touched.
    pub fn kill_child(&self, name: &str) {
        let mut found = None;
        wait_until(name, || {
            found = descendants(self.child.id()).into_iter().find(|(_, comm)| comm == name);
            found.is_some()
        });
        let (pid, _) = found.unwrap();
        kill(Pid::from_raw(i32::try_from(pid).unwrap()), Signal::SIGKILL).unwrap();
    }

    pub fn has_child(&self, name: &str) -> bool {
        descendants(self.child.id()).iter().any(|(_, comm)| comm == name)
    }

    pub fn wait(mut self) -> Ended {
        let code = self.child.wait().unwrap().code();
        let events = self.events.lock().unwrap();
        let stdout = events.iter().map(|event| format!("{event}\n")).collect();
        Ended { code, stdout, stderr: fs::read_to_string(&self.errors).unwrap() }
    }
}

/// Looks again and again. A look that takes long is followed by a pause as long: the machine has others to serve.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    loop {
        let looked = Instant::now();
        if is_so() {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "waited in vain for: {what}");
        std::thread::sleep(looked.elapsed().max(Duration::from_millis(3)));
    }
}

/// Process ids and names of everything below a process.
fn descendants(root: u32) -> Vec<(u32, String)> {
    let stats = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let path = entry.ok()?.path();
        let pid: u32 = path.file_name()?.to_str()?.parse().ok()?;
        let stat = fs::read_to_string(path.join("stat")).ok()?;
        let (head, tail) = stat.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let parent: u32 = tail.split_whitespace().nth(1)?.parse().ok()?;
        Some((pid, name, parent))
    });
    let all: Vec<(u32, String, u32)> = stats.collect();
    let (mut below, mut found) = (vec![root], Vec::new());
    while let Some(parent) = below.pop() {
        for (pid, name, _) in all.iter().filter(|(_, _, of)| *of == parent) {
            below.push(*pid);
            found.push((*pid, name.clone()));
        }
    }
    found
}
