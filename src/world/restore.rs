//! Putting a verified backup in the place of the live database: the way back from a breaking migration.
//!
//! # Flow
//! The backup is restored into a new database beside the live one and its rows are compared with those counted when it
//! was dumped; it is marked with run and step; then one transaction renames the live database away and the restored
//! one into its place.
//!
//! # Guarantees
//! There is never a half-restored live database: before the swap the live one is untouched, after it the restored one
//! is whole. The mark tells a resumed run that the swap has happened. The replaced database stays under the name
//! `orthid_replaced_…`: what was written since the backup is in it, for a person to look at and drop.
//!
//! # Assumptions
//! Nothing but the quiesced app writes to the database. The role owns the database and may create databases. There is
//! room for both copies.
//!
//! # Caveats
//! Settings of the database itself (`ALTER DATABASE … SET`) and grants on it are carried over; its comment and security
//! labels are not.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};

use super::backup::Sidecar;
use super::postgres::{Clients, DbError, Target, quoted};
use super::site::Site;
use super::verify::{compare_rows, create_like, drop_database, maintenance, restore};
use crate::run::Failure;

/// How often the swap is tried against sessions that connect again.
const SWAP_ATTEMPTS: u32 = 20;

fn mark(site: &Site<'_>) -> String {
    format!("orthid: restored by run {} undoing {}", site.cx.run, site.cx.step.address)
}

/// Does the live database carry this run's and step's mark?
pub async fn is_restored(site: &Site<'_>, live: &Target) -> Result<bool, DbError> {
    let failed = |e: sqlx::Error| DbError::of("read the database's mark", &e);
    let mut connection = maintenance(live).await?;
    let query =
        "select shobj_description(oid, 'pg_database') as mark from pg_database where datname = $1";
    let row = sqlx::query(query)
        .bind(&live.database)
        .fetch_optional(&mut connection)
        .await
        .map_err(failed)?;
    let _ = connection.close().await;
    let found: Option<String> = match row {
        Some(row) => row.try_get("mark").map_err(failed)?,
        None => None,
    };
    Ok(found.as_deref() == Some(mark(site).as_str()))
}

/// Restores the dump and swaps it in. Repeating it after any interruption is safe.
pub async fn replace(
    site: &Site<'_>,
    live: &Target,
    clients: &Clients,
    dump: &Path,
    sidecar: &Sidecar,
) -> Result<(), Failure> {
    let fresh = live.on(&format!("orthid_restore_{}_{}", site.run_short(), site.step_short()));
    site.progress(format!("restoring the backup into {}", fresh.database));
    drop_database(live, &fresh.database).await?;
    create_like(live, &fresh.database).await?;
    let flags: &[&str] = if is_superuser(live).await? { &[] } else { &["--no-owner"] };
    restore(site, clients, dump, &fresh, flags).await?;
    let mut connection = fresh.connect().await?;
    compare_rows(&mut connection, sidecar).await?;
    let _ = connection.close().await;

    let replaced = format!("orthid_replaced_{}_{}", site.run_short(), site.step_short());
    site.progress(format!(
        "swapping the restored database in; the replaced one stays as {replaced}"
    ));
    carry_over(live, &fresh.database).await?;
    swap(site, live, &fresh.database, &replaced).await?;
    site.keep_if_possible(
        "replaced-database.txt",
        &format!(
            "{} holds what was written since the backup {}.\nDrop it when nobody needs it any more.\n",
            replaced, sidecar.id
        ),
    );
    Ok(())
}

async fn is_superuser(live: &Target) -> Result<bool, DbError> {
    let failed = |e: sqlx::Error| DbError::of("read the role", &e);
    let mut connection = maintenance(live).await?;
    let query = "select rolsuper from pg_roles where rolname = current_user";
    let row = sqlx::query(query).fetch_one(&mut connection).await.map_err(failed)?;
    let _ = connection.close().await;
    row.try_get(0).map_err(failed)
}

/// Copies the live database's settings and grants, which no dump of its content holds.
async fn carry_over(live: &Target, fresh: &str) -> Result<(), DbError> {
    let failed = |e: sqlx::Error| DbError::of("carry the database's settings over", &e);
    let mut connection = maintenance(live).await?;
    let query = "select format('alter database %I set %I to %s', $2::text, split_part(s, '=', 1), \
                 case when split_part(s, '=', 1) in ('search_path') then substr(s, strpos(s, '=') + 1) \
                 else quote_literal(substr(s, strpos(s, '=') + 1)) end) as statement \
                 from pg_db_role_setting r join pg_database d on d.oid = r.setdatabase, unnest(r.setconfig) s \
                 where d.datname = $1 and r.setrole = 0 \
                 union all \
                 select format('grant %s on database %I to %s%s', a.privilege_type, $2::text, \
                 case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end, \
                 case when a.is_grantable then ' with grant option' else '' end) \
                 from pg_database d, aclexplode(d.datacl) a where d.datname = $1 and a.grantee <> d.datdba";
    let statements = sqlx::query(query)
        .bind(&live.database)
        .bind(fresh)
        .fetch_all(&mut connection)
        .await
        .map_err(failed)?;
    for row in statements {
        let statement: String = row.try_get("statement").map_err(failed)?;
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await.map_err(failed)?;
    }
    let _ = connection.close().await;
    Ok(())
}

/// One transaction: mark, rename away, rename in. A session that connects in between makes it fail whole; then again.
async fn swap(site: &Site<'_>, live: &Target, fresh: &str, replaced: &str) -> Result<(), Failure> {
    let mut connection = maintenance(live).await?;
    let mut last = None;
    for _ in 0..SWAP_ATTEMPTS {
        match try_swap(site, &mut connection, live, fresh, replaced).await {
            Ok(()) => {
                let _ = connection.close().await;
                return Ok(());
            }
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let failure = last.map(|e| Failure::from(DbError::of("swap the databases", &e)));
    Err(failure
        .unwrap_or_else(|| Failure::transient("the databases could not be swapped"))
        .with_help("end whatever still connects to the database, then resume"))
}

async fn try_swap(
    site: &Site<'_>,
    connection: &mut PgConnection,
    live: &Target,
    fresh: &str,
    replaced: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity \
         where datname in ($1, $2) and pid <> pg_backend_pid()",
    )
    .bind(&live.database)
    .bind(fresh)
    .execute(&mut *connection)
    .await?;
    let mut transaction = connection.begin().await?;
    let statements = [
        format!("comment on database {} is '{}'", quoted(fresh), mark(site).replace('\'', "''")),
        format!("alter database {} rename to {}", quoted(&live.database), quoted(replaced)),
        format!("alter database {} rename to {}", quoted(fresh), quoted(&live.database)),
    ];
    for statement in statements {
        sqlx::query(AssertSqlSafe(statement)).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}
