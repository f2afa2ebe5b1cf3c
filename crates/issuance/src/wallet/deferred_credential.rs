//! The deferred credential endpoint (OpenID4VCI §9): a wallet asks again for what was not ready.

mod rejection;

use chancery_model::{
    DeferredAnswer, DeferredTransaction, Entry, Exchange, ExchangeStatus, Grant, GrantedCredential, Organisation,
    SecretHash, Submission, Timestamp,
};
use chancery_protocol::credential_response::{CredentialResponse, IssuedCredential};
use chancery_protocol::deferred::DeferredRequest;
use chancery_storage::{StoreError, Transaction};
use serde_json::json;

pub use rejection::{ErrorCode, Rejection};

use super::access::{self, Access, Presented, Request};
use super::credential::batch::{self, Batch};
use super::credential::fetching::{Case, Fetched};
use super::credential::reissuance::{self, Terms};
use super::credential::signing::Purpose;
use super::encryption::{self, Answer};
use super::remembered::{Granted, Offered};
use super::trail::{MOST_PARTS, Trail};
use super::{Header, Refusal, redaction};
use crate::checked::DEFERRED_ENCRYPTED;
use crate::sealed::Place;
use crate::{Context, Failure};

const ENDPOINT: &str = "/deferred-credential";

/// How often a request is judged again when others were faster.
const ATTEMPTS: u32 = 4;

/// Seconds by which a wallet that asks too early is told to wait longer each time, as RFC 8628 §3.5 does it.
const PENALTY: u32 = 5;

/// Longest wait that is asked for, in seconds.
const LONGEST_WAIT: u32 = 900;

/// Seconds for which the credentials of a transaction are answered once more, unless the wallet reports that it has them:
/// its connection may have broken.
const REPEATABLE: u32 = 24 * 60 * 60;

/// Answers the credentials of a transaction when they are ready, and otherwise how long to wait. They are issued once,
/// however many requests come at once; a wallet that lost the answer gets the same one again until it reports that it
/// has it.
///
/// # Errors
/// [`Rejection`] lists what a wallet can do wrong, and the two ends without a credential.
pub async fn poll(
    context: &Context,
    organisation: &Organisation,
    request: Request<'_>,
) -> Result<Answer, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match answer(context, organisation, now, &request, &mut trail).await {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(context.conclude(organisation, trail, failure).await),
    }
}

async fn answer(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    request: &Request<'_>,
    trail: &mut Trail,
) -> Result<Answer, Failure<Rejection>> {
    let access =
        access::check(context, organisation, now, ENDPOINT, request.access, trail, |trail| arrived(request, trail))
            .await
            .map_err(|failure| failure.map_rejection(Rejection::Access))?;
    let definition = &access.granted.offered.definition;
    let opened = encryption::open(context, organisation, definition, now, (&request.notes, request.body)).await;
    let opened = opened.map_err(|failure| failure.map_rejection(Rejection::Message))?;
    opened.record("deferred.request_decrypted", &mut trail.recording);
    let asked = DeferredRequest::parse(opened.json()).map_err(|error| Failure::Rejected(Rejection::Request(error)))?;
    // What the first request said about its answer does not matter here (ENC-9).
    let reply = opened.reply(asked.response_encryption.is_some());
    let reply = reply.map_err(|rejection| Failure::Rejected(Rejection::Message(rejection)))?;
    reply.record(DEFERRED_ENCRYPTED, &mut trail.recording);
    let Access { granted, .. } = access;
    let response = outcome(context, organisation, now, &granted, &asked, trail).await?;
    reply.answer(response.status(), &response)
}

/// What the transaction has become.
async fn outcome(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    granted: &Granted,
    asked: &DeferredRequest,
    trail: &mut Trail,
) -> Result<CredentialResponse, Failure<Rejection>> {
    let Granted { grant, offered: Offered { definition, .. } } = granted;
    let waiting = find(context, organisation, grant, asked).await?;
    let Waiting { transaction, exchange } = &waiting;
    let entry = definition.entry(transaction.entry).ok_or(Failure::Rejected(Rejection::Unknown))?;
    note_context(&waiting, entry, asked, trail);
    if transaction.issued_at.is_some() {
        return repeat(context, organisation, now, &waiting, trail).await;
    }
    if exchange.status == ExchangeStatus::IssuanceDenied {
        return Err(Failure::Rejected(Rejection::Denied));
    }
    if now >= transaction.expires_at {
        return Err(Failure::Rejected(Rejection::Expired));
    }
    let submission = match claims(context, organisation, now, granted, &waiting, entry, trail).await? {
        Fetched::Ready(submission) => *submission,
        Fetched::Later(least) => {
            let part = (entry, least);
            return wait(context, organisation, now, &waiting, &asked.transaction_id, part, trail).await;
        }
    };
    let purpose = Purpose { exchange: exchange.id, grant: grant.id, dataset: transaction.dataset };
    let part = (entry, transaction.dataset);
    for _ in 0..ATTEMPTS {
        let terms = reissuance::terms(context, organisation, now, exchange.id, part, false).await;
        let terms = terms.map_err(|failure| failure.map_rejection(Rejection::Again))?;
        let keys = &transaction.keys;
        let taken = batch::take(context, organisation, keys.len(), now).await;
        let taken = taken.map_err(|failure| failure.map_rejection(Rejection::Again))?;
        let batch = Batch::sign(context, organisation, now, (definition, entry), purpose, &submission, keys).await;
        let batch = batch.map_err(|failure| failure.map_rejection(Rejection::Again))?;
        batch.note(entry, trail);
        match record(context, organisation, now, &waiting, &batch, &terms, trail).await? {
            Recorded::Yes => {
                taken.spend();
                return Ok(batch.into_answer());
            }
            // A request beside this one was faster: its credentials are the ones.
            Recorded::AnsweredMeanwhile => {
                let waiting = find(context, organisation, grant, asked).await?;
                return repeat(context, organisation, now, &waiting, trail).await;
            }
            Recorded::No if terms.are_contested() => {}
            Recorded::No => break,
        }
    }
    Err(Failure::Rejected(Rejection::Denied))
}

