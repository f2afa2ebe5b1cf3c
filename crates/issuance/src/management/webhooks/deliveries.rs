//! What was sent to a webhook, and sending it again.

use chancery_model::{
    DeliveryState, ExchangeId, Organisation, Timestamp, WebhookDelivery, WebhookDeliveryId, WebhookId, WorkKind,
};
use chancery_storage::{StoreError, Transaction};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use crate::management::body::{Fault, Faults, Members};
use crate::management::page::{Page, Window};
use crate::{Context, Failure};

/// Deliveries that one unit of work lets begin again.
const PER_UNIT: u64 = 500;

/// Why a delivery cannot be shown or replayed.
#[derive(Debug)]
pub enum DeliveryRejection {
    /// The organisation has no such webhook.
    NoWebhook,
    /// The webhook has no such delivery.
    NoDelivery,
    /// The webhook is disabled: nothing would be sent.
    Disabled,
}

/// Why nothing was replayed.
#[derive(Debug)]
pub enum ReplayRejection {
    /// The organisation has no such webhook.
    NotFound,
    /// The webhook is disabled: nothing would be sent.
    Disabled,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
}

/// A page of a webhook's deliveries; `state` restricts it.
pub async fn deliveries(
    ctx: &Context,
    organisation: &Organisation,
    webhook: WebhookId,
    state: Option<DeliveryState>,
    window: Window,
) -> Result<Page<WebhookDelivery>, Failure<DeliveryRejection>> {
    let read = ctx.store().read(organisation).await?;
    if read.webhook(webhook).await?.is_none() {
        return Err(Failure::Rejected(DeliveryRejection::NoWebhook));
    }
    Ok(Page::listed(read.deliveries(webhook, state, &window.into()).await?, window))
}

/// One delivery.
pub async fn delivery(
    ctx: &Context,
    organisation: &Organisation,
    webhook: WebhookId,
    id: WebhookDeliveryId,
) -> Result<WebhookDelivery, Failure<DeliveryRejection>> {
    let found = ctx.store().read(organisation).await?.delivery(webhook, id).await?;
    found.ok_or(Failure::Rejected(DeliveryRejection::NoDelivery))
}

/// Sends one delivery again, under its old id, whether it arrived or not.
pub async fn replay(
    ctx: &Context,
    organisation: &Organisation,
    webhook: WebhookId,
    id: WebhookDeliveryId,
) -> Result<WebhookDelivery, Failure<DeliveryRejection>> {
    let now = ctx.env().now();
    match ctx.store().read(organisation).await?.webhook(webhook).await? {
        None => return Err(Failure::Rejected(DeliveryRejection::NoWebhook)),
        Some(webhook) if webhook.disabled => return Err(Failure::Rejected(DeliveryRejection::Disabled)),
        Some(_) => {}
    }
    let begin = async |tx: &Transaction| -> Result<bool, StoreError> {
        let Some(exchange) = tx.replay_delivery(webhook, id, now).await? else { return Ok(false) };
        tx.enqueue(WorkKind::Webhooks, exchange.as_uuid(), now).await?;
        Ok(true)
    };
    if !ctx.store().write(organisation, begin).await? {
        return Err(Failure::Rejected(DeliveryRejection::NoDelivery));
    }
    delivery(ctx, organisation, webhook, id).await
}

/// Sends all deliveries again whose event happened at `since` (RFC 3339) or later; with `failedOnly` only those that
/// did not arrive. How many those are.
pub async fn replay_since(
    ctx: &Context,
    organisation: &Organisation,
    webhook: WebhookId,
    body: &Map<String, Value>,
) -> Result<u64, Failure<ReplayRejection>> {
    let (since, failed_only) = read(body).map_err(|faults| Failure::Rejected(ReplayRejection::Invalid(faults)))?;
    let now = ctx.env().now();
    match ctx.store().read(organisation).await?.webhook(webhook).await? {
        None => return Err(Failure::Rejected(ReplayRejection::NotFound)),
        Some(webhook) if webhook.disabled => return Err(Failure::Rejected(ReplayRejection::Disabled)),
        Some(_) => {}
    }
    let mut after = WebhookDeliveryId::from(Uuid::nil());
    let mut count = 0;
    loop {
        let begin = async |tx: &Transaction| {
            let begun = tx.replay_deliveries(webhook, since, failed_only, after, PER_UNIT, now).await?;
            let mut exchanges: Vec<Uuid> =
                begun.iter().map(|(_, exchange): &(_, ExchangeId)| exchange.as_uuid()).collect();
            exchanges.sort_unstable();
            exchanges.dedup();
            tx.enqueue_all(WorkKind::Webhooks, &exchanges, now).await?;
            Ok::<_, StoreError>(begun)
        };
        let begun = ctx.store().write(organisation, begin).await?;
        count += u64::try_from(begun.len()).unwrap_or(u64::MAX);
        match begun.last() {
            Some((last, _)) => after = *last,
            None => return Ok(count),
        }
    }
}

fn read(body: &Map<String, Value>) -> Result<(Timestamp, bool), Vec<Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["since", "failedOnly"]], &mut faults);
    members.require_text("since", &mut faults);
    let failed_only = members.boolean("failedOnly", false, &mut faults);
    let since = members.text("since", 64, &mut faults).and_then(|text| {
        let read = OffsetDateTime::parse(text, &Rfc3339).ok();
        let millis = read.and_then(|at| i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok());
        if millis.is_none() {
            faults.add(members.at("since"), "an instant as in RFC 3339 is expected, such as 2026-01-15T12:00:00Z");
        }
        millis.map(Timestamp::from_millis)
    });
    faults.none_or(since.map(|since| (since, failed_only)))
}
