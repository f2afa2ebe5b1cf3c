use std::fmt;
use std::sync::Arc;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::{AsBigEndian, EcPrivateKeyBin};
use serde_json::{Map, Value};
use thiserror::Error;
use zeroize::Zeroizing;

use super::{ALGORITHM, agreement};
use crate::public_jwk::excerpt;
use crate::{Algorithm, JwkError, KeyError, PublicJwk};

/// Bytes a `kid` may have: it comes back in every header.
const KEY_ID_LIMIT: usize = 256;

/// The public key of somebody who wants to get JWEs.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientKey {
    key: PublicJwk,
    key_id: Option<String>,
}

/// Why a JWK is not a key to encrypt for. Texts in `got` are cut to 64 characters.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RecipientKeyError {
    /// Not a usable public key.
    #[error(transparent)]
    Jwk(#[from] JwkError),
    /// `alg` is absent. A key says what it is used with (OpenID4VCI §8.2).
    #[error("the JWK has no alg, expected {ALGORITHM}")]
    AlgorithmMissing,
    /// `alg` names something else.
    #[error("alg of the JWK is {got:?}, expected {ALGORITHM}")]
    Algorithm {
        /// What the JWK says; empty when it is no text.
        got: String,
    },
    /// The curve is one for signatures only, or one that is not supported.
    #[error("crv of the JWK is {got}, expected P-256")]
    Curve {
        /// The curve.
        got: &'static str,
    },
    /// The key is for signatures.
    #[error("use of the JWK is {got:?}, expected enc")]
    Use {
        /// What the JWK says; empty when it is no text.
        got: String,
    },
    /// `kid` is not a text of 1 to 256 bytes.
    #[error("kid of the JWK is not a text of 1 to {KEY_ID_LIMIT} bytes")]
    KeyId,
}

impl RecipientKey {
    /// Reads a JWK on P-256 with `alg` `ECDH-ES`; `use` must be `enc` if it is there.
    pub fn from_json(jwk: &Map<String, Value>) -> Result<Self, RecipientKeyError> {
        let text = |value: &Value| excerpt(value.as_str().unwrap_or_default());
        if let Some(value) = jwk.get("use").filter(|value| value.as_str() != Some("enc")) {
            return Err(RecipientKeyError::Use { got: text(value) });
        }
        match jwk.get("alg") {
            None => return Err(RecipientKeyError::AlgorithmMissing),
            Some(value) if value.as_str() == Some(ALGORITHM) => {}
            Some(value) => return Err(RecipientKeyError::Algorithm { got: text(value) }),
        }
        // The same members with another `alg` make a signature key.
        let members = jwk.iter().filter(|(name, _)| *name != "alg");
        let key = PublicJwk::from_json(&members.map(|(name, value)| (name.clone(), value.clone())).collect())?;
        if key.algorithm() != Algorithm::Es256 {
            return Err(RecipientKeyError::Curve { got: key.algorithm().curve() });
        }
        let key_id = match jwk.get("kid") {
            None => None,
            Some(Value::String(id)) if (1..=KEY_ID_LIMIT).contains(&id.len()) => Some(id.clone()),
            Some(_) => return Err(RecipientKeyError::KeyId),
        };
        Ok(Self { key, key_id })
    }

    /// The key.
    #[must_use]
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.key
    }

    /// What `kid` of a JWE for this key must be; absent when the JWK has none.
    #[must_use]
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// The JWK as it is published: `kty`, `crv`, `x`, `y`, `kid` if there is one, `use` and `alg`.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut jwk = self.key.to_json();
        if let Some(key_id) = &self.key_id {
            jwk.insert("kid".to_owned(), key_id.as_str().into());
        }
        jwk.insert("use".to_owned(), "enc".into());
        jwk.insert("alg".to_owned(), ALGORITHM.into());
        jwk
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RecipientKey").field("key", &self.key).field("key_id", &self.key_id).finish()
    }
}

/// A private key on P-256 that decrypts, and does nothing else. Cloning shares it.
#[derive(Clone)]
pub struct DecryptionKey {
    private: Arc<PrivateKey>,
    public: RecipientKey,
    key_id: String,
}

impl DecryptionKey {
    /// Makes a new key that JWEs name by `key_id`.
    pub fn generate(key_id: &str) -> Result<Self, KeyError> {
        let failed = || KeyError::Generation(Algorithm::Es256);
        let private = PrivateKey::generate(&ECDH_P256).map_err(|_| failed())?;
        Self::new(key_id, private).ok_or_else(failed)
    }

    /// Reads the 32 bytes of [`DecryptionKey::to_bytes`].
    pub fn from_bytes(key_id: &str, bytes: &[u8]) -> Result<Self, KeyError> {
        let private = PrivateKey::from_private_key(&ECDH_P256, bytes).map_err(|_| KeyError::Pkcs8(Algorithm::Es256))?;
        Self::new(key_id, private).ok_or(KeyError::Pkcs8(Algorithm::Es256))
    }

    /// The private number, big-endian, to be sealed. The buffer is wiped when dropped.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let number: EcPrivateKeyBin<'_> =
            self.private.as_be_bytes().map_err(|_| KeyError::Generation(Algorithm::Es256))?;
        Ok(Zeroizing::new(number.as_ref().to_vec()))
    }

    /// What `kid` names it.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// The public half, with its `kid`, to be published.
    #[must_use]
    pub fn recipient(&self) -> &RecipientKey {
        &self.public
    }

    pub(super) fn private(&self) -> &PrivateKey {
        &self.private
    }

    fn new(key_id: &str, private: PrivateKey) -> Option<Self> {
        let key = agreement::public(&private)?;
        let public = RecipientKey { key, key_id: Some(key_id.to_owned()) };
        Some(Self { private: Arc::new(private), public, key_id: key_id.to_owned() })
    }
}

/// The public half only.
impl fmt::Debug for DecryptionKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("DecryptionKey").field("public", &self.public).finish_non_exhaustive()
    }
}
