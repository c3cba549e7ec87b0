//! A pseudo-terminal and a program in it, as a person has it before them.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::pty::openpty;

/// Bound on anything that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The person's side of a terminal. Dropping it closes the terminal.
pub struct Pty {
    hand: File,
    program: Option<File>,
    heard: Vec<u8>,
}

impl Pty {
    pub fn open() -> Self {
        let pty = openpty(None, None).unwrap();
        fcntl(&pty.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        for side in [&pty.master, &pty.slave] {
            fcntl(side, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).unwrap();
        }
        Self {
            hand: File::from(pty.master),
            program: Some(File::from(pty.slave)),
            heard: Vec::new(),
        }
    }

    /// Runs a program whose controlling terminal this is.
    pub fn run(&mut self, command: &mut Command) -> Child {
        let side = self.program.take().unwrap();
        let stdio = || side.try_clone().unwrap();
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        #[expect(unsafe_code, reason = "a session with this terminal is made in the child")]
        // SAFETY: two system calls, which may be made after a fork.
        unsafe {
            command.pre_exec(|| {
                nix::unistd::setsid()?;
                match nix::libc::ioctl(0, nix::libc::TIOCSCTTY, 0) {
                    0 => Ok(()),
                    _ => Err(std::io::Error::last_os_error()),
                }
            });
        }
        let child = command.spawn().unwrap();
        // The command holds the program's side too.
        let closed = || std::process::Stdio::null();
        command.stdin(closed()).stdout(closed()).stderr(closed());
        child
    }

    pub fn write(&mut self, bytes: &[u8]) {
        self.hand.write_all(bytes).unwrap();
    }

    pub fn wait_for(&mut self, text: &str) {
        let began = Instant::now();
        while !self.all().contains(text) {
            assert!(began.elapsed() < PATIENCE, "`{text}` is not said: {}", self.all());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that was said until now.
    pub fn all(&mut self) -> String {
        let mut bytes = [0; 4096];
        // There is no more for now, or nobody has the other side any more.
        while let Ok(read @ 1..) = self.hand.read(&mut bytes) {
            self.heard.extend(&bytes[..read]);
        }
        String::from_utf8_lossy(&self.heard).into_owned()
    }
}

impl AsFd for Pty {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.hand.as_fd()
    }
}
