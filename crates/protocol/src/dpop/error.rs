use chancery_keys::{Algorithm, JwkError, jws::JwsError};
use thiserror::Error;

use super::TYP;
use crate::{Explanation, FreshnessError};

/// Why a DPoP proof is refused, always with `invalid_dpop_proof` (RFC 9449 §5, §7.1).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DpopError {
    /// More than one proof came.
    #[error("the request has {got} DPoP proofs, expected one")]
    SeveralProofs {
        /// Proofs received.
        got: usize,
    },
    /// The proof is too long.
    #[error("the DPoP proof has {got} bytes, at most {limit} are read")]
    TooLong {
        /// Bytes allowed.
        limit: usize,
        /// Bytes received.
        got: usize,
    },
    /// Not a JWS, an algorithm that proves nothing, or a signature that does not fit.
    #[error("the DPoP proof: {0}")]
    Jws(JwsError),
    /// Another `typ`.
    #[error("`typ` of the DPoP proof is `{got}`, expected `{TYP}`")]
    Type {
        /// What came; empty when absent.
        got: String,
    },
    /// An algorithm that is not allowed here.
    #[error("`alg` of the DPoP proof is `{got}`, expected one of {expected}")]
    Algorithm {
        /// Those allowed.
        expected: String,
        /// What came.
        got: Algorithm,
    },
    /// No `jwk`, or not an object.
    #[error("the header of the DPoP proof has no `jwk`")]
    KeyMissing,
    /// The `jwk` is not a usable public key.
    #[error("`jwk` of the DPoP proof is not usable: {0}")]
    Key(JwkError),
    /// A claim is absent.
    #[error("the DPoP proof has no `{name}`")]
    ClaimMissing {
        /// The claim.
        name: &'static str,
    },
    /// A claim is not a string.
    #[error("`{name}` of the DPoP proof is {got}, expected a string")]
    NotAString {
        /// The claim.
        name: &'static str,
        /// What came.
        got: String,
    },
    /// A claim is empty or too long.
    #[error("`{name}` of the DPoP proof has {got} bytes, expected 1 to {limit}")]
    ClaimLength {
        /// The claim.
        name: &'static str,
        /// Bytes allowed.
        limit: usize,
        /// Bytes received.
        got: usize,
    },
    /// Another method.
    #[error("`htm` is `{got}`, expected `{expected}`")]
    Method {
        /// The method of the request.
        expected: String,
        /// What came.
        got: String,
    },
    /// Another URL.
    #[error("`htu` is `{got}`, expected `{expected}`")]
    Url {
        /// The URL of the request as configured.
        expected: String,
        /// What came.
        got: String,
    },
    /// The proof is too old, or from the future, or says nothing about its age.
    #[error("the DPoP proof: {0}")]
    Freshness(#[from] FreshnessError),
    /// The proof was made for another access token.
    #[error("`ath` is `{got}`, expected `{expected}`")]
    AccessTokenHash {
        /// Hash of the token that came with the proof.
        expected: String,
        /// What came.
        got: String,
    },
}

impl DpopError {
    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const SYNTAX: &str = "RFC 9449 §4.2";
        const CHECKS: &str = "RFC 9449 §4.3";
        let (help, spec_ref) = match self {
            Self::SeveralProofs { .. } => ("send one `DPoP` header with one proof", CHECKS),
            Self::TooLong { .. } => ("send only `typ`, `alg` and `jwk` in the header, and only short claims", CHECKS),
            Self::Jws(JwsError::Signature) => (
                "sign with the private key of `jwk`; an ECDSA signature is the raw R and S (RFC 7518 §3.4), not DER",
                CHECKS,
            ),
            Self::Jws(JwsError::Algorithm { .. } | JwsError::AlgorithmMismatch { .. }) | Self::Algorithm { .. } => (
                "use an algorithm listed in `dpop_signing_alg_values_supported` of the authorization server metadata, \
                 with a key of its curve",
                SYNTAX,
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
            ) => ("send a JWS in compact form: three parts in base64url without padding", SYNTAX),
            Self::Type { .. } => ("set `typ` to `dpop+jwt`", SYNTAX),
            Self::KeyMissing => ("put the public key into the header as `jwk`", SYNTAX),
            Self::Key(JwkError::Private { .. }) => {
                ("leave the private members out of `jwk`; this key is no longer secret, so make a new one", SYNTAX)
            }
            Self::Key(_) => ("send a P-256, P-384 or Ed25519 public key with unpadded base64url members", SYNTAX),
            Self::ClaimMissing { name: "ath" } => {
                ("add `ath`: base64url of the SHA-256 of the access token, in every request with a token", CHECKS)
            }
            Self::ClaimMissing { .. } | Self::NotAString { .. } | Self::ClaimLength { .. } => {
                ("send `jti`, `htm` and `htu` as strings, and `iat` as an integer", SYNTAX)
            }
            Self::Method { .. } => ("set `htm` to the method of this request, in upper case", CHECKS),
            Self::Url { .. } => (
                "set `htu` to the endpoint's URL from the metadata, without query and fragment; make a proof for each \
                 endpoint",
                CHECKS,
            ),
            Self::Freshness(error) => (error.help(), CHECKS),
            Self::AccessTokenHash { .. } => {
                ("compute `ath` as base64url of the SHA-256 of the ASCII access token sent in this request", CHECKS)
            }
        };
        Explanation::new(self, help, spec_ref)
    }
}
