//! Private keys that a command is given: for approvals, and for the heads of journals.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use crate::cli::shared::error::CommandError;
use crate::model::PublicKey;
use crate::run::envelope::{Envelope, SSH_NAMESPACE, SigningKey};
use crate::world::files::read_regular;

/// Largest key or approval file, in bytes.
pub const MAX_BYTES: u64 = 64 * 1024;

#[derive(clap::Args, Clone, Debug, Default)]
pub struct SignArgs {
    /// Sign what this process writes to the journal with this private key: ed25519, PEM
    #[arg(long, env = "ORTHID_SIGN_KEY", value_name = "FILE", hide_env_values = true)]
    sign_key: Option<PathBuf>,
}

impl SignArgs {
    pub fn key(&self) -> Result<Option<Arc<SigningKey>>, CommandError> {
        self.sign_key.as_deref().map(|path| read(path).map(Arc::new)).transpose()
    }
}

/// Reads a private key. The error does not repeat what was read.
fn read(path: &Path) -> Result<SigningKey, CommandError> {
    SigningKey::from_pem(&text(path)?).map_err(|_| not_a_key(path))
}

fn text(path: &Path) -> Result<String, CommandError> {
    let bytes =
        read_regular(path, MAX_BYTES).map_err(|error| CommandError::io("read", path, &error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn not_a_key(path: &Path) -> CommandError {
    CommandError::with_help(
        format!("{} holds no ed25519 key that can sign", path.display()),
        "make one with `openssl genpkey -algorithm ed25519 -out approver.pem` or `ssh-keygen -t ed25519`; \
         --sign-key takes none under a passphrase",
    )
}

/// An approver's hand: a private key, or one that OpenSSH keeps.
#[derive(Debug)]
pub enum Signer {
    Key(SigningKey),
    /// In an agent, or under a passphrase: `ssh-keygen` signs.
    OpenSsh {
        public: PublicKey,
        file: PathBuf,
    },
}

impl Signer {
    /// Reads a private key, or the public half of one that an agent holds.
    pub fn read(path: &Path) -> Result<Signer, CommandError> {
        let text = text(path)?;
        if let Ok(key) = SigningKey::from_pem(&text) {
            return Ok(Signer::Key(key));
        }
        let locked = ssh_key::PrivateKey::from_openssh(&text).ok();
        let locked = locked.and_then(|key| key.public_key().to_openssh().ok());
        let public = locked.as_deref().unwrap_or(&text).parse();
        let file = path.to_owned();
        public.map(|public| Signer::OpenSsh { public, file }).map_err(|_| not_a_key(path))
    }

    pub fn public(&self) -> &PublicKey {
        match self {
            Signer::Key(key) => key.public(),
            Signer::OpenSsh { public, file: _ } => public,
        }
    }

    pub fn add_to(&self, envelope: &mut Envelope) -> Result<(), CommandError> {
        match self {
            Signer::Key(key) => key.add_to(envelope),
            Signer::OpenSsh { public, file } => {
                let sig = ssh_keygen(file, &envelope.signed_bytes())?;
                envelope.add(public, sig);
            }
        }
        Ok(())
    }
}

/// Has OpenSSH sign, which asks its agent, or the person at the terminal for the passphrase.
fn ssh_keygen(key: &Path, bytes: &[u8]) -> Result<String, CommandError> {
    let failed = |why: String| {
        CommandError::with_help(
            format!("ssh-keygen did not sign with {}: {why}", key.display()),
            "`ssh-add -l` lists the keys that the agent holds; a public key needs its private half there",
        )
    };
    let mut child = Command::new("ssh-keygen")
        .args(["-Y", "sign", "-n", SSH_NAMESPACE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(error.to_string()))?;
    let written = child.stdin.take().map(|mut stdin| stdin.write_all(bytes));
    let output = child.wait_with_output().map_err(|error| failed(error.to_string()))?;
    match (output.status.success(), written) {
        (true, Some(Ok(()))) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        (true, _) => Err(failed("it did not read what is to be signed".to_owned())),
        (false, _) => Err(failed(output.status.to_string())),
    }
}
