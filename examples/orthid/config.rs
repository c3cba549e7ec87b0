//! What `orthid serve` is configured with, from the environment, checked before anything starts.
//!
//! [`ServeArgs`] is what was given; [`Config`] is what it means to the release that this binary acts as.
//!
//! Must not: guess. A release that requires a value refuses to start without it and names it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

use crate::faults::ServeFaults;
use crate::releases::{Release, SessionConfig};
use crate::tokens::FIXED_ISSUER;

/// How long an access token lives where 2.x is not told.
const DEFAULT_ACCESS_TTL_SECONDS: u64 = 900;

/// As given on the command line and in the environment.
#[derive(Args, Clone)]
pub struct ServeArgs {
    /// Address to listen on.
    #[arg(long, env = "ORTHID_LISTEN", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Lifetime of access tokens (2.x).
    #[arg(long, env = "ORTHID_SESSION_TTL", value_name = "SECONDS")]
    session_ttl: Option<u64>,

    /// Lifetime of access tokens (since 3.0.0, required there).
    #[arg(long, env = "ORTHID_SESSIONS_ACCESS_TTL", value_name = "SECONDS")]
    sessions_access_ttl: Option<u64>,

    /// Issuer of access tokens (since 3.0.0, required there).
    #[arg(long, env = "ORTHID_ISSUER_URL", value_name = "URL")]
    issuer_url: Option<String>,

    /// How long the sign-in log is kept (since 2.7.0).
    #[arg(
        long,
        env = "ORTHID_SIGN_IN_LOG_RETENTION_DAYS",
        value_name = "DAYS",
        default_value_t = 30
    )]
    sign_in_log_retention_days: u32,

    /// How long to go on serving, not ready, after SIGTERM.
    #[arg(long, env = "ORTHID_DRAIN_SECONDS", value_name = "SECONDS", default_value_t = 2)]
    drain_seconds: u64,

    /// A user to create where there is none of this address.
    #[arg(long, env = "ORTHID_DEMO_USER_EMAIL", value_name = "ADDRESS")]
    demo_user_email: Option<String>,

    /// The password of that user.
    #[arg(skip = password_from_environment())]
    demo_user_password: Option<String>,

    #[command(flatten)]
    faults: ServeFaults,
}

/// Secrets come by the environment only: a command line is there for every process to see.
#[expect(clippy::disallowed_methods, reason = "the service's own boundary to the environment")]
fn password_from_environment() -> Option<String> {
    std::env::var("ORTHID_DEMO_USER_PASSWORD").ok().filter(|password| !password.is_empty())
}

/// What the service runs with.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    pub access_ttl_seconds: u64,
    /// What new tokens say.
    pub issuer: String,
    pub sign_in_log_retention_days: u32,
    pub drain: Duration,
    pub demo_user: Option<DemoUser>,
    pub faults: ServeFaults,
}

/// The seeded user.
#[derive(Clone)]
pub struct DemoUser {
    pub email: String,
    pub password: String,
}

impl fmt::Debug for DemoUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DemoUser({})", self.email)
    }
}

impl Config {
    /// Checks what was given against what the release needs.
    ///
    /// # Errors
    ///
    /// Every value that is missing, by the name it has in the environment.
    pub fn resolve(release: &Release, given: ServeArgs) -> Result<Config, String> {
        let ServeArgs {
            listen,
            session_ttl,
            sessions_access_ttl,
            issuer_url,
            sign_in_log_retention_days,
            drain_seconds,
            demo_user_email,
            demo_user_password,
            faults,
        } = given;
        let (access_ttl_seconds, issuer) = match release.features.session_config {
            SessionConfig::Fixed => {
                (session_ttl.unwrap_or(DEFAULT_ACCESS_TTL_SECONDS), FIXED_ISSUER.to_owned())
            }
            SessionConfig::Configured => {
                let issuer_url = issuer_url.filter(|url| !url.is_empty());
                match (sessions_access_ttl, issuer_url) {
                    (Some(ttl), Some(issuer)) => (ttl, issuer),
                    (ttl, issuer) => {
                        let mut missing = Vec::new();
                        if ttl.is_none() {
                            missing.push("ORTHID_SESSIONS_ACCESS_TTL");
                        }
                        if issuer.is_none() {
                            missing.push("ORTHID_ISSUER_URL");
                        }
                        let missing = missing.join(" and ");
                        return Err(format!("{} requires {missing}", release.version));
                    }
                }
            }
        };
        let demo_user = match (demo_user_email, demo_user_password) {
            (Some(email), Some(password)) => Some(DemoUser { email, password }),
            (None, None | Some(_)) => None,
            (Some(_), None) => {
                return Err(
                    "ORTHID_DEMO_USER_EMAIL is set without ORTHID_DEMO_USER_PASSWORD".to_owned()
                );
            }
        };
        Ok(Config {
            listen,
            access_ttl_seconds,
            issuer,
            sign_in_log_retention_days,
            drain: Duration::from_secs(drain_seconds),
            demo_user,
            faults,
        })
    }

    /// The issuers whose tokens are accepted: this one, and the one of the release before, until its tokens expire.
    pub fn accepted_issuers(&self) -> [&str; 2] {
        [&self.issuer, FIXED_ISSUER]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> ServeArgs {
        ServeArgs {
            listen: "127.0.0.1:8080".parse().unwrap(),
            session_ttl: Some(600),
            sessions_access_ttl: None,
            issuer_url: None,
            sign_in_log_retention_days: 30,
            drain_seconds: 2,
            demo_user_email: None,
            demo_user_password: None,
            faults: ServeFaults::default(),
        }
    }

    #[test]
    fn each_major_reads_its_own_names() {
        let v2 = Config::resolve(Release::find("2.8.0").unwrap(), given()).unwrap();
        assert_eq!((v2.access_ttl_seconds, v2.issuer.as_str()), (600, "orthid"));

        let v3 = Release::find("3.0.0").unwrap();
        assert_eq!(
            Config::resolve(v3, given()).unwrap_err(),
            "3.0.0 requires ORTHID_SESSIONS_ACCESS_TTL and ORTHID_ISSUER_URL"
        );
        let given = ServeArgs {
            sessions_access_ttl: Some(300),
            issuer_url: Some("https://id.example".to_owned()),
            ..given()
        };
        let v3 = Config::resolve(v3, given).unwrap();
        assert_eq!((v3.access_ttl_seconds, v3.issuer.as_str()), (300, "https://id.example"));
        assert_eq!(v3.accepted_issuers(), ["https://id.example", "orthid"]);
    }

    #[test]
    fn a_demo_user_needs_a_password_and_does_not_show_it() {
        let release = Release::find("2.6.0").unwrap();
        let without =
            ServeArgs { demo_user_email: Some("demo@orthid.example".to_owned()), ..given() };
        assert!(Config::resolve(release, without.clone()).is_err());
        let with = ServeArgs { demo_user_password: Some("hunter2".to_owned()), ..without };
        let config = Config::resolve(release, with).unwrap();
        assert!(!format!("{config:?}").contains("hunter2"));
    }
}
