//! Undoing a breaking migration: the verified backup takes the live database's place.
//!
//! # Flow
//! Restore into a database of its own beside the live one; end every connection to the live one; rename the live one away
//! and the restored one to its name.
//!
//! # Guarantees
//! The live name never holds half a database: there are two renames, and each state between them is recognised and carried
//! on from. The replaced database is kept, under a name that the run's report tells.
//!
//! # Assumptions
//! The workloads are quiesced, and the role may create and rename databases.
//!
//! # Caveats
//! Settings made with `ALTER DATABASE … SET` and grants on the database itself are not in a dump. What was written since the
//! backup is only in the replaced database.
//!
//! # Errors
//! Transient where the server does not answer; permanent where the backup can't be restored.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::{backup, verify};
use crate::journal::Failure;
use crate::model::{Address, Outputs, StepSpec};
use crate::run::Observation;
use crate::world::failure::permanent;
use crate::world::postgres::{DbError, Target, quoted};
use crate::world::site::Site;

/// The databases that a restore deals with.
struct Names {
    live: Target,
    restored: String,
    replaced: String,
}

/// Which of them exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Present {
    live: bool,
    restored: bool,
    replaced: bool,
}

pub async fn observe(site: &Site<'_>, verify: &Address) -> Observation {
    let found = async {
        let names = names(site, verify)?;
        let mut connection = verify::maintenance(&names.live).await?;
        let present = present(&mut connection, &names).await?;
        Ok::<_, Failure>(match (present.live, present.replaced) {
            (true, true) => Observation::Done(Outputs::new()),
            (_, _) => Observation::NotDone,
        })
    };
    found.await.unwrap_or_else(|failure| Observation::Unknown(failure.message))
}

pub async fn act(site: &Site<'_>, verify: &Address) -> Result<(), Failure> {
    let names = names(site, verify)?;
    let mut connection = verify::maintenance(&names.live).await?;
    let found = present(&mut connection, &names).await?;
    if found.live && found.replaced {
        return Ok(());
    }
    if !found.replaced {
        prepare(site, &names, verify).await?;
        rename(&mut connection, &names.live.database, &names.replaced).await?;
    }
    rename(&mut connection, &names.restored, &names.live.database).await?;
    let text = format!("the database as it was before the restore is kept as {}", names.replaced);
    site.progress(&text);
    site.keep_if_possible("restored.txt", &text);
    Ok(())
}

/// Restores the backup beside the live database. Whatever an earlier attempt left half restored goes first.
async fn prepare(site: &Site<'_>, names: &Names, verify: &Address) -> Result<(), Failure> {
    let dump = verify::dump_of(site, backup_of(site, verify)?)?;
    let sidecar = backup::Sidecar::read(&dump)?;
    if backup::checksum(&dump).await? != sidecar.id {
        return Err(permanent(format!(
            "{}: its checksum is not the one of the backup",
            dump.display()
        )));
    }
    verify::drop_database(&names.live, &names.restored).await?;
    verify::create_like(&names.live, &names.restored).await?;
    let into = names.live.on(&names.restored);
    let mut probe = into.connect().await?;
    let version: i32 = sqlx::query_scalar("select current_setting('server_version_num')::int")
        .fetch_one(&mut probe)
        .await
        .map_err(|error| DbError::of("ask for the server's version", &error))?;
    // The connection is not used again; how it ends does not matter.
    let _ = probe.close().await;
    let clients = site.clients(u32::try_from(version / 10_000).unwrap_or(0)).await?;
    site.progress(format!("restoring {}", dump.display()));
    verify::restore(site, &clients, &dump, &into, &["--no-owner", "--no-acl"]).await
}

fn names(site: &Site<'_>, verify: &Address) -> Result<Names, Failure> {
    let spec = site.backup(backup_of(site, verify)?)?;
    let live = site.database(&spec.database)?;
    let suffix = format!("{}_{}", site.run_short(), site.step_short());
    Ok(Names {
        live,
        restored: format!("orthid_restored_{suffix}"),
        replaced: format!("orthid_replaced_{suffix}"),
    })
}

/// The backup step behind a verify step (or the backup itself).
fn backup_of<'a>(site: &Site<'a>, verify: &'a Address) -> Result<&'a Address, Failure> {
    let step = site.cx.plan.steps.iter().find(|step| step.address == *verify);
    match step.map(|step| &step.spec) {
        Some(StepSpec::Verify(spec)) => Ok(&spec.backup),
        Some(StepSpec::Backup(_)) => Ok(verify),
        Some(_) | None => Err(permanent(format!("{verify} is no backup that could be restored"))),
    }
}

async fn present(connection: &mut PgConnection, names: &Names) -> Result<Present, DbError> {
    let found: Vec<String> =
        sqlx::query_scalar("select datname from pg_database where datname = any($1)")
            .bind(vec![&names.live.database, &names.restored, &names.replaced])
            .fetch_all(connection)
            .await
            .map_err(|error| DbError::of("list databases", &error))?;
    let has = |name: &str| found.iter().any(|found| found == name);
    Ok(Present {
        live: has(&names.live.database),
        restored: has(&names.restored),
        replaced: has(&names.replaced),
    })
}

/// Ends every connection to a database and renames it.
async fn rename(connection: &mut PgConnection, from: &str, to: &str) -> Result<(), DbError> {
    let what = format!("rename database {from} to {to}");
    let failed = |error: sqlx::Error| DbError::of(&what, &error);
    sqlx::query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1")
        .bind(from)
        .execute(&mut *connection)
        .await
        .map_err(failed)?;
    let statement = format!("alter database {} rename to {}", quoted(from), quoted(to));
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await.map_err(failed)?;
    Ok(())
}
