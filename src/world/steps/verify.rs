//! The verify step: only a backup that has been restored counts.
//!
//! # Flow
//! The dump's checksum is compared with its id; `pg_restore --list` reads its table of contents; it is restored into a
//! scratch database on the same server; rows of every table are compared with those counted when it was dumped; the
//! plan's own checks run; the scratch database is dropped.
//!
//! # Guarantees
//! Succeeds only if all of that held. Its `id` is the one that `migrate` accepts. The live database is not touched.
//! The scratch database is dropped on every way out; one that a crash left has the same name and goes first.
//!
//! # Assumptions
//! The role may create databases, and the server has room for one more copy.
//!
//! # Caveats
//! Ownership and privileges are not restored into the scratch copy: its role need not be a superuser.
//!
//! # Errors
//! A damaged dump, a restore that fails, a table with other counts, a check that is not true: permanent, each named.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::backup::{Sidecar, checksum, count_rows};
use crate::journal::Failure;
use crate::model::{Outputs, VerifySpec};
use crate::run::Observation;
use crate::world::failure::{permanent, transient};
use crate::world::postgres::{Clients, DbError, Target, quoted};
use crate::world::process::{self, Ended, Job};
use crate::world::site::Site;

/// Left beside a dump by a verification that succeeded.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Verified {
    run: String,
    step: String,
    outputs: Outputs,
}

fn verified_path(dump: &Path) -> PathBuf {
    let mut name = dump.as_os_str().to_owned();
    name.push(".verified.json");
    PathBuf::from(name)
}

/// The dump of a finished backup step.
pub fn dump_of(site: &Site<'_>, backup: &crate::model::Address) -> Result<PathBuf, Failure> {
    let folder = site.backup_folder(site.backup(backup)?)?;
    Ok(folder.join(site.output(backup, "file")?))
}

/// This run's own verification of this very dump, or nothing.
pub async fn observe(site: &Site<'_>, spec: &VerifySpec) -> Observation {
    let Ok(dump) = dump_of(site, &spec.backup) else { return Observation::NotDone };
    let Ok(bytes) = process::read(&verified_path(&dump)) else { return Observation::NotDone };
    let Ok(verified) = serde_json::from_slice::<Verified>(&bytes) else {
        return Observation::NotDone;
    };
    let same_step =
        verified.run == site.cx.run.0 && verified.step == site.cx.step.address.to_string();
    let id = checksum(&dump).await.ok();
    let same_dump = id.as_deref() == verified.outputs.get("id").and_then(|id| id.as_str());
    if same_step && same_dump { Observation::Done(verified.outputs) } else { Observation::NotDone }
}

pub async fn act(site: &Site<'_>, spec: &VerifySpec) -> Result<Outputs, Failure> {
    let backup = site.backup(&spec.backup)?;
    let dump = dump_of(site, &spec.backup)?;
    let id = site.output(&spec.backup, "id")?;
    let sidecar = Sidecar::read(&dump)?;
    let found = checksum(&dump).await?;
    if found != id || found != sidecar.id {
        return Err(permanent(format!(
            "{} is not the backup that was made: its checksum is {found}, not {id}",
            dump.display()
        ))
        .help("make a new backup; find out what changed the file"));
    }
    let live = site.database(&backup.database)?;
    let major = u32::try_from(sidecar.server_version / 10_000).unwrap_or(0);
    let clients = site.clients(major).await?;
    list(site, &clients, &dump).await?;

    let scratch = live.on(&format!("orthid_verify_{}_{}", site.run_short(), site.step_short()));
    site.progress(format!("restoring into scratch database {}", scratch.database));
    let result = restore_and_check(site, spec, &clients, &dump, &live, &scratch, &sidecar).await;
    let dropped = drop_database(&live, &scratch.database).await;
    let restore_ms = result?;
    // The verification holds even if the scratch copy could not be dropped; but a person must know that it stays.
    if let Err(error) = dropped {
        site.progress(format!(
            "scratch database {} could not be dropped: {error}",
            scratch.database
        ));
        site.keep_if_possible(
            "scratch-database-left.txt",
            &format!("{}: {error}\n", scratch.database),
        );
    }
    let file = dump.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let outputs = Outputs::from([
        ("id".to_owned(), json!(id)),
        ("file".to_owned(), json!(file)),
        ("restore_ms".to_owned(), json!(restore_ms)),
        ("tables".to_owned(), json!(sidecar.rows.len())),
        ("rows".to_owned(), json!(sidecar.rows.values().sum::<i64>())),
    ]);
    let verified = Verified {
        run: site.cx.run.0.clone(),
        step: site.cx.step.address.to_string(),
        outputs: outputs.clone(),
    };
    let bytes = serde_json::to_vec_pretty(&verified).map_err(|e| permanent(e.to_string()))?;
    process::write_private(&verified_path(&dump), &bytes)?;
    Ok(outputs)
}

