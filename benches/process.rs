//! Programs run to their end, with the time they took and the memory they needed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

pub struct Ran {
    pub took: Duration,
    /// Peak resident memory, in MiB, as last seen before the end.
    pub peak_mib: f64,
}

/// # Panics
/// Where the program can't be started or fails: a measurement of a failure would be worse than none.
pub fn run(command: &mut Command) -> Ran {
    run_to(command, &[0])
}

/// As [`run`], of a program that may end with any of these codes.
///
/// # Panics
/// Where it ends with another, or by a signal.
pub fn run_to(command: &mut Command, codes: &[i32]) -> Ran {
    let log = tempfile::NamedTempFile::new().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log.reopen().unwrap());
    let started = Instant::now();
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let status_file = format!("/proc/{}/status", child.id());
    let mut peak_kib = 0.0;
    let mut pause = Duration::from_micros(200);
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if let Ok(text) = std::fs::read_to_string(&status_file)
            && let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:"))
        {
            let value = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok());
            peak_kib = value.unwrap_or(peak_kib);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(5));
    };
    let took = started.elapsed();
    if !status.code().is_some_and(|code| codes.contains(&code)) {
        let said = std::fs::read_to_string(log.path()).unwrap_or_default();
        let end: Vec<&str> = said.lines().rev().take(15).collect();
        panic!("{command:?}: {status}\n{}", end.into_iter().rev().collect::<Vec<_>>().join("\n"));
    }
    Ran { took, peak_mib: peak_kib / 1024.0 }
}
