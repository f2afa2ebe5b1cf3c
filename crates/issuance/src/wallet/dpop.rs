//! DPoP proofs (RFC 9449) under an organisation's policy.

use chancery_model::{DpopNonceRule, Organisation, Timestamp};
use chancery_protocol::Explanation;
use chancery_protocol::dpop::{self, DpopError, DpopProof, Expected};
use chancery_protocol::nonce::{NonceError, Purpose};
use chancery_storage::Claim;

use super::{Header, nonce};
use crate::{Context, Failure};

/// Seconds for which a proof is accepted after its `iat`. Its `jti` is remembered for as long (RFC 9449 §11.1).
const MAX_AGE: i64 = 120;

/// Seconds by which a wallet's clock may be ahead (FAPI 2.0 §5.3.2.1: more than 60 is refused).
const FUTURE_LEEWAY: i64 = 60;

/// Why a DPoP proof is refused.
#[derive(Debug)]
pub enum Rejection {
    /// There is none, and one is required.
    Missing,
    /// There is more than one `DPoP` header, or it is not ASCII.
    Header,
    /// The proof itself is wrong.
    Proof(DpopError),
    /// The proof was used before.
    Replayed,
    /// The proof carries no nonce, and the policy demands one.
    NonceMissing,
    /// The nonce is not ours, or expired.
    Nonce(NonceError),
}

impl Rejection {
    /// Whether a repetition with the nonce of the answer will do (`use_dpop_nonce`, RFC 9449 §8).
    pub(super) fn wants_nonce(&self) -> bool {
        match self {
            Self::NonceMissing | Self::Nonce(_) | Self::Proof(DpopError::ClaimLength { name: "nonce", .. }) => true,
            Self::Missing | Self::Header | Self::Proof(_) | Self::Replayed => false,
        }
    }

    /// For the wallet.
    pub(super) fn description(&self) -> &'static str {
        match self {
            Self::Missing => "a DPoP proof is required",
            Self::Header => "send exactly one DPoP header",
            Self::Proof(_) => "the DPoP proof is not valid",
            Self::Replayed => "the DPoP proof was used before",
            Self::NonceMissing | Self::Nonce(_) => "repeat the request with the nonce of the DPoP-Nonce header",
        }
    }

    /// For the transcript.
    pub(super) fn explain(&self) -> Explanation {
        match self {
            Self::Missing => Explanation {
                reason: "the request has no DPoP header, and the token must be bound to a DPoP key".to_owned(),
                help: "send a DPoP proof with this request".into(),
                spec_ref: "RFC 9449 §5",
            },
            Self::Header => Explanation {
                reason: "there is not exactly one DPoP header with a JWT".to_owned(),
                help: "send the DPoP header once".into(),
                spec_ref: "RFC 9449 §4.3",
            },
            Self::Proof(error) => error.explain(),
            Self::Replayed => Explanation {
                reason: "a proof with this jti was used before".to_owned(),
                help: "make a new proof with a new jti for every request".into(),
                spec_ref: "RFC 9449 §11.1",
            },
            Self::NonceMissing => Explanation {
                reason: "the proof has no nonce, and the organisation demands one".to_owned(),
                help: "repeat the request with a proof that carries the value of the DPoP-Nonce header".into(),
                spec_ref: "RFC 9449 §8",
            },
            Self::Nonce(error) => error.explain(Purpose::DpopAuthorizationServer),
        }
    }
}

/// Checks the proof in `header`, when there is one: everything that needs no memory, the nonce among it. `endpoint` is a
/// path suffix, and `access_token` is set where `ath` must be.
pub(super) fn verify(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    endpoint: &str,
    access_token: Option<&str>,
    header: Header<'_>,
) -> Result<Option<DpopProof>, Rejection> {
    let proof = match header {
        Header::Absent => return Ok(None),
        Header::One(proof) => proof,
        Header::Repeated | Header::Unreadable => return Err(Rejection::Header),
    };
    // From configuration, never from Host or X-Forwarded-*: behind a proxy those say something else.
    let url = organisation.issuer.endpoint(endpoint);
    let expected = Expected {
        method: "POST",
        url: &url,
        access_token,
        now: now.seconds(),
        future_leeway: FUTURE_LEEWAY,
        max_age: MAX_AGE,
        algorithms: &organisation.policy.proof_algorithms,
    };
    let proof = dpop::verify(proof, &expected).map_err(Rejection::Proof)?;
    match (organisation.policy.dpop_nonce, proof.nonce.as_deref()) {
        (DpopNonceRule::Off, _) | (DpopNonceRule::Accept, None) => {}
        (DpopNonceRule::Require, None) => return Err(Rejection::NonceMissing),
        (DpopNonceRule::Accept | DpopNonceRule::Require, Some(nonce)) => {
            nonce::check_dpop(context, organisation, now, nonce).map_err(Rejection::Nonce)?;
        }
    }
    Ok(Some(proof))
}

/// Uses up the `jti` of a verified proof. The same `jti` from another key is another proof.
pub(super) async fn claim(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    proof: &DpopProof,
) -> Result<(), Failure<Rejection>> {
    let key = format!("{}.{}", proof.thumbprint, proof.jti);
    let forget_at = proof.issued_at.saturating_add(MAX_AGE + 1);
    match context.claim_use(organisation, "dpop", &key, forget_at, now).await? {
        Claim::Fresh => Ok(()),
        Claim::Replayed => Err(Failure::Rejected(Rejection::Replayed)),
    }
}
