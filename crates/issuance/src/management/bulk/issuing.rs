//! What background workers do with a bulk.

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{
    Bulk, BulkId, BulkPart, BulkPartId, BulkState, Definition, Exchange, ExchangeStatus, OfferDelivery, Organisation,
    Timestamp,
};
use chancery_protocol::offer::UriScheme;
use chancery_storage::{SettledPart, StoreError, Transaction};

use super::addressees::{self, People};
use super::report::{Outcome, Pins};
use super::row::Row;
use crate::management::body::Fault;
use crate::management::definitions;
use crate::management::history::offer_link;
use crate::management::offers::request::Pin;
use crate::management::offers::{IssueRejection, begin_row, check_row, offer_lifetime};
use crate::quotas::Taken;
use crate::sealed::Place;
use crate::work::Next;
use crate::{Context, Failure};

/// How long an upload may take before it counts as broken off.
const UPLOAD_TIME: Duration = Duration::from_secs(3600);

/// How long the rows of a file await their confirmation, and its result is kept.
const RETENTION: Duration = Duration::from_secs(7 * 86_400);

/// Until it is asked again whether a bulk that is being issued has ended.
const LOOK_AGAIN: Duration = Duration::from_secs(86_400);

/// Until a part is tried again for which no key can sign.
const KEY_PAUSE: Duration = Duration::from_secs(60);

/// Issues the rows of a part, all of them or none.
pub(crate) async fn issue_part(
    ctx: &Context,
    organisation: &Organisation,
    id: BulkPartId,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let reader = ctx.store().read(organisation).await?;
    let Some(part) = reader.bulk_part(id).await? else { return Ok(Next::Done) };
    let Some(bulk) = reader.bulk(part.bulk_id).await? else { return Ok(Next::Done) };
    drop(reader);
    // Paused parts are asked for again when the bulk is resumed.
    if bulk.state != BulkState::Running {
        return Ok(Next::Done);
    }
    if let Some(sealed) = part.sealed_rows.as_ref().filter(|_| !part.settled) {
        let rows: Vec<Row> = ctx.open(organisation, Place::BulkRows, id.as_uuid(), sealed)?;
        let definition = definitions::recent(ctx, organisation, bulk.definition_id).await?;
        if let Some(definition) = &definition
            && ctx.signing_obstacle(organisation, definition, now).await?.is_some()
        {
            return Ok(Next::At(now.plus(KEY_PAUSE)));
        }
        let lifetime = offer_lifetime(ctx, organisation).await?;
        let mut definition = definition.as_deref().ok_or("the definition was deleted");
        let mut taken = None;
        match ctx.take_exchanges(organisation, rows.len(), now).await? {
            Ok(all) => taken = Some(all),
            Err(used_up) if rows.len() > usize::try_from(used_up.limit).unwrap_or(usize::MAX) => {
                definition = Err("the organisation may begin fewer exchanges a day than a part of a file has rows");
            }
            // The bulk goes on by itself when there is enough.
            Err(used_up) => return Ok(Next::At(now.plus_seconds(used_up.retry_after))),
        }
        let people = addressees::of(ctx, organisation, &rows).await?;
        let terms = Terms { definition, people: &people, lifetime, now };
        let begun = begin(ctx, organisation, &bulk, &rows, &terms)?;
        if settle(ctx, organisation, &bulk, &part, &begun, now).await? {
            // Also when another worker settled the part: what there is then is counted, and this is seen.
            taken.into_iter().for_each(Taken::spend);
        } else {
            // The definition was deleted since it was looked up.
            let terms = Terms { definition: Err("the definition was deleted"), ..terms };
            let begun = begin(ctx, organisation, &bulk, &rows, &terms)?;
            settle(ctx, organisation, &bulk, &part, &begun, now).await?;
        }
    }
    // Not in the same unit of work: of two last parts neither would see the other's.
    let ended = ctx.env().now();
    ctx.store().write(organisation, async |tx: &Transaction| tx.finish_bulk(bulk.id, ended).await).await?;
    Ok(Next::Done)
}

/// What the rows of a part have in common.
struct Terms<'t> {
    /// Or why none of the rows can begin.
    definition: Result<&'t Definition, &'t str>,
    people: &'t People,
    /// Seconds for which offers can be redeemed.
    lifetime: u32,
    now: Timestamp,
}

/// Exchanges that begin when the part is settled, and what is told about its rows.
struct Begun {
    exchanges: Vec<Exchange>,
    deliveries: Vec<OfferDelivery>,
    outcomes: Vec<Outcome>,
    pins: Pins,
}

fn begin(
    ctx: &Context,
    organisation: &Organisation,
    bulk: &Bulk,
    rows: &[Row],
    terms: &Terms<'_>,
) -> Result<Begun, Failure<Infallible>> {
    let mut begun = Begun { exchanges: Vec::new(), deliveries: Vec::new(), outcomes: Vec::new(), pins: Pins::new() };
    for row in rows {
        let mut outcome = Outcome::of(row.number, &row.reference);
        match begin_one(ctx, organisation, bulk, row, terms)? {
            Ok(BegunRow { exchange, pin, deliveries }) => {
                begun.deliveries.extend(deliveries);
                outcome.exchange = Some(exchange.id);
                outcome.offer = offer_link(organisation, &exchange);
                if let Pin::Given(pin) = pin {
                    begun.pins.insert(row.number, pin);
                }
                begun.exchanges.push(exchange);
            }
            Err(reason) => outcome.error = reason,
        }
        begun.outcomes.push(outcome);
    }
    Ok(begun)
}

