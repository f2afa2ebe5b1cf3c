//! What is wrong with a key proof, told apart.

use chancery_protocol::credential_request::CredentialRequestError;
use chancery_protocol::proof::{self, ProofError};

pub(super) fn is_about_proofs(error: &CredentialRequestError) -> bool {
    match error {
        CredentialRequestError::ProofTypes { .. }
        | CredentialRequestError::ProofList { .. }
        | CredentialRequestError::TooManyProofs { .. }
        | CredentialRequestError::ProofTooLong { .. } => true,
        CredentialRequestError::Json(_)
        | CredentialRequestError::NoSelector
        | CredentialRequestError::BothSelectors
        | CredentialRequestError::Selector { .. }
        | CredentialRequestError::DraftShape { .. } => false,
    }
}

pub(super) fn is_about_the_key(error: &ProofError) -> bool {
    match error {
        ProofError::KeyMissing { .. }
        | ProofError::SeveralKeys { .. }
        | ProofError::KeyMalformed { .. }
        | ProofError::Key(_)
        | ProofError::Did(_)
        | ProofError::NoTrustAnchors
        | ProofError::Chain(_)
        | ProofError::BindingMethod { .. } => true,
        ProofError::Jws(_)
        | ProofError::Type { .. }
        | ProofError::Algorithm { .. }
        | ProofError::KeyAttestationNotAString
        | ProofError::ClaimMissing { .. }
        | ProofError::AudienceMismatch { .. }
        | ProofError::Freshness(_)
        | ProofError::IssuerMismatch { .. }
        | ProofError::IssuerNotAllowed { .. }
        | ProofError::NonceMalformed { .. } => false,
    }
}

/// What would have been right.
pub(super) fn expected(error: &ProofError) -> &str {
    match error {
        ProofError::Algorithm { expected, .. }
        | ProofError::BindingMethod { expected, .. }
        | ProofError::AudienceMismatch { expected, .. }
        | ProofError::IssuerMismatch { expected, .. } => expected,
        ProofError::KeyMalformed { expected, .. } => expected,
        ProofError::KeyMissing { .. } | ProofError::SeveralKeys { .. } => "exactly one of kid, jwk and x5c",
        ProofError::Key(_) => "a public key on P-256, P-384 or Ed25519",
        ProofError::Did(_) => "a did:key or did:jwk URL with its own fragment",
        ProofError::NoTrustAnchors => "jwk or kid",
        ProofError::Chain(_) => "a certificate chain to a trust anchor of the organisation",
        ProofError::Jws(_) => "a JWS whose signature verifies with the key of its header",
        ProofError::Type { .. } => proof::TYP,
        ProofError::KeyAttestationNotAString => "a string",
        ProofError::ClaimMissing { name } => name,
        ProofError::Freshness(_) => "an iat close to now",
        ProofError::IssuerNotAllowed { .. } => "no iss",
        ProofError::NonceMalformed { .. } => "the c_nonce as a string",
    }
}
