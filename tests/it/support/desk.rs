//! A folder with a plan in it and the built program run there, as people run it.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::program;

/// Bound on anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with a plan in it, and the runs that are made there.
pub struct Desk(tempfile::TempDir);

impl Desk {
    pub fn new(plan: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("plan.hcl"), plan).unwrap();
        Self(folder)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = program::orthid(self.0.path());
        command.args(args);
        command.env("PATH", "/usr/bin:/bin").env("USER", "ada").stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Ended {
        Ended::from(self.command(args).output().unwrap())
    }

    pub fn apply(&self) -> Ended {
        self.run(&["apply", "plan.hcl", "-auto-approve"])
    }

    pub fn begin(&self) -> Child {
        let mut command = self.command(&["apply", "plan.hcl", "-auto-approve"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Makes an ed25519 key as people make theirs.
    pub fn make_key(&self, name: &str) {
        let made = Command::new("openssl")
            .args(["genpkey", "-algorithm", "ed25519", "-out"])
            .arg(self.path(name))
            .status();
        assert!(made.unwrap().success());
    }

    /// What the steps wrote, a line each.
    pub fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.path("lines")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    pub fn wait_for_line(&self, line: &str) {
        let started = Instant::now();
        while !self.lines().iter().any(|l| l == line) {
            assert!(started.elapsed() < PATIENCE, "`{line}` is not written: {:?}", self.lines());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn status(&self) -> Value {
        serde_json::from_str(&self.run(&["status", "-json"]).code(0).stdout).unwrap()
    }

    pub fn starts_of(&self, step: &str) -> usize {
        let log = self.run(&["log", "-json"]).code(0).stdout;
        let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        events.filter(|event| event["type"] == "step_started" && event["step"] == step).count()
    }
}

#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    pub fn of(child: Child) -> Self {
        Self::from(child.wait_with_output().unwrap())
    }

    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }

    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "`{text}` is not said:\n{}", self.stderr);
        self
    }
}

pub fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

/// Two steps, of which the first takes a while and can be looked at.
pub const SLOW: &str = r#"
run "slow" {
  command = ["sh", "-c", "echo began >> lines; sleep 1.5; echo done >> lines"]
  observe = ["grep", "-qx", "done", "lines"]
  undo    = ["sh", "-c", "echo undone >> lines"]
  rollback {}
}

run "after" {
  depends_on = [run.slow]
  command    = ["sh", "-c", "echo after >> lines"]
  idempotent = true
}
"#;
