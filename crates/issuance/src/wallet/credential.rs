//! The credential endpoint (OpenID4VCI §8): a key proof becomes a credential.

pub(super) mod attestation;
pub(super) mod batch;
mod deferral;
pub(super) mod fetching;
mod proofs;
pub(super) mod reissuance;
mod rejection;
pub(super) mod signing;
mod validity;

use chancery_model::{
    CredentialStatus, Definition, Entry, Exchange, ExchangeStatus, Grant, GrantKind, GrantedCredential, Organisation,
    ProvenKey, Submission, Timestamp,
};
use chancery_protocol::credential_request::{CredentialRequest, Selector};
use chancery_protocol::credential_response::CredentialResponse;
use chancery_protocol::excerpt;
use chancery_storage::StoreError;
use serde_json::json;

pub use fetching::NotFetched;
pub use reissuance::Refused;
pub use rejection::{ErrorCode, Rejection};

use batch::Batch;
use fetching::{Case, Fetched};
use reissuance::Terms;
use signing::Purpose;

use super::access::{self, Access, Presented, Request, Scheme};
use super::encryption::{self, Answer};
use super::remembered::{Granted, Offered};
use super::trail::Trail;
use super::{Header, Refusal, metadata, redaction};
use crate::checked::ENCRYPTED;
use crate::{Context, Failure};

const ENDPOINT: &str = "/credential";

/// How often a request is judged again when others were faster.
const ATTEMPTS: u32 = 4;

/// Issues the credential that the request selects, bound to the key it proves. The access token may be used again; the
/// nonce of the proof is used up, once for the whole request, as soon as the proof itself is found good.
///
/// # Errors
/// [`Rejection`] lists what a wallet can do wrong.
pub async fn issue(
    context: &Context,
    organisation: &Organisation,
    request: Request<'_>,
) -> Result<Answer, Failure<Refusal<Rejection>>> {
    let now = context.env().now();
    let mut trail = Trail::at(ENDPOINT, now);
    match collect(context, organisation, now, &request, &mut trail).await {
        Ok(answer) => Ok(answer),
        Err(failure) => Err(context.conclude(organisation, trail, failure).await),
    }
}

async fn collect(
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
    opened.record("credential.request_decrypted", &mut trail.recording);
    let asked =
        CredentialRequest::parse(opened.json()).map_err(|error| Failure::Rejected(Rejection::Request(error)))?;
    let reply = opened.reply(asked.response_encryption);
    let reply = reply.map_err(|rejection| Failure::Rejected(Rejection::Message(rejection)))?;
    reply.record(ENCRYPTED, &mut trail.recording);
    let Access { granted: remembered, scheme } = access;
    let Granted { grant, offered: Offered { exchange, definition } } = &*remembered;
    let (granted, entry) = match select(grant, definition, &asked.selector) {
        Ok(selected) => selected,
        Err(missed) => return Err(missed.judge(context, organisation, scheme).await),
    };
    trail.recording.debug(
        "credential.config_resolved",
        json!({
            "config_id": entry.configuration_id,
            "credential_identifier": grant.by_identifier.then_some(&granted.identifier),
        }),
    );
    if exchange.status == ExchangeStatus::IssuanceDenied {
        return Err(Failure::Rejected(Rejection::Denied));
    }
    if let Some(obstacle) = context.signing_obstacle(organisation, definition, now).await? {
        return Err(Failure::Rejected(Rejection::Again(obstacle.into())));
    }
    let proven = proofs::verify(organisation, exchange, grant, entry, now, &asked.proofs).map_err(Failure::Rejected)?;
    proven.record(&mut trail.recording);
    proven.claim_nonce(context, organisation, now).await?;
    let keys = proven.holders(organisation, exchange, entry, now, &mut trail.recording).map_err(Failure::Rejected)?;
    let part = (entry, granted.dataset);
    let claims = claims(context, organisation, now, &remembered, part, &keys, trail).await?;
    let response = match claims {
        Fetched::Ready(submission) => {
            let submission = *submission;
            let issuance = Issuance { remembered: &remembered, scheme, part, submission, keys };
            issuance.complete(context, organisation, now, trail).await?
        }
        Fetched::Later(interval) => {
            let refreshed = grant.refreshed;
            let terms = reissuance::terms(context, organisation, now, exchange.id, part, refreshed).await;
            terms.map_err(|failure| failure.map_rejection(Rejection::Again))?;
            deferral::begin(context, organisation, now, exchange, grant, part, (keys, interval), trail).await?
        }
    };
    reply.answer(response.status(), &response)
}

