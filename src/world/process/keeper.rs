//! The keeper: a process of our own between orthid and a command, which stays until the command's
//! whole tree is gone.
//!
//! Guarantees: whatever the command leaves behind becomes the keeper's child (it is a subreaper),
//! in whichever session or group; so the tree is over exactly when the keeper is. The keeper
//! outlives a killed orthid, and writes the command's end into the marker, where a later orthid
//! finds it.
//!
//! Must not: allocate, or do anything else that is not async-signal-safe. It is a fork of a process
//! with threads, and never becomes another program.

use std::ffi::{CStr, CString};
use std::io::{self, Cursor, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl, open};
use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::SigSet;
use nix::sys::stat::Mode;
use nix::unistd::{self, ForkResult, Pid};

use super::job::{Job, Rest};
use super::{marker, tree};

/// Where the keeper holds the marker and the pipe to orthid, once it has let go of everything else.
const MARKER: RawFd = 0;
const REPORT: RawFd = 1;

/// Exit codes, a bit each.
type Codes = [u64; 4];

/// Makes what this command forks a keeper, and the program a child of it. The read end hears the
/// program's wait status.
///
/// The program begins only if `orthid` is still the parent once the marker is written: one that was
/// killed before may have a successor that saw no marker.
pub(super) fn stand_between(
    command: &mut std::process::Command,
    job: &Job,
    orthid: Pid,
) -> io::Result<OwnedFd> {
    // The child enters its working folder first.
    let path = std::path::absolute(marker::path(&job.folder, &job.name))?;
    let path = CString::new(path.as_os_str().as_bytes())?;
    let head = marker::head(&job.program, job.timeout)?;
    let leaves = match &job.rest {
        Rest::Leave(codes) => bits(codes),
        Rest::Await | Rest::End => Codes::default(),
    };
    let inherit = job.inherit.clone();
    let (read, write) = unistd::pipe2(OFlag::O_CLOEXEC)?;
    #[expect(
        unsafe_code,
        reason = "the only way to run something in the child before it is the program"
    )]
    // SAFETY: after the fork of a process with threads only async-signal-safe functions may be
    // called. The closure makes system calls and allocates nothing: what it needs was made here.
    unsafe {
        command.pre_exec(move || {
            fork(&path, &head, orthid, &write, leaves)?;
            match &inherit {
                Some(file) => keep_open(file),
                None => Ok(()),
            }
        });
    }
    Ok(read)
}

/// Lets the program have an open file.
fn keep_open(file: &OwnedFd) -> io::Result<()> {
    fcntl(file, FcntlArg::F_SETFD(FdFlag::empty()))?;
    Ok(())
}

fn bits(codes: &[i32]) -> Codes {
    let mut bits = Codes::default();
    for code in codes.iter().filter_map(|code| u8::try_from(*code).ok()) {
        bits[usize::from(code) / 64] |= 1 << (code % 64);
    }
    bits
}

/// Returns in the child that becomes the program; the keeper never returns.
fn fork(path: &CStr, head: &[u8], orthid: Pid, report: &OwnedFd, leaves: Codes) -> io::Result<()> {
    let marker = mark(path, head, orthid)?;
    // A session without a terminal: a program that asks at /dev/tty hears at once that there is
    // none, and no signal of a terminal reaches the tree.
    unistd::setsid()?;
    prctl::set_child_subreaper(true)?;
    SigSet::all().thread_block()?;
    #[expect(unsafe_code, reason = "two processes are needed, and the standard library forks one")]
    // SAFETY: both sides go on with async-signal-safe calls only.
    match unsafe { unistd::fork() }? {
        ForkResult::Child => {
            unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0))?;
            SigSet::empty().thread_set_mask()?;
            Ok(())
        }
        ForkResult::Parent { child } => stay(child, &marker, report, leaves),
    }
}

