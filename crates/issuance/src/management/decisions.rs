//! What an organisation decides about an exchange that runs: it supplies claims, denies, withdraws the offer, makes it
//! again, or helps a holder who cannot redeem it.

mod remedies;

use std::convert::Infallible;

use chancery_model::{
    CredentialStatus, Definition, Exchange, ExchangeId, ExchangeStatus, IssuanceMode, OfferPart, Organisation,
    Submission, Timestamp, TranscriptPart,
};
use chancery_storage::{StoreError, Supplied, Transaction};
use serde_json::{Map, Value, json};

use super::body::{Fault, Faults, Members};
use super::history::{self, History};
use super::offers::{claims, offer_lifetime, request};
use crate::announcement::Announcement;
use crate::recording::Recording;
use crate::sealed::Place;
use crate::work::Next;
use crate::{Context, Failure, SigningObstacle};

pub use remedies::{NewPin, new_pin, reoffer, unlock};

/// Why nothing was decided.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such exchange.
    NotFound,
    /// The body breaks rules, its own or those of the definition.
    Invalid(Vec<Fault>),
    /// The exchange is not where this can be decided.
    State(String),
    /// Others changed the exchange again and again.
    Concurrent,
    /// No key of the organisation could sign what is offered.
    NoSigningKey(SigningObstacle),
}

/// Longest reason of a denial, in characters.
const LONGEST_REASON: usize = 255;

/// How often claims are put together again when others supplied some meanwhile.
const ATTEMPTS: u32 = 4;

/// What the wallet is told when the organisation withdrew the offer without a word.
const WITHDRAWN: &str = "the offer was withdrawn";

/// What the record says of an offer that was on its way then.
const STOPPED: &str = "the offer was withdrawn";

/// What the wallet is told when nobody supplied the claims.
const OVERDUE: &str = "the claims were not supplied in time";

/// Supplies claims of a deferred exchange: for all of its entries at once, or for some now and for others later. They are
/// checked like those of an issue call.
pub async fn supply(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<History, Failure<Rejection>> {
    let now = ctx.env().now();
    for _ in 0..ATTEMPTS {
        let History { exchange, definition, submissions, .. } = find(ctx, organisation, id).await?;
        check_awaiting(&exchange, now)?;
        let new = read_claims(&exchange, &definition, body).map_err(invalid)?;
        let is_known =
            |it: &&Submission| submissions.iter().any(|earlier| earlier.entry == it.entry && !earlier.is_awaited());
        if let Some(known) = new.iter().find(is_known) {
            return Err(state(format!("the claims of entry {} were supplied before", known.entry)));
        }
        let count = new.len();
        let mut all = submissions;
        all.retain(|earlier| !new.iter().any(|it| it.entry == earlier.entry));
        all.extend(new);
        all.sort_by_key(|submission| exchange.entries.iter().position(|entry| *entry == submission.entry));
        let complete = all.len() == exchange.entries.len() && !all.iter().any(Submission::is_awaited);
        let sealed = ctx.seal(organisation, Place::ExchangeSubmissions, id.as_uuid(), &all)?;
        let supplied = Supplied { before: exchange.sealed_submissions.as_deref(), sealed: &sealed, complete };
        let details = json!({ "count": count, "complete": complete });
        let part =
            recording("exchange.claims_supplied", "claims_supplied", details).finish(ctx.env(), now).of(id, None);
        let step = async |tx: &Transaction| tx.supply_claims(id, supplied, now).await;
        if take(ctx, organisation, step, &part, None).await? {
            return find(ctx, organisation, id).await;
        }
    }
    Err(Failure::Rejected(Rejection::Concurrent))
}

/// Denies an exchange that has issued nothing. `reason` may be shown to the wallet.
pub async fn deny(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<History, Failure<Rejection>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["reason"]], &mut faults);
    members.require("reason", &mut faults);
    let reason = read_reason(&members, &mut faults);
    let reason = faults.none_or(reason).map_err(invalid)?;
    let happened = deny_because(ctx, organisation, id, &reason, "organisation", ctx.env().now()).await?;
    decided(ctx, organisation, id, happened, "denied").await
}

/// Denies an exchange, unless it has issued something; `cause` is for its transcript.
pub(crate) async fn deny_because(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    reason: &str,
    cause: &'static str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let part = recording("exchange.denied", "issuance_denied", json!({ "cause": cause }));
    let part = part.finish(ctx.env(), now).of(id, None);
    let announcement = ctx.announce(organisation, id, &[ExchangeStatus::IssuanceDenied], now).await?;
    let step = async |tx: &Transaction| -> Result<bool, StoreError> {
        let is_denied = tx.deny_exchange(id, reason, now).await?;
        if is_denied {
            tx.stop_deliveries_of(id, STOPPED).await?;
        }
        Ok(is_denied)
    };
    take(ctx, organisation, step, &part, Some(&announcement)).await
}

