use chancery_keys::{Algorithm, ChainError, JwkError, jws::JwsError};
use thiserror::Error;

use super::{BindingMethod, TYP};
use crate::did::DidError;
use crate::{Explanation, FreshnessError};

/// Why a key proof is refused, always with `invalid_proof` (OpenID4VCI §8.3.1.2).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// Not a JWS, an algorithm that proves nothing, or a signature that does not fit.
    #[error("the key proof: {0}")]
    Jws(JwsError),
    /// Another `typ`.
    #[error("`typ` of the key proof is `{got}`, expected `{TYP}`")]
    Type {
        /// What came; empty when absent.
        got: String,
    },
    /// An algorithm that the configuration does not list.
    #[error("`alg` of the key proof is `{got}`, expected one of {expected}")]
    Algorithm {
        /// Those listed.
        expected: String,
        /// What came.
        got: Algorithm,
    },
    /// The header names no key.
    #[error("the header has the parameters {header_names}, expected exactly one of `kid`, `jwk` and `x5c`, got none")]
    KeyMissing {
        /// Names of the header parameters in wire order.
        header_names: String,
    },
    /// The header names its key more than once.
    #[error(
        "the header has the parameters {header_names}, expected exactly one of `kid`, `jwk` and `x5c`, got several"
    )]
    SeveralKeys {
        /// Names of the header parameters in wire order.
        header_names: String,
    },
    /// The header parameter that names the key has the wrong shape.
    #[error("`{parameter}` is {got}, expected {expected}")]
    KeyMalformed {
        /// The header parameter.
        parameter: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// `jwk` is not a usable public key.
    #[error("`jwk` of the key proof is not usable: {0}")]
    Key(JwkError),
    /// `kid` names no key.
    #[error("`kid` of the key proof names no key: {0}")]
    Did(DidError),
    /// The issuer trusts no certificates for holder keys.
    #[error("the key proof has `x5c`, and this issuer has no trust anchors for holder certificates")]
    NoTrustAnchors,
    /// The certificates of `x5c` do not lead to a trust anchor.
    #[error("`x5c` of the key proof: {0}")]
    Chain(ChainError),
    /// The key is named in a way that the configuration does not advertise.
    #[error("the key proof names its key as `{got}` (binding method {method}), expected one of {expected}")]
    BindingMethod {
        /// Those advertised.
        expected: String,
        /// The one used.
        method: BindingMethod,
        /// The header parameter, or the value of `kid`.
        got: String,
    },
    /// `key_attestation` is not a string.
    #[error("`key_attestation` in the header is not a string")]
    KeyAttestationNotAString,
    /// A claim is absent.
    #[error("the key proof has no `{name}`")]
    ClaimMissing {
        /// The claim.
        name: &'static str,
    },
    /// The proof was made for somebody else.
    #[error("`aud` is `{got}`, expected `{expected}`")]
    AudienceMismatch {
        /// The Credential Issuer Identifier.
        expected: String,
        /// What came.
        got: String,
    },
    /// The proof is too old, or from the future, or says nothing about its age.
    #[error("the key proof: {0}")]
    Freshness(#[from] FreshnessError),
    /// `iss` is not the client that got the access token.
    #[error("`iss` is `{got}`, expected the `client_id` of the token request, `{expected}`")]
    IssuerMismatch {
        /// The client.
        expected: String,
        /// What came.
        got: String,
    },
    /// `iss` is there although the access token was issued to an anonymous wallet.
    #[error("`iss` is `{got}`, expected none, because the token request had no `client_id`")]
    IssuerNotAllowed {
        /// What came.
        got: String,
    },
    /// `nonce` is not a string, empty, or too long.
    #[error("`nonce` is `{got}`, expected the `c_nonce` as a string")]
    NonceMalformed {
        /// What came.
        got: String,
    },
}

impl ProofError {
    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const PROOF: &str = "OpenID4VCI 1.0 Appendix F.1";
        const CHECKS: &str = "OpenID4VCI 1.0 Appendix F.4";
        let (help, spec_ref) = match self {
            Self::Jws(JwsError::Signature) => (
                "sign with the private key that the header names; an ECDSA signature is the raw R and S (RFC 7518 §3.4), \
                 not DER",
                CHECKS,
            ),
            Self::Jws(JwsError::Algorithm { .. } | JwsError::AlgorithmMismatch { .. }) | Self::Algorithm { .. } => (
                "use an algorithm listed in `proof_signing_alg_values_supported` of the credential configuration, with a \
                 key of its curve",
                PROOF,
            ),
            Self::Jws(
                JwsError::TooLong { .. }
                | JwsError::Parts { .. }
                | JwsError::NotBase64Url { .. }
                | JwsError::NotJson { .. }
                | JwsError::NotAnObject { .. }
                | JwsError::Duplicate { .. }
                | JwsError::Critical
                | JwsError::Header { .. },
            ) => ("send a JWS in compact form: three parts in base64url without padding", PROOF),
            Self::Type { .. } => ("set `typ` to `openid4vci-proof+jwt`", PROOF),
            Self::KeyMissing { .. } => ("put the public key into the header as `jwk`", PROOF),
            Self::SeveralKeys { .. } => {
                ("leave one of `kid`, `jwk` and `x5c` in the header; they exclude each other", PROOF)
            }
            Self::KeyMalformed { .. } => {
                ("send `jwk` as an object, `kid` as a DID URL, or `x5c` as an array of base64 certificates", PROOF)
            }
            Self::Key(JwkError::Private { .. }) => {
                ("leave the private members out of `jwk`; this key is no longer secret, so make a new one", CHECKS)
            }
            Self::Key(_) => ("send a P-256, P-384 or Ed25519 public key with unpadded base64url members", PROOF),
            Self::Did(error) => return Explanation { reason: self.to_string(), ..error.explain() },
            Self::NoTrustAnchors => ("send the public key as `jwk`", PROOF),
            Self::Chain(_) => (
                "send the certificate of the proof key first, then its issuers up to, but without, an anchor that this \
                 issuer trusts",
                PROOF,
            ),
            Self::BindingMethod { .. } => (
                "name the key in a way listed in `cryptographic_binding_methods_supported` of the credential configuration",
                "OpenID4VCI 1.0 §12.2.4",
            ),
            Self::KeyAttestationNotAString => ("send the key attestation as a JWS in compact form", PROOF),
            Self::ClaimMissing { .. } | Self::AudienceMismatch { .. } => (
                "set `aud` to `credential_issuer` of the issuer metadata, byte for byte: no trailing slash, not an \
                 endpoint",
                PROOF,
            ),
            Self::Freshness(error) => (error.help(), CHECKS),
            Self::IssuerMismatch { .. } => {
                ("set `iss` to the `client_id` of the token request, or leave it out", PROOF)
            }
            Self::IssuerNotAllowed { .. } => (
                "leave `iss` out when the token was requested without `client_id`, or send `client_id` at the token \
                 endpoint",
                PROOF,
            ),
            Self::NonceMalformed { .. } => ("set `nonce` to the `c_nonce` of the nonce endpoint, unchanged", CHECKS),
        };
        Explanation::new(self, help, spec_ref)
    }
}
