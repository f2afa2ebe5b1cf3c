//! Sending: each event of an exchange to each webhook that wants it, in the order of the steps.
//!
//! One worker at a time has an exchange. For each webhook it sends the events one after the other and stops at the first
//! that is not taken; that one is tried again later, and those after it wait. An event that nobody took in
//! [`MOST_ATTEMPTS`] attempts is given up and lets the others pass: the dead letter, which can be replayed.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use chancery_model::{
    DeliveryAttempt, DeliveryState, ExchangeId, ExchangeSecrets, OfferPart, Organisation, Timestamp, Webhook,
    WebhookDelivery, WebhookEvent, WebhookId, WebhookSecrets, why_undeliverable,
};
use futures::future::join_all;

use super::{Rejection, message, never, notice, open_secrets};
use crate::sealed::Place;
use crate::work::Next;
use crate::{Context, Failure};

/// Attempts before an event is given up.
const MOST_ATTEMPTS: u32 = 12;

/// Time until the second attempt; each further one takes five times as long.
const FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Longest time between two attempts, before jitter.
const LONGEST_PAUSE: Duration = Duration::from_secs(12 * 3600);

/// How long a webhook may fail without a single success before it is disabled.
const PATIENCE: Duration = Duration::from_secs(5 * 24 * 3600);

/// Time for one call.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Bytes that are read of an answer.
const ANSWER_READ: usize = 1024;

/// Characters that are kept of an answer.
const ANSWER_KEPT: usize = 200;

/// Sends what is due of an exchange.
pub(crate) async fn deliver(
    ctx: &Context,
    organisation: &Organisation,
    exchange: ExchangeId,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let (webhooks, deliveries) = fan_out(ctx, organisation, exchange, now).await?;
    let gone: Vec<WebhookId> = deliveries
        .iter()
        .filter(|delivery| delivery.state == DeliveryState::Pending)
        .map(|delivery| delivery.webhook_id)
        .filter(|id| !webhooks.iter().any(|webhook| webhook.id == *id))
        .collect();
    if !gone.is_empty() {
        let give_up = async |tx: &chancery_storage::Transaction| {
            tx.give_up_deliveries(exchange, &gone, "the webhook is disabled").await
        };
        ctx.store().write(organisation, give_up).await?;
    }
    let sent = join_all(webhooks.iter().map(|webhook| {
        let waiting: Vec<WebhookDelivery> = deliveries
            .iter()
            .filter(|delivery| delivery.webhook_id == webhook.id && delivery.state == DeliveryState::Pending)
            .cloned()
            .collect();
        send_in_order(ctx, organisation, webhook, waiting, now)
    }))
    .await;
    let mut soonest = None;
    for outcome in sent {
        if let Some(due) = outcome? {
            soonest = Some(soonest.map_or(due, |known: Timestamp| known.min(due)));
        }
    }
    Ok(soonest.map_or(Next::Done, Next::At))
}

/// The active webhooks, and the deliveries of an exchange, in order, after those that were missing have been added.
async fn fan_out(
    ctx: &Context,
    organisation: &Organisation,
    exchange: ExchangeId,
    now: Timestamp,
) -> Result<(Vec<Webhook>, Vec<WebhookDelivery>), Failure<Infallible>> {
    let read = ctx.store().read(organisation).await?;
    let mut webhooks = read.webhooks().await?;
    webhooks.retain(|webhook| !webhook.disabled);
    let events = read.events_of(exchange).await?;
    let known = read.deliveries_of(exchange).await?;
    drop(read);
    let mut missing = Vec::new();
    for event in &events {
        for webhook in &webhooks {
            let wanted = webhook.events.contains(&event.event) && webhook.created_at <= event.at;
            let is_known =
                known.iter().any(|delivery| delivery.webhook_id == webhook.id && delivery.event == event.event);
            if wanted && !is_known {
                missing.push(WebhookDelivery {
                    id: ctx.env().uuid(now).into(),
                    webhook_id: webhook.id,
                    exchange_id: exchange,
                    event: event.event,
                    event_at: event.at,
                    state: DeliveryState::Pending,
                    attempts: 0,
                    next_attempt_at: never(),
                    last_attempt: None,
                    failure: None,
                    created_at: now,
                });
            }
        }
    }
    if missing.is_empty() {
        return Ok((webhooks, known));
    }
    // On disk before anything is sent: the receiver tells repeated attempts by their id.
    ctx.store().write(organisation, async |tx| tx.add_deliveries(&missing).await).await?;
    let deliveries = ctx.store().read(organisation).await?.deliveries_of(exchange).await?;
    Ok((webhooks, deliveries))
}

