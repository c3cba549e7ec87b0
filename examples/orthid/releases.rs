//! What each release is: the one table from which the program takes how it behaves as 2.5.0, 2.6.3, 3.0.0, …
//!
//! One binary acts as every release, because that is how seven of them fit in one example; everything
//! that makes them differ is in [`RELEASES`], and code elsewhere asks a [`Release`] what it does instead
//! of comparing versions. What people read about a release, `releases/<version>/release.yaml`, is held
//! to this table by a test.
//!
//! Must not: read the environment, touch a database.

use std::fmt;

/// One release of OrthID.
#[derive(Debug)]
pub struct Release {
    pub version: &'static str,
    /// How many of [`crate::migrations::MIGRATIONS`] its image carries.
    pub carries: usize,
    /// The oldest schema it runs on, as a number of applied migrations. A first start creates this one.
    pub schema_min: usize,
    /// The newest schema it runs on.
    pub schema_max: usize,
    pub features: Features,
}

/// What a release does that another does not.
#[derive(Clone, Copy, Debug)]
pub struct Features {
    /// The column that `sign-in` looks a user up by.
    pub login_column: LoginColumn,
    /// The reuse of a spent refresh token revokes its family.
    pub token_families: bool,
    /// Access tokens carry `aud`.
    pub audience: bool,
    /// Sign-ins are logged, and `GET /v1/me/sign-ins` lists them.
    pub sign_in_log: bool,
    /// Users have a display name, which `PUT /v1/me` sets.
    pub display_name: bool,
    /// `GET /v1/userinfo`, deprecated since 2.6.0.
    pub userinfo: bool,
    /// Where the issuer and the lifetime of access tokens are configured.
    pub session_config: SessionConfig,
}

/// The column of `users` that holds what a user signs in with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginColumn {
    Email,
    Login,
}

/// How sessions are configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionConfig {
    /// `ORTHID_SESSION_TTL`; the issuer is fixed.
    Fixed,
    /// `ORTHID_SESSIONS_ACCESS_TTL` and `ORTHID_ISSUER_URL`, both required.
    Configured,
}

const V2_5: Features = Features {
    login_column: LoginColumn::Email,
    token_families: false,
    audience: false,
    sign_in_log: false,
    display_name: false,
    userinfo: true,
    session_config: SessionConfig::Fixed,
};
const V2_6: Features = Features { token_families: true, ..V2_5 };
const V2_7: Features = Features { audience: true, sign_in_log: true, ..V2_6 };
const V2_8: Features = Features { display_name: true, ..V2_7 };
const V3_0: Features = Features {
    login_column: LoginColumn::Login,
    userinfo: false,
    session_config: SessionConfig::Configured,
    ..V2_8
};

/// Every release, oldest first.
///
/// A 2.x release runs on the schema of the next minor, so that pods of both serve while an upgrade rolls
/// and the app can be rolled back without the database. 2.8.0 does not run on 3.0.0's.
pub const RELEASES: [Release; 7] = [
    Release { version: "2.5.0", carries: 2, schema_min: 2, schema_max: 3, features: V2_5 },
    Release { version: "2.6.0", carries: 3, schema_min: 3, schema_max: 5, features: V2_6 },
    // Carries 2.7's migrations without needing them, so that a running 2.6.3 can bring the schema up ahead of 2.7.
    Release { version: "2.6.3", carries: 5, schema_min: 3, schema_max: 5, features: V2_6 },
    Release { version: "2.7.0", carries: 5, schema_min: 5, schema_max: 6, features: V2_7 },
    Release { version: "2.7.1", carries: 5, schema_min: 5, schema_max: 6, features: V2_7 },
    Release { version: "2.8.0", carries: 6, schema_min: 6, schema_max: 6, features: V2_8 },
    Release { version: "3.0.0", carries: 7, schema_min: 7, schema_max: 7, features: V3_0 },
];

/// Why a release does not run on a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaMismatch {
    TooOld { schema: usize, needs: usize },
    TooNew { schema: usize, supports: usize },
}

impl fmt::Display for SchemaMismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SchemaMismatch::TooOld { schema, needs } => {
                write!(
                    f,
                    "the schema is at {schema} and this release needs {needs}; run `orthid migrate up`"
                )
            }
            SchemaMismatch::TooNew { schema, supports } => {
                write!(f, "the schema is at {schema} and this release supports {supports} at most")
            }
        }
    }
}

impl Release {
    /// Finds a release by its exact version.
    ///
    /// # Errors
    ///
    /// A sentence that lists the versions there are.
    pub fn find(version: &str) -> Result<&'static Release, String> {
        RELEASES.iter().find(|release| release.version == version).ok_or_else(|| {
            let known: Vec<&str> = RELEASES.iter().map(|release| release.version).collect();
            format!("no release {version:?}; ORTHID_RELEASE is one of {}", known.join(", "))
        })
    }

    /// Whether this release runs on a schema of so many applied migrations.
    pub fn judge(&self, schema: usize) -> Result<(), SchemaMismatch> {
        if schema < self.schema_min {
            Err(SchemaMismatch::TooOld { schema, needs: self.schema_min })
        } else if schema > self.schema_max {
            Err(SchemaMismatch::TooNew { schema, supports: self.schema_max })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
#[path = "releases_tests.rs"]
mod tests;
