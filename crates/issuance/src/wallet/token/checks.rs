//! The checks of a token request, one function each.

use chancery_model::{
    AccessTokenBinding, Definition, Exchange, ExchangeSecrets, ExchangeStatus, Organisation, Timestamp,
};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::excerpt;
use subtle::ConstantTimeEq;

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

/// The organisation admits the client (TOK-5).
pub(super) fn client(
    organisation: &Organisation,
    definition: &Definition,
    client_id: Option<&str>,
) -> Result<(), Rejection> {
    match client_id {
        None if !organisation.policy.anonymous_access => return Err(Rejection::ClientMissing),
        Some(client_id) if !organisation.policy.clients.admit(client_id) => {
            return Err(Rejection::ClientUnknown { got: excerpt(client_id) });
        }
        None | Some(_) => {}
    }
    // Demanded and not verifiable: refused rather than waved through.
    if definition.content.enforce_wua { Err(Rejection::WalletAttestationMissing) } else { Ok(()) }
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
    let issuer = organisation.issuer.as_str();
    for detail in details {
        let configuration = detail.credential_configuration_id.as_str();
        let entry = definition.entry_by_configuration(configuration);
        if !entry.is_some_and(|entry| exchange.entries.contains(&entry.id)) {
            return Err(Rejection::NotOffered { got: excerpt(configuration) });
        }
        if !detail.locations.is_empty() && !detail.locations.iter().any(|location| location == issuer) {
            return Err(Rejection::Location { expected: issuer.to_owned() });
        }
    }
    Ok(())
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
