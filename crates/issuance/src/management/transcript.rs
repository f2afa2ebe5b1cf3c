//! The transcript of an exchange: events for people and log records for developers, both newest first.

mod beginning;

use chancery_model::{Event, ExchangeId, Organisation, Record, RefusedRequest, Timestamp};

use self::beginning::beginning;
use super::page::{Page, Window};
use crate::wallet::definition_of;
use crate::{Context, Failure};

/// One page of each chronicle. The two are paged independently.
#[derive(Debug)]
pub struct Transcript {
    /// Steps of the exchange.
    pub events: Page<DatedEvent>,
    /// Log records.
    pub logs: Page<DatedRecord>,
}

/// An event and when it happened.
#[derive(Clone, Debug)]
pub struct DatedEvent {
    /// Instant of the request it belongs to.
    pub at: Timestamp,
    /// The event.
    pub event: Event,
}

/// A log record and when it was written.
#[derive(Clone, Debug)]
pub struct DatedRecord {
    /// Instant of the request it belongs to.
    pub at: Timestamp,
    /// Code that the wallet was shown, when the request was refused.
    pub support_code: Option<String>,
    /// The record.
    pub record: Record,
}

/// There is no such exchange.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such exchange.
    NotFound,
}

/// Reads the transcript. Records of one instant keep the order in which they were written.
pub async fn read(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    events: Window,
    logs: Window,
) -> Result<Transcript, Failure<Rejection>> {
    let reader = ctx.store().read(organisation).await?;
    let Some(exchange) = reader.exchange(id).await? else {
        return Err(Failure::Rejected(Rejection::NotFound));
    };
    let definition = definition_of(&reader, &exchange).await?;
    let mut parts = vec![beginning(organisation, &definition, &exchange).of(id, None)];
    parts.extend(reader.transcript_of(id).await?);
    let mut all_events = Vec::new();
    let mut all_logs = Vec::new();
    for part in parts.into_iter().rev() {
        let (at, support_code) = (part.at, part.support_code);
        all_events.extend(part.events.into_iter().rev().map(|event| DatedEvent { at, event }));
        let dated = |record| DatedRecord { at, support_code: support_code.clone(), record };
        all_logs.extend(part.records.into_iter().rev().map(dated));
    }
    Ok(Transcript { events: Page::cut(all_events, events), logs: Page::cut(all_logs, logs) })
}

/// Refused requests of wallets that belong to no exchange, newest first unless the window says otherwise; only the one with
/// this support code, if one is given.
///
/// # Errors
/// Those of the database.
pub async fn refused_requests<R>(
    ctx: &Context,
    organisation: &Organisation,
    support_code: Option<&str>,
    window: Window,
) -> Result<Page<RefusedRequest>, Failure<R>> {
    let listed = ctx.store().read(organisation).await?.refused_requests(support_code, &window.into()).await?;
    Ok(Page::listed(listed, window))
}
