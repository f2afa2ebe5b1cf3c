//! The issue call: an exchange begins, and an offer is made for the wallet.

mod addressee;
pub(crate) mod claims;
pub(super) mod request;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Contact, CredentialStatus, Definition, Entry, EntryId, Exchange, ExchangeId, ExchangeSecrets, ExchangeStatus,
    GrantKind, Individual, IssuanceMode, IssuedBy, OfferDelivery, Organisation, RevocationStatus, SecretHash,
    Submission, Timestamp,
};
use chancery_storage::{StoreError, Transaction};
use serde_json::{Map, Value};

use self::request::{IssueRequest, Pin, RequestedCredential};
use super::body::{Fault, Faults};
use super::history::{Addressed, History};
use super::idempotency::{self, Idempotency};
use super::{definitions, global_configurations};
use crate::quotas::UsedUp;
use crate::sealed::Place;
use crate::{Context, Failure, SigningObstacle};

/// Why nothing was issued.
#[derive(Debug)]
pub enum IssueRejection {
    /// The body breaks rules, its own or those of the definition.
    Invalid(Vec<Fault>),
    /// No key of the organisation could sign the credential.
    NoSigningKey(SigningObstacle),
    /// The idempotency key was used with another request.
    IdempotencyKeyReused,
    /// As many exchanges began today as may.
    QuotaUsedUp(UsedUp),
}

/// Begins an exchange. Signing happens when the wallet asks for the credential.
///
/// The answer is what `render` makes of the record; under an idempotency key it is kept, and given again to
/// the same request.
pub async fn issue(
    ctx: &Context,
    organisation: &Organisation,
    by: IssuedBy,
    body: &Map<String, Value>,
    once: Option<&Idempotency>,
    render: impl FnOnce(&History) -> Vec<u8>,
) -> Result<Vec<u8>, Failure<IssueRejection>> {
    let now = ctx.env().now();
    if let Some(answer) = earlier_answer(ctx, organisation, once, now).await? {
        return Ok(answer);
    }
    let request = request::read(ctx.outbound(), body).map_err(invalid)?;
    if request.require_key_attestation == Some(true) && organisation.policy.trust_anchors.key_attesters.is_empty() {
        let (pointer, detail) = ("/requireKeyAttestation".to_owned(), definitions::NO_KEY_ATTESTERS.to_owned());
        return Err(invalid(vec![Fault { pointer, detail }]));
    }
    let (definition, chosen) = choose(ctx, organisation, &request).await?;
    let person = addressee::find(ctx, organisation, &request.addressee).await?;
    if !is_for_somebody(&request, &definition, &chosen, person.as_ref()) {
        return Err(invalid(vec![Fault { pointer: "/userPin".to_owned(), detail: NOBODY.to_owned() }]));
    }
    if let Some(obstacle) = ctx.signing_obstacle(organisation, &definition, now).await? {
        return Err(Failure::Rejected(IssueRejection::NoSigningKey(obstacle)));
    }

    let lifetime = offer_lifetime(ctx, organisation).await?;
    let mut exchange = begin(ctx, organisation, &request, &definition, &chosen, lifetime, now)?;
    exchange.issued_by = Some(by);
    let addressed = addressee::address(ctx, organisation, &exchange, &request.addressee, person.as_ref())?;
    let history = History { addressed, ..History::begun(organisation, exchange, definition, chosen.submissions) };
    let answer = render(&history);
    let kept = match once {
        Some(once) => Some(once.keep(ctx, organisation, now, &answer)?),
        None => None,
    };
    let announcement = ctx.announce(organisation, history.exchange.id, &[ExchangeStatus::OfferSent], now).await?;
    let taken = ctx.take_exchanges(organisation, 1, now).await?;
    let taken = taken.map_err(|used_up| Failure::Rejected(IssueRejection::QuotaUsedUp(used_up)))?;
    let work = async |tx: &Transaction| {
        // First, so that the same request that was faster is noticed before anything is done.
        if let Some(kept) = &kept
            && !tx.remember_response(kept, now).await?
        {
            return Err(Undone::AnsweredMeanwhile);
        }
        if !tx.add_exchange(&history.exchange).await? {
            return Err(Undone::DefinitionDeleted);
        }
        announcement.record(tx).await?;
        if let Some(Addressed { link, pin, .. }) = &history.addressed {
            let deliveries: Vec<_> = link.iter().chain(pin).cloned().collect();
            tx.add_offer_deliveries(&deliveries).await?;
        }
        Ok(())
    };
    match ctx.store().write(organisation, work).await {
        Ok(()) => {
            taken.spend();
            if kept.is_some() {
                idempotency::sweep(ctx, organisation, now).await;
            }
            Ok(answer)
        }
        Err(Undone::Store(error)) => Err(error.into()),
        Err(Undone::DefinitionDeleted) => Err(no_such_definition("/credentialDefinitionId")),
        Err(Undone::AnsweredMeanwhile) => {
            let earlier = earlier_answer(ctx, organisation, once, now).await?;
            earlier.ok_or_else(|| Failure::Unavailable(anyhow::anyhow!("the answer to the same request is gone")))
        }
    }
}

