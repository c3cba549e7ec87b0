//! What the service keeps in PostgreSQL: users, signing keys, refresh tokens, the sign-in log.
//!
//! Keys are read for every request and not cached, so that a key that one pod makes is known to all at
//! once. Queries are spelt out per release where a column has another name: a release that meets a schema
//! it was not made for fails here, as it would in earnest.
//!
//! Must not: know HTTP, or migrate.

use sqlx::postgres::{PgPool, PgPoolOptions};

use std::time::Duration;

use crate::releases::{LoginColumn, Release};
use crate::tokens::{PublicKey, SigningKey};

/// How long a refresh token lives.
const REFRESH_DAYS: i32 = 30;

/// Sign-ins that are shown.
const SIGN_INS_SHOWN: i64 = 20;

/// Connections of one process, and how long it waits for one.
const CONNECTIONS: u32 = 8;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The database, as one release uses it.
#[derive(Clone, Debug)]
pub struct Store {
    pool: PgPool,
    release: &'static Release,
}

/// A row of `users`.
#[derive(Clone, Debug)]
pub struct User {
    pub id: String,
    pub login: String,
    pub password_hash: String,
}

/// What a spent refresh token gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spent {
    /// Good: whose it was, and the family that its successor belongs to.
    Accepted { user: String, family: Option<String> },
    /// Unknown, expired, or spent before; in the last case its family is revoked where the release knows families.
    Rejected,
}

/// Prepares connections without making one: the service starts, and says that it is not ready, without a database.
///
/// # Errors
///
/// A sentence without the address, which holds a password.
pub fn pool(url: &str) -> Result<PgPool, String> {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_lazy(url)
        .map_err(|_| "ORTHID_DATABASE_URL is not a PostgreSQL URL".to_owned())
}

impl Store {
    pub fn new(pool: PgPool, release: &'static Release) -> Store {
        Store { pool, release }
    }

    /// The number of applied migrations.
    pub async fn schema(&self) -> Result<usize, sqlx::Error> {
        crate::migrations::schema(&self.pool).await
    }

    /// Finds a user by what they sign in with.
    pub async fn user_by_login(&self, login: &str) -> Result<Option<User>, sqlx::Error> {
        let sql = match self.release.features.login_column {
            LoginColumn::Email => "select id, email, password_hash from users where email = $1",
            LoginColumn::Login => "select id, login, password_hash from users where login = $1",
        };
        self.user(sqlx::query_as(sql).bind(login)).await
    }

    /// Finds a user by id.
    pub async fn user_by_id(&self, id: &str) -> Result<Option<User>, sqlx::Error> {
        let sql = match self.release.features.login_column {
            LoginColumn::Email => "select id, email, password_hash from users where id = $1",
            LoginColumn::Login => "select id, login, password_hash from users where id = $1",
        };
        self.user(sqlx::query_as(sql).bind(id)).await
    }

