use std::fmt;

use chancery_keys::{Algorithm, JwkError, jws::JwsError};
use thiserror::Error;

use super::{ATTESTATION_HEADER, ATTESTATION_TYP, PROOF_HEADER, PROOF_TYP};
use crate::claims::Wrong;
use crate::trust::TrustError;
use crate::{Explanation, FreshnessError};

/// One of the two tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Token {
    /// The wallet provider's statement.
    Attestation,
    /// The instance's proof of possession.
    Proof,
}

impl Token {
    pub(super) fn typ(self) -> &'static str {
        match self {
            Self::Attestation => ATTESTATION_TYP,
            Self::Proof => PROOF_TYP,
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Attestation => "the client attestation",
            Self::Proof => "the client attestation PoP",
        })
    }
}

/// Why a client attestation is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ClientAttestationError {
    /// One token came without the other.
    #[error("the request has only one of `{ATTESTATION_HEADER}` and `{PROOF_HEADER}`: `{missing}` is missing")]
    HeaderMissing {
        /// The header that is missing.
        missing: &'static str,
    },
    /// A header came more than once.
    #[error("the request has {got} values of `{header}`, expected one")]
    Several {
        /// The header.
        header: &'static str,
        /// Values received.
        got: usize,
    },
    /// Not a JWS, an algorithm that proves nothing, or a signature that does not fit.
    #[error("{token}: {error}")]
    Jws {
        /// Which token.
        token: Token,
        /// What is wrong.
        error: JwsError,
    },
    /// Another `typ`.
    #[error("`typ` of {token} is `{got}`, expected `{expected}`")]
    Type {
        /// Which token.
        token: Token,
        /// What it must be.
        expected: &'static str,
        /// What came; empty when absent.
        got: String,
    },
    /// An algorithm that is not allowed here.
    #[error("`alg` of {token} is `{got}`, expected one of {expected}")]
    Algorithm {
        /// Which token.
        token: Token,
        /// Those allowed.
        expected: String,
        /// What came.
        got: Algorithm,
    },
    /// Nobody who is trusted signed the attestation.
    #[error("the client attestation: {0}")]
    Trust(TrustError),
    /// A claim is absent or has the wrong value.
    #[error("`{name}` of {token} is {got}, expected {expected}")]
    Claim {
        /// Which token.
        token: Token,
        /// The claim.
        name: &'static str,
        /// What it must be.
        expected: &'static str,
        /// What came.
        got: String,
    },
    /// The attestation has expired.
    #[error("the client attestation expired {seconds_ago} s ago")]
    Expired {
        /// Seconds since.
        seconds_ago: i64,
    },
    /// The attestation is from the future.
    #[error("`{name}` of the client attestation lies {ahead} s ahead, at most {leeway} s are allowed")]
    NotYetValid {
        /// `nbf` or `iat`.
        name: &'static str,
        /// Seconds until then.
        ahead: i64,
        /// Seconds allowed.
        leeway: i64,
    },
    /// `cnf.jwk` is not a usable public key.
    #[error("`cnf.jwk` of the client attestation is not usable: {0}")]
    InstanceKey(JwkError),
    /// The attestation is about another client.
    #[error("`sub` of the client attestation is `{got}`, expected the `client_id` of the request, `{expected}`")]
    ClientMismatch {
        /// The parameter.
        expected: String,
        /// What came.
        got: String,
    },
    /// The proof names another client.
    #[error("`iss` of the client attestation PoP is `{got}`, expected `sub` of the client attestation, `{expected}`")]
    ProofIssuerMismatch {
        /// The client.
        expected: String,
        /// What came.
        got: String,
    },
    /// The proof was made for somebody else.
    #[error("`aud` of the client attestation PoP is `{got}`, expected `{expected}`")]
    AudienceMismatch {
        /// The issuer identifier of the authorization server.
        expected: String,
        /// What came.
        got: String,
    },
    /// The token is too old, or from the future, or says nothing about its age.
    #[error("{token}: {error}")]
    Freshness {
        /// Which token.
        token: Token,
        /// How.
        error: FreshnessError,
    },
    /// The DPoP proof, which takes the place of a proof of possession, is by another key than the instance's.
    #[error("the DPoP proof is by the key {got}, expected `cnf.jwk` of the client attestation, {expected}")]
    DpopKeyMismatch {
        /// Thumbprint of the instance key.
        expected: String,
        /// Thumbprint of the DPoP key.
        got: String,
    },
    /// The proof has no challenge where one is demanded.
    #[error("the client attestation PoP has no `challenge`{}", if *.old_name { ", but a `nonce`" } else { "" })]
    ChallengeMissing {
        /// Whether there is a `nonce`, as drafts before 06 called it.
        old_name: bool,
    },
    /// The challenge is another than the one given out.
    #[error("`challenge` of the client attestation PoP is `{got}`, which was not given out for this request")]
    ChallengeMismatch {
        /// What came.
        got: String,
    },
}