/// The claims, when they are there; they are fetched where the definition says so and the wallet comes in time.
async fn claims(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    granted: &Granted,
    Waiting { transaction, exchange }: &Waiting,
    entry: &Entry,
    trail: &mut Trail,
) -> Result<Fetched, Failure<Rejection>> {
    let Granted { grant, offered: Offered { definition, .. } } = granted;
    let kept = batch::submission(context, organisation, exchange, entry, transaction.dataset)?;
    let case = Case {
        exchange,
        definition,
        entry,
        dataset: transaction.dataset,
        grant: transaction.grant_id,
        keys: &transaction.keys,
        fresh_since: grant.refreshed.then_some(transaction.created_at),
        waits: true,
    };
    let is_due = case.is_due(kept.as_ref());
    trail.recording.debug("deferred.claims_lookup", json!({ "resolved": kept.is_some() && !is_due }));
    let kept = match kept {
        Some(kept) if !is_due => return Ok(Fetched::Ready(Box::new(kept))),
        kept => kept,
    };
    let is_missing = kept.as_ref().is_none_or(Submission::is_awaited);
    if is_missing && exchange.claims_due_at.is_some_and(|due| due <= now) {
        return Err(Failure::Rejected(Rejection::Expired));
    }
    if !is_due || now < transaction.polled_at.plus_seconds(transaction.interval) {
        return Ok(Fetched::Later(0));
    }
    if let Some(obstacle) = context.signing_obstacle(organisation, definition, now).await? {
        return Err(Failure::Rejected(Rejection::Again(obstacle.into())));
    }
    let fetched = Box::pin(case.fetch(context, organisation, now, kept, trail)).await;
    fetched.map_err(|failure| failure.map_rejection(Rejection::NotFetched))
}

/// The first record of the trail.
fn arrived(request: &Request<'_>, trail: &mut Trail) {
    let Presented { authorization, dpop, .. } = request.access;
    trail.recording.info(
        "deferred.request_received",
        json!({
            "headers": redaction::headers(&request.notes, authorization, dpop),
            "has_dpop_header": !matches!(dpop, Header::Absent),
        }),
    );
}

/// A transaction and its exchange, as they are now.
struct Waiting {
    transaction: DeferredTransaction,
    exchange: Exchange,
}

/// The transaction, of a credential that the access token covers: the ids of others are unknown here, also those of the same
/// exchange when the token was narrowed (DEF-1).
async fn find(
    context: &Context,
    organisation: &Organisation,
    grant: &Grant,
    asked: &DeferredRequest,
) -> Result<Waiting, Failure<Rejection>> {
    let read = context.store().read(organisation).await?;
    let found = read.deferred_transaction(grant.exchange_id, &SecretHash::of(&asked.transaction_id)).await?;
    let (transaction, exchange) = found.ok_or(Failure::Rejected(Rejection::Unknown))?;
    let is_its =
        |granted: &GrantedCredential| granted.entry == transaction.entry && granted.dataset == transaction.dataset;
    match grant.credentials.iter().any(is_its) {
        true => Ok(Waiting { transaction, exchange }),
        false => Err(Failure::Rejected(Rejection::NotCovered)),
    }
}

fn note_context(waiting: &Waiting, entry: &Entry, asked: &DeferredRequest, trail: &mut Trail) {
    let Waiting { transaction, exchange } = waiting;
    trail.recording.debug(
        "deferred.context",
        json!({
            "transaction_id": redaction::secret(&asked.transaction_id),
            "config_id": entry.configuration_id,
            "holder_binding_keys": transaction.keys.len(),
            "has_credential_result": transaction.issued_at.is_some(),
            "rejected": exchange.status == ExchangeStatus::IssuanceDenied,
            "polls": transaction.polls,
        }),
    );
}

