//! Public keys of people: 32 bytes in Base64, as `orthid approve -public-key` prints them, or a line of OpenSSH's.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ssh_key::public::{Ed25519PublicKey, KeyData};

/// An ed25519 public key. Two are the same key whichever way they are written.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// As it was written, without white space around it and without a comment.
    text: String,
    point: [u8; 32],
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublicKeyError {
    #[error("it is neither 32 bytes in Base64 nor a line that begins with `ssh-ed25519`")]
    NotOne,
    #[error("it is OpenSSH's, of the kind {0}: only ssh-ed25519 is taken")]
    OtherKind(String),
}

impl PublicKey {
    /// A key that is written in Base64.
    pub fn raw(point: [u8; 32]) -> PublicKey {
        PublicKey { text: STANDARD.encode(point), point }
    }

    /// A key that is written as OpenSSH does.
    pub fn openssh(point: [u8; 32]) -> PublicKey {
        let key = KeyData::Ed25519(Ed25519PublicKey(point));
        let text = ssh_key::PublicKey::new(key, "").to_openssh();
        PublicKey { text: text.expect("an ed25519 key can be written"), point }
    }

    pub fn point(&self) -> &[u8; 32] {
        &self.point
    }

    /// Whether it is written as OpenSSH does.
    pub fn is_openssh(&self) -> bool {
        self.text.starts_with("ssh-")
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<PublicKey, PublicKeyError> {
        let text = text.trim();
        if let Some(kind) = text.split_whitespace().next()
            && kind.contains('-')
        {
            let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| match kind {
                "ssh-ed25519" => PublicKeyError::NotOne,
                other => PublicKeyError::OtherKind(other.to_owned()),
            })?;
            return match key.key_data() {
                KeyData::Ed25519(key) => Ok(PublicKey::openssh(key.0)),
                _ => Err(PublicKeyError::OtherKind(kind.to_owned())),
            };
        }
        let point = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
        point.map(PublicKey::raw).ok_or(PublicKeyError::NotOne)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &PublicKey) -> bool {
        self.point == other.point
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.point.hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_to_write_a_key_mean_the_same_key() {
        let raw = PublicKey::raw([7; 32]);
        let openssh = PublicKey::openssh([7; 32]);
        assert_eq!(raw, openssh);
        for written in [raw.to_string(), openssh.to_string(), format!("  {openssh} ann@laptop \n")]
        {
            let read: PublicKey = written.parse().unwrap();
            assert_eq!(read, raw, "{written}");
        }
        let commented: PublicKey = format!("{openssh} ann@laptop").parse().unwrap();
        assert_eq!(commented.to_string(), openssh.to_string());
        assert_ne!(raw, PublicKey::raw([8; 32]));
    }

    #[test]
    fn what_is_no_ed25519_key_is_told_apart() {
        let cases = [
            ("", "neither"),
            ("AAAA", "neither"),
            ("not a key", "neither"),
            ("ssh-ed25519", "neither"),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIQ==", "neither"),
            ("ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ==", "ssh-rsa"),
            ("sk-ssh-ed25519@openssh.com AAAA", "sk-ssh-ed25519@openssh.com"),
        ];
        for (text, said) in cases {
            let error = text.parse::<PublicKey>().unwrap_err().to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