impl ClientAttestationError {
    pub(super) fn claim(token: Token, wrong: Wrong) -> Self {
        Self::Claim { token, name: wrong.name, expected: wrong.expected, got: wrong.got }
    }

    /// The error code (ABCA draft-07 §6.2). `use_attestation_challenge` goes with a challenge in the response header
    /// `OAuth-Client-Attestation-Challenge`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ChallengeMissing { .. } | Self::ChallengeMismatch { .. } => "use_attestation_challenge",
            Self::Expired { .. } => "use_fresh_attestation",
            Self::HeaderMissing { .. }
            | Self::Several { .. }
            | Self::Jws { .. }
            | Self::Type { .. }
            | Self::Algorithm { .. }
            | Self::Trust(_)
            | Self::Claim { .. }
            | Self::NotYetValid { .. }
            | Self::InstanceKey(_)
            | Self::ClientMismatch { .. }
            | Self::ProofIssuerMismatch { .. }
            | Self::AudienceMismatch { .. }
            | Self::DpopKeyMismatch { .. }
            | Self::Freshness { .. } => "invalid_client_attestation",
        }
    }

    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        const ATTESTATION: &str = "OAuth 2.0 Attestation-Based Client Authentication draft-07 §5.1";
        const PROOF: &str = "OAuth 2.0 Attestation-Based Client Authentication draft-07 §5.2";
        const HEADERS: &str = "OAuth 2.0 Attestation-Based Client Authentication draft-07 §6.2";
        const CHECKS: &str = "OAuth 2.0 Attestation-Based Client Authentication draft-07 §9";
        let (help, spec_ref) = match self {
            Self::HeaderMissing { .. } | Self::Several { .. } => (
                "send one `OAuth-Client-Attestation` and one `OAuth-Client-Attestation-PoP` header, each with one JWT",
                HEADERS,
            ),
            Self::Jws { token: Token::Proof, error: JwsError::Signature } => (
                "sign the PoP with the private key of `cnf.jwk` in the attestation; an ECDSA signature is the raw R and S \
                 (RFC 7518 §3.4), not DER",
                CHECKS,
            ),
            Self::Algorithm { .. }
            | Self::Jws { error: JwsError::Algorithm { .. } | JwsError::AlgorithmMismatch { .. }, .. } => (
                "use an algorithm listed in `client_attestation_signing_alg_values_supported` or \
                 `client_attestation_pop_signing_alg_values_supported` of the authorization server metadata",
                CHECKS,
            ),
            Self::Jws { .. } => ("send a JWS in compact form: three parts in base64url without padding", HEADERS),
            Self::Type { token: Token::Attestation, .. } => {
                ("set `typ` to `oauth-client-attestation+jwt`", ATTESTATION)
            }
            Self::Type { token: Token::Proof, .. } => ("set `typ` to `oauth-client-attestation-pop+jwt`", PROOF),
            Self::Trust(error) => (error.help(), CHECKS),
            Self::Claim { token: Token::Attestation, .. } => {
                ("the wallet provider must set `sub` to the `client_id`, `exp`, and `cnf.jwk`", ATTESTATION)
            }
            Self::Claim { token: Token::Proof, .. } => ("set `aud`, `jti` and `iat` in the PoP", PROOF),
            Self::Expired { .. } => ("get a new client attestation from the wallet provider", CHECKS),
            Self::NotYetValid { .. } => ("the wallet provider's clock is ahead of ours; it must be set", ATTESTATION),
            Self::InstanceKey(JwkError::Private { .. }) => (
                "leave the private members out of `cnf.jwk`; this key is no longer secret, so the instance needs a new one",
                CHECKS,
            ),
            Self::InstanceKey(_) => (
                "put a P-256, P-384 or Ed25519 public key into `cnf.jwk`, with unpadded base64url members",
                ATTESTATION,
            ),
            Self::ClientMismatch { .. } => ("send `sub` of the client attestation as `client_id`", CHECKS),
            Self::ProofIssuerMismatch { .. } => ("set `iss` of the PoP to the `client_id`", PROOF),
            Self::AudienceMismatch { .. } => (
                "set `aud` to `issuer` of the authorization server metadata, byte for byte: not the URL of an endpoint",
                PROOF,
            ),
            Self::DpopKeyMismatch { .. } => (
                "without `OAuth-Client-Attestation-PoP`, sign the DPoP proof with the private key of `cnf.jwk`; or send both",
                "OAuth 2.0 Attestation-Based Client Authentication draft-10 §5.2",
            ),
            Self::Freshness { error, .. } => (error.help(), CHECKS),
            Self::ChallengeMissing { old_name: true } => {
                ("`nonce` became `challenge` in draft-06; put the challenge there", PROOF)
            }
            Self::ChallengeMissing { old_name: false } | Self::ChallengeMismatch { .. } => (
                "put the challenge of the `OAuth-Client-Attestation-Challenge` header, or of the challenge endpoint, into \
                 the PoP as `challenge`",
                HEADERS,
            ),
        };
        Explanation::new(self, help, spec_ref)
    }
}
