//! Which store a state URL means.
//!
//! Must not: open anything, or repeat a URL in an error (it may hold a password).

use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

use super::StoreError;

/// A state URL, understood.
#[derive(Clone, Debug)]
pub enum Location {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

const FORMS: &str = "use sqlite:PATH or postgres://USER@HOST:PORT/DATABASE";

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let (scheme, rest) = url.split_once(':').ok_or_else(|| {
            StoreError::Refused(format!("the state URL names no kind of store: {FORMS}"))
        })?;
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                if path.is_empty() || path.starts_with(':') || path.contains('?') {
                    return Err(StoreError::Refused(format!(
                        "the state URL names no file: {FORMS}"
                    )));
                }
                Ok(Location::Sqlite(PathBuf::from(path)))
            }
            "postgres" | "postgresql" => match PgConnectOptions::from_str(url) {
                Ok(options) => Ok(Location::Postgres(Box::new(options))),
                // The parser's own message may quote the URL.
                Err(_) => Err(StoreError::Refused(format!(
                    "the state URL is not a PostgreSQL connection URL: {FORMS}"
                ))),
            },
            other => Err(StoreError::Refused(format!(
                "{} is not a kind of state store: {FORMS}",
                // A password without a scheme in front must not be repeated either.
                if other.chars().all(|c| c.is_ascii_alphanumeric()) && other.len() <= 12 {
                    format!("`{other}:`")
                } else {
                    "this".to_owned()
                }
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sqlite(url: &str) -> String {
        match url.parse() {
            Ok(Location::Sqlite(path)) => path.display().to_string(),
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn sqlite_urls_name_files_relative_and_absolute() {
        assert_eq!(sqlite("sqlite:.orthid/state.db"), ".orthid/state.db");
        assert_eq!(sqlite("sqlite://state.db"), "state.db");
        assert_eq!(sqlite("sqlite:///var/lib/orthid/state.db"), "/var/lib/orthid/state.db");
        assert_eq!(sqlite("sqlite:/var/lib/orthid/state.db"), "/var/lib/orthid/state.db");
    }

    #[test]
    fn what_cannot_be_opened_is_refused_without_repeating_it() {
        for url in [
            "",
            "state.db",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:state.db?mode=ro",
            "mysql://root:hunter2@db/x",
            "postgres://root:hunter2@[broken/x",
            "postgres://root:hunter2@db/x?sslmode=hunter2",
            "hunter2isnotascheme:x",
        ] {
            let error = url.parse::<Location>().expect_err(url).to_string();
            assert!(!error.contains("hunter2"), "{url}: {error}");
            assert!(error.contains("sqlite:PATH"), "{url}: {error}");
        }
    }
}
