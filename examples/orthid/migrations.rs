//! The schema: the migrations there are, which are applied, and applying those that are not.
//!
//! A migration is applied in one transaction together with its row in `schema_migrations`, so that it
//! either happened or did not. Two programs that migrate at once take turns on a lock of that table,
//! which, unlike a session's advisory lock, survives a connection pooler and ends with the transaction.
//!
//! Must not: go backward, or decide which release needs what (that is `releases`).

use std::future;

use serde::Serialize;
use sqlx::postgres::{PgConnection, PgPool};

use crate::faults::MigrateFaults;
use crate::releases::Release;

/// One step of the schema.
#[derive(Debug)]
pub struct Migration {
    pub name: &'static str,
    sql: &'static str,
}

/// Every migration of every release, in order. An image carries the first `Release::carries` of them.
pub const MIGRATIONS: [Migration; 7] = [
    Migration { name: "0001_users", sql: include_str!("migrations/0001_users.sql") },
    Migration { name: "0002_sessions", sql: include_str!("migrations/0002_sessions.sql") },
    Migration {
        name: "0003_token_families",
        sql: include_str!("migrations/0003_token_families.sql"),
    },
    Migration {
        name: "0004_token_audience",
        sql: include_str!("migrations/0004_token_audience.sql"),
    },
    Migration { name: "0005_sign_in_log", sql: include_str!("migrations/0005_sign_in_log.sql") },
    Migration { name: "0006_display_name", sql: include_str!("migrations/0006_display_name.sql") },
    Migration { name: "0007_login_name", sql: include_str!("migrations/0007_login_name.sql") },
];

/// A migration waits this long for the locks it needs, then fails instead of making everyone queue behind it.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '30s'";

/// How often the table of migrations is tried to be created: another program may be creating it.
const CREATE_ATTEMPTS: usize = 3;

/// What the database has and what this image would add. This is what `migrate status --json` prints.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// The number of applied migrations.
    pub schema: u64,
    pub applied: Vec<String>,
    /// Carried by this image and not applied.
    pub pending: Vec<String>,
}

/// How far to migrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Everything that the image carries.
    Newest,
    /// What the release needs, and nothing where there is a schema already.
    FirstStart,
}

/// Reads the status. Creates nothing: a database without a table of migrations has schema 0.
pub async fn status(pool: &PgPool, release: &Release) -> Result<Status, sqlx::Error> {
    let applied = applied(&mut *pool.acquire().await?).await?;
    let pending = pending(release, &applied).iter().map(|m| m.name.to_owned()).collect();
    Ok(Status { schema: applied.len() as u64, applied, pending })
}

/// The number of applied migrations.
pub async fn schema(pool: &PgPool) -> Result<usize, sqlx::Error> {
    Ok(applied(&mut *pool.acquire().await?).await?.len())
}

/// Applies what is pending, in order, and tells each name once it is committed.
///
/// # Guarantees
///
/// Idempotent; safe beside another one. When it fails, the migrations told are applied and no other is.
pub async fn up(
    pool: &PgPool,
    release: &Release,
    target: Target,
    faults: MigrateFaults,
    mut committed: impl FnMut(&str),
) -> Result<(), sqlx::Error> {
    create_table(pool).await?;
    let carried = match target {
        Target::Newest => release.carries,
        Target::FirstStart => release.schema_min,
    };
    let mut first = true;
    for _ in 0..=MIGRATIONS.len() {
        let mut transaction = pool.begin().await?;
        sqlx::query(LOCK_TIMEOUT).execute(&mut *transaction).await?;
        // Readers of the status go on; other writers, this program among them, wait.
        sqlx::query("lock table schema_migrations in exclusive mode")
            .execute(&mut *transaction)
            .await?;
        let applied = applied(&mut transaction).await?;
        if target == Target::FirstStart && std::mem::take(&mut first) && !applied.is_empty() {
            return Ok(());
        }
        let pending: Vec<&Migration> = pending(release, &applied)
            .into_iter()
            .filter(|migration| MIGRATIONS[..carried].iter().any(|m| m.name == migration.name))
            .collect();
        let Some(migration) = pending.first() else {
            return Ok(());
        };

        sqlx::raw_sql(migration.sql).execute(&mut *transaction).await?;
        if pending.len() == 1 {
            misbehave(&mut transaction, faults).await?;
        }
        sqlx::query("insert into schema_migrations (name) values ($1)")
            .bind(migration.name)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        committed(migration.name);
    }
    Ok(())
}

async fn misbehave(
    connection: &mut PgConnection,
    faults: MigrateFaults,
) -> Result<(), sqlx::Error> {
    if faults.hang {
        future::pending::<()>().await;
    }
    if faults.fail_halfway {
        sqlx::raw_sql("do $$ begin raise exception 'fault: this migration fails half way'; end $$")
            .execute(connection)
            .await?;
    }
    Ok(())
}

async fn create_table(pool: &PgPool) -> Result<(), sqlx::Error> {
    const SQL: &str = "create table if not exists schema_migrations (
        name       text primary key,
        applied_at timestamptz not null default now()
    )";
    for attempt in 1.. {
        match sqlx::query(SQL).execute(pool).await {
            Ok(_) => break,
            // `if not exists` looks first and creates after: two at once collide in the catalogue.
            Err(sqlx::Error::Database(error))
                if error.is_unique_violation() && attempt < CREATE_ATTEMPTS => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

async fn applied(connection: &mut PgConnection) -> Result<Vec<String>, sqlx::Error> {
    let exists: bool = sqlx::query_scalar("select to_regclass('schema_migrations') is not null")
        .fetch_one(&mut *connection)
        .await?;
    if !exists {
        return Ok(Vec::new());
    }
    sqlx::query_scalar("select name from schema_migrations order by name")
        .fetch_all(connection)
        .await
}

fn pending(release: &Release, applied: &[String]) -> Vec<&'static Migration> {
    MIGRATIONS[..release.carries]
        .iter()
        .filter(|migration| !applied.iter().any(|name| name == migration.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(version: &str, applied: &[&str]) -> Vec<&'static str> {
        let applied: Vec<String> = applied.iter().map(|name| (*name).to_owned()).collect();
        let release = Release::find(version).unwrap();
        pending(release, &applied).iter().map(|migration| migration.name).collect()
    }

    #[test]
    fn pending_is_what_the_image_carries_and_the_database_lacks() {
        let v2_6 = ["0001_users", "0002_sessions", "0003_token_families"];
        assert_eq!(names("2.5.0", &[]), ["0001_users", "0002_sessions"]);
        assert_eq!(names("2.6.0", &v2_6), [""; 0]);
        assert_eq!(names("2.6.3", &v2_6), ["0004_token_audience", "0005_sign_in_log"]);
        assert_eq!(names("2.7.1", &v2_6), ["0004_token_audience", "0005_sign_in_log"]);
        assert_eq!(names("2.5.0", &v2_6), [""; 0], "a newer schema is nothing to apply");
    }

    #[test]
    fn names_are_numbered_in_order() {
        for (index, migration) in MIGRATIONS.iter().enumerate() {
            assert!(migration.name.starts_with(&format!("{:04}_", index + 1)));
        }
    }

    #[test]
    fn status_is_one_json_object() {
        let status = Status {
            schema: 1,
            applied: vec!["0001_users".to_owned()],
            pending: vec!["0002_sessions".to_owned()],
        };
        assert_eq!(
            serde_json::to_string(&status).unwrap(),
            r#"{"schema":1,"applied":["0001_users"],"pending":["0002_sessions"]}"#
        );
    }
}