/// One row that begins an exchange.
struct BegunRow {
    exchange: Exchange,
    pin: Pin,
    deliveries: Vec<OfferDelivery>,
}

type Begin = Result<BegunRow, String>;

fn begin_one(
    ctx: &Context,
    organisation: &Organisation,
    bulk: &Bulk,
    row: &Row,
    terms: &Terms<'_>,
) -> Result<Begin, Failure<Infallible>> {
    let Terms { definition, people, lifetime, now } = *terms;
    let definition = match definition {
        Ok(definition) => definition,
        Err(reason) => return Ok(Err(reason.to_owned())),
    };
    let person = row.individual.and_then(|id| people.get(&id));
    if row.individual.is_some() && person.is_none() {
        return Ok(Err("the individual was erased".to_owned()));
    }
    let pin = row.pin_of(bulk, ctx);
    let url_scheme = bulk.url_scheme.as_deref().and_then(UriScheme::parse);
    let request = row.request(definition, bulk.entry_id, url_scheme, pin.clone());
    // The definition may have changed since the file was checked.
    if definition.revision != bulk.definition_revision
        && let Err(faults) = check_row(&request, definition)
    {
        return Ok(Err(told(&faults)));
    }
    match begin_row(ctx, organisation, &request, definition, lifetime, now, person) {
        Ok((exchange, deliveries)) => Ok(Ok(BegunRow { exchange, pin, deliveries })),
        Err(Failure::Rejected(IssueRejection::Invalid(faults))) => Ok(Err(told(&faults))),
        Err(Failure::Rejected(
            IssueRejection::NoSigningKey(_) | IssueRejection::IdempotencyKeyReused | IssueRejection::QuotaUsedUp(_),
        )) => Err(Failure::Internal(anyhow::anyhow!("a row was refused for what it is not asked"))),
        Err(Failure::Unavailable(cause)) => Err(Failure::Unavailable(cause)),
        Err(Failure::Internal(cause)) => Err(Failure::Internal(cause)),
    }
}

fn told(faults: &[Fault]) -> String {
    faults.first().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).unwrap_or_default()
}

/// The one unit of work in which rows are claimed and their exchanges begin; `false` when the definition is gone.
async fn settle(
    ctx: &Context,
    organisation: &Organisation,
    bulk: &Bulk,
    part: &BulkPart,
    begun: &Begun,
    now: Timestamp,
) -> Result<bool, Failure<Infallible>> {
    let id = part.id.as_uuid();
    let issued = u32::try_from(begun.exchanges.len()).unwrap_or(u32::MAX);
    let outcome = SettledPart {
        issued,
        failed: part.rows.saturating_sub(issued),
        sealed_result: ctx.seal(organisation, Place::BulkResult, id, &begun.outcomes)?,
        sealed_pins: match begun.pins.is_empty() {
            true => None,
            false => Some(ctx.seal(organisation, Place::BulkPins, id, &begun.pins)?),
        },
    };
    let exchanges: Vec<_> = begun.exchanges.iter().map(|exchange| exchange.id).collect();
    let listening = ctx.listening(organisation).await?;
    let announcement = listening.announce_all(ctx, &exchanges, &[ExchangeStatus::OfferSent], now);
    let work = async |tx: &Transaction| -> Result<(), Undone> {
        // Claimed by somebody else, paused or cancelled: nothing is left to do here.
        if !tx.hold_running_bulk(bulk.id).await? || !tx.settle_bulk_part(part.id, &outcome).await? {
            return Ok(());
        }
        if !begun.exchanges.is_empty() && !tx.add_exchanges(bulk.definition_id, &begun.exchanges).await? {
            return Err(Undone::DefinitionDeleted);
        }
        announcement.record(tx).await?;
        tx.add_offer_deliveries(&begun.deliveries).await?;
        Ok(())
    };
    match ctx.store().write(organisation, work).await {
        Ok(()) => Ok(true),
        Err(Undone::DefinitionDeleted) => Ok(false),
        Err(Undone::Store(error)) => Err(error.into()),
    }
}

/// Why the unit of work was given up.
enum Undone {
    DefinitionDeleted,
    Store(StoreError),
}

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// When it is to be looked whether something of a bulk must be erased.
pub(super) fn erasure_due(bulk: &Bulk, now: Timestamp) -> Timestamp {
    match bulk.state {
        BulkState::Receiving => bulk.created_at.plus(UPLOAD_TIME),
        BulkState::Ready => bulk.created_at.plus(RETENTION),
        BulkState::Running | BulkState::Paused => now.plus(LOOK_AGAIN),
        BulkState::Done | BulkState::Cancelled => bulk.ended_at.unwrap_or(bulk.created_at).plus(RETENTION),
    }
}

/// Erases what has been kept for long enough: uploads that broke off, files that nobody confirmed, results.
pub(crate) async fn erase(
    ctx: &Context,
    organisation: &Organisation,
    id: BulkId,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let Some(bulk) = ctx.store().read(organisation).await?.bulk(id).await? else { return Ok(Next::Done) };
    let due = erasure_due(&bulk, now);
    if now < due {
        return Ok(Next::At(due));
    }
    let work = async |tx: &Transaction| -> Result<(), StoreError> {
        match bulk.state {
            BulkState::Receiving => tx.delete_bulk(id).await,
            BulkState::Ready => {
                tx.cancel_bulk(id, now).await?;
                tx.erase_bulk(id, now).await
            }
            BulkState::Running | BulkState::Paused => Ok(()),
            BulkState::Done | BulkState::Cancelled => tx.erase_bulk(id, now).await,
        }
    };
    ctx.store().write(organisation, work).await?;
    Ok(Next::Done)
}