/// Sends to one webhook until one event is not taken; when that one is due again.
async fn send_in_order(
    ctx: &Context,
    organisation: &Organisation,
    webhook: &Webhook,
    waiting: Vec<WebhookDelivery>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure<Infallible>> {
    if waiting.is_empty() {
        return Ok(None);
    }
    let secrets = open_secrets(ctx, organisation, webhook)?;
    for mut delivery in waiting {
        if delivery.next_attempt_at > now {
            return Ok(Some(delivery.next_attempt_at));
        }
        let addressee = addressee(ctx, organisation, &delivery, now).await?;
        let event = message::event(organisation, &delivery, &addressee);
        let id = delivery.id.to_string();
        let (attempt, outcome) = attempt(ctx, webhook, &secrets, event, &id, now).await;
        judge(ctx, &mut delivery, &outcome, now);
        record(ctx, organisation, webhook, &delivery, &attempt, now).await?;
        match delivery.state {
            DeliveryState::Completed | DeliveryState::Failed => {}
            DeliveryState::Pending => return Ok(Some(delivery.next_attempt_at)),
        }
    }
    Ok(None)
}

/// Whom an event is about, where it is about an individual. The transaction code is told as long as it is of use.
async fn addressee(
    ctx: &Context,
    organisation: &Organisation,
    delivery: &WebhookDelivery,
    now: Timestamp,
) -> Result<message::Addressee, Failure<Infallible>> {
    let part = match delivery.event {
        WebhookEvent::Status(_) => return Ok(message::Addressee::default()),
        WebhookEvent::IndividualOffer => OfferPart::Link,
        WebhookEvent::IndividualPin => OfferPart::Pin,
    };
    let read = ctx.store().read(organisation).await?;
    let addressed = read.offer_deliveries_of(&[delivery.exchange_id]).await?;
    let individual = addressed.iter().find(|it| it.part == part).and_then(|it| it.individual_id);
    let exchange = read.exchange(delivery.exchange_id).await?;
    drop(read);
    let is_of_use = |exchange: &chancery_model::Exchange| {
        let is_spent = exchange.code_spent_at.is_some();
        part == OfferPart::Pin && why_undeliverable(exchange.status, is_spent, exchange.expires_at, now).is_none()
    };
    let Some(exchange) = exchange.filter(is_of_use) else {
        return Ok(message::Addressee { individual, pin: String::new() });
    };
    let secrets: ExchangeSecrets =
        ctx.open(organisation, Place::ExchangeSecrets, exchange.id.as_uuid(), &exchange.sealed_secrets)?;
    Ok(message::Addressee { individual, pin: secrets.transaction_code.unwrap_or_default() })
}

/// What a delivery is after an attempt.
fn judge(ctx: &Context, delivery: &mut WebhookDelivery, outcome: &Result<(), String>, now: Timestamp) {
    delivery.attempts = delivery.attempts.saturating_add(1);
    delivery.failure = outcome.as_ref().err().cloned();
    delivery.state = match outcome {
        Ok(()) => DeliveryState::Completed,
        Err(_) if delivery.attempts >= MOST_ATTEMPTS => DeliveryState::Failed,
        Err(_) => DeliveryState::Pending,
    };
    let [dice] = ctx.env().random::<1>();
    delivery.next_attempt_at = now.plus(pause(delivery.attempts, dice));
}

/// Time from attempt number `attempts` to the next: five times longer each time, up to half a day, and up to a quarter
/// more, so that what failed together does not come back together.
pub(in crate::management) fn pause(attempts: u32, dice: u8) -> Duration {
    let factor = 5_u32.saturating_pow(attempts.saturating_sub(1));
    let pause = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
    pause + pause * u32::from(dice) / 1020
}

async fn record(
    ctx: &Context,
    organisation: &Organisation,
    webhook: &Webhook,
    delivery: &WebhookDelivery,
    attempt: &DeliveryAttempt,
    now: Timestamp,
) -> Result<(), Failure<Infallible>> {
    let has_failed = delivery.failure.is_some();
    let disabling = reason_to_disable(webhook, attempt, has_failed, now);
    let write = async |tx: &chancery_storage::Transaction| -> Result<bool, chancery_storage::StoreError> {
        tx.record_attempt(delivery, attempt).await?;
        match (has_failed, webhook.failing_since) {
            (true, None) => drop(tx.note_webhook_failing(webhook.id, now).await?),
            (false, Some(_)) => drop(tx.note_webhook_working(webhook.id).await?),
            (true, Some(_)) | (false, None) => {}
        }
        match disabling {
            Some(reason) => {
                let first = tx.disable_webhook(webhook.id, reason, now).await?;
                if first {
                    notice::announce(tx, webhook.id, now).await?;
                }
                Ok(first)
            }
            None => Ok(false),
        }
    };
    if ctx.store().write(organisation, write).await? {
        tracing::warn!(
            organisation = organisation.slug.as_str(),
            webhook = %webhook.id,
            reason = disabling,
            "a webhook was disabled"
        );
        ctx.listeners().forget(organisation).await;
    }
    Ok(())
}

/// Why the server stops calling a webhook by itself.
fn reason_to_disable(
    webhook: &Webhook,
    attempt: &DeliveryAttempt,
    has_failed: bool,
    now: Timestamp,
) -> Option<&'static str> {
    if attempt.status == Some(410) {
        return Some("the receiver answered 410 Gone");
    }
    let has_failed_for_long = webhook.failing_since.is_some_and(|since| since.plus(PATIENCE) <= now);
    (has_failed && has_failed_for_long).then_some("every delivery has failed for five days")
}

