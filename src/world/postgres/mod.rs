//! PostgreSQL: connection URLs, connections, the client programs and their environment.
//!
//! Guarantees: the URL and its password never reach a command line or a message; client programs get them by
//! `PG*` variables.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions, Connection, Row};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::env::Environment;
use super::error::{WorldError, chain};
use super::process::{self, Job, Rest};
use crate::facts::DatabaseFacts;
use crate::journal::FailureClass;
use crate::text::secret::Redactor;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// A connection URL, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of the `database` block.
    pub name: String,
    pub host: String,
    pub port: u16,
    pub database: String,
    user: String,
    password: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Target")
            .field("name", &self.name)
            .field("place", &self.place())
            .finish_non_exhaustive()
    }
}

/// Whether user and password end too early: a `/`, `?` or `#` in them ends the server's part, and
/// what comes after would be taken for a database and be shown.
fn holds_unencoded(url: &str) -> bool {
    let Some((_, rest)) = url.split_once("://") else { return false };
    let (server, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    // `?user=ann@server` is how some providers name users.
    let names_user = rest.contains("user=");
    !server.contains('@') && rest.contains('@') && !names_user
}

impl Target {
    /// Takes `postgres://user:password@host:port/database?sslmode=…` apart.
    pub fn parse(name: &str, url: &str) -> Result<Target, WorldError> {
        let bad = |reason: &str| WorldError::DatabaseUrl {
            name: name.to_owned(),
            reason: reason.to_owned(),
        };
        if holds_unencoded(url) {
            return Err(bad("a part of it holds a character that ends another: percent-encode it"));
        }
        // libpq takes `user@/database?host=…`; the URL standard does not. The host of the query replaces this one.
        let url = url.replacen("@/", "@localhost/", 1);
        let url = Url::parse(&url)
            .map_err(|e| bad(&format!("{e}; percent-encode what is special in its parts")))?;
        if !matches!(url.scheme(), "postgres" | "postgresql") {
            return Err(bad("only postgres:// and postgresql:// are supported"));
        }
        let decode = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .map(std::borrow::Cow::into_owned)
                .map_err(|_| bad("it is not UTF-8 after decoding"))
        };
        let query: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let database = decode(url.path().trim_start_matches('/'))?;
        let user = match query.get("user") {
            Some(user) => user.clone(),
            None => decode(url.username())?,
        };
        if database.is_empty() || user.is_empty() {
            return Err(bad("it names no user or no database"));
        }
        let host = match (url.host_str(), query.get("host")) {
            (_, Some(host)) => host.clone(),
            (Some(host), None) if !host.is_empty() => {
                decode(host.trim_start_matches('[').trim_end_matches(']'))?
            }
            _ => return Err(bad("it names no host")),
        };
        Ok(Target {
            name: name.to_owned(),
            host,
            port: url.port().unwrap_or(5432),
            database,
            user,
            password: match query.get("password") {
                Some(password) => Some(password.clone()),
                None => url.password().map(decode).transpose()?,
            },
            sslmode: query.get("sslmode").cloned(),
            sslrootcert: query.get("sslrootcert").cloned(),
        })
    }

    /// `host:port/database`: what may be shown.
    pub fn place(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    pub fn register(&self, redactor: &Redactor) {
        if let Some(password) = &self.password {
            redactor.register(password);
        }
    }

    /// The same server and role, another database.
    pub fn on(&self, database: &str) -> Target {
        Target { database: database.to_owned(), ..self.clone() }
    }

    /// The environment that gives libpq programs this connection.
    pub fn env(&self, base: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut env: BTreeMap<String, String> = base
            .iter()
            .filter(|(k, _)| !k.starts_with("PG"))
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        env.insert("PGHOST".into(), self.host.clone());
        env.insert("PGPORT".into(), self.port.to_string());
        env.insert("PGUSER".into(), self.user.clone());
        env.insert("PGDATABASE".into(), self.database.clone());
        env.insert("PGAPPNAME".into(), "orthid".into());
        env.insert("PGCONNECT_TIMEOUT".into(), CONNECT_TIMEOUT.as_secs().to_string());
        let optional = [
            ("PGPASSWORD", &self.password),
            ("PGSSLMODE", &self.sslmode),
            ("PGSSLROOTCERT", &self.sslrootcert),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                env.insert(name.into(), value.clone());
            }
        }
        env
    }

    fn options(&self) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(self.port)
            .username(&self.user)
            .database(&self.database)
            .application_name("orthid")
            .statement_cache_capacity(0)
            .ssl_mode(self.ssl_mode());
        options = if self.host.starts_with('/') {
            options.socket(&self.host)
        } else {
            options.host(&self.host)
        };
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(root) = &self.sslrootcert {
            options = options.ssl_root_cert(root);
        }
        options.disable_statement_logging()
    }

    fn ssl_mode(&self) -> PgSslMode {
        self.sslmode.as_deref().and_then(|mode| mode.parse().ok()).unwrap_or(PgSslMode::Prefer)
    }

    /// Opens one connection, bounded in time.
    pub async fn connect(&self) -> Result<PgConnection, DbError> {
        match tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&self.options()))
            .await
        {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(DbError::of(&format!("connect to {}", self.place()), &error)),
            Err(_) => Err(DbError {
                class: FailureClass::Transient,
                message: format!(
                    "connect to {}: no answer in {} s",
                    self.place(),
                    CONNECT_TIMEOUT.as_secs()
                ),
            }),
        }
    }
}

