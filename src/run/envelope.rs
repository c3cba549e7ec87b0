//! A signed document: a DSSE envelope (<https://github.com/secure-systems-lab/dsse>) under ed25519 signatures.
//!
//! A signature is the bare one, in Base64, or one that `ssh-keygen -Y sign -n orthid` made of the same bytes, in its armor:
//! a key that lives in an agent, or under a passphrase, signs that way.
//!
//! Must not: know what is signed, or read files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek as dalek;
use ed25519_dalek::Signer;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ssh_key::SshSig;
use ssh_key::public::{Ed25519PublicKey, KeyData};
use thiserror::Error;

use crate::model::PublicKey;

/// A document and its signatures, as DSSE spells them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    #[serde(rename = "payloadType")]
    payload_type: String,
    payload: String,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSignature {
    /// The public key.
    keyid: String,
    sig: String,
}

/// What `ssh-keygen -Y sign` is told that its signature is for, so that none that was made for something else counts.
pub const SSH_NAMESPACE: &str = "orthid";
const SSH_ARMOR: &str = "-----BEGIN SSH SIGNATURE-----";

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EnvelopeError {
    #[error("{0}")]
    NotOne(String),
    #[error("no signature of it is right: it was changed after it was signed")]
    NotSigned,
}

impl Envelope {
    /// The document, and the public keys whose signature of it is good; at least one is.
    pub fn open<T: DeserializeOwned>(
        bytes: &[u8],
        payload_type: &str,
    ) -> Result<(T, Vec<PublicKey>), EnvelopeError> {
        let not_one = |error: &dyn std::fmt::Display| EnvelopeError::NotOne(error.to_string());
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| not_one(&error))?;
        if envelope.payload_type != payload_type {
            return Err(not_one(&format!("its type is `{}`", envelope.payload_type)));
        }
        let payload = STANDARD.decode(&envelope.payload).map_err(|error| not_one(&error))?;
        let signed = encoded(payload_type, &payload);
        let good = envelope.signatures.iter().filter_map(|signature| signer(signature, &signed));
        let signers: Vec<PublicKey> = good.collect();
        if signers.is_empty() {
            return Err(EnvelopeError::NotSigned);
        }
        // Only what is signed is read.
        let document = serde_json::from_slice(&payload).map_err(|error| not_one(&error))?;
        Ok((document, signers))
    }

    /// A document without a signature yet.
    pub fn unsigned(payload_type: &str, document: &impl Serialize) -> Envelope {
        let payload = serde_json::to_vec(document).expect("a document is plain data");
        Envelope {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: Vec::new(),
        }
    }

    /// The bytes that a signature is made of: DSSE's pre-authentication encoding, which covers the type too.
    pub fn signed_bytes(&self) -> Vec<u8> {
        let payload = STANDARD.decode(&self.payload).expect("the payload was encoded here");
        encoded(&self.payload_type, &payload)
    }

    /// Adds a signature, whether or not it is good: [`Envelope::open`] tells.
    pub fn add(&mut self, key: &PublicKey, sig: String) {
        self.signatures.push(EnvelopeSignature { keyid: key.to_string(), sig });
    }
}

/// A private key: ed25519, as `openssl genpkey` or `ssh-keygen` writes it.
pub struct SigningKey {
    key: dalek::SigningKey,
    public: PublicKey,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public).finish()
    }
}

impl SigningKey {
    /// Reads PKCS #8 or OpenSSH's format, in PEM. The error does not repeat what was read.
    pub fn from_pem(pem: &str) -> Result<Self, EnvelopeError> {
        let not_one = || {
            let reason = "the key is not an ed25519 private key in PEM, without a passphrase";
            EnvelopeError::NotOne(reason.to_owned())
        };
        if let Ok(key) = dalek::SigningKey::from_pkcs8_pem(pem) {
            let public = PublicKey::raw(key.verifying_key().to_bytes());
            return Ok(Self { key, public });
        }
        let key = ssh_key::PrivateKey::from_openssh(pem).map_err(|_| not_one())?;
        let pair = key.key_data().ed25519().ok_or_else(not_one)?;
        let key = dalek::SigningKey::from_bytes(&pair.private.to_bytes());
        let public = PublicKey::openssh(key.verifying_key().to_bytes());
        Ok(Self { key, public })
    }

    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = dalek::SigningKey::from_bytes(&seed);
        let public = PublicKey::raw(key.verifying_key().to_bytes());
        Self { key, public }
    }

    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    pub fn sign(&self, payload_type: &str, document: &impl Serialize) -> Envelope {
        let mut envelope = Envelope::unsigned(payload_type, document);
        self.add_to(&mut envelope);
        envelope
    }

    /// Adds this key's signature.
    pub fn add_to(&self, envelope: &mut Envelope) {
        let sig = self.key.sign(&envelope.signed_bytes());
        envelope.add(&self.public, STANDARD.encode(sig.to_bytes()));
    }
}

/// DSSE's pre-authentication encoding: what is signed covers the type too.
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

