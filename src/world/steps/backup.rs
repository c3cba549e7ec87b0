//! The backup step.
//!
//! # Flow
//! Client version and free space are checked; a read-only transaction exports a snapshot; `pg_dump --format=custom`
//! dumps that snapshot while the rows of every table are counted in it; the dump is hashed as it is written to a
//! `.partial` file, synced, read through to its end by `pg_restore`, and renamed. A sidecar file tells what it is.
//!
//! # Guarantees
//! A file under its final name is whole, and its id is the SHA-256 of its bytes. The counts are those of the dumped
//! snapshot. The connection's password is in no argument and no message.
//!
//! # Assumptions
//! The role may read every table. The folder keeps what is written to it.
//!
//! # Caveats
//! Roles, tablespaces and settings of the database itself are not in a dump of one database. The snapshot holds back
//! vacuum while the dump runs.
//!
//! # Errors
//! No client programs, or older ones than the server; not enough room; a refused connection (transient); whatever
//! `pg_dump` says. Nothing is left but `.partial` files, which the next attempt removes.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use crate::journal::Failure;
use crate::model::{BackupSpec, Outputs};
use crate::run::Observation;
use crate::world::failure::{permanent, transient};
use crate::world::postgres::{Clients, DbError, Target, quoted};
use crate::world::process::{self, Job};
use crate::world::site::{Site, slug};

/// What lies beside a dump and tells what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sidecar {
    pub format_version: u32,
    /// `sha256:…` of the dump.
    pub id: String,
    pub size_bytes: u64,
    /// Database name and server version number (150014) at dump time.
    pub database: String,
    pub server_version: i32,
    pub run: String,
    pub step: String,
    pub duration_ms: u64,
    /// Rows by `schema.table` in the dumped snapshot.
    pub rows: BTreeMap<String, i64>,
}

impl Sidecar {
    pub fn path(dump: &Path) -> PathBuf {
        let mut name = dump.as_os_str().to_owned();
        name.push(".json");
        PathBuf::from(name)
    }

    pub fn read(dump: &Path) -> Result<Sidecar, Failure> {
        let path = Sidecar::path(dump);
        let bytes =
            process::read(&path).map_err(|e| permanent(format!("{}: {e}", path.display())))?;
        let sidecar: Sidecar = serde_json::from_slice(&bytes)
            .map_err(|e| permanent(format!("{}: {e}", path.display())))?;
        if sidecar.format_version != 1 {
            let version = sidecar.format_version;
            return Err(permanent(format!("{}: format {version} is not known", path.display())));
        }
        Ok(sidecar)
    }

    fn outputs(&self, dump: &Path) -> Outputs {
        let total: i64 = self.rows.values().sum();
        let file = dump.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Outputs::from([
            ("id".to_owned(), json!(self.id)),
            ("file".to_owned(), json!(file)),
            ("size_bytes".to_owned(), json!(self.size_bytes)),
            ("duration_ms".to_owned(), json!(self.duration_ms)),
            ("tables".to_owned(), json!(self.rows.len())),
            ("rows".to_owned(), json!(total)),
        ])
    }
}

fn dump_path(site: &Site<'_>, spec: &BackupSpec, target: &Target) -> Result<PathBuf, Failure> {
    let step = slug(&site.cx.step.address);
    let name = format!("{}-{}-{step}.dump", target.database, site.run_short());
    Ok(site.backup_folder(spec)?.join(name.replace('/', "_")))
}

/// A whole dump of this run and step, or nothing that counts.
pub async fn observe(site: &Site<'_>, spec: &BackupSpec) -> Observation {
    let found = async {
        let target = site.database(&spec.database)?;
        let path = dump_path(site, spec, &target)?;
        if !path.is_file() {
            return Ok(Observation::NotDone);
        }
        let sidecar = Sidecar::read(&path)?;
        let id = checksum(&path).await?;
        Ok::<_, Failure>(match id == sidecar.id {
            true => Observation::Done(sidecar.outputs(&path)),
            false => Observation::NotDone,
        })
    };
    found.await.unwrap_or_else(|failure| Observation::Unknown(failure.message))
}

