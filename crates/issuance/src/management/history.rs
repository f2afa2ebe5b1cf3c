//! Records of exchanges, as organisations read them.

mod addressed;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use chancery_model::{
    Credential, Definition, DefinitionId, Exchange, ExchangeId, ExchangeStatus, IndividualId, Organisation, Passage,
    Retained, Submission, Timestamp, WorkKind,
};
use chancery_protocol::offer::{self, UriScheme};
use chancery_storage::{ExchangeFilter, Position, Read, StoreError, Transaction};

use super::individuals;
use super::page::{Order, Page, Window};
use crate::checked::Checked;
use crate::sealed::Place;
use crate::status_lists::uri;
use crate::work::Next;
use crate::{Context, Failure};

pub use addressed::Addressed;
pub(crate) use addressed::of as addressed_of;

/// A record: the exchange and what belongs to it. Holds claims; never codes or transaction codes in clear.
pub struct History {
    /// The exchange.
    pub exchange: Exchange,
    /// The definition in the version it was started with.
    pub definition: Arc<Definition>,
    /// What the organisation asked for; empty while claims are pending.
    pub submissions: Vec<Submission>,
    /// The offer link for the wallet.
    pub credential_offer: String,
    /// What was issued, oldest first.
    pub credentials: Vec<Delivered>,
    /// What wallet, person and messages were checked by.
    pub checked: Checked,
    /// Whom it was made for, when it was made for somebody in particular.
    pub addressed: Option<Addressed>,
}

/// A credential that was issued.
pub struct Delivered {
    /// The credential as recorded.
    pub credential: Credential,
    /// As it was delivered.
    pub token: String,
    /// URL of the list with its status; empty when it has none.
    pub status_list: String,
}

impl std::fmt::Debug for History {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "History(of {})", self.exchange.id)
    }
}

impl std::fmt::Debug for Delivered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Delivered({})", self.credential.id)
    }
}

/// There is no such record.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such exchange.
    NotFound,
}

/// Which records a list holds; what is `None` or empty lets everything pass.
///
/// The four switches are groups: those set to `true` are shown, all of them together; those set to `false`
/// are left out.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Exactly this status.
    pub status: Option<ExchangeStatus>,
    /// Only exchanges of this definition.
    pub definition: Option<DefinitionId>,
    /// Only exchanges with this `client_id`.
    pub holder: String,
    /// Only exchanges that were made for this individual.
    pub individual: Option<IndividualId>,
    /// Only exchanges that were made for the individual with this external id.
    pub mapper: String,
    /// The wallet took the credential: `credential_acked` or `credential_accepted`.
    pub accepted: Option<bool>,
    /// The exchange has not come to an end.
    pub in_progress: Option<bool>,
    /// What was issued is revoked or suspended.
    pub revoked: Option<bool>,
    /// The exchange was denied.
    pub denied: Option<bool>,
    /// An exchange id, the support code of a refusal, or part of the definition's label.
    pub search: String,
    /// Created at this instant or later.
    pub created_from: Option<Timestamp>,
    /// Created before this instant.
    pub created_until: Option<Timestamp>,
}

impl Filter {
    /// The filter of the database; `None` when no record can be like that.
    async fn to_storage<R>(
        &self,
        ctx: &Context,
        organisation: &Organisation,
    ) -> Result<Option<ExchangeFilter>, Failure<R>> {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let mut individual_id = self.individual;
        if !self.mapper.is_empty() {
            let named = individuals::by_external_id(ctx, organisation, &self.mapper).await?.map(|named| named.id);
            let Some(named) = named.filter(|named| individual_id.is_none_or(|known| known == *named)) else {
                return Ok(None);
            };
            individual_id = Some(named);
        }
        Ok(Some(ExchangeFilter {
            status: self.status,
            definition_id: self.definition,
            client_id: given(&self.holder),
            individual_id,
            accepted: self.accepted,
            in_progress: self.in_progress,
            revoked: self.revoked,
            denied: self.denied,
            search: given(&self.search),
            created_from: self.created_from,
            created_before: self.created_until,
        }))
    }
}

/// A place in the history to go on from: the last record that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(Position);

impl Cursor {
    /// Reads what [`Cursor`] is displayed as.
    pub fn parse(text: &str) -> Option<Self> {
        let (millis, id) = text.split_once('.')?;
        let is_plain = millis.len() <= 15 && millis.bytes().all(|byte| byte.is_ascii_digit());
        let created_at = Timestamp::from_millis(millis.parse().ok().filter(|_| is_plain)?);
        Some(Self(Position { created_at, id: ExchangeId::parse(id)? }))
    }

    /// Behind that record.
    pub fn behind(history: &History) -> Self {
        Self(Position { created_at: history.exchange.created_at, id: history.exchange.id })
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.created_at.millis(), self.0.id)
    }
}

