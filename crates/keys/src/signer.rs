use std::fmt;
use std::sync::Arc;

use thiserror::Error;

use crate::software_key::PrivateKey;
use crate::{Algorithm, CertificateChain, PublicJwk};

/// Why a key could not be made, read or used. No variant holds key material.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The generator of AWS-LC failed.
    #[error("a key for {0} could not be generated")]
    Generation(Algorithm),
    /// The bytes are not a PKCS#8 private key for this algorithm.
    #[error("not a PKCS#8 private key for {0}")]
    Pkcs8(Algorithm),
    /// The signature could not be made.
    #[error("the signature with {0} failed")]
    Signature(Algorithm),
    /// The header of a JWS to be signed is malformed (RFC 7515 §4.1).
    #[error("the header of the JWS is malformed: {0}")]
    Header(String),
    /// A name in a certificate signing request cannot stand in a certificate.
    #[error("{name:?} cannot stand in a certificate: {reason}")]
    CertificateName {
        /// The name, cut to 64 characters.
        name: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// The certificate signing request could not be written.
    #[error("the certificate signing request could not be made: {0}")]
    CertificateRequest(String),
}

/// A private key that can be used and not read, with what goes into headers beside its signatures.
///
/// Cloning shares the key, which is parsed once.
#[derive(Clone)]
pub struct Signer {
    inner: Arc<Inner>,
}

struct Inner {
    key_id: String,
    public_jwk: PublicJwk,
    chain: CertificateChain,
    private: PrivateKey,
}

impl Signer {
    pub(crate) fn new(key_id: String, public_jwk: PublicJwk, chain: CertificateChain, private: PrivateKey) -> Self {
        Self { inner: Arc::new(Inner { key_id, public_jwk, chain, private }) }
    }

    /// The algorithm of its signatures.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.inner.public_jwk.algorithm()
    }

    /// What `kid` names this key.
    #[must_use]
    pub fn key_id(&self) -> &str {
        &self.inner.key_id
    }

    /// The public half.
    #[must_use]
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.inner.public_jwk
    }

    /// The certificates for this key, leaf first; empty when there are none.
    #[must_use]
    pub fn certificate_chain(&self) -> &CertificateChain {
        &self.inner.chain
    }

    /// Signs `message`; EC signatures are raw `r || s` (RFC 7518 §3.4).
    ///
    /// A key in memory signs on the spot, without a task or a thread: that takes some ten microseconds.
    /// Keys in hardware answer later, which is why this is async.
    pub async fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.inner.private.sign(message)
    }
}

/// The key id and algorithm only.
impl fmt::Debug for Signer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Signer")
            .field("key_id", &self.key_id())
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}