/// What is wrong with an offer whose claims whoever has the link would get.
const NOBODY: &str = "without userPin whoever opens the offer signs in, and nothing here says who that has to be: give a claim \
                      that identityMapping names, or an individual with an iamId, or a userPin";

/// Whether claims that are given go to somebody in particular. A transaction code, or the link alone where the organisation
/// says so by an empty one, is what the holder has; `issuer_state` is no entitlement (OpenID4VCI §5.1.3), so where the
/// holder signs in, something has to say who that is.
fn is_for_somebody(
    request: &IssueRequest,
    definition: &Definition,
    chosen: &Chosen,
    person: Option<&(Individual, Contact)>,
) -> bool {
    let signs_in = matches!(request.pin, Pin::Absent);
    let gives_claims = chosen.submissions.iter().any(|submission| !submission.claims.is_empty());
    let is_known = person.is_some_and(|(_, contact)| !contact.iam_id.is_empty());
    let is_mapped = |submission: &Submission| {
        let entry = definition.entry(submission.entry);
        entry.is_some_and(|entry| claims::mapped(entry, &submission.claims).next().is_some())
    };
    !signs_in || !gives_claims || is_known || chosen.submissions.iter().any(is_mapped)
}

/// Why the unit of work was given up.
enum Undone {
    AnsweredMeanwhile,
    DefinitionDeleted,
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

async fn earlier_answer(
    ctx: &Context,
    organisation: &Organisation,
    once: Option<&Idempotency>,
    now: Timestamp,
) -> Result<Option<Vec<u8>>, Failure<IssueRejection>> {
    let Some(once) = once else { return Ok(None) };
    match once.earlier_answer(ctx, organisation, now).await? {
        None => Ok(None),
        Some(Ok(answer)) => Ok(Some(answer)),
        Some(Err(_reused)) => Err(Failure::Rejected(IssueRejection::IdempotencyKeyReused)),
    }
}

/// What of a definition is issued, and with which claims.
struct Chosen {
    /// In the order of the call; an entry is there once for each of its datasets.
    entries: Vec<EntryId>,
    /// Empty when the claims come later.
    submissions: Vec<Submission>,
    /// Whether the submissions are all that the definition wants.
    complete: bool,
    require_key_attestation: bool,
}

async fn choose(
    ctx: &Context,
    organisation: &Organisation,
    request: &IssueRequest,
) -> Result<(Arc<Definition>, Chosen), Failure<IssueRejection>> {
    let (definition, pointer) = match request.definition {
        Some(id) => (definitions::recent(ctx, organisation, id).await?, "/credentialDefinitionId"),
        None => (self_described(ctx, organisation, request).await?, "/credential/vct"),
    };
    let Some(definition) = definition else {
        return Err(no_such_definition(pointer));
    };
    let chosen = match_entries(request, &definition).map_err(invalid)?;
    Ok((definition, chosen))
}

/// The one definition with an entry of the type that the credential names.
async fn self_described(
    ctx: &Context,
    organisation: &Organisation,
    request: &IssueRequest,
) -> Result<Option<Arc<Definition>>, Failure<IssueRejection>> {
    let named: Vec<&str> = request.credentials.iter().filter_map(|credential| credential.vct.as_deref()).collect();
    let all = ctx.store().read(organisation).await?.all_definitions().await?;
    let has = |definition: &Definition, vct: &str| definition.content.entries.iter().any(|entry| entry.vct == vct);
    let mut fitting = all.into_iter().filter(|definition| named.iter().all(|vct| has(definition, vct)));
    Ok(fitting.next().filter(|_| fitting.next().is_none()).map(Arc::new))
}

fn match_entries(request: &IssueRequest, definition: &Definition) -> Result<Chosen, Vec<Fault>> {
    let mut faults = Faults::default();
    let mut chosen =
        Chosen { entries: Vec::new(), submissions: Vec::new(), complete: true, require_key_attestation: false };
    // The rest comes from the identity provider, when the person has signed in.
    let before_sign_in = matches!(request.pin, Pin::Absent);
    // What the call leaves out is fetched when a wallet asks for it.
    let is_fetched = definition.content.claims_endpoint.is_some();
    for credential in &request.credentials {
        let Some(entry) = entry_for(credential, definition, &mut faults) else { continue };
        chosen.entries.push(entry.id);
        chosen.require_key_attestation |= entry.require_key_attestation;
        let pointer = format!("{}/claims", credential.pointer);
        match (&credential.claims, request.mode) {
            (Some(claims), _) => {
                if before_sign_in {
                    claims::check_before_sign_in(entry, claims, &pointer, &mut faults);
                } else {
                    claims::check(entry, claims, &pointer, &mut faults);
                }
                chosen.complete &= !before_sign_in || claims::unfit(entry, claims).is_empty();
                chosen.submissions.push(Submission::given(entry.id, claims.clone(), credential.metadata.clone()));
            }
            (None, _) if is_fetched => {
                chosen.submissions.push(Submission::awaited(entry.id, credential.metadata.clone()));
            }
            (None, IssuanceMode::InTime) if before_sign_in && !entry.identity_mapping.is_empty() => {
                let claims = Map::new();
                claims::check_before_sign_in(entry, &claims, &pointer, &mut faults);
                chosen.complete &= claims::unfit(entry, &claims).is_empty();
                chosen.submissions.push(Submission::given(entry.id, claims, credential.metadata.clone()));
            }
            (None, IssuanceMode::InTime) => faults.add(pointer, "issuanceMode InTime needs the claims"),
            (None, IssuanceMode::Deferred) => {}
        }
    }
    if request.credentials.is_empty() {
        chosen.entries = definition.content.entries.iter().map(|entry| entry.id).collect();
        chosen.require_key_attestation = definition.content.entries.iter().any(|entry| entry.require_key_attestation);
        match (is_fetched, request.mode) {
            (true, _) => {
                let awaited = |entry: &EntryId| Submission::awaited(*entry, Map::new());
                chosen.submissions.extend(chosen.entries.iter().map(awaited));
            }
            (false, IssuanceMode::InTime) => {
                let detail = "issuanceMode InTime needs credential or credentials with claims, or a definition with claimsEndpoint";
                faults.add("/credential", detail);
            }
            (false, IssuanceMode::Deferred) => {}
        }
    }
    chosen.complete &= !chosen.submissions.iter().any(Submission::is_awaited);
    if !chosen.submissions.is_empty() && chosen.submissions.len() < chosen.entries.len() {
        faults.add("/credentials", "give claims for every element, or for none");
    }
    // An offer can ask for more than the published configuration, not for less.
    chosen.require_key_attestation |= request.require_key_attestation.unwrap_or_default();
    faults.none_or(Some(chosen))
}

/// The entry that a credential names by id, by type, or by being the only one.
fn entry_for<'d>(
    credential: &RequestedCredential,
    definition: &'d Definition,
    faults: &mut Faults,
) -> Option<&'d Entry> {
    let entries = &definition.content.entries;
    let fits = |entry: &&Entry| credential.vct.as_ref().is_none_or(|vct| *vct == entry.vct);
    if let Some(id) = credential.entry {
        let Some(entry) = definition.entry(id) else {
            faults.add(format!("{}/id", credential.pointer), "the definition has no entry with this id");
            return None;
        };
        if !fits(&entry) {
            faults.add(format!("{}/vct", credential.pointer), "the entry has another vct");
        }
        return Some(entry);
    }
    let mut candidates = entries.iter().filter(fits);
    match (candidates.next(), candidates.next()) {
        (Some(entry), None) => Some(entry),
        (None, _) => {
            faults.add(format!("{}/vct", credential.pointer), "the definition has no entry with this vct");
            None
        }
        (Some(_), Some(_)) => {
            faults.add(format!("{}/id", credential.pointer), "the definition has several entries: name one by its id");
            None
        }
    }
}

