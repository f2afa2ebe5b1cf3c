//! The checks of a token request, one function each.

use chancery_model::{
    AccessTokenBinding, Definition, Exchange, ExchangeSecrets, ExchangeStatus, Organisation, Timestamp,
};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::excerpt;
use chancery_protocol::form::Form;
use subtle::ConstantTimeEq;

use super::super::client::{self, Client, Identified, Request};
use super::super::trail::Trail;
use super::super::{Header, dpop};
use super::{ENDPOINT, Rejection};
use crate::sealed::Place;
use crate::{Context, Failure};

/// The code is still good (TOK-4).
pub(super) fn code(exchange: &Exchange, organisation: &Organisation, now: Timestamp) -> Result<(), Rejection> {
    let attempts = organisation.policy.transaction_code_attempts;
    if exchange.status == ExchangeStatus::IssuanceDenied {
        Err(Rejection::CodeWithdrawn)
    } else if exchange.code_spent_at.is_some() {
        Err(Rejection::CodeUsed)
    } else if now >= exchange.expires_at {
        Err(Rejection::CodeExpired)
    } else if exchange.transaction_code.is_some() && exchange.failed_attempts >= attempts {
        Err(Rejection::CodeLocked { attempts })
    } else {
        Ok(())
    }
}

/// Resource indicators name this issuer (RFC 8707 §2).
pub(super) fn resource(organisation: &Organisation, resources: &[String]) -> Result<(), Rejection> {
    let expected = organisation.issuer.as_str();
    match resources.iter().find(|resource| *resource != expected) {
        Some(foreign) => Err(Rejection::Target { expected: expected.to_owned(), got: excerpt(foreign) }),
        None => Ok(()),
    }
}

/// `authorization_details` ask for nothing but what is on offer (TOK-6), here (AUT-6).
pub(super) fn details(
    organisation: &Organisation,
    definition: &Definition,
    exchange: &Exchange,
    details: &[AuthorizationDetail],
) -> Result<(), Rejection> {
    for detail in details {
        let configuration = detail.credential_configuration_id.as_str();
        let entry = definition.entry_by_configuration(configuration);
        if !entry.is_some_and(|entry| exchange.entries.contains(&entry.id)) {
            return Err(Rejection::NotOffered { got: excerpt(configuration) });
        }
    }
    locations(organisation, details)
}

/// `locations`, where there are any, name this issuer (AUT-6).
pub(super) fn locations(organisation: &Organisation, details: &[AuthorizationDetail]) -> Result<(), Rejection> {
    let issuer = organisation.issuer.as_str();
    let elsewhere = |detail: &AuthorizationDetail| {
        !detail.locations.is_empty() && !detail.locations.iter().any(|location| location == issuer)
    };
    match details.iter().any(elsewhere) {
        true => Err(Rejection::Location { expected: issuer.to_owned() }),
        false => Ok(()),
    }
}

/// The DPoP proof, when there is one, is good; there is one when the policy demands it (DPP-1).
pub(super) fn dpop(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    header: Header<'_>,
) -> Result<Option<DpopProof>, Rejection> {
    let proof = dpop::verify(context, organisation, now, ENDPOINT, None, header).map_err(Rejection::Dpop)?;
    match (&proof, organisation.policy.access_token_binding) {
        (None, AccessTokenBinding::DpopRequired) => Err(Rejection::Dpop(dpop::Rejection::Missing)),
        (Some(_), _) | (None, AccessTokenBinding::DpopOrBearer) => Ok(proof),
    }
}

/// Whether a token without a DPoP key would end before there is anything to collect with it. It lives for five minutes
/// (OpenID4VCI §13.10), and claims that are not there yet may take weeks; a client that authenticates may refresh it.
pub(super) fn ends_too_soon(
    organisation: &Organisation,
    exchange: &Exchange,
    client: &Client,
    proof: Option<&DpopProof>,
) -> bool {
    let refreshes = organisation.policy.refresh_tokens && client.is_authenticated;
    proof.is_none() && !refreshes && exchange.sealed_submissions.is_none()
}