/// A failed call to the database, in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DbError {
    pub class: FailureClass,
    pub message: String,
}

impl std::fmt::Display for DbError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl DbError {
    /// Classifies by SQLSTATE: connection trouble (08), resources (53) and a server that starts or stops (57P) pass.
    pub fn of(what: &str, error: &sqlx::Error) -> DbError {
        let transient = match error {
            sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => true,
            sqlx::Error::Database(db) => db.code().is_some_and(|code| {
                code.starts_with("08") || code.starts_with("53") || code.starts_with("57P")
            }),
            // sqlx' enum is foreign; the rest is about the query or the data.
            _ => false,
        };
        DbError {
            class: if transient { FailureClass::Transient } else { FailureClass::Permanent },
            message: format!("{what}: {}", chain(error)),
        }
    }
}

/// The client programs of one PostgreSQL version.
#[derive(Clone, Debug)]
pub struct Clients {
    pub folder: PathBuf,
    pub major: u32,
}

impl Clients {
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The newest `pg_dump` of the PATH and of Debian's versioned folders.
    pub async fn find(env: &Environment, redactor: &Redactor) -> Option<Clients> {
        let mut folders: Vec<PathBuf> =
            env.var("PATH").unwrap_or_default().split(':').map(PathBuf::from).collect();
        if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
            folders.extend(versions.filter_map(Result::ok).map(|entry| entry.path().join("bin")));
        }
        let mut best: Option<Clients> = None;
        for folder in folders.into_iter().filter(|f| f.join("pg_dump").is_file()) {
            let Some(major) = version_of(env, &folder.join("pg_dump"), redactor).await else {
                continue;
            };
            if best.as_ref().is_none_or(|b| major > b.major) {
                best = Some(Clients { folder, major });
            }
        }
        best
    }
}

async fn version_of(
    env: &Environment,
    program: &std::path::Path,
    redactor: &Redactor,
) -> Option<u32> {
    let folder = tempfile::tempdir().ok()?;
    let job = Job {
        args: vec!["--version".into()],
        env: env.for_postgres(),
        timeout: Duration::from_secs(10),
        grace: Duration::from_secs(1),
        rest: Rest::End,
        ..Job::new(program.to_path_buf(), folder.path(), "version")
    };
    let done = process::run(&job, &CancellationToken::new(), redactor).await.ok()?;
    parse_client_version(&done.stdout)
}

/// `pg_dump (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)` → 15.
fn parse_client_version(text: &str) -> Option<u32> {
    text.split_once("(PostgreSQL) ")?.1.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What planning wants to know of a database.
pub async fn observe(
    target: &Target,
    clients: Option<&Clients>,
) -> Result<DatabaseFacts, WorldError> {
    let unreachable = |reason: String| WorldError::DatabaseUnreachable {
        name: target.name.clone(),
        place: target.place(),
        reason,
    };
    let mut connection = target.connect().await.map_err(|e| unreachable(e.message))?;
    let query = "select current_setting('server_version_num')::int4 / 10000 as major, \
                 pg_database_size(current_database()) as size, \
                 (select rolcreatedb or rolsuper from pg_roles where rolname = current_user) as createdb";
    let row =
        sqlx::query(query).fetch_one(&mut connection).await.map_err(|e| unreachable(chain(&e)))?;
    let major: i32 = row.try_get("major").map_err(|e| unreachable(chain(&e)))?;
    let size: i64 = row.try_get("size").map_err(|e| unreachable(chain(&e)))?;
    let can_create_database: bool = row.try_get("createdb").map_err(|e| unreachable(chain(&e)))?;
    // A managed server may keep the system identifier to itself; host and port stand in for it then.
    let system = sqlx::query("select system_identifier::text as id from pg_control_system()")
        .fetch_one(&mut connection)
        .await
        .and_then(|row| row.try_get::<String, _>("id"))
        .unwrap_or_else(|_| format!("{}:{}", target.host, target.port));
    // Closing politely may fail when the server goes away; nothing depends on it.
    let _ = connection.close().await;
    Ok(DatabaseFacts {
        server_version: u32::try_from(major).unwrap_or_default(),
        pg_dump_version: clients.map(|c| c.major),
        size_bytes: u64::try_from(size).unwrap_or_default(),
        identity: format!("{system}/{}", target.database),
        can_create_database,
    })
}

/// An SQL identifier, quoted.
pub fn quoted(identifier: &str) -> String {
    format!("\"{}\"", identifier.replace('"', "\"\""))
}

#[cfg(test)]
mod tests;
