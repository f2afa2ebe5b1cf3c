use chancery_keys::{Algorithm, JwkError, jws::JwsError};
use thiserror::Error;

use super::TYP;
use crate::trust::TrustError;
use crate::{Explanation, FreshnessError};

/// Why a key attestation is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KeyAttestationError {
    /// Not a JWS, or an algorithm that proves nothing.
    #[error("the key attestation: {0}")]
    Jws(JwsError),
    /// Another `typ`.
    #[error("`typ` of the key attestation is `{got}`, expected `{TYP}`")]
    Type {
        /// Whether it is the one of draft 15.
        draft: bool,
        /// What came; empty when absent.
        got: String,
    },
    /// An algorithm that the configuration does not list.
    #[error("`alg` of the key attestation is `{got}`, expected one of {expected}")]
    Algorithm {
        /// Those listed.
        expected: String,
        /// What came.
        got: Algorithm,
    },
    /// Nobody who is trusted signed it.
    #[error("the key attestation: {0}")]
    Trust(TrustError),
    /// A claim is absent or has the wrong value.
    #[error("`{name}` of the key attestation is {got}, expected {expected}")]
    Claim {
        /// The claim.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// It is too old, or from the future, or says nothing about its age.
    #[error("the key attestation: {0}")]
    Freshness(#[from] FreshnessError),
    /// It has expired.
    #[error("the key attestation expired {seconds_ago} s ago")]
    Expired {
        /// Seconds since.
        seconds_ago: i64,
    },
    /// It has no `exp`, and stands in the header of a proof.
    #[error("the key attestation in the header of the proof has no `exp`")]
    ExpiryMissing,
    /// An attested key is not usable.
    #[error("key {position} of `attested_keys` is not usable: {error}")]
    Key {
        /// Which, from 1.
        position: usize,
        /// What is wrong.
        error: JwkError,
    },
    /// A key is attested twice.
    #[error("key {position} of `attested_keys` repeats an earlier one")]
    RepeatedKey {
        /// Which, from 1.
        position: usize,
    },
    /// The keys are not kept, or not unlocked, well enough.
    #[error("`{name}` of the key attestation is {got}, expected one of {expected}")]
    Level {
        /// `key_storage` or `user_authentication`.
        name: &'static str,
        /// Those accepted.
        expected: String,
        /// What came.
        got: String,
    },
    /// A proof was signed with a key that is not attested.
    #[error("the proof is signed with the key {thumbprint}, which is not among the {attested} attested keys")]
    KeyNotAttested {
        /// Thumbprint of the proof's key (RFC 7638).
        thumbprint: String,
        /// How many keys are attested.
        attested: usize,
    },
    /// There is no nonce where one is demanded.
    #[error("the key attestation has no `nonce`")]
    NonceMissing,
    /// Another nonce than the one of the proof.
    #[error("`nonce` of the key attestation is `{got}`, expected `{expected}`")]
    NonceMismatch {
        /// What it must be.
        expected: String,
        /// What came.
        got: String,
    },
}

impl KeyAttestationError {
    /// The error code of the protocol (OpenID4VCI §8.3.1.2): a wallet that hears `invalid_nonce` fetches a new one.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NonceMismatch { .. } => "invalid_nonce",
            Self::Jws(_)
            | Self::Type { .. }
            | Self::Algorithm { .. }
            | Self::Trust(_)
            | Self::Claim { .. }
            | Self::Freshness(_)
            | Self::Expired { .. }
            | Self::ExpiryMissing
            | Self::Key { .. }
            | Self::RepeatedKey { .. }
            | Self::Level { .. }
            | Self::KeyNotAttested { .. }
            | Self::NonceMissing => "invalid_proof",
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const ATTESTATION: &str = "OpenID4VCI 1.0 Appendix D.1";
        const LEVELS: &str = "OpenID4VCI 1.0 Appendix D.2";
        const PROOF: &str = "OpenID4VCI 1.0 Appendix F.1";
        let (help, spec_ref) = match self {
            Self::Algorithm { .. } | Self::Jws(JwsError::Algorithm { .. } | JwsError::AlgorithmMismatch { .. }) => (
                "use an algorithm listed in `proof_signing_alg_values_supported` of the proof type",
                "OpenID4VCI 1.0 Appendix F.3",
            ),
            Self::Jws(_) => ("send a JWS in compact form: three parts in base64url without padding", ATTESTATION),
            Self::Type { draft: true, .. } => {
                ("this is a draft 15 key attestation; `keyattestation+jwt` became `key-attestation+jwt`", ATTESTATION)
            }
            Self::Type { draft: false, .. } => ("set `typ` to `key-attestation+jwt`", ATTESTATION),
            Self::Trust(error) => (error.help(), ATTESTATION),
            Self::Claim { .. } => {
                ("send `iat` and `attested_keys`; lists that are there must not be empty", ATTESTATION)
            }
            Self::Freshness(error) => (error.help(), ATTESTATION),
            Self::Expired { .. } => ("get a new key attestation", ATTESTATION),
            Self::ExpiryMissing => ("a key attestation in the header of a `jwt` proof must have `exp`", ATTESTATION),
            Self::Key { error: JwkError::Private { .. }, .. } => (
                "leave the private members out of `attested_keys`; this key is no longer secret, so make a new one",
                ATTESTATION,
            ),
            Self::Key { .. } => {
                ("attest P-256, P-384 or Ed25519 public keys with unpadded base64url members", ATTESTATION)
            }
            Self::RepeatedKey { .. } => ("name each key once", ATTESTATION),
            Self::Level { .. } => (
                "use keys whose attested levels are listed in `key_attestations_required` of the proof type, or stronger",
                LEVELS,
            ),
            Self::KeyNotAttested { .. } => ("sign the proof with one of the keys in `attested_keys`", PROOF),
            Self::NonceMissing | Self::NonceMismatch { .. } => (
                "put the same `c_nonce` into the key attestation as into the proof; a key attestation cannot be reused \
                 with another nonce",
                ATTESTATION,
            ),
        };
        Explanation::new(self, help, spec_ref)
    }
}