/// The claims, when they are there, or when the wallet is to ask for them again. They are fetched where the definition says
/// so; nobody is asked for claims that would not be issued.
async fn claims(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    Granted { grant, offered: Offered { exchange, definition } }: &Granted,
    (entry, dataset): (&Entry, u16),
    keys: &[ProvenKey],
    trail: &mut Trail,
) -> Result<Fetched, Failure<Rejection>> {
    let kept = batch::submission(context, organisation, exchange, entry, dataset)?;
    let fresh_since = grant.refreshed.then_some(now);
    let case = Case { exchange, definition, entry, dataset, grant: grant.id, keys, fresh_since, waits: false };
    if case.is_due(kept.as_ref()) {
        let part = (entry, dataset);
        let terms = reissuance::terms(context, organisation, now, exchange.id, part, grant.refreshed).await;
        terms.map_err(|failure| failure.map_rejection(Rejection::Again))?;
        // On the heap: requests that fetch nothing carry no room for it.
        let fetched = Box::pin(case.fetch(context, organisation, now, kept, trail)).await;
        return fetched.map_err(|failure| failure.map_rejection(Rejection::NotFetched));
    }
    match kept {
        Some(submission) => Ok(Fetched::Ready(Box::new(submission))),
        None if exchange.credential_status == CredentialStatus::Ready => Err(Failure::Rejected(Rejection::Erased)),
        None => Ok(Fetched::Later(entry.response_interval.max(1))),
    }
}

/// A request that can be answered at once.
struct Issuance<'i> {
    remembered: &'i Granted,
    scheme: Scheme,
    /// Entry and dataset.
    part: (&'i Entry, u16),
    submission: Submission,
    keys: Vec<ProvenKey>,
}

impl Issuance<'_> {
    /// Signs, writes down and answers. Where the definition lets one credential live at a time, requests beside this one
    /// may have been faster; then it is judged again.
    async fn complete(
        &self,
        context: &Context,
        organisation: &Organisation,
        now: Timestamp,
        trail: &mut Trail,
    ) -> Result<CredentialResponse, Failure<Rejection>> {
        let Self { remembered, part: (entry, dataset), submission, keys, .. } = self;
        let Granted { grant, offered: Offered { exchange, definition } } = remembered;
        let purpose = Purpose { exchange: exchange.id, grant: grant.id, dataset: *dataset };
        for _ in 0..ATTEMPTS {
            let terms = reissuance::terms(context, organisation, now, exchange.id, self.part, grant.refreshed).await;
            let mut terms = terms.map_err(|failure| failure.map_rejection(Rejection::Again))?;
            if exchange.grant_kind == GrantKind::AuthorizationCode {
                // The second use of a code makes the token worthless, which another process may know.
                terms = terms.only_under(grant.id);
            }
            let taken = batch::take(context, organisation, keys.len(), now).await;
            let taken = taken.map_err(|failure| failure.map_rejection(Rejection::Again))?;
            let batch = Batch::sign(context, organisation, now, (definition, entry), purpose, submission, keys).await;
            let batch = batch.map_err(|failure| failure.map_rejection(Rejection::Again))?;
            batch.note(entry, trail);
            if record(context, organisation, now, exchange, &batch, &terms, trail).await? {
                taken.spend();
                return Ok(batch.into_answer());
            }
            if !terms.are_contested() {
                break;
            }
        }
        context.remembered().forget_grant(organisation, grant.access_token_hash);
        Err(why_not_recorded(context, organisation, now, grant, self.scheme).await)
    }
}