async fn list(site: &Site<'_>, clients: &Clients, dump: &Path) -> Result<(), Failure> {
    let name = format!("pg_restore-list-{}", site.cx.attempt);
    let args = vec!["--list".into(), dump.into()];
    let job = restore_job(site, clients, &name, args, site.env.for_postgres());
    let done = process::run(&job, &site.cx.cancel, site.redactor).await?;
    let entries = done.stdout.lines().filter(|line| !line.starts_with(';')).count();
    if done.was_killed() {
        return Err(transient("pg_restore was stopped before it ended"));
    }
    if !done.success() || entries == 0 {
        let words = done.last_words(site.redactor);
        return Err(permanent(format!("pg_restore --list finds no content in the dump: {words}"))
            .with_evidence(site.child_evidence(&name)));
    }
    Ok(())
}

async fn restore_and_check(
    site: &Site<'_>,
    spec: &VerifySpec,
    clients: &Clients,
    dump: &Path,
    live: &Target,
    scratch: &Target,
    sidecar: &Sidecar,
) -> Result<u64, Failure> {
    drop_database(live, &scratch.database).await?;
    create_like(live, &scratch.database).await?;
    let started = Instant::now();
    let flags = ["--no-owner", "--no-privileges", "--no-comments"];
    restore(site, clients, dump, scratch, &flags).await?;
    let restore_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut connection = scratch.connect().await?;
    compare_rows(&mut connection, sidecar).await?;
    for check in &spec.checks {
        run_check(&mut connection, check).await?;
    }
    // The database is dropped next; how the connection ends does not matter.
    let _ = connection.close().await;
    Ok(restore_ms)
}

/// Restores a dump into a database that exists and is empty.
pub async fn restore(
    site: &Site<'_>,
    clients: &Clients,
    dump: &Path,
    into: &Target,
    flags: &[&str],
) -> Result<(), Failure> {
    let name = format!("pg_restore-{}", site.cx.attempt);
    let mut args: Vec<std::ffi::OsString> = vec![
        "--exit-on-error".into(),
        "--no-password".into(),
        format!("--dbname={}", into.database).into(),
    ];
    args.extend(flags.iter().map(Into::into));
    args.push(dump.into());
    let job = restore_job(site, clients, &name, args, into.env(&site.env.for_postgres()));
    let done = process::run(&job, &site.cx.cancel, site.redactor).await?;
    if done.success() {
        return Ok(());
    }
    if done.why == Ended::Cancelled || done.was_killed() {
        return Err(transient("pg_restore was stopped before it ended"));
    }
    let words = done.last_words(site.redactor);
    let evidence = site.child_evidence(&name);
    let passing =
        words.contains("connection to server") || words.contains("terminating connection");
    let message = format!("the restore into {} failed: {words}", into.database);
    let failure = if passing { transient(message) } else { permanent(message) };
    Err(failure.with_evidence(evidence))
}

fn restore_job(
    site: &Site<'_>,
    clients: &Clients,
    name: &str,
    args: Vec<std::ffi::OsString>,
    env: std::collections::BTreeMap<String, String>,
) -> Job {
    Job { args, env, ..site.job(clients.program("pg_restore"), name) }
}

