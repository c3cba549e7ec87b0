//! Access tokens: short-lived JWTs that an Ed25519 key signs, and the keys themselves.
//!
//! While an upgrade rolls, pods of two releases share the keys, and each must accept what the other
//! signed: a token without `aud` (before 2.7) and with it, of the fixed issuer (2.x) and of the configured
//! one (3.0). Refresh tokens are random and opaque; only their SHA-256 is stored.
//!
//! Must not: touch the database.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::pkcs8::EncodePrivateKey;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The issuer of every 2.x release.
pub const FIXED_ISSUER: &str = "orthid";

/// The audience of users that have none of their own.
pub const DEFAULT_AUDIENCE: &str = "orthid";

/// How far clocks of two nodes may be apart, in seconds.
const LEEWAY_SECONDS: u64 = 5;

/// What an access token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    pub iat: i64,
    pub exp: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aud: Option<String>,
}

/// A key pair as the database keeps it.
#[derive(Clone)]
pub struct SigningKey {
    pub kid: String,
    /// PKCS#8, DER.
    pub private: Vec<u8>,
    pub public: PublicKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// The half of a key that everyone may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    pub kid: String,
    /// The 32 bytes of an Ed25519 public key.
    pub bytes: Vec<u8>,
}

impl SigningKey {
    /// A new random key. Its id is the start of its public half's digest.
    pub fn generate() -> SigningKey {
        let pair = ed25519_dalek::SigningKey::from_bytes(&rand::random::<[u8; 32]>());
        let public = pair.verifying_key().to_bytes();
        let kid = hex::encode(&Sha256::digest(public)[..8]);
        let private =
            pair.to_pkcs8_der().expect("an Ed25519 key has a PKCS#8 form").as_bytes().to_vec();
        let public = PublicKey { kid: kid.clone(), bytes: public.to_vec() };
        SigningKey { kid, private, public }
    }

    /// Signs an access token.
    pub fn sign(&self, claims: &Claims) -> Result<String, jsonwebtoken::errors::Error> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_ed_der(&self.private))
    }
}

impl PublicKey {
    /// As an entry of a JWKS (RFC 8037).
    pub fn jwk(&self) -> serde_json::Value {
        serde_json::json!({
            "kty": "OKP",
            "crv": "Ed25519",
            "alg": "EdDSA",
            "use": "sig",
            "kid": self.kid,
            "x": URL_SAFE_NO_PAD.encode(&self.bytes),
        })
    }
}

/// Checks a token's signature, lifetime and issuer against the keys in use, and gives back what it says.
///
/// The audience is for the services that take the token; this one issued it and accepts any.
pub fn verify(
    token: &str,
    keys: &[PublicKey],
    issuers: &[&str],
) -> Result<Claims, jsonwebtoken::errors::Error> {
    use jsonwebtoken::errors::ErrorKind;

    let kid = jsonwebtoken::decode_header(token)?.kid;
    let key = keys
        .iter()
        .find(|key| Some(&key.kid) == kid.as_ref())
        .ok_or(ErrorKind::InvalidSignature)?;
    let mut validation = Validation::new(Algorithm::EdDSA);
    validation.leeway = LEEWAY_SECONDS;
    validation.validate_aud = false;
    validation.set_issuer(issuers);
    validation.set_required_spec_claims(&["exp", "iss", "sub"]);
    let key = DecodingKey::from_ed_der(&key.bytes);
    Ok(jsonwebtoken::decode::<Claims>(token, &key, &validation)?.claims)
}

/// A new refresh token.
pub fn refresh_token() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// What is stored of a refresh token.
pub fn digest(refresh_token: &str) -> Vec<u8> {
    Sha256::digest(refresh_token.as_bytes()).to_vec()
}

/// A random id with a prefix that says of what.
pub fn id(prefix: &str) -> String {
    format!("{prefix}_{}", hex::encode(rand::random::<[u8; 12]>()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn claims(iss: &str, aud: Option<&str>, lifetime: i64) -> Claims {
        let now = clock::now();
        Claims {
            iss: iss.to_owned(),
            sub: "usr_1".to_owned(),
            iat: now,
            exp: now + lifetime,
            aud: aud.map(str::to_owned),
        }
    }

    #[test]
    fn each_release_accepts_what_its_neighbour_signed() {
        let key = SigningKey::generate();
        let keys = [SigningKey::generate().public, key.public.clone()];
        for aud in [None, Some("orthid")] {
            let said = claims(FIXED_ISSUER, aud, 60);
            let token = key.sign(&said).unwrap();
            assert_eq!(verify(&token, &keys, &[FIXED_ISSUER]).unwrap(), said);
            assert_eq!(verify(&token, &keys, &["https://id.example", FIXED_ISSUER]).unwrap(), said);
        }
    }

    #[test]
    fn refuses_other_keys_other_issuers_and_expired_tokens() {
        let key = SigningKey::generate();
        let known = [key.public.clone()];
        let token = key.sign(&claims(FIXED_ISSUER, None, 60)).unwrap();
        assert!(verify(&token, &[SigningKey::generate().public], &[FIXED_ISSUER]).is_err());
        assert!(verify(&token, &known, &["https://id.example"]).is_err());
        assert!(verify("not.a.token", &known, &[FIXED_ISSUER]).is_err());
        let expired = key.sign(&claims(FIXED_ISSUER, None, -60)).unwrap();
        assert!(verify(&expired, &known, &[FIXED_ISSUER]).is_err());

        // Another key that claims this one's id.
        let mut forger = SigningKey::generate();
        forger.kid.clone_from(&key.kid);
        let forged = forger.sign(&claims(FIXED_ISSUER, None, 60)).unwrap();
        assert!(verify(&forged, &known, &[FIXED_ISSUER]).is_err());
    }

    #[test]
    fn a_key_shows_nothing_private() {
        let key = SigningKey::generate();
        assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.kid));
        assert_eq!(key.public.jwk()["kid"], key.kid);
    }
}