    async fn user<'q>(
        &self,
        query: sqlx::query::QueryAs<
            'q,
            sqlx::Postgres,
            (String, String, String),
            sqlx::postgres::PgArguments,
        >,
    ) -> Result<Option<User>, sqlx::Error> {
        let row = query.fetch_optional(&self.pool).await?;
        Ok(row.map(|(id, login, password_hash)| User { id, login, password_hash }))
    }

    /// Adds a user unless there is one of this login.
    pub async fn add_user(
        &self,
        id: &str,
        login: &str,
        password_hash: &str,
    ) -> Result<bool, sqlx::Error> {
        let sql = match self.release.features.login_column {
            LoginColumn::Email => {
                "insert into users (id, email, password_hash) values ($1, $2, $3) on conflict do nothing"
            }
            LoginColumn::Login => {
                "insert into users (id, login, email, password_hash) values ($1, $2, $2, $3) on conflict do nothing"
            }
        };
        let done =
            sqlx::query(sql).bind(id).bind(login).bind(password_hash).execute(&self.pool).await?;
        Ok(done.rows_affected() == 1)
    }

    /// Whom a user's tokens are for (since 2.7.0).
    pub async fn audience(&self, user: &str) -> Result<Option<String>, sqlx::Error> {
        sqlx::query_scalar("select audience from users where id = $1")
            .bind(user)
            .fetch_optional(&self.pool)
            .await
    }

    /// What a user wants to be called (since 2.8.0).
    pub async fn display_name(&self, user: &str) -> Result<Option<String>, sqlx::Error> {
        let row: Option<Option<String>> =
            sqlx::query_scalar("select display_name from users where id = $1")
                .bind(user)
                .fetch_optional(&self.pool)
                .await?;
        Ok(row.flatten())
    }

    /// Sets what a user wants to be called (since 2.8.0).
    pub async fn set_display_name(&self, user: &str, name: &str) -> Result<(), sqlx::Error> {
        sqlx::query("update users set display_name = $2 where id = $1")
            .bind(user)
            .bind(name)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// The key that signs: the newest.
    pub async fn signing_key(&self) -> Result<Option<SigningKey>, sqlx::Error> {
        let row: Option<(String, Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "select kid, private_key, public_key from signing_keys order by created_at desc, kid limit 1",
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|(kid, private, public)| {
            let public = PublicKey { kid: kid.clone(), bytes: public };
            SigningKey { kid, private, public }
        }))
    }

    /// The keys that verify: all there are.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>, sqlx::Error> {
        let rows: Vec<(String, Vec<u8>)> =
            sqlx::query_as("select kid, public_key from signing_keys order by created_at, kid")
                .fetch_all(&self.pool)
                .await?;
        Ok(rows.into_iter().map(|(kid, bytes)| PublicKey { kid, bytes }).collect())
    }

    /// Adds this key where there is none. Pods that start together take turns, and one of them adds its key.
    pub async fn ensure_key(&self, key: &SigningKey) -> Result<bool, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("lock table signing_keys in exclusive mode").execute(&mut *transaction).await?;
        let none: bool = sqlx::query_scalar("select not exists (select from signing_keys)")
            .fetch_one(&mut *transaction)
            .await?;
        if none {
            insert_key(&mut transaction, key).await?;
        }
        transaction.commit().await?;
        Ok(none)
    }

    /// The fault `forget_keys`: this key replaces all others.
    pub async fn replace_keys(&self, key: &SigningKey) -> Result<(), sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query("delete from signing_keys").execute(&mut *transaction).await?;
        insert_key(&mut transaction, key).await?;
        transaction.commit().await
    }

    /// Keeps a refresh token's digest. Without a family it starts one, where the release knows families.
    pub async fn add_refresh_token(
        &self,
        digest: &[u8],
        user: &str,
        family: Option<&str>,
    ) -> Result<(), sqlx::Error> {
        if self.release.features.token_families {
            sqlx::query(
                "insert into refresh_tokens (token_hash, user_id, expires_at, family)
                 values ($1, $2, now() + make_interval(days => $3), coalesce($4, encode($1, 'hex')))",
            )
            .bind(digest)
            .bind(user)
            .bind(REFRESH_DAYS)
            .bind(family)
            .execute(&self.pool)
            .await?;
        } else {
            sqlx::query(
                "insert into refresh_tokens (token_hash, user_id, expires_at)
                 values ($1, $2, now() + make_interval(days => $3))",
            )
            .bind(digest)
            .bind(user)
            .bind(REFRESH_DAYS)
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    /// Spends a refresh token, which can be done once, whoever else tries at the same moment.
    pub async fn spend_refresh_token(&self, digest: &[u8]) -> Result<Spent, sqlx::Error> {
        if !self.release.features.token_families {
            let user: Option<String> = sqlx::query_scalar(
                "update refresh_tokens set used_at = now()
                 where token_hash = $1 and used_at is null and expires_at > now() returning user_id",
            )
            .bind(digest)
            .fetch_optional(&self.pool)
            .await?;
            return Ok(user.map_or(Spent::Rejected, |user| Spent::Accepted { user, family: None }));
        }

        let spent: Option<(String, Option<String>)> = sqlx::query_as(
            "update refresh_tokens set used_at = now()
             where token_hash = $1 and used_at is null and expires_at > now() returning user_id, family",
        )
        .bind(digest)
        .fetch_optional(&self.pool)
        .await?;
        if let Some((user, family)) = spent {
            return Ok(Spent::Accepted { user, family });
        }
        // Spent before: somebody has a copy. Whoever it is, nobody of the family goes on.
        sqlx::query(
            "update refresh_tokens set used_at = now() where used_at is null
             and family = (select family from refresh_tokens where token_hash = $1)",
        )
        .bind(digest)
        .execute(&self.pool)
        .await?;
        Ok(Spent::Rejected)
    }

    /// Logs a sign-in (since 2.7.0).
    pub async fn log_sign_in(&self, user: &str, accepted: bool) -> Result<(), sqlx::Error> {
        sqlx::query("insert into sign_in_log (user_id, outcome) values ($1, $2)")
            .bind(user)
            .bind(if accepted { "accepted" } else { "rejected" })
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// A user's last sign-ins, newest first: when (seconds since the epoch) and how they ended (since 2.7.0).
    pub async fn sign_ins(&self, user: &str) -> Result<Vec<(i64, String)>, sqlx::Error> {
        sqlx::query_as(
            "select extract(epoch from at)::bigint, outcome from sign_in_log
             where user_id = $1 order by at desc limit $2",
        )
        .bind(user)
        .bind(SIGN_INS_SHOWN)
        .fetch_all(&self.pool)
        .await
    }

    /// Removes what is of no use any more: expired refresh tokens and old lines of the sign-in log.
    pub async fn sweep(&self, retention_days: u32) -> Result<(), sqlx::Error> {
        sqlx::query("delete from refresh_tokens where expires_at < now()")
            .execute(&self.pool)
            .await?;
        if self.release.features.sign_in_log {
            sqlx::query("delete from sign_in_log where at < now() - make_interval(days => $1)")
                .bind(i32::try_from(retention_days).unwrap_or(i32::MAX))
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }
}

async fn insert_key(
    connection: &mut sqlx::postgres::PgConnection,
    key: &SigningKey,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into signing_keys (kid, private_key, public_key) values ($1, $2, $3)")
        .bind(&key.kid)
        .bind(&key.private)
        .bind(&key.public.bytes)
        .execute(connection)
        .await?;
    Ok(())
}
