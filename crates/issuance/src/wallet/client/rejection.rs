//! What a client can do wrong about itself.

use chancery_protocol::Explanation;
use chancery_protocol::client_assertion::ClientAssertionError;
use chancery_protocol::client_attestation::ClientAttestationError;
use chancery_protocol::nonce::{NonceError, Purpose};

/// Why a client is refused.
#[derive(Debug)]
pub enum Rejection {
    /// No `client_id`, and anonymous access is off.
    Missing,
    /// The `client_id` is not admitted.
    Unknown {
        /// What came, cut.
        got: String,
    },
    /// The client is registered with keys, and did not authenticate.
    AuthenticationMissing,
    /// The client assertion.
    Assertion(ClientAssertionError),
    /// A wallet attestation is demanded, and there is none.
    AttestationMissing,
    /// A header is not ASCII.
    Unreadable {
        /// Which.
        header: &'static str,
    },
    /// The wallet attestation, or the proof beside it.
    Attestation(ClientAttestationError),
    /// The challenge in the proof is not ours, or expired.
    Challenge(NonceError),
    /// The assertion or proof was used before.
    Replayed,
}

/// Error codes about clients (RFC 6749 §5.2, ABCA draft-07 §6.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorCode {
    /// `invalid_client`.
    InvalidClient,
    /// `invalid_client_attestation`.
    InvalidClientAttestation,
    /// `use_attestation_challenge`.
    UseAttestationChallenge,
    /// `use_fresh_attestation`.
    UseFreshAttestation,
}

impl ErrorCode {
    /// The code on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidClientAttestation => "invalid_client_attestation",
            Self::UseAttestationChallenge => "use_attestation_challenge",
            Self::UseFreshAttestation => "use_fresh_attestation",
        }
    }
}

impl Rejection {
    /// The error code for the wallet.
    pub fn error(&self) -> ErrorCode {
        match self {
            Self::Missing
            | Self::Unknown { .. }
            | Self::AuthenticationMissing
            | Self::Assertion(_)
            | Self::AttestationMissing
            | Self::Replayed => ErrorCode::InvalidClient,
            Self::Unreadable { .. } => ErrorCode::InvalidClientAttestation,
            Self::Challenge(_) => ErrorCode::UseAttestationChallenge,
            Self::Attestation(error) => match error {
                ClientAttestationError::ChallengeMissing { .. } | ClientAttestationError::ChallengeMismatch { .. } => {
                    ErrorCode::UseAttestationChallenge
                }
                ClientAttestationError::Expired { .. } => ErrorCode::UseFreshAttestation,
                ClientAttestationError::HeaderMissing { .. }
                | ClientAttestationError::Several { .. }
                | ClientAttestationError::Jws { .. }
                | ClientAttestationError::Type { .. }
                | ClientAttestationError::Algorithm { .. }
                | ClientAttestationError::Trust(_)
                | ClientAttestationError::Claim { .. }
                | ClientAttestationError::NotYetValid { .. }
                | ClientAttestationError::InstanceKey(_)
                | ClientAttestationError::ClientMismatch { .. }
                | ClientAttestationError::ProofIssuerMismatch { .. }
                | ClientAttestationError::AudienceMismatch { .. }
                | ClientAttestationError::DpopKeyMismatch { .. }
                | ClientAttestationError::Freshness { .. } => ErrorCode::InvalidClientAttestation,
            },
        }
    }

    /// For the wallet's developer.
    pub fn description(&self) -> &'static str {
        match self {
            Self::Missing => "a client_id is required",
            Self::Unknown { .. } => "this client_id is not admitted",
            Self::AuthenticationMissing => "this client must authenticate with private_key_jwt",
            Self::Assertion(_) => "the client assertion is not valid",
            Self::AttestationMissing => "a wallet attestation is required",
            Self::Unreadable { .. } | Self::Attestation(_) => match self.error() {
                ErrorCode::UseAttestationChallenge => "repeat the request with a challenge of this server",
                ErrorCode::UseFreshAttestation => "the wallet attestation has expired",
                ErrorCode::InvalidClient | ErrorCode::InvalidClientAttestation => "the wallet attestation is not valid",
            },
            Self::Challenge(_) => "repeat the request with a challenge of this server",
            Self::Replayed => "the client assertion or attestation proof was used before",
        }
    }

    /// Our name for the cause, in the transcript's event.
    pub(in crate::wallet) fn code(&self) -> &'static str {
        match self {
            Self::Missing => "client_missing",
            Self::Unknown { .. } => "client_unknown",
            Self::AuthenticationMissing | Self::Assertion(_) => "client_authentication",
            Self::AttestationMissing => "wallet_attestation_missing",
            Self::Unreadable { .. } | Self::Attestation(_) => "wallet_attestation_invalid",
            Self::Challenge(_) => "wallet_attestation_challenge",
            Self::Replayed => "client_proof_replayed",
        }
    }

    /// Whether a repetition with the challenge of the answer will do.
    pub(in crate::wallet) fn wants_challenge(&self) -> bool {
        self.error() == ErrorCode::UseAttestationChallenge
    }

    /// For the transcript.
    pub(in crate::wallet) fn explain(&self) -> Explanation {
        let (reason, help, spec_ref) = match self {
            Self::Assertion(error) => return error.explain(),
            Self::Attestation(error) => return error.explain(),
            Self::Challenge(error) => return error.explain(Purpose::AttestationChallenge),
            Self::Missing => (
                "there is no client_id, and the organisation does not allow anonymous access".to_owned(),
                "send a client_id; the metadata say pre-authorized_grant_anonymous_access_supported: false",
                "OpenID4VCI §6.1",
            ),
            Self::Unknown { got } => (
                format!("the client_id `{got}` is not among those the organisation admits"),
                "have the client_id registered with the organisation",
                "OpenID4VCI §6.3",
            ),
            Self::AuthenticationMissing => (
                "the client is registered with keys, and the request has no client assertion".to_owned(),
                "send client_assertion_type and client_assertion",
                "RFC 7523 §2.2",
            ),
            Self::AttestationMissing => (
                "a wallet attestation is demanded, and the request has none".to_owned(),
                "send OAuth-Client-Attestation and OAuth-Client-Attestation-PoP; the organisation can also turn the demand \
                 off in its policy",
                "OpenID4VCI Appendix E",
            ),
            Self::Unreadable { header } => (
                format!("the header {header} has characters outside ASCII"),
                "send a JWS in compact form",
                "OAuth 2.0 Attestation-Based Client Authentication draft-07 §6.2",
            ),
            Self::Replayed => (
                "a client assertion or attestation proof with this jti was used before".to_owned(),
                "make a new one with a new jti for every request",
                "OAuth 2.0 Attestation-Based Client Authentication draft-07 §12.1",
            ),
        };
        Explanation { reason, help: help.into(), spec_ref }
    }
}
