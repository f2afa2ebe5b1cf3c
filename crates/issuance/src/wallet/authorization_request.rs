//! What an authorization request asks for, and of whom; for requests that are pushed and for those that a browser
//! brings (OpenID4VCI §5).

mod rejection;

use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    Authorization, AuthorizationId, AuthorizationStatus, Definition, Entry, Exchange, ExchangeStatus, GrantKind,
    Organisation, RequestedClaim, RequestedCredential, SecretHash, Timestamp,
};
use chancery_protocol::authorization::{AuthorizationError, AuthorizationRequest, RedirectUri, ReturnAddress};
use chancery_protocol::authorization_details::AuthorizationDetail;
use chancery_protocol::excerpt;
use chancery_storage::StoreError;

pub use rejection::Rejection;

use super::trail::Trail;
use super::{definition_of, metadata};
use crate::{Context, Failure};

/// For how long a person may take to sign in and consent.
pub(crate) const SIGN_IN_LIFETIME: Duration = Duration::from_secs(1800);

/// Most configurations of one request.
const MOST_REQUESTED: usize = 32;

/// Where the answer to a request goes. Until this is known an error is shown and sent nowhere (AUT-14).
///
/// A client that is registered with redirect URIs uses one of them, byte for byte; it may leave the parameter out when
/// it has exactly one. Any other client must send one.
pub(crate) fn return_address(organisation: &Organisation, address: &ReturnAddress) -> Result<RedirectUri, Rejection> {
    let clients = &organisation.policy.clients;
    if !clients.admit(&address.client_id) {
        return Err(Rejection::ClientUnknown { got: excerpt(&address.client_id) });
    }
    let registered = clients.registered(&address.client_id).map(|client| client.redirect_uris()).unwrap_or_default();
    match (&address.redirect_uri, registered) {
        (Some(asked), []) => Ok(asked.clone()),
        (Some(asked), registered) => {
            asked.check_registered(registered).map_err(AuthorizationError::RedirectUri)?;
            Ok(asked.clone())
        }
        (None, [only]) => Ok(RedirectUri::parse(only).map_err(AuthorizationError::RedirectUri)?),
        (None, _) => Err(Rejection::Request(AuthorizationError::Missing { name: "redirect_uri" })),
    }
}

/// Whether `redirect_uri` is one that the client registered. Any other one may be anybody's.
pub(crate) fn is_registered(organisation: &Organisation, client_id: &str, redirect_uri: &RedirectUri) -> bool {
    let client = organisation.policy.clients.registered(client_id);
    client.is_some_and(|client| redirect_uri.check_registered(client.redirect_uris()).is_ok())
}

/// What is asked for, found among the organisation's definitions, and not yet stored: status `Requested`, without a
/// browser, a `request_uri`, or bindings to keys.
pub(crate) async fn resolve(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &AuthorizationRequest,
) -> Result<(Authorization, Arc<Definition>), Failure<Rejection>> {
    let redirect_uri = return_address(organisation, &request.return_address).map_err(Failure::Rejected)?;
    let challenge = request.required_code_challenge().map_err(|error| Failure::Rejected(error.into()))?;
    targets(organisation, request).map_err(Failure::Rejected)?;
    let (exchange, definition, requested) = match &request.issuer_state {
        Some(state) => {
            let (exchange, definition) = offered(context, organisation, now, state).await?;
            let requested = of_offer(organisation, &exchange, &definition, request).map_err(Failure::Rejected)?;
            (Some(exchange), definition, requested)
        }
        None => {
            let (definition, requested) = of_definitions(context, organisation, request).await?;
            (None, definition, requested)
        }
    };
    if let Some(obstacle) = context.signing_obstacle(organisation, &definition, now).await? {
        let exchange = exchange.map(|exchange| exchange.id);
        return Err(Failure::Rejected(Rejection::CannotSign { exchange, obstacle }));
    }
    let authorization = Authorization {
        id: AuthorizationId::from(context.env().uuid(now)),
        client_id: request.return_address.client_id.clone(),
        redirect_uri: redirect_uri.as_str().to_owned(),
        redirect_uri_named: request.return_address.redirect_uri.is_some(),
        state: request.return_address.state.clone(),
        code_challenge: Some(challenge.to_string()),
        definition_id: definition.id,
        definition_revision: definition.revision,
        requested,
        by_details: request.authorization_details.is_some(),
        exchange_id: exchange.map(|exchange| exchange.id),
        dpop_jkt: request.dpop_jkt.clone(),
        instance_thumbprint: None,
        request_uri_hash: None,
        request_uri_expires_at: None,
        status: AuthorizationStatus::Requested,
        browser_hash: None,
        sealed_signed_in: None,
        locale: None,
        code_hash: None,
        expires_at: now.plus(SIGN_IN_LIFETIME),
        created_at: now,
        updated_at: now,
    };
    Ok((authorization, definition))
}

/// Keeps a request, with what was written about it where it goes back to an offer.
pub(super) async fn add(
    context: &Context,
    organisation: &Organisation,
    authorization: &Authorization,
    trail: &mut Trail,
) -> Result<(), StoreError> {
    let Some(exchange) = authorization.exchange_id else {
        return context.store().step_authorization(organisation, authorization).await.map(drop);
    };
    let part = trail.finish(context).of(exchange, None);
    let work = context.store().write_relaxed(organisation, async |tx| {
        tx.add_authorization(authorization).await?;
        tx.add_transcript_part(&part).await
    });
    work.await
}

