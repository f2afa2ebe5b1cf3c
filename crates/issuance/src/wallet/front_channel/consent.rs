//! The consent page (OpenID4VCI §15.1) and the decision on it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_keys::sha256;
use chancery_model::{
    Authorization, AuthorizationId, AuthorizationStatus, Organisation, SecretHash, SignedIn, Timestamp,
};
use chancery_protocol::authorization::Outcome;
use chancery_protocol::form::Form;
use chancery_storage::StoreError;
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{Address, Browser, Onward, Refused, Rejection, Shown, settle, show, shown};
use crate::sealed::Place;
use crate::wallet::code::Code;
use crate::wallet::remembered::Ticket;
use crate::wallet::trail::Trail;
use crate::wallet::{Refusal, authorization_with, definition_asked_for};
use crate::{Context, Failure};

const ENDPOINT: &str = "/consent";

/// What the person is to decide about. Reading it changes nothing.
///
/// # Errors
/// What is to be shown instead.
pub async fn read(
    context: &Context,
    organisation: &Organisation,
    query: &[u8],
    browser: Browser<'_>,
) -> Result<Shown, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match look(context, organisation, now, query, browser, &mut trail).await {
        Ok(shown) => Ok(shown),
        Err(failure) => {
            let failure = failure.map_rejection(|refused| refused.rejection);
            Err(context.conclude(organisation, trail, failure).await)
        }
    }
}

/// Takes the decision: the browser goes back to the wallet, with a code or with `access_denied`. Until a code is redeemed the
/// person may consent again, for another one, when the way to the wallet was lost, or cancel, and no code works any more.
///
/// # Errors
/// What is to be shown to the person instead.
pub async fn decide(
    context: &Context,
    organisation: &Organisation,
    body: &[u8],
    browser: Browser<'_>,
) -> Result<Onward, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match take(context, organisation, now, body, browser, &mut trail).await {
        Ok(onward) => Ok(onward),
        Err(failure) => settle(context, organisation, trail, failure).await,
    }
}

async fn look(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    query: &[u8],
    browser: Browser<'_>,
    trail: &mut Trail,
) -> Result<Shown, Failure<Refused>> {
    let form = Form::parse(query).map_err(show)?;
    let Pending { authorization, proof, .. } = pending(context, organisation, now, &form, browser, trail).await?;
    let row = authorization.id.as_uuid();
    let sealed = authorization.sealed_signed_in.as_deref();
    let sealed = sealed.ok_or_else(|| Failure::Internal(anyhow::anyhow!("a sign-in without what it yielded")))?;
    let SignedIn { submissions, .. } = context.open(organisation, Place::AuthorizationSignedIn, row, sealed)?;
    let read = context.store().read(organisation).await?;
    let definition = definition_asked_for(&read, &authorization).await?;
    let mut languages: Vec<String> = authorization.locale.iter().cloned().collect();
    languages.extend(browser.languages.iter().cloned());
    let requested = authorization.requested.iter().filter_map(|requested| definition.entry(requested.entry));
    let credentials = requested.flat_map(|entry| {
        let mut own: Vec<_> = submissions.iter().filter(|it| it.entry == entry.id).map(Some).collect();
        if own.is_empty() {
            own.push(None);
        }
        let show = |submission| shown::credential(&definition, entry, submission, &languages);
        own.into_iter().map(show).collect::<Vec<_>>()
    });
    Ok(Shown {
        organisation: organisation.name.clone(),
        credentials: credentials.collect(),
        client_id: authorization.client_id.clone(),
        redirect_uri: authorization.redirect_uri.clone(),
        request: authorization.id.to_string(),
        languages,
        proof,
    })
}

async fn take(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    body: &[u8],
    browser: Browser<'_>,
    trail: &mut Trail,
) -> Result<Onward, Failure<Refused>> {
    let form = Form::parse(body).map_err(show)?;
    let Pending { authorization, owner, proof } = pending(context, organisation, now, &form, browser, trail).await?;
    let sent = form.get("proof").unwrap_or_default();
    if !bool::from(sent.as_bytes().ct_eq(proof.as_bytes())) {
        return Err(show(Rejection::Forged));
    }
    let address = Address::of(organisation, &authorization)?;
    match form.get("decision") {
        Some("continue") => {
            let code = Code::mint(context, organisation, authorization.id, now);
            record(context, organisation, &authorization, trail).await?;
            let ticket = Ticket::SignedIn(authorization.id);
            context.remembered().keep_authorization(organisation, ticket, authorization);
            Ok(address.answer(organisation, Outcome::Code(&code)))
        }
        Some("cancel") => {
            let id = authorization.id;
            let work = context.store().write(organisation, async |tx| tx.fail_authorization(id, &owner, now).await);
            let is_in_time = work.await?;
            context.remembered().forget_authorization(organisation, Ticket::SignedIn(id));
            let refused = address.refuse_after_answer(Rejection::Cancelled);
            Err(if is_in_time { refused } else { show(Rejection::Decided) })
        }
        Some(_) | None => Err(show(Rejection::Forged)),
    }
}

/// Writes the consent into the transcript of the offer that the request goes back to.
async fn record(
    context: &Context,
    organisation: &Organisation,
    authorization: &Authorization,
    trail: &mut Trail,
) -> Result<(), StoreError> {
    let Some(exchange) = authorization.exchange_id else { return Ok(()) };
    trail.recording.info("consent.given", json!({ "client_id": authorization.client_id }));
    trail.recording.event("consent_given", Value::Null);
    let part = trail.finish(context).of(exchange, None);
    context.store().write_relaxed(organisation, async |tx| tx.add_transcript_part(&part).await).await
}

/// What the form of the page holds. Only this server's page can: other sites know neither the cookie nor its hash.
fn proof_for(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(sha256(format!("consent:{secret}").as_bytes()))
}

/// A request that waits for the decision of the person at this browser.
struct Pending {
    authorization: Arc<Authorization>,
    owner: SecretHash,
    proof: String,
}

async fn pending(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    form: &Form,
    browser: Browser<'_>,
    trail: &mut Trail,
) -> Result<Pending, Failure<Refused>> {
    let id = form.get("request").and_then(AuthorizationId::parse).ok_or_else(|| show(Rejection::State))?;
    let secret = browser.secret(organisation, id).ok_or_else(|| show(Rejection::State))?;
    let found = authorization_with(context, organisation, Ticket::SignedIn(id)).await?;
    let authorization = found.ok_or_else(|| show(Rejection::State))?;
    // The same answer as for an id that never was: whether it exists is the browser's business.
    let owner = browser.owns(organisation, &authorization).ok_or_else(|| show(Rejection::State))?;
    if let Some(exchange) = authorization.exchange_id {
        trail.belongs_to(exchange);
    }
    match authorization.status {
        AuthorizationStatus::SignedIn if now < authorization.expires_at => {}
        AuthorizationStatus::SignedIn => return Err(show(Rejection::TimeOver)),
        AuthorizationStatus::Spent | AuthorizationStatus::Failed => return Err(show(Rejection::Decided)),
        AuthorizationStatus::Pushed | AuthorizationStatus::Requested => return Err(show(Rejection::State)),
    }
    Ok(Pending { proof: proof_for(secret), authorization, owner })
}