/// Not yet: the same transaction, and how long to wait (DEF-4), which is `least` seconds or more. A wallet that asks before its time is told to wait longer.
///
/// Only the first, second, fourth, eighth, … of these answers is written into the transcript: a wallet may ask for weeks.
async fn wait(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    waiting: &Waiting,
    transaction_id: &str,
    (entry, least): (&Entry, u32),
    trail: &mut Trail,
) -> Result<CredentialResponse, Failure<Rejection>> {
    let Waiting { transaction, exchange } = waiting;
    let noted = context
        .store()
        .write_relaxed(organisation, async |tx| -> Result<_, StoreError> {
            let Some(noted) = tx.note_poll(transaction, (least, PENALTY, LONGEST_WAIT), now).await? else {
                return Ok(None);
            };
            if noted.polls.is_power_of_two() {
                let details = json!({
                    "credential_configuration_id": entry.configuration_id,
                    "transaction_id": redaction::secret(transaction_id),
                    "interval": noted.interval,
                    "polls": noted.polls,
                });
                trail.recording.info("deferred.pending", details);
                tx.add_transcript_part_below(&trail.finish(context).of(exchange.id, None), MOST_PARTS).await?;
            }
            Ok(Some(noted))
        })
        .await?;
    // Issued meanwhile, by a request beside this one: the next poll finds it.
    let interval = noted.map_or(transaction.interval, |noted| noted.interval);
    Ok(CredentialResponse::Deferred { transaction_id: transaction_id.to_owned(), interval })
}

/// Why the unit of work was given up.
enum Undone {
    AnsweredMeanwhile,
    Denied,
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What became of an attempt to write an answer down.
enum Recorded {
    Yes,
    AnsweredMeanwhile,
    No,
}

/// Ends the transaction and writes everything down in one unit of work: [`Recorded::Yes`] for exactly one of several
/// requests.
async fn record(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    waiting: &Waiting,
    batch: &Batch,
    terms: &Terms,
    trail: &mut Trail,
) -> Result<Recorded, Failure<Rejection>> {
    let Waiting { transaction, exchange } = waiting;
    let answer = DeferredAnswer {
        credentials: batch.credentials.iter().map(|credential| credential.id).collect(),
        notification_id: batch.notification_id.clone(),
    };
    let sealed = context.seal(organisation, Place::TransactionAnswer, transaction.id.as_uuid(), &answer)?;
    let passage = trail.finish(context);
    let announcement = batch::announce(context, organisation, exchange, now).await?;
    let recorded = context
        .store()
        .write(organisation, async |tx| {
            if !tx.answer_transaction(transaction, &sealed, now).await? {
                return Err(Undone::AnsweredMeanwhile);
            }
            let recorded = batch.record(context, tx, exchange, terms, (&passage, &announcement), now).await?;
            recorded.ok_or(Undone::Denied)
        })
        .await;
    match recorded {
        Ok(lists) => {
            if !lists.is_empty() {
                context.note_status_changes(organisation, lists).await;
            }
            Ok(Recorded::Yes)
        }
        Err(Undone::AnsweredMeanwhile) => Ok(Recorded::AnsweredMeanwhile),
        Err(Undone::Denied) => Ok(Recorded::No),
        Err(Undone::Store(error)) => Err(error.into()),
    }
}

/// The same answer once more. The specification ends a transaction when the wallet has obtained the credential
/// (OpenID4VCI §9.1): it has when it says so, and after a day it is taken to.
async fn repeat(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    waiting: &Waiting,
    trail: &mut Trail,
) -> Result<CredentialResponse, Failure<Rejection>> {
    let Waiting { transaction, exchange } = waiting;
    let collected = || Failure::Rejected(Rejection::Collected);
    let in_time = |issued_at: Timestamp| now < issued_at.plus_seconds(REPEATABLE);
    let sealed = transaction.sealed_answer.as_deref().ok_or_else(collected)?;
    if !transaction.issued_at.is_some_and(in_time) {
        return Err(collected());
    }
    let answer: DeferredAnswer =
        context.open(organisation, Place::TransactionAnswer, transaction.id.as_uuid(), sealed)?;
    let issued = context.store().read(organisation).await?.credentials_of(exchange.id).await?;
    let mut credentials = Vec::with_capacity(answer.credentials.len());
    for id in &answer.credentials {
        let Some(credential) = issued.iter().find(|credential| credential.id == *id) else {
            return Err(Failure::Internal(anyhow::anyhow!("credential {id} of a transaction is not there")));
        };
        if credential.reported.is_something() {
            return Err(collected());
        }
        let token = context.open_bytes(organisation, Place::CredentialToken, id.as_uuid(), &credential.sealed_token)?;
        let token = String::from_utf8(token.to_vec()).map_err(|error| Failure::Internal(error.utf8_error().into()))?;
        credentials.push(IssuedCredential { credential: token });
    }
    trail.recording.info("deferred.repeated", json!({ "count": credentials.len() }));
    let part = trail.finish(context).of(exchange.id, None);
    let write = async |tx: &Transaction| tx.add_transcript_part_below(&part, MOST_PARTS).await;
    context.store().write_relaxed(organisation, write).await?;
    Ok(CredentialResponse::Issued { credentials, notification_id: Some(answer.notification_id) })
}
