//! The way back from the identity provider (OpenID Connect Core 1.0 §3.1.2.5).

use std::sync::Arc;

use chancery_model::{
    Authorization, AuthorizationStatus, Definition, Exchange, ExchangeId, IdentityProvider, Organisation,
    RequestUriSecret, SecretHash, SignedIn, Timestamp,
};
use chancery_protocol::excerpt;
use chancery_protocol::form::Form;
use chancery_storage::{Claim, StoreError};
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;

use super::sign_in_state::SignInState;
use super::{Address, Browser, Onward, Refused, Rejection, claims, settle, show};
use crate::management::{identity_provider, individuals};
use crate::provider::{self, Person, ProviderError, Return};
use crate::sealed::Place;
use crate::wallet::credential::batch;
use crate::wallet::remembered::Ticket;
use crate::wallet::trail::Trail;
use crate::wallet::{Refusal, authorization_with, definition_asked_for};
use crate::{Context, Failure};

const ENDPOINT: &str = "/sign-in/callback";

/// Takes the provider's answer, asks the provider who it is, and leads to the consent page.
///
/// # Errors
/// What is to be shown to the person: the answer is nobody's, comes twice, or comes from another browser; also that signing
/// in failed, unless the wallet's redirect URI is registered. Everything else is told to the wallet.
pub async fn finish(
    context: &Context,
    organisation: &Organisation,
    query: &[u8],
    browser: Browser<'_>,
) -> Result<Onward, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match take(context, organisation, now, query, browser, &mut trail).await {
        Ok(onward) => Ok(onward),
        Err(failure) => settle(context, organisation, trail, failure).await,
    }
}

async fn take(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    query: &[u8],
    browser: Browser<'_>,
    trail: &mut Trail,
) -> Result<Onward, Failure<Refused>> {
    let form = Form::parse(query).map_err(show)?;
    let text = form.get("state").ok_or_else(|| show(Rejection::State))?;
    let state = SignInState::read(context, organisation, text).ok_or_else(|| show(Rejection::State))?;
    let id = state.authorization;
    let found = authorization_with(context, organisation, Ticket::SignIn(id)).await?;
    let authorization = found.ok_or_else(|| show(Rejection::State))?;
    if let Some(exchange) = authorization.exchange_id {
        trail.belongs_to(exchange);
    }
    // Nothing is used up by another browser: whoever got hold of the link, or sent it to a victim, changes nothing.
    let is_its = |secret: &&str| bool::from(secret.as_bytes().ct_eq(state.browser_secret.as_bytes()));
    let secret = browser.secret(organisation, id).filter(is_its).ok_or_else(|| show(Rejection::Browser))?;
    let owner = SecretHash::of(secret);
    let around = Around::find(context, organisation, &authorization).await?;
    let address = Address::of(organisation, &authorization)?;
    if now >= state.expires_at {
        return Err(show(Rejection::TimeOver));
    }
    if !authorization.status.awaits_sign_in() {
        return Err(show(Rejection::State));
    }
    match context.claim_use(organisation, "sign-in", text, state.expires_at.seconds(), now).await? {
        Claim::Fresh => {}
        Claim::Replayed => return Err(show(Rejection::State)),
    }
    let language = browser.language(organisation, id).map(str::to_owned);
    let expires_at = state.expires_at;
    let person = match person(context, organisation, now, (&authorization, around), (&form, state), &address).await {
        Ok(person) => person,
        Err(failure) => {
            let status = AuthorizationStatus::Failed;
            let failed = Authorization { status, updated_at: now, ..Authorization::clone(&authorization) };
            if let Err(error) = context.store().step_authorization(organisation, &failed).await {
                tracing::warn!(%error, "a failed sign-in could not be ended");
            }
            forget(context, organisation, &authorization);
            return Err(failure);
        }
    };
    let row = authorization.id.as_uuid();
    let sealed = context.seal(organisation, Place::AuthorizationSignedIn, row, &person)?;
    trail.recording.info("sign_in.finished", json!({ "claims_complete": claims::are_complete(&person.submissions) }));
    trail.recording.event("signed_in", Value::Null);
    let signed_in = Authorization {
        status: AuthorizationStatus::SignedIn,
        browser_hash: Some(owner),
        locale: language,
        expires_at,
        sealed_signed_in: Some(sealed),
        updated_at: now,
        ..Authorization::clone(&authorization)
    };
    let kept = keep(context, organisation, now, &signed_in, trail).await?;
    forget(context, organisation, &authorization);
    if !kept {
        return Err(show(Rejection::State));
    }
    context.remembered().keep_authorization(organisation, Ticket::SignedIn(id), Arc::new(signed_in));
    // Relative to the issuer, and without the code of the provider, which a reload would send again.
    let location = format!("{}?request={}", organisation.issuer.endpoint("consent"), authorization.id);
    Ok(Onward { location, cookie: None })
}