/// What is wrong with one row of a bulk, by the rules of the issue call. Pointers are relative to the row.
pub(super) fn check_row(request: &IssueRequest, definition: &Definition) -> Result<(), Vec<Fault>> {
    match_entries(request, definition).map(drop)
}

/// The exchange that one row of a bulk begins, under the rules of the issue call, and what of it is delivered to `person`.
/// Nothing is recorded yet.
pub(super) fn begin_row(
    ctx: &Context,
    organisation: &Organisation,
    request: &IssueRequest,
    definition: &Definition,
    lifetime: u32,
    now: Timestamp,
    person: Option<&(Individual, Contact)>,
) -> Result<(Exchange, Vec<OfferDelivery>), Failure<IssueRejection>> {
    let chosen = match_entries(request, definition).map_err(invalid)?;
    let exchange = begin(ctx, organisation, request, definition, &chosen, lifetime, now)?;
    let deliveries = match person {
        Some(person) => addressee::deliveries(ctx, organisation, &exchange, person)?,
        None => Vec::new(),
    };
    Ok((exchange, deliveries))
}

/// Seconds for which offers can be redeemed.
pub(super) async fn offer_lifetime<R>(ctx: &Context, organisation: &Organisation) -> Result<u32, Failure<R>> {
    let defaults = global_configurations::recent(ctx, organisation).await?;
    Ok(defaults.offer_lifetime.unwrap_or(organisation.policy.offer_lifetime))
}

