//! Private keys that a command is given: for approvals, and for the heads of journals.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::cli::shared::error::CommandError;
use crate::run::envelope::SigningKey;
use crate::world::files::read_regular;

/// Largest key or approval file, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024;

#[derive(clap::Args, Clone, Debug, Default)]
pub struct SignArgs {
    /// Sign what this process writes to the journal with this private key: ed25519, PKCS #8, PEM
    #[arg(long, env = "ORTHID_SIGN_KEY", value_name = "FILE", hide_env_values = true)]
    sign_key: Option<PathBuf>,
}

impl SignArgs {
    pub fn key(&self) -> Result<Option<Arc<SigningKey>>, CommandError> {
        self.sign_key.as_deref().map(|path| read(path).map(Arc::new)).transpose()
    }
}

/// Reads a private key. The error does not repeat what was read.
pub fn read(path: &Path) -> Result<SigningKey, CommandError> {
    let bytes =
        read_regular(path, MAX_BYTES).map_err(|error| CommandError::io("read", path, &error))?;
    SigningKey::from_pem(&String::from_utf8_lossy(&bytes)).map_err(|_| {
        CommandError::with_help(
            format!("{} holds no ed25519 private key in PEM", path.display()),
            "make one with `openssl genpkey -algorithm ed25519 -out approver.pem`",
        )
    })
}
