//! Signals are heard at every moment: at a prompt, while nobody reads, while the store hangs, while
//! looking; and each means what it says. The built program, real signals, a terminal.

use std::fs;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::desk::{Desk, Ended, SLOW, signal};
use crate::support::terminal::Pty;

/// Long enough for a program that answers, on a machine with much to do.
const SOON: Duration = Duration::from_secs(8);

/// Ends within [`SOON`], or is killed and fails the test.
fn soon(mut child: Child, what: &str) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < SOON {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    panic!("{what}: still there after {SOON:?}");
}

const GATED: &str = r#"
run "before" {
  command = ["sh", "-c", "echo before >> lines"]
}

approve "window" {
  depends_on = [run.before]
}

run "after" {
  depends_on = [approve.window]
  command    = ["sh", "-c", "echo after >> lines"]
}
"#;

#[test]
fn at_a_prompt_a_signal_pauses_the_run() {
    for how in ["ctrl-c", "SIGTERM", "SIGHUP", "closed"] {
        let desk = Desk::new(GATED);
        let mut terminal = Pty::open();
        let child = terminal.run(&mut desk.command(&["apply", "plan.hcl", "-auto-approve"]));
        terminal.wait_for("Enter a value");
        match how {
            "ctrl-c" => terminal.write(b"\x03"),
            "SIGTERM" => signal(&child, Signal::SIGTERM),
            "SIGHUP" => signal(&child, Signal::SIGHUP),
            _ => drop(terminal),
        }
        let code = soon(child, how);
        // A terminal that is closed is the end of input too: the answer is no.
        assert!(code == Some(130) || (how == "closed" && code == Some(5)), "{how}: {code:?}");
        desk.run(&["resume", "-approve", "approve.window"]).code(0);
        assert_eq!(desk.lines(), ["before", "after"], "{how}");
    }
}

#[test]
fn an_answer_at_the_prompt_is_taken() {
    let desk = Desk::new(GATED);
    let mut terminal = Pty::open();
    let child = terminal.run(&mut desk.command(&["apply", "plan.hcl", "-auto-approve"]));
    terminal.wait_for("Enter a value");
    terminal.write(b"yes\n");
    assert_eq!(soon(child, "yes"), Some(0));
    assert_eq!(desk.lines(), ["before", "after"]);
}

#[test]
fn nohup_is_respected_and_a_second_hang_up_is_no_second_signal() {
    let desk = Desk::new(SLOW);
    let mut command = desk.command(&["apply", "plan.hcl", "-auto-approve"]);
    let program = command.get_program().to_owned();
    let mut nohup = std::process::Command::new("/usr/bin/nohup");
    nohup.arg(program).args(command.get_args()).current_dir(desk.path(""));
    nohup.env_clear().env("PATH", "/usr/bin:/bin").env("USER", "ada").stdin(Stdio::null());
    let child = nohup.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    desk.wait_for_line("began");
    signal(&child, Signal::SIGHUP);
    Ended::of(child).code(0).says("run succeeded");
    assert_eq!(desk.lines(), ["began", "done", "after"]);

    let desk = Desk::new(SLOW);
    let child = command.current_dir(desk.path("")).stderr(Stdio::piped()).spawn().unwrap();
    desk.wait_for_line("began");
    for _ in 0..3 {
        signal(&child, Signal::SIGHUP);
        std::thread::sleep(Duration::from_millis(100));
    }
    Ended::of(child).code(130).says("letting what runs end");
    assert_eq!(desk.lines(), ["began", "done"], "what ran has ended by itself");
}

/// Many short steps, whose events fill a pipe that nobody reads.
const MANY: &str = r#"
run "n" {
  for_each = toset([for i in range(400) : "k${i}"])
  command  = ["sh", "-c", "sleep 0.02; echo x >> lines"]
}
"#;

fn full_pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
    let mut filler = fs::File::from(write.try_clone().unwrap());
    nix::fcntl::fcntl(&write, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::O_NONBLOCK))
        .unwrap();
    while filler.write(&[b'.'; 4096]).is_ok() {}
    while filler.write(b".").is_ok() {}
    nix::fcntl::fcntl(&write, nix::fcntl::FcntlArg::F_SETFL(nix::fcntl::OFlag::empty())).unwrap();
    (read, write)
}

#[test]
fn a_stream_that_nobody_reads_stops_neither_the_run_nor_a_signal() {
    for (args, stream) in [(&["-json"][..], "stdout"), (&[][..], "stderr")] {
        let desk = Desk::new(MANY);
        let (_nobody, full) = full_pipe();
        let all = [&["apply", "plan.hcl", "-auto-approve", "-parallelism", "4"][..], args].concat();
        let mut command = desk.command(&all);
        match stream {
            "stdout" => command.stdout(full).stderr(Stdio::null()),
            _ => command.stdout(Stdio::null()).stderr(full),
        };
        let child = command.spawn().unwrap();
        while desk.lines().len() < 20 {
            std::thread::sleep(Duration::from_millis(20));
        }
        signal(&child, Signal::SIGTERM);
        assert_eq!(soon(child, stream), Some(130));
        let after = desk.lines().len();
        assert!(after < 400, "{stream}: it paused");
        assert_eq!(desk.status()["outcome"], "paused", "{stream}");
    }
}

