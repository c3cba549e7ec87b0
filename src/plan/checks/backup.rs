//! Backups: tools, room, and a place to try them.

use std::collections::BTreeSet;

use super::check::Check;
use super::report::{Report, Subject};
use crate::model::{Address, StepSpec};
use crate::plan::Level;
use crate::text::bytes::bytes;

pub(super) fn check(subject: &Subject<'_>, report: &mut Report) {
    // A step of every hop meets the same database: it is told once.
    let mut told = BTreeSet::new();
    for step in subject.steps {
        match &step.spec {
            StepSpec::Backup(backup) => {
                if told.insert((Check::PgDump, backup.database.clone())) {
                    pg_dump(subject, &step.address, &backup.database, report);
                }
                if told.insert((Check::BackupRoom, backup.to.clone())) {
                    room(subject, &backup.to, report);
                }
            }
            StepSpec::Verify(verify) => {
                let backup = subject.steps.iter().find(|other| other.address == verify.backup);
                let Some(StepSpec::Backup(backup)) = backup.map(|step| &step.spec) else {
                    continue;
                };
                if told.insert((Check::ScratchDatabase, backup.database.clone())) {
                    scratch(subject, &step.address, &backup.database, report);
                }
            }
            _ => {}
        }
    }
}

fn pg_dump(subject: &Subject<'_>, step: &Address, name: &str, report: &mut Report) {
    let Some(database) = subject.situation.database(name) else { return };
    report.checked(Check::PgDump);
    let server = database.server_version;
    let help = format!("put pg_dump and pg_restore of PostgreSQL {server} or newer on the PATH");
    match database.pg_dump_version {
        None => {
            let message = format!("there is no pg_dump on the PATH to back {name} up with");
            report.find(Check::PgDump, Level::Blocking, message).step(step).help(help);
        }
        Some(client) if client < server => {
            let message = format!(
                "pg_dump {client} can't dump {name}: its server is PostgreSQL {server}, which is newer"
            );
            report.find(Check::PgDump, Level::Blocking, message).step(step).help(help);
        }
        Some(_) => {}
    }
}

/// The dumps of all databases that go to one place, in all hops, must fit there. A dump in the
/// custom format is compressed: the databases' size is more than they take.
fn room(subject: &Subject<'_>, to: &str, report: &mut Report) {
    let mut needed: u64 = 0;
    for step in subject.steps {
        let StepSpec::Backup(backup) = &step.spec else { continue };
        let database = subject.situation.database(&backup.database);
        if let Some(database) = database.filter(|_| backup.to == to) {
            needed = needed.saturating_add(database.size_bytes);
        }
    }
    if needed == 0 {
        return;
    }
    report.checked(Check::BackupRoom);
    match subject.situation.facts.backup_space.get(to) {
        None => {
            let message = format!("the free space in {to} is unknown");
            report.find(Check::BackupRoom, Level::Note, message);
        }
        Some(free) if *free < needed => {
            let message = format!(
                "{to} has {} left, and the databases to back up have {}",
                bytes(*free),
                bytes(needed)
            );
            let help = "dumps are compressed and may fit all the same; make room to be sure";
            // Compression of less than four to one would be unusual.
            let level = if *free < needed / 4 { Level::Blocking } else { Level::Warning };
            report.find(Check::BackupRoom, level, message).help(help);
        }
        Some(_) => {}
    }
}

fn scratch(subject: &Subject<'_>, step: &Address, name: &str, report: &mut Report) {
    let Some(database) = subject.situation.database(name) else { return };
    report.checked(Check::ScratchDatabase);
    if !database.can_create_database {
        let message =
            format!("the role may not create the scratch database that {name} is restored into");
        let help = "grant it CREATEDB, or verify with a role that has it";
        report.find(Check::ScratchDatabase, Level::Blocking, message).step(step).help(help);
    }
}