/// Who asks, as far as the request says it by itself. This comes before anything is said about the code, so that a bad proof
/// looks the same with every code (SEC-19).
pub(super) fn asker(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    form: &Form,
) -> Result<(Option<DpopProof>, Identified), Failure<Rejection>> {
    let proof = dpop(context, organisation, now, request.dpop).map_err(Failure::Rejected)?;
    let identified = client::identify(context, organisation, now, form, request.attestation, proof.as_ref());
    let identified = identified.map_err(|rejection| Failure::Rejected(Rejection::Client(rejection)))?;
    Ok((proof, identified))
}

/// The client that the policy makes of whoever asks for something of this definition. `anonymous` clients name nobody.
pub(super) fn client(
    organisation: &Organisation,
    definition: &Definition,
    (identified, proof): (Identified, Option<&DpopProof>),
    anonymous: bool,
    trail: &mut Trail,
) -> Result<Client, Rejection> {
    let policy = &organisation.policy;
    if proof.is_none() && policy.access_token_binding_for(&definition.content) == AccessTokenBinding::DpopRequired {
        return Err(Rejection::Dpop(dpop::Rejection::Missing));
    }
    let rule = policy.wallet_attestation_for(&definition.content);
    let client = identified.settle(rule, &mut trail.recording).map_err(Rejection::Client)?;
    client.admitted(organisation, anonymous).map_err(Rejection::Client)?;
    Ok(client)
}

/// The transaction code is the one of the offer (TOK-3). A wrong one is counted before the answer goes out, and the code
/// is only spent while the count is below the limit: however many guesses run side by side, no more than the limit can
/// hit.
pub(super) async fn transaction_code(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    exchange: &Exchange,
    given: Option<&str>,
) -> Result<(), Failure<Rejection>> {
    let given = match (exchange.transaction_code, given) {
        (None, None) => return Ok(()),
        (Some(_), None) => return Err(Failure::Rejected(Rejection::TransactionCodeMissing)),
        (None, Some(_)) => return Err(Failure::Rejected(Rejection::TransactionCodeUnexpected)),
        (Some(_), Some(given)) => given,
    };
    let ready_at = exchange.updated_at.plus_seconds(pause(exchange.failed_attempts));
    if now < ready_at {
        let left = ready_at.millis().saturating_sub(now.millis()).saturating_add(999) / 1000;
        let seconds = u32::try_from(left).unwrap_or(u32::MAX);
        return Err(Failure::Rejected(Rejection::TransactionCodeTooSoon { seconds }));
    }
    let secrets: ExchangeSecrets =
        context.open(organisation, Place::ExchangeSecrets, exchange.id.as_uuid(), &exchange.sealed_secrets)?;
    let expected = secrets.transaction_code.unwrap_or_default();
    if bool::from(expected.as_bytes().ct_eq(given.as_bytes())) && !expected.is_empty() {
        return Ok(());
    }
    let limit = organisation.policy.transaction_code_attempts;
    let counted = context
        .store()
        .write(organisation, async |tx| tx.count_failed_transaction_code(exchange.id, limit, now).await)
        .await?;
    // Not counted: the offer was locked, or redeemed, by requests beside this one.
    let left = counted.map_or(0, |failed| limit.saturating_sub(failed));
    Err(Failure::Rejected(Rejection::TransactionCodeWrong { left }))
}

/// Seconds between a wrong transaction code and the next one that is read: none after the first two, which are slips of the
/// finger, then 2, 4, 8 and so on, up to two minutes.
fn pause(failed_attempts: u8) -> u32 {
    match failed_attempts.checked_sub(3) {
        Some(further) => 2_u32 << further.min(6),
        None => 0,
    }
}

/// No code is used up for what nobody could sign.
pub(super) async fn can_sign(
    context: &Context,
    organisation: &Organisation,
    definition: &Definition,
    now: Timestamp,
) -> Result<(), Failure<Rejection>> {
    let obstacle = context.signing_obstacle(organisation, definition, now).await?;
    obstacle.map_or(Ok(()), |obstacle| Err(Failure::Rejected(Rejection::CannotSign(obstacle))))
}

#[cfg(test)]
mod tests {
    use super::pause;

    #[test]
    fn the_pause_after_wrong_transaction_codes_doubles_and_has_an_end() {
        assert_eq!([0, 1, 2, 3, 4, 5, 9, 20, 255].map(pause), [0, 0, 0, 2, 4, 8, 128, 128, 128]);
    }
}