#[test]
fn a_run_whose_display_nobody_reads_ends_all_the_same() {
    let desk = Desk::new(&SLOW.replace("1.5", "0"));
    let (_nobody, full) = full_pipe();
    let mut command = desk.command(&["apply", "plan.hcl", "-auto-approve"]);
    let mut child = command.stderr(full).spawn().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(desk.lines(), ["began", "done", "after"]);
}

#[test]
fn a_closed_stream_ends_nothing() {
    for stream in ["stdout", "stderr"] {
        let desk = Desk::new(&SLOW.replace("1.5", "0"));
        let (read, write) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC).unwrap();
        drop(read);
        let args: &[&str] = match stream {
            "stdout" => &["apply", "plan.hcl", "-auto-approve", "-json"],
            _ => &["apply", "plan.hcl", "-auto-approve"],
        };
        let mut command = desk.command(args);
        match stream {
            "stdout" => command.stdout(write).stderr(Stdio::null()),
            _ => command.stdout(Stdio::null()).stderr(write),
        };
        assert_eq!(command.status().unwrap().code(), Some(0), "{stream}");
        assert_eq!(desk.lines(), ["began", "done", "after"], "{stream}");
    }
}

/// A look that takes its time is nothing to wait for: it changes nothing.
#[test]
fn while_looking_the_first_signal_pauses() {
    let plan = r#"
run "job" {
  command = ["sh", "-c", "echo began >> lines; sleep 600"]
  observe = ["sh", "-c", "echo looking >> lines; sleep 600"]
}
"#;
    let desk = Desk::new(plan);
    let child = desk.begin();
    desk.wait_for_line("began");
    signal(&child, Signal::SIGINT);
    std::thread::sleep(Duration::from_millis(150));
    signal(&child, Signal::SIGINT);
    soon(child, "stopped");
    assert_eq!(desk.lines(), ["began"], "who stops now looks at nothing");
    let mut command = desk.command(&["resume"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    desk.wait_for_line("looking");
    signal(&child, Signal::SIGTERM);
    assert_eq!(soon(child, "looking"), Some(130));
    assert_eq!(desk.status()["outcome"], "paused");
}

/// Another program holds the store's lock.
#[test]
fn while_the_store_hangs_a_signal_is_heard() {
    let desk = Desk::new(SLOW);
    let child = desk.begin();
    desk.wait_for_line("began");
    let store = rusqlite::Connection::open(desk.path(".orthid/state.db")).unwrap();
    store.execute_batch("BEGIN EXCLUSIVE").unwrap();
    desk.wait_for_line("done");
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::SIGTERM);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::SIGTERM);
    let began = Instant::now();
    let ended = Ended::of(child);
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    ended.code(130).says("stopping now");
    store.execute_batch("ROLLBACK").unwrap();
    drop(store);
    desk.run(&["resume"]).code(0);
    assert_eq!(desk.lines(), ["began", "done", "after"]);
}

/// What a terminal is set to, and where its cursor is, is as it was.
#[test]
fn the_terminal_is_given_back_as_it_was() {
    for signals in [0, 1, 2] {
        let desk = Desk::new(SLOW);
        let mut terminal = Pty::open();
        let before = nix::sys::termios::tcgetattr(terminal.as_fd()).unwrap();
        let child = terminal.run(&mut desk.command(&["apply", "plan.hcl", "-auto-approve"]));
        desk.wait_for_line("began");
        for _ in 0..signals {
            terminal.write(b"\x03");
            std::thread::sleep(Duration::from_millis(200));
        }
        soon(child, "apply");
        let after = nix::sys::termios::tcgetattr(terminal.as_fd()).unwrap();
        assert_eq!(before, after, "after {signals} signals");
        let said = terminal.all();
        assert_eq!(
            said.matches("\x1b[?25l").count(),
            said.matches("\x1b[?25h").count(),
            "{said:?}"
        );
        assert!(said.ends_with('\n'), "{said:?}");
    }
}

#[test]
fn what_is_read_is_whole() {
    let desk = Desk::new(&MANY.replace("400", "60").replace("sleep 0.02; ", ""));
    let mut command = desk.command(&["apply", "plan.hcl", "-auto-approve", "-json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // A reader that is slow, and reads all.
    std::thread::sleep(Duration::from_secs(2));
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(text.matches("\"step_succeeded\"").count(), 60);
    assert!(text.lines().last().unwrap().contains("run_finished"));
}
