//! The authorization endpoint (OpenID4VCI §5.1, RFC 6749 §4.1.1, RFC 9126 §4).

use std::sync::Arc;

use chancery_model::{
    Authorization, Exchange, IdentityProvider, Organisation, PushedAuthorization, RequestUriSecret, Timestamp,
};
use chancery_protocol::authorization::{
    AuthorizationError, AuthorizationRequest, Incoming, ReturnAddress, pushed_reference,
};
use chancery_protocol::form::Form;
use serde_json::json;

use super::sign_in_state::SignInState;
use super::{Address, Browser, Cookie, Onward, Refused, Rejection, TIME, is_language, settle, show};
use crate::management::identity_provider;
use crate::provider;
use crate::wallet::remembered::Ticket;
use crate::wallet::trail::Trail;
use crate::wallet::{Header, Notes, Refusal, authorization_request, authorization_with, redaction};
use crate::{Context, Failure};

const ENDPOINT: &str = "/authorize";

/// Most languages that are passed on.
const MOST_LANGUAGES: usize = 4;

/// An authorization request as it came.
#[derive(Clone, Copy)]
pub struct Request<'r> {
    /// The query of a GET, or the form of a POST.
    pub parameters: &'r [u8],
    /// The browser that came with it.
    pub browser: Browser<'r>,
    /// Headers for the transcript.
    pub notes: Notes<'r>,
}

/// Begins: the browser is sent to the identity provider, with a cookie by which it is known again. Browsers may come with the
/// same request until somebody has signed in, so that a link preview uses nothing up (PAR-4).
///
/// # Errors
/// What is to be shown to the person, because it is not known that the redirect URI is the wallet's (AUT-14). Wallets whose
/// redirect URI is registered are told everything else.
pub async fn begin(
    context: &Context,
    organisation: &Organisation,
    request: Request<'_>,
) -> Result<Onward, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match start(context, organisation, now, &request, &mut trail).await {
        Ok(onward) => Ok(onward),
        Err(failure) => settle(context, organisation, trail, failure).await,
    }
}

async fn start(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    trail: &mut Trail,
) -> Result<Onward, Failure<Refused>> {
    let form = Form::parse(request.parameters).map_err(show)?;
    let languages = languages(&form, request.browser.languages);
    let Begun { authorization, provider, offer } = match form.get("request_uri") {
        Some(request_uri) => pushed(context, organisation, now, &form, request_uri, trail).await?,
        None => plain(context, organisation, now, &form, trail).await?,
    };
    let address = Address::of(organisation, &authorization)?;
    let is_usable = |offer: &Exchange| offer.status.is_open() && now < offer.expires_at;
    if authorization.exchange_id.is_some() && !offer.as_ref().is_some_and(is_usable) {
        return Err(address.refuse(Rejection::Offer));
    }
    if authorization.exchange_id.is_none() {
        trail.belongs_to_none();
    }
    trail.recording.info_of("authorize.begun", || {
        let headers = redaction::headers(&request.notes, Header::Absent, Header::Absent);
        json!({ "client_id": authorization.client_id, "headers": headers })
    });
    let Some(provider) = provider.as_ref() else {
        return Err(address.refuse(Rejection::NoProvider));
    };
    let id = authorization.id;
    let (state, text) = SignInState::mint(context, organisation, &provider.issuer, id, now.plus_seconds(TIME));
    let departed = provider::depart(context, organisation, provider, &state.departure, text, &languages).await;
    let url = departed.map_err(|error| address.refuse(error))?;
    trail.recording.event("sign_in_started", json!({ "identity_provider": provider.issuer }));
    record(context, organisation, now, &authorization, trail).await?;
    context.remembered().keep_authorization(organisation, Ticket::SignIn(id), authorization);
    let language = languages.first().map(String::as_str);
    let cookie = Cookie::of(organisation, id, &state.browser_secret, language);
    Ok(Onward { location: url.into(), cookie: Some(cookie) })
}

/// A request that may begin, and what it leads to.
struct Begun {
    authorization: Arc<Authorization>,
    provider: Arc<Option<IdentityProvider>>,
    /// The exchange that it names by `issuer_state`.
    offer: Option<Exchange>,
}

