//! A signed document: a DSSE envelope (<https://github.com/secure-systems-lab/dsse>) under ed25519 signatures.
//!
//! Must not: know what is signed, or read files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek as dalek;
use ed25519_dalek::Signer;
use ed25519_dalek::pkcs8::DecodePrivateKey;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

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
    /// The public key, in Base64.
    keyid: String,
    sig: String,
}

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
    ) -> Result<(T, Vec<String>), EnvelopeError> {
        let not_one = |error: &dyn std::fmt::Display| EnvelopeError::NotOne(error.to_string());
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|error| not_one(&error))?;
        if envelope.payload_type != payload_type {
            return Err(not_one(&format!("its type is `{}`", envelope.payload_type)));
        }
        let payload = STANDARD.decode(&envelope.payload).map_err(|error| not_one(&error))?;
        let signed = encoded(payload_type, &payload);
        let good = envelope.signatures.into_iter().filter(|signature| is_right(signature, &signed));
        let signers: Vec<String> = good.map(|signature| signature.keyid).collect();
        if signers.is_empty() {
            return Err(EnvelopeError::NotSigned);
        }
        // Only what is signed is read.
        let document = serde_json::from_slice(&payload).map_err(|error| not_one(&error))?;
        Ok((document, signers))
    }

    /// Adds the signatures of another envelope around the same document.
    #[cfg(test)]
    pub(super) fn join(&mut self, other: Envelope) {
        assert_eq!(self.payload, other.payload, "one document");
        self.signatures.extend(other.signatures);
    }
}

/// A private key as `openssl genpkey -algorithm ed25519` writes it.
pub struct SigningKey(dalek::SigningKey);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("SigningKey").field(&self.public()).finish()
    }
}

impl SigningKey {
    /// Reads PKCS #8 in PEM. The error does not repeat what was read.
    pub fn from_pem(pem: &str) -> Result<Self, EnvelopeError> {
        dalek::SigningKey::from_pkcs8_pem(pem).map(Self).map_err(|_| {
            EnvelopeError::NotOne("the key is not an ed25519 private key in PEM".to_owned())
        })
    }

    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(dalek::SigningKey::from_bytes(&seed))
    }

    /// The public key, as an `approve` step's `keys` lists it.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.verifying_key().as_bytes())
    }

    pub fn sign(&self, payload_type: &str, document: &impl Serialize) -> Envelope {
        let payload = serde_json::to_vec(document).expect("a document is plain data");
        let sig = self.0.sign(&encoded(payload_type, &payload));
        Envelope {
            payload_type: payload_type.to_owned(),
            payload: STANDARD.encode(payload),
            signatures: vec![EnvelopeSignature {
                keyid: self.public(),
                sig: STANDARD.encode(sig.to_bytes()),
            }],
        }
    }
}

/// DSSE's pre-authentication encoding: what is signed covers the type too.
fn encoded(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

fn is_right(signature: &EnvelopeSignature, signed: &[u8]) -> bool {
    let check = || {
        let key: [u8; 32] = STANDARD.decode(&signature.keyid).ok()?.try_into().ok()?;
        let key = dalek::VerifyingKey::from_bytes(&key).ok()?;
        let sig = dalek::Signature::from_slice(&STANDARD.decode(&signature.sig).ok()?).ok()?;
        key.verify_strict(signed, &sig).ok()
    };
    check().is_some()
}

#[cfg(test)]
mod tests {
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
        both.join(key(2).sign(TYPE, &"yes"));
        let mut forged = key(3).sign(TYPE, &"yes");
        forged.signatures[0].sig = both.signatures[0].sig.clone();
        both.join(forged);
        let (document, signers) = Envelope::open::<String>(&bytes(&both), TYPE).unwrap();
        assert_eq!((document.as_str(), signers), ("yes", vec![key(1).public(), key(2).public()]));
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
            |it| it.signatures[0].keyid = key(9).public(),
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
}
