use std::fmt;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair as _,
};
use zeroize::Zeroizing;

use crate::{Algorithm, CertificateChain, KeyError, PublicJwk, Signer};

mod certificate_request;

/// A private key in memory, between the place that seals it and the [`Signer`] that uses it.
pub struct SoftwareKey {
    public_jwk: PublicJwk,
    private: PrivateKey,
    pkcs8: Zeroizing<Vec<u8>>,
}

impl SoftwareKey {
    /// Makes a new key.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let failed = |_| KeyError::Generation(algorithm);
        let pkcs8 = match ecdsa(algorithm) {
            Some(ecdsa) => {
                let document = EcdsaKeyPair::generate(ecdsa).and_then(|key| key.to_pkcs8v1()).map_err(failed)?;
                Zeroizing::new(document.as_ref().to_vec())
            }
            None => {
                let document = Ed25519KeyPair::generate().and_then(|key| key.to_pkcs8v1()).map_err(failed)?;
                Zeroizing::new(document.as_ref().to_vec())
            }
        };
        Self::from_pkcs8(algorithm, &pkcs8)
    }

    /// Reads an unencrypted PKCS#8 key (RFC 5208, RFC 8410; DER) for `algorithm`.
    pub fn from_pkcs8(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        let rejected = || KeyError::Pkcs8(algorithm);
        let private = match ecdsa(algorithm) {
            Some(ecdsa) => {
                let pair = EcdsaKeyPair::from_pkcs8(ecdsa, pkcs8).map_err(|_| rejected())?;
                PrivateKey::Ecdsa { algorithm, pair }
            }
            // Version 1 documents, which OpenSSL writes, do not hold the public key to check against.
            None => PrivateKey::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).map_err(|_| rejected())?),
        };
        let public_jwk = PublicJwk::from_point(algorithm, private.public_point()).map_err(|_| rejected())?;
        Ok(Self { public_jwk, private, pkcs8: Zeroizing::new(pkcs8.to_vec()) })
    }

    /// The key as PKCS#8 (DER), to be sealed. The buffer is wiped when dropped.
    #[must_use]
    pub fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        self.pkcs8.clone()
    }

    /// The algorithm of its signatures.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.public_jwk.algorithm()
    }

    /// The public half.
    #[must_use]
    pub fn public_jwk(&self) -> &PublicJwk {
        &self.public_jwk
    }

    /// Gives the key away for use under `key_id`; `chain` may be empty. That the chain is for this key is the caller's
    /// to check, when it is uploaded: [`CertificateChain::leaf_public_jwk`].
    #[must_use]
    pub fn into_signer(self, key_id: String, chain: CertificateChain) -> Signer {
        Signer::new(key_id, self.public_jwk, chain, self.private)
    }

    /// A PKCS#10 certificate signing request (RFC 2986; PEM) for this key. Names with a scheme (`https://…`) become
    /// URI alternative names, others DNS names.
    pub fn certificate_signing_request(
        &self,
        subject_common_name: &str,
        dns_or_uri_names: &[String],
    ) -> Result<String, KeyError> {
        certificate_request::write(self, subject_common_name, dns_or_uri_names)
    }
}

/// The algorithm and the public key only.
impl fmt::Debug for SoftwareKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("SoftwareKey").field("public_jwk", &self.public_jwk).finish_non_exhaustive()
    }
}

pub(crate) enum PrivateKey {
    Ecdsa { algorithm: Algorithm, pair: EcdsaKeyPair },
    Ed25519(Ed25519KeyPair),
}

impl PrivateKey {
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        match self {
            Self::Ecdsa { algorithm, pair } => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| KeyError::Signature(*algorithm)),
            Self::Ed25519(pair) => pair
                .try_sign(message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| KeyError::Signature(Algorithm::EdDsa)),
        }
    }

    fn public_point(&self) -> &[u8] {
        match self {
            Self::Ecdsa { pair, .. } => pair.public_key().as_ref(),
            Self::Ed25519(pair) => pair.public_key().as_ref(),
        }
    }
}

fn ecdsa(algorithm: Algorithm) -> Option<&'static EcdsaSigningAlgorithm> {
    match algorithm {
        Algorithm::Es256 => Some(&ECDSA_P256_SHA256_FIXED_SIGNING),
        Algorithm::Es384 => Some(&ECDSA_P384_SHA384_FIXED_SIGNING),
        Algorithm::EdDsa => None,
    }
}

#[cfg(test)]
mod tests;