impl Begun {
    async fn find(
        context: &Context,
        organisation: &Organisation,
        authorization: Arc<Authorization>,
    ) -> Result<Self, Failure<Refused>> {
        let offer = match authorization.exchange_id {
            Some(exchange) => context.store().read(organisation).await?.exchange(exchange).await?,
            None => None,
        };
        Ok(Self { provider: identity_provider::recent(context, organisation).await?, authorization, offer })
    }
}

/// The request that was pushed under `request_uri`, as long as that can begin something.
async fn pushed(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    form: &Form,
    request_uri: &str,
    trail: &mut Trail,
) -> Result<Begun, Failure<Refused>> {
    let client_id = match Incoming::parse(form).map_err(show)? {
        Incoming::Reference { client_id, .. } => client_id,
        // Whoever sends a `request_uri` sends a reference.
        Incoming::Object { .. } | Incoming::Parameters(_) => {
            return Err(show(AuthorizationError::RequestAndRequestUri));
        }
    };
    let unusable = || show(Rejection::RequestUri);
    let reference = pushed_reference(request_uri).and_then(RequestUriSecret::parse).ok_or_else(unusable)?;
    let found = authorization_with(context, organisation, Ticket::RequestUri(reference)).await?;
    let authorization = found.ok_or_else(unusable)?;
    if let Some(exchange) = authorization.exchange_id {
        trail.belongs_to(exchange);
    }
    if authorization.client_id != client_id {
        return Err(show(Rejection::Client));
    }
    let lives = authorization.request_uri_expires_at.is_some_and(|end| now < end);
    if !lives || !authorization.status.awaits_sign_in() {
        return Err(unusable());
    }
    Begun::find(context, organisation, authorization).await
}

/// A request that comes by its parameters, where the policy takes those.
async fn plain(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    form: &Form,
    trail: &mut Trail,
) -> Result<Begun, Failure<Refused>> {
    let named = ReturnAddress::parse(form).map_err(show)?;
    let redirect_uri = authorization_request::return_address(organisation, &named).map_err(show)?;
    let address = Address::at(organisation, &named.client_id, redirect_uri, named.state);
    if organisation.policy.pushed_authorization == PushedAuthorization::Require {
        return Err(address.refuse(Rejection::PushedOnly));
    }
    if form.get("request").is_some() {
        return Err(address.refuse(Rejection::ObjectNotPushed));
    }
    let request = AuthorizationRequest::parse(form).map_err(|error| address.refuse(error))?;
    let resolved = authorization_request::resolve(context, organisation, now, &request).await;
    let (authorization, definition) = resolved.map_err(|failure| {
        failure.map_rejection(|rejection| {
            rejection.exchange().into_iter().for_each(|exchange| trail.belongs_to(exchange));
            address.refused(rejection)
        })
    })?;
    if organisation.policy.pushed_authorization_for(&definition.content) == PushedAuthorization::Require {
        return Err(address.refuse(Rejection::PushedOnly));
    }
    if let Some(exchange) = authorization.exchange_id {
        trail.belongs_to(exchange);
    }
    Begun::find(context, organisation, Arc::new(authorization)).await
}

/// Writes down what is not there yet: a request that was not pushed, and what goes into a transcript.
async fn record(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    begun: &Authorization,
    trail: &mut Trail,
) -> Result<(), Failure<Refused>> {
    if begun.request_uri_hash.is_none() {
        authorization_request::add(context, organisation, begun, trail).await?;
        context.sweep_authorizations(organisation, now).await;
    } else if let Some(exchange) = begun.exchange_id {
        let part = trail.finish(context).of(exchange, None);
        context.store().write_relaxed(organisation, async |tx| tx.add_transcript_part(&part).await).await?;
    }
    Ok(())
}

/// `ui_locales`, then what the browser says.
fn languages(form: &Form, accepted: &[String]) -> Vec<String> {
    let named = form.get("ui_locales").unwrap_or_default();
    let mut languages: Vec<String> = Vec::new();
    for tag in named.split(' ').chain(accepted.iter().map(String::as_str)) {
        if is_language(tag) && languages.len() < MOST_LANGUAGES && !languages.iter().any(|known| known == tag) {
            languages.push(tag.to_owned());
        }
    }
    languages
}