/// Withdraws an offer that nobody has redeemed.
pub async fn cancel(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<History, Failure<Rejection>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["reason"]], &mut faults);
    let reason = match members.filled("reason") {
        Some(_) => read_reason(&members, &mut faults),
        None => Some(WITHDRAWN.to_owned()),
    };
    let reason = faults.none_or(reason).map_err(invalid)?;
    let now = ctx.env().now();
    let part = recording("offer.cancelled", "offer_cancelled", json!({})).finish(ctx.env(), now).of(id, None);
    let announcement = ctx.announce(organisation, id, &[ExchangeStatus::IssuanceDenied], now).await?;
    let step = async |tx: &Transaction| -> Result<bool, StoreError> {
        let is_withdrawn = tx.withdraw_offer(id, &reason, now).await?;
        if is_withdrawn {
            tx.stop_deliveries_of(id, STOPPED).await?;
        }
        Ok(is_withdrawn)
    };
    let happened = take(ctx, organisation, step, &part, Some(&announcement)).await?;
    decided(ctx, organisation, id, happened, "withdrawn").await
}

/// Makes an offer again that nobody has redeemed: the same link, which lives as long as that of a new offer, and is
/// delivered once more to whom it was made for.
pub async fn resend(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<History, Failure<Rejection>> {
    refuse_members(body)?;
    let now = ctx.env().now();
    let found = find(ctx, organisation, id).await?;
    if matches!(found.exchange.status, ExchangeStatus::OfferSent | ExchangeStatus::OfferReceived) {
        can_sign(ctx, organisation, &found.definition, now).await?;
    }
    let expires_at = now.plus_seconds(offer_lifetime(ctx, organisation).await?);
    let details = json!({ "expires_at": expires_at.seconds() });
    let part = recording("offer.renewed", "offer_renewed", details).finish(ctx.env(), now).of(id, None);
    let step = async |tx: &Transaction| -> Result<bool, StoreError> {
        let is_renewed = tx.renew_offer(id, expires_at, now).await?;
        if is_renewed {
            tx.deliver_again(id, OfferPart::Link, now).await?;
        }
        Ok(is_renewed)
    };
    let happened = take(ctx, organisation, step, &part, None).await?;
    decided(ctx, organisation, id, happened, "made again").await
}

/// Denies an exchange whose claims did not come in time. A worker calls this when they are due.
pub(crate) async fn deny_overdue(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let part = recording("exchange.denied", "issuance_denied", json!({ "cause": "claims_overdue" }));
    let part = part.finish(ctx.env(), now).of(id, None);
    let announcement = ctx.announce(organisation, id, &[ExchangeStatus::IssuanceDenied], now).await?;
    let step = async |tx: &Transaction| tx.deny_overdue(id, OVERDUE, now).await;
    take(ctx, organisation, step, &part, Some(&announcement)).await?;
    Ok(Next::Done)
}

/// Takes a conditional step, tells of it where it happened, and answers whether it did.
async fn take(
    ctx: &Context,
    organisation: &Organisation,
    step: impl AsyncFnOnce(&Transaction) -> Result<bool, StoreError>,
    part: &TranscriptPart,
    announcement: Option<&Announcement>,
) -> Result<bool, StoreError> {
    let work = async |tx: &Transaction| -> Result<bool, StoreError> {
        let happened = step(tx).await?;
        if happened {
            tx.add_transcript_part(part).await?;
            if let Some(announcement) = announcement {
                announcement.record(tx).await?;
            }
        }
        Ok(happened)
    };
    ctx.store().write(organisation, work).await
}

async fn find(ctx: &Context, organisation: &Organisation, id: ExchangeId) -> Result<History, Failure<Rejection>> {
    let found = history::read(ctx, organisation, id).await;
    found.map_err(|failure| {
        failure.map_rejection(|rejection| match rejection {
            history::Rejection::NotFound => Rejection::NotFound,
        })
    })
}

/// Nothing is offered that nobody could sign.
async fn can_sign(
    ctx: &Context,
    organisation: &Organisation,
    definition: &Definition,
    now: Timestamp,
) -> Result<(), Failure<Rejection>> {
    let obstacle = ctx.signing_obstacle(organisation, definition, now).await?;
    obstacle.map_or(Ok(()), |obstacle| Err(Failure::Rejected(Rejection::NoSigningKey(obstacle))))
}

/// The record after the decision, or why it could not be taken.
async fn decided(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    happened: bool,
    deed: &str,
) -> Result<History, Failure<Rejection>> {
    let history = find(ctx, organisation, id).await?;
    if happened {
        return Ok(history);
    }
    let Exchange { status, .. } = history.exchange;
    Err(state(format!("an exchange with the status {} cannot be {deed}", status.name())))
}

fn refuse_members(body: &Map<String, Value>) -> Result<(), Failure<Rejection>> {
    let mut faults = Faults::default();
    Members::of_body(body).refuse_others(&[], &mut faults);
    faults.none_or(Some(())).map_err(invalid)
}

fn check_awaiting(exchange: &Exchange, now: Timestamp) -> Result<(), Failure<Rejection>> {
    match exchange.issuance_mode {
        IssuanceMode::Deferred => {}
        IssuanceMode::InTime => {
            let detail = "the claims of an InTime issuance are part of the issue call".to_owned();
            return Err(invalid(vec![Fault { pointer: String::new(), detail }]));
        }
    }
    if exchange.status >= ExchangeStatus::CredentialDeleted {
        return Err(state(format!("an exchange with the status {} takes no claims", exchange.status.name())));
    }
    if exchange.credential_status == CredentialStatus::Ready {
        return Err(state("all claims were supplied before".to_owned()));
    }
    if exchange.claims_due_at.is_some_and(|due| due <= now) {
        return Err(state("the claims were awaited until claimsDueAt".to_owned()));
    }
    let is_unredeemed = exchange.status < ExchangeStatus::TokenIssued && exchange.code_spent_at.is_none();
    if is_unredeemed && exchange.expires_at <= now {
        return Err(state("the offer expired before a wallet redeemed it; it can be made again".to_owned()));
    }
    Ok(())
}

fn read_claims(
    exchange: &Exchange,
    definition: &Definition,
    body: &Map<String, Value>,
) -> Result<Vec<Submission>, Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["credential", "credentials"]], &mut faults);
    if members.filled("credential").is_some() && members.filled("credentials").is_some() {
        faults.add("/credentials", "credential and credentials exclude each other");
    }
    let given = request::read_credentials(&members, &mut faults);
    if given.is_empty() {
        faults.add("/credential", "give credential or credentials with claims");
    }
    let mut submissions: Vec<Submission> = Vec::with_capacity(given.len());
    let mut places = Vec::with_capacity(given.len());
    for credential in given {
        let pointer = &credential.pointer;
        let Some(id) = credential.entry else {
            faults.add(format!("{pointer}/id"), "name the entry by the id that the record has under credential");
            continue;
        };
        let Some(entry) = definition.entry(id).filter(|entry| exchange.entries.contains(&entry.id)) else {
            faults.add(format!("{pointer}/id"), "the exchange has no entry with this id");
            continue;
        };
        if credential.vct.as_ref().is_some_and(|vct| *vct != entry.vct) {
            faults.add(format!("{pointer}/vct"), "the entry has another vct");
        }
        let Some(claims) = credential.claims else {
            faults.add(format!("{pointer}/claims"), "this member is mandatory");
            continue;
        };
        claims::check(entry, &claims, &format!("{pointer}/claims"), &mut faults);
        submissions.push(Submission::given(id, claims, credential.metadata));
        places.push((id, pointer.clone()));
    }
    for (id, pointer) in &places {
        let (due, came) = (exchange.datasets_of(*id), places.iter().filter(|(other, _)| other == id).count());
        if came != due {
            let detail = format!("the exchange has {due} credentials of this entry, and {came} come at once");
            faults.add(pointer.clone(), detail);
        }
    }
    faults.none_or(Some(submissions))
}

/// `reason` of a denial.
pub(crate) fn read_reason(members: &Members<'_>, faults: &mut Faults) -> Option<String> {
    let given = members.string("reason", LONGEST_REASON, faults)?;
    let reason = given.trim();
    if reason.is_empty() || given.chars().any(char::is_control) {
        faults.add(members.at("reason"), "words for the holder are expected, without control characters");
        return None;
    }
    Some(reason.to_owned())
}

fn recording(message: &'static str, event: &'static str, details: Value) -> Recording {
    let mut recording = Recording::at("management");
    recording.info(message, details.clone());
    recording.event(event, details);
    recording
}

fn state(detail: String) -> Failure<Rejection> {
    Failure::Rejected(Rejection::State(detail))
}

fn invalid(faults: Vec<Fault>) -> Failure<Rejection> {
    Failure::Rejected(Rejection::Invalid(faults))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_something_to_read_and_no_control_characters() {
        let read = |reason: &str| {
            let body = Map::from_iter([("reason".to_owned(), json!(reason))]);
            read_reason(&Members::of_body(&body), &mut Faults::default())
        };
        assert_eq!(read(" too late ").as_deref(), Some("too late"));
        for wrong in ["", " ", "too\nlate", "too late\n"] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
    }
}