fn begin(
    ctx: &Context,
    organisation: &Organisation,
    request: &IssueRequest,
    definition: &Definition,
    chosen: &Chosen,
    lifetime: u32,
    now: Timestamp,
) -> Result<Exchange, Failure<IssueRejection>> {
    let code = URL_SAFE_NO_PAD.encode(ctx.env().random::<32>());
    let offer_id = URL_SAFE_NO_PAD.encode(ctx.env().random::<16>());
    let id = ExchangeId::from(ctx.env().uuid(now));
    let transaction_code = match &request.pin {
        Pin::Absent | Pin::Empty => None,
        Pin::Given(pin) => Some(pin.clone()),
    };
    let secrets = ExchangeSecrets { code: code.clone(), transaction_code };
    let is_awaited = chosen.submissions.iter().any(Submission::is_awaited);
    let sealed_submissions = match chosen.submissions.is_empty() {
        true => None,
        false => Some(ctx.seal(organisation, Place::ExchangeSubmissions, id.as_uuid(), &chosen.submissions)?),
    };
    // Claims that are fetched are there when the wallet asks, unless the call says that they may come later.
    let is_due = match request.mode {
        IssuanceMode::InTime => false,
        IssuanceMode::Deferred => is_awaited || chosen.submissions.is_empty(),
    };
    Ok(Exchange {
        id,
        definition_id: definition.id,
        definition_revision: definition.revision,
        entries: chosen.entries.clone(),
        issuance_mode: request.mode,
        claims_at_start: chosen.submissions.iter().any(|submission| !submission.is_awaited()),
        grant_kind: match request.pin {
            Pin::Absent => GrantKind::AuthorizationCode,
            Pin::Empty | Pin::Given(_) => GrantKind::PreAuthorizedCode,
        },
        status: ExchangeStatus::OfferSent,
        credential_status: match sealed_submissions.is_some() && chosen.complete {
            true => CredentialStatus::Ready,
            false => CredentialStatus::Pending,
        },
        revocation_status: RevocationStatus::Operational,
        offer_id,
        url_scheme: request.url_scheme.unwrap_or(organisation.policy.offer_scheme()).prefix().to_owned(),
        code_hash: SecretHash::of(&code),
        fetches: 0,
        code_spent_at: None,
        transaction_code: request.pin.shape(),
        failed_attempts: 0,
        require_key_attestation: chosen.require_key_attestation,
        client_id: None,
        denied_reason: None,
        issued_by: None,
        sealed_secrets: ctx.seal(organisation, Place::ExchangeSecrets, id.as_uuid(), &secrets)?,
        sealed_submissions,
        expires_at: now.plus_seconds(lifetime),
        claims_due_at: is_due.then(|| now.plus_seconds(request.claims_due_in.unwrap_or(CLAIMS_DUE_IN))),
        created_at: now,
        updated_at: now,
    })
}

/// Seconds for which missing claims are awaited unless the issue call says otherwise: 30 days.
pub(crate) const CLAIMS_DUE_IN: u32 = 30 * 86_400;

fn no_such_definition(pointer: &str) -> Failure<IssueRejection> {
    let detail = "there is no such definition, or more than one".to_owned();
    invalid(vec![Fault { pointer: pointer.to_owned(), detail }])
}

fn invalid(faults: Vec<Fault>) -> Failure<IssueRejection> {
    Failure::Rejected(IssueRejection::Invalid(faults))
}
