//! The wallet's own keys: holder keys and the DPoP key.

use std::fmt;

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::WalletError;
use crate::json::Object;

/// What a holder key can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Algorithm {
    /// ECDSA with P-256 and SHA-256.
    #[default]
    Es256,
    /// Ed25519, named `EdDSA` or (RFC 9864) `Ed25519` on the wire.
    Ed25519,
}

impl Algorithm {
    /// The JOSE names of this algorithm, the preferred one first.
    #[must_use]
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Self::Es256 => &["ES256"],
            Self::Ed25519 => &["EdDSA", "Ed25519"],
        }
    }

    /// The first of our names in `listed`, or the preferred name when the issuer lists none of them.
    pub(crate) fn name_from(self, listed: &[String]) -> &'static str {
        let names = self.names();
        names
            .iter()
            .find(|name| listed.iter().any(|listed| listed == *name))
            .or(names.first())
            .copied()
            .unwrap_or("ES256")
    }
}

enum Pair {
    Es256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A private key of the wallet with its public JWK.
pub struct HolderKey {
    pair: Pair,
    public: Object,
    thumbprint: String,
    certificates: Vec<Vec<u8>>,
}

impl HolderKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`WalletError::Key`] when the generator fails.
    pub fn generate(algorithm: Algorithm) -> Result<Self, WalletError> {
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Es256(
                EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
                    .map_err(|_| WalletError::Key("generate P-256"))?,
            ),
            Algorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::generate().map_err(|_| WalletError::Key("generate Ed25519"))?)
            }
        };
        Self::from_pair(pair)
    }

    /// Reads a PKCS#8 private key (DER).
    ///
    /// # Errors
    /// [`WalletError::Key`] when the bytes are not a key of that algorithm.
    pub fn from_pkcs8(algorithm: Algorithm, der: &[u8]) -> Result<Self, WalletError> {
        let pair = match algorithm {
            Algorithm::Es256 => Pair::Es256(
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der)
                    .map_err(|_| WalletError::Key("read P-256 PKCS#8"))?,
            ),
            Algorithm::Ed25519 => {
                Pair::Ed25519(Ed25519KeyPair::from_pkcs8(der).map_err(|_| WalletError::Key("read Ed25519 PKCS#8"))?)
            }
        };
        Self::from_pair(pair)
    }

    /// Adds the certificates (DER, leaf first) that [`KeyReference::X5c`](crate::KeyReference::X5c) shows.
    #[must_use]
    pub fn with_certificates(mut self, chain: Vec<Vec<u8>>) -> Self {
        self.certificates = chain;
        self
    }

    /// What kind of key this is.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Es256(_) => Algorithm::Es256,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The public key as JWK: `kty`, `crv`, `x` and for P-256 `y`.
    #[must_use]
    pub fn public_jwk(&self) -> &Object {
        &self.public
    }

    /// SHA-256 JWK thumbprint (RFC 7638), base64url.
    #[must_use]
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The certificates of the key, DER, leaf first; empty when there are none.
    #[must_use]
    pub fn certificates(&self) -> &[Vec<u8>] {
        &self.certificates
    }

    /// The raw public key: 65 bytes uncompressed P-256 point, or 32 bytes Ed25519.
    #[must_use]
    pub fn public_bytes(&self) -> &[u8] {
        match &self.pair {
            Pair::Es256(pair) => pair.public_key().as_ref(),
            Pair::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }

    /// Signs `message`; ECDSA signatures are `r || s` as JWS wants them (RFC 7518 §3.4).
    ///
    /// # Errors
    /// [`WalletError::Key`] when signing fails.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, WalletError> {
        match &self.pair {
            Pair::Es256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| WalletError::Key("sign with P-256")),
            Pair::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }

    /// Signs a JWT in compact form. `header` is sent as given, so `alg` must be in it.
    ///
    /// # Errors
    /// [`WalletError::Key`] when signing fails.
    pub fn sign_jwt(&self, header: &Object, claims: &Object) -> Result<String, WalletError> {
        let encode = |object: &Object| {
            serde_json::to_vec(object)
                .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
                .map_err(|_| WalletError::Key("encode a JWT"))
        };
        let mut jwt = format!("{}.{}", encode(header)?, encode(claims)?);
        let signature = self.sign(jwt.as_bytes())?;
        jwt.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut jwt);
        Ok(jwt)
    }

    fn from_pair(pair: Pair) -> Result<Self, WalletError> {
        let public = match &pair {
            Pair::Es256(pair) => ec_jwk(pair.public_key().as_ref())?,
            Pair::Ed25519(pair) => object([
                ("kty", json!("OKP")),
                ("crv", json!("Ed25519")),
                ("x", json!(URL_SAFE_NO_PAD.encode(pair.public_key().as_ref()))),
            ]),
        };
        let thumbprint = crate::jose::thumbprint(&public).ok_or(WalletError::Key("thumbprint of an own key"))?;
        Ok(Self { pair, public, thumbprint, certificates: Vec::new() })
    }
}

impl fmt::Debug for HolderKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HolderKey")
            .field("algorithm", &self.algorithm())
            .field("thumbprint", &self.thumbprint)
            .finish_non_exhaustive()
    }
}

/// `N` random bytes in base64url, for `jti`.
pub(crate) fn random_text<const N: usize>() -> Result<String, WalletError> {
    let mut bytes = [0_u8; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| WalletError::Key("random bytes"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A JSON object of the given members, in order.
pub(crate) fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(crate) fn ec_jwk(point: &[u8]) -> Result<Object, WalletError> {
    // SEC 1 §2.3.3: 0x04, then both coordinates with the full field length.
    let (Some(4), Some(x), Some(y), 65) = (point.first(), point.get(1..33), point.get(33..65), point.len()) else {
        return Err(WalletError::Key("public point of an own key"));
    };
    Ok(object([
        ("kty", json!("EC")),
        ("crv", json!("P-256")),
        ("x", json!(URL_SAFE_NO_PAD.encode(x))),
        ("y", json!(URL_SAFE_NO_PAD.encode(y))),
    ]))
}