/// `resource` and `locations` name this issuer and nobody else (AUT-6, AUT-10).
fn targets(organisation: &Organisation, request: &AuthorizationRequest) -> Result<(), Rejection> {
    let expected = organisation.issuer.as_str();
    if let Some(foreign) = request.resource.iter().find(|resource| *resource != expected) {
        return Err(Rejection::Target { expected: expected.to_owned(), got: excerpt(foreign) });
    }
    let details = request.authorization_details.as_deref().unwrap_or_default();
    let elsewhere = |detail: &&AuthorizationDetail| {
        !detail.locations.is_empty() && !detail.locations.iter().any(|location| location == expected)
    };
    match details.iter().find(elsewhere) {
        Some(_) => Err(Rejection::Location { expected: expected.to_owned() }),
        None => Ok(()),
    }
}

/// The exchange that `issuer_state` names. It finds the context, and proves nothing (AUT-11).
async fn offered(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    issuer_state: &str,
) -> Result<(Exchange, Arc<Definition>), Failure<Rejection>> {
    let read = context.store().read(organisation).await?;
    let found = read.exchange_by_code(&SecretHash::of(issuer_state)).await?;
    let exchange = found
        .filter(|exchange| exchange.grant_kind == GrantKind::AuthorizationCode)
        .ok_or(Failure::Rejected(Rejection::IssuerStateUnknown))?;
    let is_open = matches!(exchange.status, ExchangeStatus::OfferSent | ExchangeStatus::OfferReceived)
        && exchange.code_spent_at.is_none();
    if !is_open || now >= exchange.expires_at {
        return Err(Failure::Rejected(Rejection::OfferOver { exchange: exchange.id }));
    }
    let definition = definition_of(&read, &exchange).await?;
    Ok((exchange, definition))
}

/// What is asked for of an offer; everything on offer when nothing is named.
fn of_offer(
    organisation: &Organisation,
    exchange: &Exchange,
    definition: &Definition,
    request: &AuthorizationRequest,
) -> Result<Vec<RequestedCredential>, Rejection> {
    let entries: Vec<&Entry> = exchange.configurations().filter_map(|id| definition.entry(id)).collect();
    if request.authorization_details.is_none() && request.scope.is_empty() {
        return Ok(entries.into_iter().map(|entry| requested(entry, None)).collect());
    }
    chosen(organisation, &entries, request)
}

/// What is asked for without an offer: configurations of one definition, because an exchange has one.
async fn of_definitions(
    context: &Context,
    organisation: &Organisation,
    request: &AuthorizationRequest,
) -> Result<(Arc<Definition>, Vec<RequestedCredential>), Failure<Rejection>> {
    let published = metadata::published(context, organisation).await?;
    let entries: Vec<&Entry> =
        published.definitions.iter().flat_map(|definition| definition.content.entries.iter()).collect();
    let requested = chosen(organisation, &entries, request).map_err(Failure::Rejected)?;
    let has = |definition: &&Arc<Definition>| requested.iter().all(|asked| definition.entry(asked.entry).is_some());
    let Some(definition) = published.definitions.iter().find(has) else {
        let by_details = request.authorization_details.is_some();
        return Err(Failure::Rejected(Rejection::SeveralDefinitions { by_details }));
    };
    Ok((Arc::clone(definition), requested))
}

/// The entries that `authorization_details` and `scope` name. A scope adds what no detail names (AUT-8), and unknown
/// scope values are ignored as long as anything is left.
fn chosen(
    organisation: &Organisation,
    entries: &[&Entry],
    request: &AuthorizationRequest,
) -> Result<Vec<RequestedCredential>, Rejection> {
    let mut asked: Vec<RequestedCredential> = Vec::new();
    for detail in request.authorization_details.iter().flatten() {
        let configuration = detail.credential_configuration_id.as_str();
        let entry = entries.iter().find(|entry| entry.configuration_id == configuration);
        let entry = entry.ok_or_else(|| Rejection::ConfigurationUnknown { got: excerpt(configuration) })?;
        if !asked.iter().any(|known| known.entry == entry.id) {
            asked.push(requested(entry, Some(detail)));
        }
    }
    for scope in &request.scope {
        let named = entries.iter().filter(|entry| organisation.policy.scope_for(entry) == Some(scope));
        for entry in named {
            if !asked.iter().any(|known| known.entry == entry.id) {
                asked.push(requested(entry, None));
            }
        }
    }
    match asked.len() {
        0 => Err(Rejection::ScopeUnknown { got: excerpt(&request.scope.join(" ")) }),
        1..=MOST_REQUESTED => Ok(asked),
        got => Err(Rejection::TooMany { limit: MOST_REQUESTED, got }),
    }
}

fn requested(entry: &Entry, detail: Option<&AuthorizationDetail>) -> RequestedCredential {
    let claims = detail.map(|detail| detail.claims.as_slice()).unwrap_or_default();
    RequestedCredential {
        entry: entry.id,
        configuration_id: entry.configuration_id.clone(),
        claims: claims
            .iter()
            .map(|claim| RequestedClaim { path: claim.path.clone(), mandatory: claim.mandatory })
            .collect(),
    }
}