/// Keeps what the sign-in yielded, unless another one was first. Losing it in a crash means to sign in again.
async fn keep(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    signed_in: &Authorization,
    trail: &mut Trail,
) -> Result<bool, StoreError> {
    let Some(exchange) = signed_in.exchange_id else {
        return context.store().step_authorization(organisation, signed_in).await;
    };
    let part = trail.finish(context).of(exchange, None);
    let work = context.store().write_relaxed(organisation, async |tx| {
        tx.add_transcript_part(&part).await?;
        tx.keep_sign_in(signed_in, now).await
    });
    work.await
}

/// Nobody is to begin with the request any more.
fn forget(context: &Context, organisation: &Organisation, authorization: &Authorization) {
    let id = authorization.id;
    context.remembered().forget_authorization(organisation, Ticket::SignIn(id));
    if let Some(hash) = authorization.request_uri_hash {
        let reference = RequestUriSecret { authorization: id, hash };
        context.remembered().forget_authorization(organisation, Ticket::RequestUri(reference));
    }
}

/// What a request is about.
struct Around {
    provider: Arc<Option<IdentityProvider>>,
    definition: Arc<Definition>,
    /// The exchange of the offer that it goes back to.
    exchange: Option<Exchange>,
}

impl Around {
    async fn find(
        context: &Context,
        organisation: &Organisation,
        authorization: &Authorization,
    ) -> Result<Self, Failure<Refused>> {
        let read = context.store().read(organisation).await?;
        let definition = definition_asked_for(&read, authorization).await?;
        let exchange = match authorization.exchange_id {
            Some(exchange) => read.exchange(exchange).await?,
            None => None,
        };
        drop(read);
        Ok(Self { provider: identity_provider::recent(context, organisation).await?, definition, exchange })
    }
}

/// Who the person is, and with that what goes into the credential.
async fn person(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    (authorization, around): (&Authorization, Around),
    (form, state): (&Form, SignInState),
    address: &Address,
) -> Result<SignedIn, Failure<Refused>> {
    if let Some(error) = form.get("error") {
        let by_person =
            matches!(error, "access_denied" | "login_required" | "interaction_required" | "consent_required");
        let rejection = Rejection::ProviderSaysNo { error: excerpt(error), by_person };
        return Err(if by_person { address.refuse_after_answer(rejection) } else { address.refuse(rejection) });
    }
    let Some(code) = form.get("code") else {
        return Err(address.refuse(Rejection::ProviderSaysNo { error: "without a code".to_owned(), by_person: false }));
    };
    let Around { provider, definition, exchange } = around;
    let provider = provider.as_ref().as_ref().ok_or_else(|| address.refuse(Rejection::NoProvider))?;
    if !state.left_for(&provider.issuer) {
        return Err(address.refuse(ProviderError::Replaced));
    }
    let requested = &authorization.requested;
    let suffices = |claims: &Map<String, Value>| claims::suffice(&definition, requested, claims);
    let returned = Return { code, issuer: form.get("iss") };
    let person = provider::arrive(context, organisation, provider, state.departure, returned, now, suffices).await;
    let Person { claims: person, id_token } = person.map_err(|error| address.refuse(error))?;
    let offered = match &exchange {
        Some(exchange) => Some((exchange, batch::submissions(context, organisation, exchange)?)),
        None => None,
    };
    let subject = person.get("sub").and_then(Value::as_str).map(str::to_owned);
    if let Some((exchange, given)) = &offered {
        let expected = expected_subject(context, organisation, exchange.id).await?;
        let is_meant = match &expected {
            Some(_) => expected == subject,
            None => given.iter().all(|it| it.claims.is_empty()) || claims::confirm(&definition, given, &person),
        };
        if !is_meant {
            let rejection = Rejection::AnotherPerson { is_known: expected.is_some() };
            return Err(address.refuse_after_answer(rejection));
        }
    }
    let submissions = claims::submissions(&definition, requested, offered, &person);
    let submissions = submissions.map_err(|rejection| address.refuse_after_answer(rejection))?;
    Ok(SignedIn { subject, submissions, id_token })
}

/// The `sub` of the person for whom the offer was made, when the organisation knows it (`iamId`).
async fn expected_subject(
    context: &Context,
    organisation: &Organisation,
    exchange: ExchangeId,
) -> Result<Option<String>, Failure<Refused>> {
    let read = context.store().read(organisation).await?;
    let deliveries = read.offer_deliveries_of(&[exchange]).await?;
    let Some(id) = deliveries.iter().find_map(|delivery| delivery.individual_id) else { return Ok(None) };
    let Some(individual) = read.individual(id).await? else { return Ok(None) };
    let contact = individuals::open(context, organisation, &individual)?;
    Ok(Some(contact.iam_id).filter(|iam_id| !iam_id.is_empty()))
}