/// The first record of the trail.
fn arrived(request: &Request<'_>, trail: &mut Trail) {
    let Presented { authorization, dpop, .. } = request.access;
    trail.recording.info(
        "credential.request_received",
        redaction::object([
            ("headers", redaction::headers(&request.notes, authorization, dpop)),
            ("is_dpop", (!matches!(dpop, Header::Absent)).into()),
        ]),
    );
    trail.recording.debug("credential.request_body", redaction::credential_body(request.body));
}

/// A selector that the grant does not have.
enum Missed {
    Rejected(Rejection),
    /// A configuration that may or may not exist.
    Configuration(String),
}

fn select<'g>(
    grant: &'g Grant,
    definition: &'g Definition,
    selector: &Selector,
) -> Result<(&'g GrantedCredential, &'g Entry), Missed> {
    let granted = match (selector, grant.by_identifier) {
        (Selector::ConfigurationId(_), true) => return Err(Missed::Rejected(Rejection::IdentifierRequired)),
        (Selector::Identifier(_), false) => return Err(Missed::Rejected(Rejection::ConfigurationRequired)),
        (Selector::ConfigurationId(id), false) => grant
            .credentials
            .iter()
            .find(|granted| granted.configuration_id == *id)
            .ok_or_else(|| Missed::Configuration(id.clone()))?,
        (Selector::Identifier(id), true) => grant
            .credentials
            .iter()
            .find(|granted| granted.identifier == *id)
            .ok_or_else(|| Missed::Rejected(Rejection::IdentifierUnknown { got: excerpt(id) }))?,
    };
    let entry =
        definition.entry(granted.entry).ok_or_else(|| Missed::Configuration(granted.configuration_id.clone()))?;
    Ok((granted, entry))
}

impl Missed {
    /// A configuration of the organisation that the token does not cover is told from one that does not exist (CRE-3,
    /// CRE-4).
    async fn judge(self, context: &Context, organisation: &Organisation, scheme: Scheme) -> Failure<Rejection> {
        let id = match self {
            Self::Rejected(rejection) => return Failure::Rejected(rejection),
            Self::Configuration(id) => id,
        };
        match metadata::published(context, organisation).await {
            Ok(published) if published.configurations.contains(&id) => {
                Failure::Rejected(Rejection::NotGranted { scheme, got: excerpt(&id) })
            }
            Ok(_) => Failure::Rejected(Rejection::ConfigurationUnknown { got: excerpt(&id) }),
            Err(failure) => failure,
        }
    }
}

/// Writes everything down in one unit of work. Nothing leaves before this succeeded. Whether the answer to this very
/// request arrives is not known here: the exchange says `credential_issued` until the wallet shows that it did.
async fn record(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    exchange: &Exchange,
    batch: &Batch,
    terms: &Terms,
    trail: &mut Trail,
) -> Result<bool, StoreError> {
    let passage = trail.finish(context);
    let announcement = batch::announce(context, organisation, exchange, now).await?;
    let is_step = announcement.is_empty() && terms.replace_nothing();
    let write = context.write_as(organisation, is_step, async |tx| {
        batch.record(context, tx, exchange, terms, (&passage, &announcement), now).await
    });
    let Some(lists) = write.await? else { return Ok(false) };
    if !lists.is_empty() {
        context.note_status_changes(organisation, lists).await;
    }
    Ok(true)
}

/// The organisation denied or deleted the exchange after the token was handed out, or the token was made worthless.
async fn why_not_recorded(
    context: &Context,
    organisation: &Organisation,
    now: Timestamp,
    grant: &Grant,
    scheme: Scheme,
) -> Failure<Rejection> {
    match access::find(context, organisation, grant.access_token_hash).await {
        Ok(Some(found)) if found.grant.access_token_expires_at <= now => {
            Failure::Rejected(Rejection::Access(access::Rejection::Expired(scheme)))
        }
        Ok(Some(_)) => Failure::Rejected(Rejection::Denied),
        Ok(None) => Failure::Rejected(Rejection::Access(access::Rejection::Unknown(scheme))),
        Err(failure) => failure,
    }
}