impl History {
    /// The record of an exchange that begins.
    pub(super) fn begun(
        organisation: &Organisation,
        exchange: Exchange,
        definition: Arc<Definition>,
        submissions: Vec<Submission>,
    ) -> Self {
        let credential_offer = offer_link(organisation, &exchange);
        Self {
            exchange,
            definition,
            submissions,
            credential_offer,
            credentials: Vec::new(),
            checked: Checked::default(),
            addressed: None,
        }
    }
}

/// Records, newest first unless the window says otherwise.
pub async fn list<R>(
    ctx: &Context,
    organisation: &Organisation,
    filter: &Filter,
    window: Window,
) -> Result<Page<History>, Failure<R>> {
    let Some(filter) = filter.to_storage(ctx, organisation).await? else {
        return Ok(Page::new(Vec::new(), 0, window));
    };
    let reader = ctx.store().read(organisation).await?;
    let listed = reader.exchanges(&filter, &window.into()).await?;
    let items = assemble_all(ctx, organisation, &reader, listed.items).await?;
    let now = ctx.env().now();
    let is_behind = reader.has_uncounted_history(now).await?;
    drop(reader);
    if is_behind {
        let tend = async |tx: &Transaction| tx.enqueue(WorkKind::History, organisation.id.as_uuid(), now).await;
        ctx.store().write_relaxed(organisation, tend).await?;
    }
    Ok(Page::new(items, listed.total, window))
}

/// Keeps the counts of a history that is long enough to need them, and somebody has looked at.
pub(crate) async fn tend(
    ctx: &Context,
    organisation: &Organisation,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    const INTERVAL: Duration = Duration::from_secs(10);
    let has_more = ctx.store().tend_history(organisation, now).await?;
    Ok(Next::At(if has_more { now } else { now.plus(INTERVAL) }))
}

/// Up to `limit` records behind `cursor`, or from the beginning. Going on from the last record of each answer meets every
/// record once, also while others are added or deleted.
pub async fn walk<R>(
    ctx: &Context,
    organisation: &Organisation,
    filter: &Filter,
    cursor: Option<Cursor>,
    limit: u32,
    order: Order,
) -> Result<Vec<History>, Failure<R>> {
    let Some(filter) = filter.to_storage(ctx, organisation).await? else { return Ok(Vec::new()) };
    let reader = ctx.store().read(organisation).await?;
    let after = cursor.map(|Cursor(position)| position);
    let found = reader.exchanges_after(&filter, after, u64::from(limit), order.into()).await?;
    assemble_all(ctx, organisation, &reader, found).await
}

/// One record.
pub async fn read(ctx: &Context, organisation: &Organisation, id: ExchangeId) -> Result<History, Failure<Rejection>> {
    let reader = ctx.store().read(organisation).await?;
    let Some(exchange) = reader.exchange(id).await? else { return Err(Failure::Rejected(Rejection::NotFound)) };
    assemble(ctx, organisation, &reader, exchange).await
}

/// Deletes a record with its offer, grants, credentials and transcript. Credentials in wallets are not
/// touched.
pub async fn delete(ctx: &Context, organisation: &Organisation, id: ExchangeId) -> Result<(), Failure<Rejection>> {
    let deleted = ctx.store().write(organisation, async |tx| tx.delete_exchange(id).await).await?;
    if !deleted {
        return Err(Failure::Rejected(Rejection::NotFound));
    }
    ctx.store().settle_erasure().await?;
    Ok(())
}

/// Whose records are meant.
#[derive(Clone, Debug)]
pub enum Whose {
    /// Those that the wallet with this `client_id` has redeemed.
    Wallet(String),
    /// Those that were made for this individual.
    Individual(IndividualId),
}

/// Deletes every record of somebody, with everything that belongs to it; how many those were. With `dry_run` nothing is
/// deleted.
///
/// # Errors
/// Those of the database; what was deleted until then stays deleted.
pub async fn erase_records<R>(
    ctx: &Context,
    organisation: &Organisation,
    whose: &Whose,
    dry_run: bool,
) -> Result<u64, Failure<R>> {
    const PER_UNIT: u64 = 200;
    let filter = match whose {
        Whose::Wallet(client_id) => ExchangeFilter { client_id: Some(client_id.clone()), ..ExchangeFilter::default() },
        Whose::Individual(id) => ExchangeFilter { individual_id: Some(*id), ..ExchangeFilter::default() },
    };
    let (mut erased, mut after) = (0, None);
    loop {
        let reader = ctx.store().read(organisation).await?;
        let found = reader.exchanges_after(&filter, after, PER_UNIT, Order::OldestFirst.into()).await?;
        drop(reader);
        let Some(last) = found.last() else { break };
        after = Some(Position { created_at: last.created_at, id: last.id });
        erased += u64::try_from(found.len()).unwrap_or_default();
        if !dry_run {
            let ids: Vec<ExchangeId> = found.iter().map(|exchange| exchange.id).collect();
            let erase = async |tx: &Transaction| tx.erase(Retained::Exchanges, &ids).await;
            ctx.store().write(organisation, erase).await?;
        }
    }
    if erased > 0 && !dry_run {
        ctx.store().settle_erasure().await?;
    }
    Ok(erased)
}

