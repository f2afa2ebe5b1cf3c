//! Nonces for key proofs (OpenID4VCI §7) and for DPoP proofs (RFC 9449 §8, §9).
//!
//! Minting writes nothing: a nonce carries its expiry under a MAC that also covers organisation and purpose, so it is
//! refused by every other organisation and for every other purpose. Only use is remembered.

use chancery_model::{AttestationRule, DpopNonceRule, Organisation, Timestamp};
use chancery_protocol::client_attestation::ChallengeResponse;
use chancery_protocol::credential_response::NonceResponse;
use chancery_protocol::nonce::{self, NonceError, Purpose};
use chancery_storage::Claim;

use super::metadata;
use crate::{Context, Failure};

/// A fresh `c_nonce`, valid for the seconds of the organisation's policy and for one credential request.
pub fn mint(context: &Context, organisation: &Organisation) -> NonceResponse {
    NonceResponse { c_nonce: fresh(context, organisation, Purpose::CNonce) }
}

/// A fresh nonce for DPoP proofs; `None` when the organisation hands none out.
///
/// One kind serves both roles: authorization server and credential issuer are one here, and wallets remember nonces by
/// origin.
pub fn dpop(context: &Context, organisation: &Organisation) -> Option<String> {
    match organisation.policy.dpop_nonce {
        DpopNonceRule::Off => None,
        DpopNonceRule::Accept | DpopNonceRule::Require => {
            Some(fresh(context, organisation, Purpose::DpopAuthorizationServer))
        }
    }
}

/// Whether `nonce` is one of ours for DPoP proofs. It may be used any number of times until it expires.
pub(super) fn check_dpop(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    nonce: &str,
) -> Result<(), NonceError> {
    let checked = check(context, organisation, Purpose::DpopAuthorizationServer, now, nonce);
    // A DPoP proof that stands in for a proof of possession carries the challenge here (ABCA draft-10 §5.2).
    let challenge = |error| check(context, organisation, Purpose::AttestationChallenge, now, nonce).map_err(|_| error);
    checked.or_else(challenge).map(drop)
}

/// A fresh challenge for proofs of possession beside wallet attestations (ABCA draft-07 §8); `None` when neither the
/// organisation nor any of its definitions looks at attestations, so that the metadata name no `challenge_endpoint` either.
///
/// # Errors
/// As for [`metadata::published`].
pub async fn challenge<R>(context: &Context, organisation: &Organisation) -> Result<Option<String>, Failure<R>> {
    let is_wanted = match organisation.policy.wallet_attestation {
        AttestationRule::Off => metadata::published(context, organisation).await?.takes_attestations,
        AttestationRule::Observe | AttestationRule::Enforce => true,
    };
    Ok(is_wanted.then(|| fresh(context, organisation, Purpose::AttestationChallenge)))
}

/// A fresh challenge, as the challenge endpoint hands it out to whoever asks.
pub fn mint_challenge(context: &Context, organisation: &Organisation) -> ChallengeResponse {
    ChallengeResponse { attestation_challenge: fresh(context, organisation, Purpose::AttestationChallenge) }
}

/// Whether `challenge` is one of ours. That a proof is used once is its `jti`'s concern.
pub(super) fn check_challenge(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    challenge: &str,
) -> Result<(), NonceError> {
    check(context, organisation, Purpose::AttestationChallenge, now, challenge).map(drop)
}

/// Why a `c_nonce` is refused.
#[derive(Debug)]
pub enum CNonceRejection {
    /// Not one of ours, or expired.
    Invalid(NonceError),
    /// Used by an earlier request.
    Used,
}

/// Uses up the `c_nonce` of a request.
pub(super) async fn claim(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    c_nonce: &str,
) -> Result<(), Failure<CNonceRejection>> {
    let expires_at = match check(context, organisation, Purpose::CNonce, now, c_nonce) {
        Ok(expires_at) => expires_at,
        Err(_) if context.env().recorded_nonce(c_nonce) => {
            now.plus_seconds(organisation.policy.nonce_lifetime).seconds()
        }
        Err(error) => return Err(Failure::Rejected(CNonceRejection::Invalid(error))),
    };
    match context.claim_use(organisation, "c_nonce", c_nonce, expires_at, now).await? {
        Claim::Fresh => Ok(()),
        Claim::Replayed => Err(Failure::Rejected(CNonceRejection::Used)),
    }
}

fn fresh(context: &Context, organisation: &Organisation, purpose: Purpose) -> String {
    let env = context.env();
    let expires_at = env.now().plus_seconds(organisation.policy.nonce_lifetime);
    nonce::mint(context.nonce_key(), &audience(organisation), purpose, expires_at.seconds(), env.random())
}

/// The second in which `nonce` expires.
fn check(
    context: &Context,
    organisation: &Organisation,
    purpose: Purpose,
    now: Timestamp,
    nonce: &str,
) -> Result<i64, NonceError> {
    let accepted = nonce::check(context.nonce_key(), &audience(organisation), purpose, now.seconds(), nonce)?;
    Ok(accepted.expires_at)
}

fn audience(organisation: &Organisation) -> [u8; 16] {
    organisation.id.as_uuid().into_bytes()
}