/// The key whose good signature this is.
fn signer(signature: &EnvelopeSignature, signed: &[u8]) -> Option<PublicKey> {
    let key: PublicKey = signature.keyid.parse().ok()?;
    if signature.sig.starts_with(SSH_ARMOR) {
        let sig = SshSig::from_pem(&signature.sig).ok()?;
        let data = KeyData::Ed25519(Ed25519PublicKey(*key.point()));
        ssh_key::PublicKey::new(data, "").verify(SSH_NAMESPACE, signed, &sig).ok()?;
        return Some(key);
    }
    let sig = dalek::Signature::from_slice(&STANDARD.decode(&signature.sig).ok()?).ok()?;
    dalek::VerifyingKey::from_bytes(key.point()).ok()?.verify_strict(signed, &sig).ok()?;
    Some(key)
}

#[cfg(test)]
mod tests {
    use ssh_key::private::Ed25519Keypair;
    use ssh_key::{HashAlg, LineEnding};

    use super::*;

    const TYPE: &str = "text/test";

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed([seed; 32])
    }

    fn bytes(envelope: &Envelope) -> Vec<u8> {
        serde_json::to_vec(envelope).unwrap()
    }

    #[test]
    fn it_gives_what_was_signed_and_the_keys_whose_signature_is_good() {
        let mut both = key(1).sign(TYPE, &"yes");
        both.signatures.extend(key(2).sign(TYPE, &"yes").signatures);
        both.add(key(3).public(), both.signatures[0].sig.clone());
        let (document, signers) = Envelope::open::<String>(&bytes(&both), TYPE).unwrap();
        assert_eq!(document, "yes");
        assert_eq!(signers, [key(1).public().clone(), key(2).public().clone()]);
    }

    #[test]
    fn what_was_changed_is_refused() {
        let signed = key(1).sign(TYPE, &"yes");
        let changed = |change: fn(&mut Envelope)| {
            let mut envelope = signed.clone();
            change(&mut envelope);
            Envelope::open::<String>(&bytes(&envelope), TYPE).unwrap_err()
        };
        let cases: [fn(&mut Envelope); 5] = [
            |it| it.payload = STANDARD.encode("\"no\""),
            |it| it.signatures[0].keyid = key(9).public().to_string(),
            |it| it.signatures[0].sig = STANDARD.encode([0; 64]),
            |it| it.signatures[0].keyid = "?".to_owned(),
            |it| it.signatures.clear(),
        ];
        for case in cases {
            assert_eq!(changed(case), EnvelopeError::NotSigned);
        }
        let other = Envelope::open::<String>(&bytes(&signed), "text/other").unwrap_err();
        assert!(other.to_string().contains(TYPE), "{other}");
        assert!(Envelope::open::<String>(b"{}", TYPE).is_err());
    }
    /// What `ssh-keygen -Y sign -n NAMESPACE` writes.
    fn ssh_signed(seed: u8, namespace: &str, hash: HashAlg) -> Envelope {
        let pair = Ed25519Keypair::from_seed(&[seed; 32]);
        let private = ssh_key::PrivateKey::from(pair);
        let mut envelope = Envelope::unsigned(TYPE, &"yes");
        let sig = private.sign(namespace, hash, &envelope.signed_bytes()).unwrap();
        let key = PublicKey::openssh(*key(seed).public().point());
        envelope.add(&key, sig.to_pem(LineEnding::LF).unwrap());
        envelope
    }

    #[test]
    fn a_signature_of_openssh_counts_where_it_was_made_for_this() {
        for hash in [HashAlg::Sha256, HashAlg::Sha512] {
            let bytes = bytes(&ssh_signed(1, SSH_NAMESPACE, hash));
            let (_, signers) = Envelope::open::<String>(&bytes, TYPE).unwrap();
            assert_eq!(signers, [key(1).public().clone()], "the same key in another form");
            assert!(signers[0].is_openssh());
        }
        let elsewhere = ssh_signed(1, "git", HashAlg::Sha512);
        let mut anothers = ssh_signed(1, SSH_NAMESPACE, HashAlg::Sha512);
        anothers.signatures[0].keyid = PublicKey::openssh([9; 32]).to_string();
        let mut changed = ssh_signed(1, SSH_NAMESPACE, HashAlg::Sha512);
        changed.payload = STANDARD.encode("\"no\"");
        for envelope in [elsewhere, anothers, changed] {
            let error = Envelope::open::<String>(&bytes(&envelope), TYPE).unwrap_err();
            assert_eq!(error, EnvelopeError::NotSigned);
        }
    }

    #[test]
    fn a_private_key_of_openssh_is_read() {
        let pair = Ed25519Keypair::from_seed(&[1; 32]);
        let pem = ssh_key::PrivateKey::from(pair).to_openssh(LineEnding::LF).unwrap();
        let read = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(read.public(), key(1).public());
        assert!(read.public().is_openssh());
        assert!(SigningKey::from_pem("-----BEGIN OPENSSH PRIVATE KEY-----").is_err());
    }
}
