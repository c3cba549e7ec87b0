//! Children of real programs: shells that leave others behind, are stopped, or are killed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio_util::sync::CancellationToken;

use super::tree::is_alive;
use super::*;
use crate::text::secret::Redactor;

pub(super) fn job(folder: &Path, program: &str, args: &[&str]) -> Job {
    Job {
        args: args.iter().map(OsString::from).collect(),
        env: BTreeMap::from([
            ("SECRET".to_owned(), "hunter2".to_owned()),
            ("PATH".to_owned(), "/usr/bin:/bin".to_owned()),
        ]),
        workdir: Some(folder.to_owned()),
        timeout: Duration::from_secs(20),
        grace: Duration::from_millis(300),
        work: Some(Work { run: folder.display().to_string(), step: "run.child".to_owned() }),
        ..Job::new(PathBuf::from(program), folder, "child")
    }
}

fn shell(folder: &Path, script: &str) -> Job {
    job(folder, "/bin/sh", &["-c", script])
}

async fn finish(job: &Job) -> Finished {
    run(job, &CancellationToken::new(), &Redactor::default()).await.unwrap()
}

/// Nothing where there is no such file.
fn text(path: &Path) -> String {
    String::from_utf8(read(path).unwrap_or_default()).unwrap()
}

fn pids(folder: &Path) -> Vec<i32> {
    let text = text(&folder.join("pids"));
    text.split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}

async fn begun(folder: &Path, how_many: usize) -> Vec<i32> {
    for _ in 0..500 {
        let pids = pids(folder);
        if pids.len() >= how_many {
            return pids;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing begins: {:?}", pids(folder));
}

/// Ways to leave a worker behind. Each worker writes its pid, works for a second and notes its end.
const LEAVES: &[(&str, &str)] = &[
    ("in the background", "sh ./worker & exit 0"),
    ("in a session of its own", "setsid sh ./worker & exit 0"),
    ("as a daemon", "setsid sh -c 'sh ./worker & exit 0' & exit 0"),
    (
        "without variables, as a daemon",
        "env -i setsid /bin/sh -c '/bin/sh ./worker & exit 0' & exit 0",
    ),
    ("with its output elsewhere", "nohup sh ./worker >/dev/null 2>&1 & exit 0"),
];

fn worker(folder: &Path, traps: bool) {
    let trap = if traps { "trap '' TERM HUP INT\n" } else { "" };
    let script = format!(
        "{trap}echo $$ >> pids\ni=0\nwhile [ $i -lt 8 ]; do /bin/sleep 0.1; i=$((i+1)); done\necho end >> ends\n"
    );
    write_private(&folder.join("worker"), script.as_bytes()).unwrap();
}

#[tokio::test]
async fn a_file_in_memory_is_read_by_its_child_and_by_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let file = memory_file(b"values").unwrap();
    let path = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut job = job(dir.path(), "/bin/cat", &[&path]);
    let other = finish(&job).await;
    assert!(!other.success(), "{other:?}");
    job.inherit = Some(Arc::new(file));
    for _ in 0..2 {
        assert_eq!(finish(&job).await.stdout, "values");
    }
}

#[tokio::test]
async fn output_is_kept_without_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let redactor = Redactor::default();
    redactor.register("hunter2");
    let job = job(dir.path(), "/usr/bin/env", &[]);
    let done = run(&job, &CancellationToken::new(), &redactor).await.unwrap();
    assert!(done.success());
    assert!(done.stdout.contains("SECRET=hunter2\n"), "{}", done.stdout);
    assert!(done.stdout.contains("ORTHID_STEP=run.child\n"), "{}", done.stdout);
    let kept = String::from_utf8(read(&dir.path().join("child.out")).unwrap()).unwrap();
    assert!(!kept.contains("hunter2"), "{kept}");
}

#[tokio::test]
async fn a_child_is_over_when_its_tree_is() {
    for (how, script) in LEAVES {
        let dir = tempfile::tempdir().unwrap();
        worker(dir.path(), false);
        let done = finish(&shell(dir.path(), script)).await;
        assert!(done.success(), "{how}: {done:?}");
        assert_eq!(text(&dir.path().join("ends")), "end\n", "{how}");
    }
}

#[tokio::test]
async fn a_timeout_ends_the_whole_tree_even_where_it_ignores_sigterm() {
    for (how, script) in LEAVES {
        let dir = tempfile::tempdir().unwrap();
        worker(dir.path(), true);
        let job = Job { timeout: Duration::from_millis(400), ..shell(dir.path(), script) };
        let done = finish(&job).await;
        assert_eq!(done.why, Ended::Outlived, "{how}");
        assert!(done.still.is_empty(), "{how}: {:?}", done.still);
        let pids = pids(dir.path());
        assert_eq!(pids.len(), 1, "{how}");
        assert!(!is_alive(pids[0]), "{how}");
        assert!(!dir.path().join("ends").exists(), "{how}: it was ended in the middle");
    }
}