pub(super) async fn assemble<R>(
    ctx: &Context,
    organisation: &Organisation,
    reader: &Read,
    exchange: Exchange,
) -> Result<History, Failure<R>> {
    let id = exchange.id;
    let mut assembled = assemble_all(ctx, organisation, reader, vec![exchange]).await?;
    assembled.pop().ok_or_else(|| Failure::Internal(anyhow::anyhow!("nothing came of exchange {id}")))
}

async fn assemble_all<R>(
    ctx: &Context,
    organisation: &Organisation,
    reader: &Read,
    exchanges: Vec<Exchange>,
) -> Result<Vec<History>, Failure<R>> {
    // An open exchange has issued nothing yet.
    let closed = exchanges.iter().filter(|exchange| !exchange.status.is_open()).map(|exchange| exchange.id);
    let mut issued: HashMap<ExchangeId, Vec<Credential>> = HashMap::new();
    for credential in reader.credentials_of_all(&closed.collect::<Vec<_>>()).await? {
        issued.entry(credential.exchange_id).or_default().push(credential);
    }
    let ids: Vec<ExchangeId> = exchanges.iter().map(|exchange| exchange.id).collect();
    let mut checked = checked(reader, &exchanges).await?;
    let mut addressed = addressed::of(ctx, organisation, reader, &ids).await?;
    let mut assembled = Vec::with_capacity(exchanges.len());
    for exchange in exchanges {
        let definition = reader.definition_at(exchange.definition_id, exchange.definition_revision).await?;
        let definition = definition.ok_or_else(|| missing_version(&exchange))?;
        let submissions = match &exchange.sealed_submissions {
            Some(sealed) => ctx.open(organisation, Place::ExchangeSubmissions, exchange.id.as_uuid(), sealed)?,
            None => Vec::new(),
        };
        let credentials = issued.remove(&exchange.id).unwrap_or_default();
        let delivered = credentials.into_iter().map(|credential| deliver(ctx, organisation, credential));
        let credentials = delivered.collect::<Result<_, _>>()?;
        let addressed = addressed.remove(&exchange.id);
        let checked = checked.remove(&exchange.id).unwrap_or_default();
        let begun = History::begun(organisation, exchange, definition, submissions);
        assembled.push(History { credentials, checked, addressed, ..begun });
    }
    Ok(assembled)
}

/// What each exchange was checked by. One that nobody has a token of was not checked yet.
async fn checked(reader: &Read, exchanges: &[Exchange]) -> Result<HashMap<ExchangeId, Checked>, StoreError> {
    let begun = exchanges.iter().filter(|exchange| exchange.code_spent_at.is_some()).map(|exchange| exchange.id);
    let mut passages: HashMap<ExchangeId, Vec<Passage>> = HashMap::new();
    for (id, passage) in reader.passages_of_all(&begun.collect::<Vec<_>>()).await? {
        passages.entry(id).or_default().push(passage);
    }
    Ok(passages.into_iter().map(|(id, passages)| (id, Checked::read(&passages))).collect())
}

/// A credential as it was delivered; its token is empty when it was erased.
fn deliver<R>(ctx: &Context, organisation: &Organisation, credential: Credential) -> Result<Delivered, Failure<R>> {
    let status_list = credential.status_place.map(|place| uri(organisation, place.list)).unwrap_or_default();
    if credential.sealed_token.is_empty() {
        return Ok(Delivered { credential, token: String::new(), status_list });
    }
    let token =
        ctx.open_bytes(organisation, Place::CredentialToken, credential.id.as_uuid(), &credential.sealed_token)?;
    let token = String::from_utf8(token.to_vec()).map_err(|error| Failure::Internal(error.utf8_error().into()))?;
    Ok(Delivered { credential, token, status_list })
}

fn missing_version<R>(exchange: &Exchange) -> Failure<R> {
    Failure::Internal(anyhow::anyhow!("the definition of exchange {} is not there", exchange.id))
}

/// Where the wallet fetches the offer (OpenID4VCI §4.1.3).
pub(super) fn offer_uri(organisation: &Organisation, offer_id: &str) -> String {
    organisation.issuer.endpoint(&format!("credential-offers/{offer_id}"))
}

/// The link that carries [`offer_uri`] to the wallet (OpenID4VCI §4.1.3).
pub(super) fn offer_link(organisation: &Organisation, exchange: &Exchange) -> String {
    let scheme = UriScheme::parse(&exchange.url_scheme).unwrap_or_default();
    offer::link(scheme, &offer_uri(organisation, &exchange.offer_id))
}
