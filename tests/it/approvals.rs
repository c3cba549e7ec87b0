//! Approvals as people give them: by name, by key, by OpenSSH's agent, several of them, for a while.

use std::fs;
use std::process::Command;

use crate::support::desk::{Desk, Ended};
use crate::support::gated::{GATED, Waiting, digest};

#[test]
fn a_gate_without_keys_is_opened_by_name_and_the_report_says_so() {
    let desk = Desk::new(&GATED.replace("\"KEY\"", "").replace("WORD", "after"));
    desk.apply().code(5);
    desk.run(&["resume", "-approve", "approve.go"]).code(0);
    let report = desk.run(&["report"]).code(0).stdout;
    assert!(report.contains("by the name of ada@"), "{report}");
    assert!(report.contains("the step lists no keys"), "{report}");
}

#[test]
fn what_was_reviewed_is_pinned_by_its_digest() {
    let desk = Desk::new(&GATED.replace("\"KEY\"", "").replace("WORD", "after"));
    for file in ["reviewed.plan", "other.plan"] {
        desk.run(&["plan", "plan.hcl", "-out", file]).code(0);
    }
    let reviewed = digest(&desk, "reviewed.plan");
    let refused = [
        ["apply", "other.plan", "-digest", &reviewed],
        ["apply", "plan.hcl", "-digest", &reviewed],
        // The beginning of a digest is not the digest.
        ["apply", "reviewed.plan", "-digest", &reviewed[..16]],
    ];
    for command in refused {
        desk.run(&command).code(3).says("orthid::plan::not_reviewed");
    }
    assert_eq!(desk.lines(), [""; 0]);
    desk.run(&["apply", "reviewed.plan", "-digest", &reviewed.to_uppercase()]).code(5);
}

#[test]
fn a_rehearsal_signs_for_whoever_holds_the_keys() {
    let at = Waiting::new();
    at.desk.run(&["rehearse", "plan.hcl", "-crash-everywhere"]).code(0);
}

#[test]
fn an_approval_for_a_while_is_worth_nothing_afterwards() {
    let at = Waiting::new();
    let approve = |valid: &str, file: &str| {
        let args = ["approve", "saved.plan", "-key", "ada.pem", "-expires-in", valid, "-out", file];
        at.desk.run(&args).code(0);
    };
    approve("0s", "late.json");
    std::thread::sleep(std::time::Duration::from_millis(5));
    at.desk.run(&["resume", "-approval", "late.json"]).code(1).says("it expired at");
    approve("1h", "soon.json");
    at.desk.run(&["resume", "-approval", "soon.json"]).code(0);
    assert_eq!(at.desk.lines(), ["before", "after"]);
}

/// An SSH agent that holds one key, until the end of a test.
struct Agent {
    process: std::process::Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn with(desk: &Desk, key: &str) -> Self {
        let socket = desk.path("agent.sock");
        let process = Command::new("ssh-agent")
            .args(["-D", "-a"])
            .arg(&socket)
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { process, socket };
        let started = std::time::Instant::now();
        while !agent.socket.exists() {
            assert!(started.elapsed().as_secs() < 10, "the agent did not start");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        let mut add = Command::new("ssh-add");
        add.arg("-q").arg(desk.path(key)).env("SSH_AUTH_SOCK", &agent.socket);
        assert!(add.status().unwrap().success());
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn keys_of_openssh_approve_by_file_and_by_agent_as_many_as_are_needed() {
    let desk = Desk::new("");
    let mut keys = Vec::new();
    for name in ["ada", "bob"] {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", &format!("{name}@laptop"), "-f"])
            .arg(desk.path(name))
            .status();
        assert!(made.unwrap().success());
        keys.push(fs::read_to_string(desk.path(&format!("{name}.pub"))).unwrap());
    }
    let listed = format!("{}\", \"{}\"]\n  threshold  = 2\n#", keys[0].trim(), keys[1].trim());
    fs::write(desk.path("plan.hcl"), GATED.replace("KEY", &listed).replace("WORD", "after"))
        .unwrap();
    desk.run(&["plan", "plan.hcl", "-out", "saved.plan"]).code(0);
    let shown = desk.run(&["show", "saved.plan"]).code(0).stdout;
    assert!(shown.contains("approvals signed with 2 of 2 keys"), "{shown}");
    desk.run(&["apply", "saved.plan"]).code(5).says("waiting for 2 approvals");

    desk.run(&["approve", "saved.plan", "-key", "ada", "-by", "Ada", "-out", "ada.json"]).code(0);
    desk.run(&["resume", "-approval", "ada.json"]).code(5);
    // The agent holds the private half; the file that is named does not.
    let agent = Agent::with(&desk, "bob");
    fs::remove_file(desk.path("bob")).unwrap();
    let args = ["approve", "saved.plan", "-key", "bob.pub", "-by", "Bob", "-out", "bob.json"];
    desk.run(&args).code(1).says("ssh-keygen did not sign");
    let mut approve = desk.command(&args);
    let approved = approve.env("SSH_AUTH_SOCK", &agent.socket).output().unwrap();
    Ended::from(approved).code(0);
    desk.run(&["resume", "-approval", "bob.json"]).code(0);
    assert_eq!(desk.lines(), ["before", "after"]);
    let report = desk.run(&["report"]).code(0).stdout;
    for (key, name) in keys.iter().zip(["Ada", "Bob"]) {
        let key = key.split(" ").take(2).collect::<Vec<_>>().join(" ");
        assert!(report.contains(&format!("by {key}, by the name of {name}, at ")), "{report}");
    }
}