pub async fn act(site: &Site<'_>, spec: &BackupSpec) -> Result<Outputs, Failure> {
    let started = Instant::now();
    let target = site.database(&spec.database)?;
    let path = dump_path(site, spec, &target)?;
    let folder = site.backup_folder(spec)?;
    // One that holds something is somebody's, and may be in git.
    let is_new = std::fs::read_dir(&folder).map_or(true, |mut found| found.next().is_none());
    let make = if is_new { process::private_folder } else { process::create_folder };
    make(&folder).map_err(|e| transient(format!("{}: {e}", folder.display())))?;
    let partial = path.with_extension("partial");
    let mut snapshot = Snapshot::open(&target).await?;
    let server_version = snapshot.server_version;
    let clients = site.clients(u32::try_from(server_version / 10_000).unwrap_or(0)).await?;
    check_room(&folder, snapshot.size_bytes)?;
    site.progress(format!("dumping {} ({} MiB)", target.database, snapshot.size_bytes >> 20));

    let dump = dump(site, &target, &clients, &snapshot.name, &partial);
    let counts = count_rows(&mut snapshot.connection);
    let both = async { tokio::join!(dump, counts) };
    let (dumped, rows) = both.await;
    let removed = |failure: Failure| {
        // The file is no use to anyone; where it can't be removed the next attempt overwrites it.
        let _ = std::fs::remove_file(&partial);
        failure
    };
    // The transaction was read-only: how it ends changes nothing.
    let _ = snapshot.connection.close().await;
    let (id, size_bytes) = dumped.map_err(removed)?;
    let rows = rows.map_err(|e| removed(e.into()))?;
    read_through(site, &clients, &partial).await.map_err(removed)?;
    let sidecar = Sidecar {
        format_version: 1,
        id,
        size_bytes,
        database: target.database.clone(),
        server_version,
        run: site.cx.run.0.clone(),
        step: site.cx.step.address.to_string(),
        duration_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        rows,
    };
    publish(&partial, &path, &sidecar)
        .map_err(|e| transient(format!("{}: {e}", path.display())))?;
    Ok(sidecar.outputs(&path))
}

fn check_room(folder: &Path, needed: u64) -> Result<(), Failure> {
    match crate::world::destination::free_bytes(folder) {
        Some(free) if free < needed => Err(permanent(format!(
            "{} has {} MiB free; the database is {} MiB",
            folder.display(),
            free >> 20,
            needed >> 20
        ))
        .help("make room, or give the backup another folder")),
        Some(_) | None => Ok(()),
    }
}

/// A read-only transaction whose snapshot other sessions may use.
struct Snapshot {
    connection: PgConnection,
    name: String,
    server_version: i32,
    size_bytes: u64,
}

impl Snapshot {
    async fn open(target: &Target) -> Result<Snapshot, Failure> {
        let what = "open a snapshot";
        let failed = |e: sqlx::Error| DbError::of(what, &e);
        let mut connection = target.connect().await?;
        sqlx::query("begin isolation level repeatable read read only")
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        let query = "select pg_export_snapshot() as name, \
                     current_setting('server_version_num')::int4 as version, \
                     pg_database_size(current_database()) as size";
        let row = sqlx::query(query).fetch_one(&mut connection).await.map_err(failed)?;
        let size: i64 = row.try_get("size").map_err(failed)?;
        Ok(Snapshot {
            name: row.try_get("name").map_err(failed)?,
            server_version: row.try_get("version").map_err(failed)?,
            size_bytes: u64::try_from(size).unwrap_or(0),
            connection,
        })
    }
}

/// Runs pg_dump into the partial file; returns id and size of what was written.
async fn dump(
    site: &Site<'_>,
    target: &Target,
    clients: &Clients,
    snapshot: &str,
    partial: &Path,
) -> Result<(String, u64), Failure> {
    let name = format!("pg_dump-{}", site.cx.attempt);
    let job = Job {
        args: ["--format=custom", "--no-password", &format!("--snapshot={snapshot}")]
            .map(Into::into)
            .to_vec(),
        env: target.env(&site.env.for_postgres()),
        ..site.job(clients.program("pg_dump"), &name)
    };
    let file = process::private_file(partial)?;
    let mut child = process::pipe(&job, &site.cx.cancel).await?;
    let stdout = child.stdout().ok_or_else(|| permanent("pg_dump has no output"))?;
    let written = write_hashed(stdout, file, &site.cx.cancel).await;
    // Where writing failed, pg_dump is ended: nobody reads it any more.
    let end = CancellationToken::new();
    if written.is_err() || site.cx.cancel.is_cancelled() {
        end.cancel();
    }
    let done = child.finish(&end, site.redactor).await;
    let written = written.map_err(|e| transient(format!("{}: {e}", partial.display())))?;
    if site.cx.cancel.is_cancelled() {
        return Err(transient("the dump was interrupted"));
    }
    if !done.success() {
        let words = done.last_words(site.redactor);
        let evidence = site.child_evidence(&name);
        let passing = done.was_killed()
            || words.contains("could not connect")
            || words.contains("connection to server");
        let message = format!("pg_dump failed: {words}");
        let failure = if passing { transient(message) } else { permanent(message) };
        return Err(failure.with_evidence(evidence));
    }
    Ok(written)
}