/// What came of a test call.
#[derive(Debug)]
pub struct Ping {
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// HTTP status of the answer, when there was one.
    pub status: Option<u16>,
    /// Why it failed, when it did.
    pub failure: Option<String>,
}

/// Sends a signed test event, whether or not the webhook is disabled. It is not a delivery, and not recorded as one.
pub async fn ping(ctx: &Context, organisation: &Organisation, id: WebhookId) -> Result<Ping, Failure<Rejection>> {
    let now = ctx.env().now();
    let Some(webhook) = ctx.store().read(organisation).await?.webhook(id).await? else {
        return Err(Failure::Rejected(Rejection::NotFound));
    };
    let secrets = open_secrets(ctx, organisation, &webhook)?;
    let id = ctx.env().uuid(now).to_string();
    let event = message::ping(organisation, &webhook, &id, now);
    let (attempt, outcome) = attempt(ctx, &webhook, &secrets, event, &id, now).await;
    let ended = now.plus(Duration::from_millis(u64::from(attempt.duration)));
    Ok(Ping { started: now, ended, status: attempt.status, failure: outcome.err() })
}

/// One call; what is known of it, and why it failed, if it did.
pub(super) async fn attempt(
    ctx: &Context,
    webhook: &Webhook,
    secrets: &WebhookSecrets,
    event: String,
    id: &str,
    now: Timestamp,
) -> (DeliveryAttempt, Result<(), String>) {
    let begun = Instant::now();
    let answer = match message::sealed(webhook, event, id, secrets, now) {
        Some(request) => {
            ctx.outbound().deliver(request, TIME_LIMIT, ANSWER_READ).await.map_err(|error| error.to_string())
        }
        None => Err("the URL cannot be called".to_owned()),
    };
    let duration = u32::try_from(begun.elapsed().as_millis()).unwrap_or(u32::MAX);
    match answer {
        Ok((status, body)) => {
            let attempt = DeliveryAttempt { at: now, duration, status: Some(status), excerpt: Some(excerpt(&body)) };
            let outcome = match status {
                200..=299 => Ok(()),
                300..=399 => Err(format!("the receiver answered {status}; redirects are not followed")),
                _ => Err(format!("the receiver answered {status}")),
            };
            (attempt, outcome)
        }
        Err(error) => (DeliveryAttempt { at: now, duration, status: None, excerpt: None }, Err(error)),
    }
}

/// The beginning of an answer, fit for people: one line, and nothing in it that is long enough to be a key or a token.
fn excerpt(body: &[u8]) -> String {
    const LONGEST_WORD: usize = 24;
    let text = String::from_utf8_lossy(body);
    let is_secret = |c: char| c.is_ascii_alphanumeric() || "-_.+/=~".contains(c);
    let mut kept = String::new();
    let mut word = String::new();
    for character in text.chars().map(|c| if c.is_control() { ' ' } else { c }).chain([' ']) {
        if is_secret(character) {
            word.push(character);
            continue;
        }
        kept.push_str(if word.chars().count() > LONGEST_WORD { "…" } else { &word });
        word.clear();
        kept.push(character);
    }
    kept.trim().chars().take(ANSWER_KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_are_ever_further_apart_and_jittered() {
        let seconds: Vec<u64> = (1..MOST_ATTEMPTS).map(|attempts| pause(attempts, 0).as_secs()).collect();
        assert_eq!(seconds, [5, 25, 125, 625, 3125, 15_625, 43_200, 43_200, 43_200, 43_200, 43_200]);
        assert!(pause(3, 255) > pause(3, 0) && pause(3, 255) <= pause(3, 0) * 5 / 4);
        assert!(pause(u32::MAX, 255) <= LONGEST_PAUSE * 5 / 4);
    }

    #[test]
    fn an_answer_is_kept_short_and_without_what_could_be_a_secret() {
        assert_eq!(excerpt(b"no such\r\nroute"), "no such  route");
        assert_eq!(excerpt(b"token=eyJhbGciOiJFUzI1NiJ9.e30.c2ln ok"), "… ok");
        assert_eq!(excerpt(&[b'a'; 1000]), "…");
        assert_eq!(excerpt("ä ".repeat(500).as_bytes()).chars().count(), ANSWER_KEPT);
    }
}