/// Writes the marker, with this process' own id and start.
fn mark(path: &CStr, head: &[u8], orthid: Pid) -> io::Result<OwnedFd> {
    let mut stat = [0u8; 1024];
    let read = unistd::read(open(c"/proc/self/stat", OFlag::O_RDONLY, Mode::empty())?, &mut stat)?;
    let start_time = tree::start_time_in(&stat[..read]).ok_or(Errno::ENODATA)?;
    let mut tail = [0u8; 80];
    let mut end = Cursor::new(&mut tail[..]);
    writeln!(end, ",\"pid\":{},\"start_time\":{start_time}}}", unistd::getpid())?;
    let length = end.position() as usize;
    let flags =
        OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_TRUNC | OFlag::O_CLOEXEC;
    let file = open(path, flags, Mode::S_IRUSR | Mode::S_IWUSR)?;
    for part in [head, &tail[..length]] {
        if unistd::write(&file, part)? != part.len() {
            return Err(Errno::ENOSPC.into());
        }
    }
    if unistd::getppid() != orthid {
        return Err(Errno::ECHILD.into());
    }
    Ok(file)
}

/// The keeper's life: every signal that can be is blocked; children are reaped until none is left.
#[expect(unsafe_code, reason = "system calls that have no safe form on bare descriptors")]
fn stay(program: Pid, marker: &OwnedFd, report: &OwnedFd, leaves: Codes) -> ! {
    let _ = prctl::set_name(c"orthid-keeper");
    // SAFETY: plain system calls on descriptors of this process, which nothing else in it uses any
    // more.
    unsafe {
        libc::dup2(marker.as_raw_fd(), MARKER);
        libc::dup2(report.as_raw_fd(), REPORT);
        let above = REPORT + 1;
        if libc::syscall(libc::SYS_close_range, above, libc::c_uint::MAX, 0) != 0 {
            for fd in above..65_536 {
                libc::close(fd);
            }
        }
        libc::chdir(c"/".as_ptr());
    }
    loop {
        let mut status: libc::c_int = 0;
        // SAFETY: `status` is a valid place for the result.
        let ended = unsafe { libc::waitpid(-1, &raw mut status, 0) };
        if ended == program.as_raw() {
            say(REPORT, &status.to_ne_bytes());
            line(format_args!("{{\"ended\":{status}}}\n"));
            if is_left(status, leaves) {
                break;
            }
        } else if ended < 0 && Errno::last() != Errno::EINTR {
            break;
        }
    }
    line(format_args!("{{\"over\":true}}\n"));
    // SAFETY: ends this process without running anything of the program that it is a fork of.
    unsafe { libc::_exit(0) }
}

fn is_left(status: libc::c_int, leaves: Codes) -> bool {
    let code = libc::WEXITSTATUS(status);
    libc::WIFEXITED(status) && leaves[code as usize / 64] & (1 << (code % 64)) != 0
}

fn line(text: std::fmt::Arguments<'_>) {
    let mut buffer = [0u8; 40];
    let mut end = Cursor::new(&mut buffer[..]);
    if end.write_fmt(text).is_ok() {
        let length = end.position() as usize;
        say(MARKER, &buffer[..length]);
    }
}

/// Whoever should read it may be gone: then nobody needs it.
#[expect(unsafe_code, reason = "a system call that has no safe form on a bare descriptor")]
fn say(to: RawFd, bytes: &[u8]) {
    // SAFETY: the pointer and the length are those of one slice.
    let _ = unsafe { libc::write(to, bytes.as_ptr().cast(), bytes.len()) };
}

#[cfg(test)]
mod tests {
    use super::super::tests::job;
    use super::*;

    #[test]
    fn a_program_whose_orthid_is_gone_never_begins() {
        let dir = tempfile::tempdir().unwrap();
        let effect = dir.path().join("effect");
        #[expect(clippy::disallowed_methods, reason = "what is tested is how children are started")]
        let mut command = std::process::Command::new("/usr/bin/touch");
        command.arg(&effect);
        let another = Pid::from_raw(i32::MAX);
        let job = job(dir.path(), "/usr/bin/touch", &[]);
        let _report = stand_between(&mut command, &job, another).unwrap();
        assert_eq!(command.spawn().unwrap_err().raw_os_error(), Some(Errno::ECHILD as i32));
        assert!(!effect.exists());
    }

    #[test]
    fn exit_codes_are_told_apart() {
        let leaves = bits(&[0, 64, 255]);
        let left: Vec<i32> = (0..=255).filter(|code| is_left(code << 8, leaves)).collect();
        assert_eq!(left, [0, 64, 255]);
        assert!(!is_left(9, leaves), "ended by a signal");
    }
}