/// Copies a stream to a file, hashing, and syncs the file.
async fn write_hashed(
    mut from: impl tokio::io::AsyncRead + Unpin,
    file: std::fs::File,
    cancel: &CancellationToken,
) -> std::io::Result<(String, u64)> {
    let mut file = tokio::fs::File::from_std(file);
    let mut hash = Sha256::new();
    let mut size = 0_u64;
    let mut chunk = vec![0_u8; 256 << 10];
    loop {
        let n = tokio::select! {
            read = from.read(&mut chunk) => read?,
            () = cancel.cancelled() => break,
        };
        if n == 0 {
            break;
        }
        hash.update(&chunk[..n]);
        tokio::io::AsyncWriteExt::write_all(&mut file, &chunk[..n]).await?;
        size += n as u64;
    }
    file.sync_all().await?;
    Ok((format!("sha256:{}", hex::encode(hash.finalize())), size))
}

/// SHA-256 of a file as a backup's id.
pub async fn checksum(path: &Path) -> Result<String, Failure> {
    let said = |e: std::io::Error| permanent(format!("{}: {e}", path.display()));
    let mut file = tokio::fs::File::open(path).await.map_err(said)?;
    let mut hash = Sha256::new();
    let mut chunk = vec![0_u8; 256 << 10];
    loop {
        let n = file.read(&mut chunk).await.map_err(said)?;
        if n == 0 {
            return Ok(format!("sha256:{}", hex::encode(hash.finalize())));
        }
        hash.update(&chunk[..n]);
    }
}

/// Rows of every ordinary table, seen by this connection's transaction. Tables of extensions are not in a dump.
pub async fn count_rows(connection: &mut PgConnection) -> Result<BTreeMap<String, i64>, DbError> {
    let failed = |e: sqlx::Error| DbError::of("count the rows", &e);
    let query = "select n.nspname as schema, c.relname as name from pg_class c \
                 join pg_namespace n on n.oid = c.relnamespace \
                 where c.relkind = 'r' and c.relpersistence = 'p' \
                 and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' \
                 and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'e') \
                 order by 1, 2";
    let tables = sqlx::query(query).fetch_all(&mut *connection).await.map_err(failed)?;
    let mut rows = BTreeMap::new();
    for table in tables {
        let schema: String = table.try_get("schema").map_err(failed)?;
        let name: String = table.try_get("name").map_err(failed)?;
        let query = format!("select count(*) as n from {}.{}", quoted(&schema), quoted(&name));
        let row =
            sqlx::query(AssertSqlSafe(query)).fetch_one(&mut *connection).await.map_err(failed)?;
        rows.insert(format!("{schema}.{name}"), row.try_get("n").map_err(failed)?);
    }
    Ok(rows)
}

/// Lets pg_restore read a dump to its end without a database: a cut one fails here.
pub async fn read_through(site: &Site<'_>, clients: &Clients, dump: &Path) -> Result<(), Failure> {
    let name = format!("pg_restore-read-{}", site.cx.attempt);
    let job = Job {
        args: vec!["--file=/dev/null".into(), dump.into()],
        env: site.env.for_postgres(),
        ..site.job(clients.program("pg_restore"), &name)
    };
    let done = process::run(&job, &site.cx.cancel, site.redactor).await?;
    match (done.success(), done.why) {
        (true, _) => Ok(()),
        (false, process::Ended::Cancelled) => Err(transient("reading the dump was interrupted")),
        (false, _) if done.was_killed() => {
            Err(transient("pg_restore was stopped before it had read the dump"))
        }
        (false, _) => Err(permanent(format!(
            "the dump can't be read to its end: {}",
            done.last_words(site.redactor)
        ))
        .with_evidence(site.child_evidence(&name))),
    }
}

/// Gives dump and sidecar their final names, durably, the dump last: where it stands, all stands.
fn publish(partial: &Path, path: &Path, sidecar: &Sidecar) -> std::io::Result<()> {
    let beside = Sidecar::path(path);
    let temporary = beside.with_extension("json.partial");
    let mut file = process::private_file(&temporary)?;
    file.write_all(&serde_json::to_vec_pretty(sidecar)?)?;
    file.sync_all()?;
    std::fs::rename(&temporary, &beside)?;
    std::fs::rename(partial, path)?;
    if let Some(folder) = path.parent() {
        std::fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}