/// Compares a restored copy's rows with those counted at dump time.
pub async fn compare_rows(connection: &mut PgConnection, sidecar: &Sidecar) -> Result<(), Failure> {
    let rows = count_rows(connection).await?;
    let tables = sidecar.rows.keys().chain(rows.keys()).collect::<std::collections::BTreeSet<_>>();
    let differing: Vec<String> = tables
        .into_iter()
        .filter(|table| rows.get(*table) != sidecar.rows.get(*table))
        .map(|table| {
            let say = |n: Option<&i64>| n.map_or("no such table".to_owned(), i64::to_string);
            format!(
                "{table}: {} dumped, {} restored",
                say(sidecar.rows.get(table)),
                say(rows.get(table))
            )
        })
        .collect();
    if differing.is_empty() {
        return Ok(());
    }
    Err(permanent(format!("the restored copy differs from the source: {}", differing.join("; ")))
        .help("this backup must not be relied on; make a new one"))
}

async fn run_check(connection: &mut PgConnection, check: &str) -> Result<(), Failure> {
    let query = AssertSqlSafe(check.to_owned());
    let failed = |e: sqlx::Error| Failure::from(DbError::of(&format!("check `{check}`"), &e));
    let row = sqlx::query(query).fetch_optional(connection).await.map_err(failed)?;
    let truth: Option<bool> = match row {
        Some(row) => row.try_get(0).map_err(failed)?,
        None => None,
    };
    match truth {
        Some(true) => Ok(()),
        Some(false) | None => {
            Err(permanent(format!("check `{check}` does not hold in the restored backup")))
        }
    }
}

/// Connects where databases can be made and dropped: not in the one concerned.
pub async fn maintenance(live: &Target) -> Result<PgConnection, DbError> {
    match live.on("postgres").connect().await {
        Ok(connection) => Ok(connection),
        Err(_) => live.on("template1").connect().await,
    }
}

/// Creates an empty database with the encoding and locale of the live one.
pub async fn create_like(live: &Target, name: &str) -> Result<(), DbError> {
    let what = format!("create database {name}");
    let failed = |e: sqlx::Error| DbError::of(&what, &e);
    let mut connection = maintenance(live).await?;
    let query = "select pg_encoding_to_char(encoding) as encoding, datcollate, datctype \
                 from pg_database where datname = $1";
    let row =
        sqlx::query(query).bind(&live.database).fetch_one(&mut connection).await.map_err(failed)?;
    let text = |column: &str| -> Result<String, DbError> {
        let value: String = row.try_get(column).map_err(failed)?;
        Ok(value.replace('\'', "''"))
    };
    let statement = format!(
        "create database {} template template0 encoding '{}' lc_collate '{}' lc_ctype '{}'",
        quoted(name),
        text("encoding")?,
        text("datcollate")?,
        text("datctype")?,
    );
    sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(failed)?;
    let _ = connection.close().await;
    Ok(())
}

/// Times that a drop is tried.
const DROP_TRIES: u32 = 5;

/// Drops a database of ours, whoever is still connected to it.
pub async fn drop_database(live: &Target, name: &str) -> Result<(), DbError> {
    assert!(name.starts_with("orthid_"), "only databases that orthid made are dropped");
    let what = format!("drop database {name}");
    let failed = |e: sqlx::Error| DbError::of(&what, &e);
    let mut connection = maintenance(live).await?;
    let statement = format!("drop database if exists {}", quoted(name));
    let mut tries = DROP_TRIES;
    loop {
        sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
            .bind(name)
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        // A backend that was told to end, or an autovacuum worker, may be in the way for a moment.
        match sqlx::query(AssertSqlSafe(statement.clone())).execute(&mut connection).await {
            Ok(_) => break,
            Err(error) if tries == 1 => return Err(failed(error)),
            Err(_) => tries -= 1,
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let _ = connection.close().await;
    Ok(())
}