#[tokio::test]
async fn a_program_or_keeper_that_is_killed_alone_leaves_nobody_unseen() {
    for (who, script) in [
        ("program", "echo $$ >> pids; sh ./worker; exit 0"),
        ("keeper", "echo $PPID >> pids; sh ./worker; exit 0"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        worker(dir.path(), true);
        let job = shell(dir.path(), script);
        let waiting = tokio::spawn(async move { finish(&job).await });
        let found = begun(dir.path(), 2).await;
        kill(Pid::from_raw(found[0]), Signal::SIGKILL).unwrap();
        let done = waiting.await.unwrap();
        assert!(done.was_killed(), "{who}: {done:?}");
        assert!(!is_alive(found[1]), "{who}");
        assert_eq!(text(&dir.path().join("ends")), "end\n", "{who}");
    }
}

#[tokio::test]
async fn what_is_left_on_purpose_is_told_and_what_a_failure_leaves_is_ended() {
    for (code, is_left) in [(0, true), (3, false)] {
        let dir = tempfile::tempdir().unwrap();
        worker(dir.path(), false);
        let script = format!("sh ./worker & while [ ! -e pids ]; do sleep 0.02; done; exit {code}");
        let job = Job { rest: Rest::Leave(vec![0]), ..shell(dir.path(), &script) };
        let begun = Instant::now();
        let done = finish(&job).await;
        assert_eq!(done.status.code(), Some(code));
        let pid = pids(dir.path())[0];
        assert_eq!(is_alive(pid), is_left);
        if is_left {
            assert!(begun.elapsed() < Duration::from_millis(700), "{:?}", begun.elapsed());
            assert!(done.behind.iter().any(|process| process.pid == pid), "{:?}", done.behind);
            let work = job.work.clone().unwrap();
            let orphans = orphans(dir.path(), &work, LONGEST).unwrap();
            assert!(orphans.is_empty(), "it is nobody's orphan: {orphans:?}");
            kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
        }
    }
}

#[tokio::test]
async fn a_stopped_child_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let said = Arc::new(std::sync::Mutex::new(Vec::new()));
    let hear = Arc::clone(&said);
    let voice = Voice {
        progress: Some(Arc::new(move |text: &str| hear.lock().unwrap().push(text.to_owned()))),
        ..Voice::default()
    };
    let job = Job { voice, ..shell(dir.path(), "echo $$ >> pids; kill -STOP $$; exit 7") };
    let waiting = tokio::spawn(async move { finish(&job).await });
    let pid = begun(dir.path(), 1).await[0];
    for _ in 0..300 {
        if !said.lock().unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let text = said.lock().unwrap().join("\n");
    assert!(text.contains(&format!("`kill -CONT {pid}`")), "{text}");
    kill(Pid::from_raw(pid), Signal::SIGCONT).unwrap();
    assert_eq!(waiting.await.unwrap().status.code(), Some(7));
}

#[tokio::test]
async fn a_later_orthid_finds_a_tree_waits_for_it_and_reads_how_it_ended() {
    for keep_marker in [true, false] {
        let dir = tempfile::tempdir().unwrap();
        worker(dir.path(), false);
        let job = shell(dir.path(), "sh ./worker & echo '{\"n\": 1}'; exit 0");
        let work = job.work.clone().unwrap();
        let cancel = CancellationToken::new();
        let first = tokio::spawn(async move { finish(&job).await });
        begun(dir.path(), 1).await;
        // As a kill would: nobody waits any more.
        first.abort();
        if !keep_marker {
            std::fs::remove_file(dir.path().join("child.child")).unwrap();
        }
        let found = orphans(dir.path(), &work, LONGEST).unwrap();
        assert_eq!(found.len(), 1, "marker kept: {keep_marker}");
        assert!(named(&found[0].processes()).contains("(sh)"), "{:?}", found[0].processes());
        found[0].wait(drop, Duration::from_secs(1), &cancel).await.unwrap();
        assert_eq!(text(&dir.path().join("ends")), "end\n");
        assert!(orphans(dir.path(), &work, LONGEST).unwrap().is_empty());
        let remains = remains(dir.path(), "child");
        let seen = remains.map(|it| (it.status.code(), it.stdout));
        let expected = keep_marker.then(|| (Some(0), "{\"n\": 1}\n".to_owned()));
        assert_eq!(seen, expected);
    }
}

#[tokio::test]
async fn an_orphan_has_the_time_of_its_step_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    worker(dir.path(), true);
    let job = Job { timeout: Duration::from_millis(300), ..shell(dir.path(), "sh ./worker") };
    let work = job.work.clone().unwrap();
    let first = tokio::spawn(async move { finish(&job).await });
    let pid = begun(dir.path(), 1).await[0];
    first.abort();
    let found = orphans(dir.path(), &work, LONGEST).unwrap();
    let cancel = CancellationToken::new();
    found[0].wait(drop, Duration::from_millis(100), &cancel).await.unwrap();
    assert!(!is_alive(pid));
    assert!(!dir.path().join("ends").exists(), "it was ended");
    assert!(remains(dir.path(), "child").is_none(), "its end was not its own");
}

#[tokio::test]
async fn there_is_no_terminal_to_ask_at() {
    let dir = tempfile::tempdir().unwrap();
    let done = finish(&shell(dir.path(), "read answer < /dev/tty")).await;
    assert!(!done.success() && done.stderr.contains("/dev/tty"), "{done:?}");
}

#[tokio::test]
async fn what_can_not_be_started_is_told_from_what_lacks_something() {
    let dir = tempfile::tempdir().unwrap();
    let missing = job(dir.path(), "/no/such/program", &[]);
    let error = run(&missing, &CancellationToken::new(), &Redactor::default()).await.unwrap_err();
    assert_eq!(error.class(), crate::journal::FailureClass::Permanent);
    let cancel = CancellationToken::new();
    let lack = start::patiently(&missing, &cancel, {
        let mut tries = 0;
        move || {
            tries += 1;
            match tries {
                3 => Ok(tries),
                _ => Err(std::io::Error::from_raw_os_error(nix::libc::EMFILE)),
            }
        }
    });
    assert_eq!(lack.await.unwrap(), 3);
}
