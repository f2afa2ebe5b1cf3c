//! Delivering offers to those they were made for: to the endpoint of a wallet, by mail, or by the organisation's own
//! messenger.
//!
//! One worker at a time has an exchange. What is not taken is tried again, ever later, and given up after
//! [`MOST_ATTEMPTS`] attempts or when the offer would be over by then: the dead letter, until somebody asks for it again.
//! A receiver that took something although nobody could write that down gets the same thing once more, under the same id.

mod letter;
mod qr;

use std::convert::Infallible;
use std::time::Duration;

use chancery_model::{
    Contact, Exchange, ExchangeEvent, ExchangeId, ExchangeSecrets, OfferChannel, OfferDelivery, OfferDeliveryState,
    OfferPart, Organisation, Timestamp, TranscriptPart, WebhookEvent, WorkKind, why_undeliverable,
};
use chancery_storage::{StoreError, Transaction};
use http::Request;
use serde_json::json;
use url::Url;

use super::history::offer_uri;
use super::{individuals, webhooks};
use crate::mail::{Mail, MailError};
use crate::recording::Recording;
use crate::sealed::Place;
use crate::wallet::definition_of;
use crate::work::Next;
use crate::{Context, Failure};

/// Attempts before a delivery is given up.
const MOST_ATTEMPTS: u32 = 8;

/// Time for one call of a wallet's endpoint.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What came of an attempt.
enum Outcome {
    /// The other side took it.
    Taken,
    /// The webhooks are told of it in the unit of work that writes this down.
    Announced(WebhookEvent),
    /// Not this time.
    Refused(String),
    /// Not at any time, as things are.
    Hopeless(String),
}

/// Delivers what is due of an exchange.
pub(crate) async fn deliver(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let read = ctx.store().read(organisation).await?;
    let Some(exchange) = read.exchange(id).await? else { return Ok(Next::Done) };
    let deliveries = read.offer_deliveries_of(&[id]).await?;
    drop(read);
    let mut soonest: Option<Timestamp> = None;
    for delivery in deliveries.into_iter().filter(|delivery| delivery.state == OfferDeliveryState::Pending) {
        if let Some(due) = attend(ctx, organisation, &exchange, delivery, now).await? {
            soonest = Some(soonest.map_or(due, |known| known.min(due)));
        }
    }
    Ok(soonest.map_or(Next::Done, Next::At))
}

/// Attempts one delivery if it is due; when it is due again.
async fn attend(
    ctx: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    mut delivery: OfferDelivery,
    now: Timestamp,
) -> Result<Option<Timestamp>, Failure<Infallible>> {
    if delivery.next_attempt_at > now {
        return Ok(Some(delivery.next_attempt_at));
    }
    let is_spent = exchange.code_spent_at.is_some();
    if let Some(reason) = why_undeliverable(exchange.status, is_spent, exchange.expires_at, now) {
        delivery.state = OfferDeliveryState::Cancelled;
        delivery.failure = Some(reason.to_owned());
        record(ctx, organisation, &delivery, None, now).await?;
        return Ok(None);
    }
    let outcome = attempt(ctx, organisation, exchange, &delivery, now).await?;
    let [dice] = ctx.env().random::<1>();
    let announced = judge(&mut delivery, outcome, exchange.expires_at, dice, now);
    record(ctx, organisation, &delivery, announced, now).await?;
    Ok((delivery.state == OfferDeliveryState::Pending).then_some(delivery.next_attempt_at))
}

/// What a delivery is after an attempt, and what webhooks are to be told.
fn judge(
    delivery: &mut OfferDelivery,
    outcome: Outcome,
    expires_at: Timestamp,
    dice: u8,
    now: Timestamp,
) -> Option<WebhookEvent> {
    delivery.attempts = delivery.attempts.saturating_add(1);
    delivery.attempted_at = Some(now);
    delivery.next_attempt_at = now.plus(webhooks::pause(delivery.attempts, dice));
    let is_last = delivery.attempts >= MOST_ATTEMPTS || delivery.next_attempt_at >= expires_at;
    let (state, failure, announced) = match outcome {
        Outcome::Taken => (OfferDeliveryState::Delivered, None, None),
        Outcome::Announced(event) => (OfferDeliveryState::Delivered, None, Some(event)),
        Outcome::Refused(reason) if !is_last => (OfferDeliveryState::Pending, Some(reason), None),
        Outcome::Refused(reason) | Outcome::Hopeless(reason) => (OfferDeliveryState::Failed, Some(reason), None),
    };
    delivery.state = state;
    delivery.failure = failure;
    announced
}

/// Writes down what came of an attempt, unless the delivery was cancelled or asked for again meanwhile. What comes to an
/// end is told in the transcript.
async fn record(
    ctx: &Context,
    organisation: &Organisation,
    delivery: &OfferDelivery,
    announced: Option<WebhookEvent>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let part = told(ctx, delivery, now);
    let event = announced.map(|event| ExchangeEvent {
        id: ctx.env().uuid(now).into(),
        exchange_id: delivery.exchange_id,
        event,
        at: now,
    });
    let write = async |tx: &Transaction| -> Result<(), StoreError> {
        if !tx.record_offer_attempt(delivery).await? {
            return Ok(());
        }
        if let Some(part) = &part {
            tx.add_transcript_part(part).await?;
        }
        if let Some(event) = &event {
            tx.add_event_again(event).await?;
            tx.enqueue(WorkKind::Webhooks, event.exchange_id.as_uuid(), now).await?;
        }
        Ok(())
    };
    ctx.store().write(organisation, write).await
}

fn told(ctx: &Context, delivery: &OfferDelivery, now: Timestamp) -> Option<TranscriptPart> {
    let (message, event) = match delivery.state {
        OfferDeliveryState::Unsent | OfferDeliveryState::Pending | OfferDeliveryState::Cancelled => return None,
        OfferDeliveryState::Delivered => ("offer.delivered", "offer_delivered"),
        OfferDeliveryState::Failed => ("offer.delivery_failed", "offer_delivery_failed"),
    };
    let details = json!({
        "part": delivery.part,
        "channel": delivery.channel,
        "attempts": delivery.attempts,
        "reason": delivery.failure,
    });
    let mut recording = Recording::at("delivery");
    recording.info(message, details.clone());
    recording.event(event, details);
    Some(recording.finish(ctx.env(), now).of(delivery.exchange_id, None))
}

async fn attempt(
    ctx: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    delivery: &OfferDelivery,
    now: Timestamp,
) -> Result<Outcome, Failure<Infallible>> {
    let contact = match delivery.individual_id {
        Some(id) => match ctx.store().read(organisation).await?.individual(id).await? {
            Some(individual) => individuals::open(ctx, organisation, &individual)?,
            None => return Ok(Outcome::Hopeless("the person was erased".to_owned())),
        },
        None => Contact::default(),
    };
    match delivery.channel {
        OfferChannel::None => Ok(Outcome::Hopeless("nobody is asked to deliver it".to_owned())),
        OfferChannel::WalletEndpoint => {
            let endpoint = match &delivery.sealed_endpoint {
                Some(sealed) => ctx.open(organisation, Place::OfferEndpoint, exchange.id.as_uuid(), sealed)?,
                None => contact.wallet_endpoint,
            };
            Ok(call(ctx, organisation, exchange, &endpoint).await)
        }
        OfferChannel::Email => mail(ctx, organisation, exchange, delivery, contact, now).await,
        OfferChannel::Webhook => announce(ctx, organisation, delivery.part).await,
    }
}

/// Sends the offer by reference to the endpoint of a wallet (OpenID4VCI §4.1, §4.1.3).
async fn call(ctx: &Context, organisation: &Organisation, exchange: &Exchange, endpoint: &str) -> Outcome {
    let Ok(mut url) = Url::parse(endpoint) else {
        return Outcome::Hopeless("no endpoint of the wallet is known".to_owned());
    };
    url.query_pairs_mut().append_pair("credential_offer_uri", &offer_uri(organisation, &exchange.offer_id));
    let Ok(request) = Request::get(url.as_str()).body(Vec::new()) else {
        return Outcome::Hopeless("the wallet's endpoint cannot be called".to_owned());
    };
    match ctx.outbound().deliver(request, TIME_LIMIT, 0).await {
        Ok((200..=299, _)) => Outcome::Taken,
        Ok((410, _)) => Outcome::Hopeless("the wallet's endpoint answered 410".to_owned()),
        Ok((status, _)) => Outcome::Refused(format!("the wallet's endpoint answered {status}")),
        Err(error) => Outcome::Refused(error.to_string()),
    }
}

async fn mail(
    ctx: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
    delivery: &OfferDelivery,
    contact: Contact,
    now: Timestamp,
) -> Result<Outcome, Failure<Infallible>> {
    let Some(mailer) = ctx.mailer() else {
        return Ok(Outcome::Hopeless("this server sends no mail".to_owned()));
    };
    if contact.email.is_empty() {
        return Ok(Outcome::Hopeless("no e-mail address of the person is known".to_owned()));
    }
    let read = ctx.store().read(organisation).await?;
    let definition = definition_of(&read, exchange).await?;
    drop(read);
    let letter = match delivery.part {
        OfferPart::Link => letter::offer(organisation, exchange, &definition, &contact.name)?,
        OfferPart::Pin => {
            let secrets: ExchangeSecrets =
                ctx.open(organisation, Place::ExchangeSecrets, exchange.id.as_uuid(), &exchange.sealed_secrets)?;
            letter::pin(organisation, &definition, &contact.name, &secrets.transaction_code.unwrap_or_default())?
        }
    };
    let letter::Letter { subject, text, html, picture } = letter;
    let id = mail_id(ctx, delivery);
    let taken = mailer.send(Mail { id, to: contact.email, subject, text, html, picture, at: now }).await;
    Ok(match taken {
        Ok(()) => Outcome::Taken,
        Err(error @ (MailError::Unwritable | MailError::RefusedForGood(_))) => Outcome::Hopeless(error.to_string()),
        Err(
            error @ (MailError::Refused(_) | MailError::Certificate(_) | MailError::Unreachable | MailError::TimedOut),
        ) => Outcome::Refused(error.to_string()),
    })
}

/// The same for every attempt of a round, and nothing that finds the exchange.
fn mail_id(ctx: &Context, delivery: &OfferDelivery) -> String {
    let mut message = delivery.exchange_id.as_uuid().as_bytes().to_vec();
    message.extend(delivery.round.to_be_bytes());
    message.push(u8::from(delivery.part == OfferPart::Pin));
    ctx.individual_keys().current().mac(&message).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Lets the organisation's messenger know, if there is one that listens.
async fn announce(ctx: &Context, organisation: &Organisation, part: OfferPart) -> Result<Outcome, Failure<Infallible>> {
    let event = match part {
        OfferPart::Link => WebhookEvent::IndividualOffer,
        OfferPart::Pin => WebhookEvent::IndividualPin,
    };
    let webhooks = ctx.store().read(organisation).await?.webhooks().await?;
    let is_heard = webhooks.iter().any(|webhook| !webhook.disabled && webhook.events.contains(&event));
    Ok(match is_heard {
        true => Outcome::Announced(event),
        false => Outcome::Hopeless(format!("no active webhook subscribes to {}", webhooks::event_type(event))),
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn waiting() -> OfferDelivery {
        OfferDelivery {
            exchange_id: Uuid::from_u128(1).into(),
            part: OfferPart::Link,
            individual_id: None,
            channel: OfferChannel::WalletEndpoint,
            sealed_endpoint: None,
            state: OfferDeliveryState::Pending,
            round: 1,
            attempts: 0,
            next_attempt_at: Timestamp::from_seconds(0),
            attempted_at: None,
            failure: None,
            created_at: Timestamp::from_seconds(0),
        }
    }

    #[test]
    fn what_is_refused_is_tried_again_until_it_is_given_up() {
        let (mut delivery, mut now) = (waiting(), Timestamp::from_seconds(0));
        let over = Timestamp::from_seconds(10_000_000);
        for attempt in 1..=MOST_ATTEMPTS {
            assert_eq!(delivery.state, OfferDeliveryState::Pending);
            judge(&mut delivery, Outcome::Refused("busy".to_owned()), over, 7, now);
            assert_eq!(delivery.attempts, attempt);
            now = delivery.next_attempt_at;
        }
        assert_eq!((delivery.state, delivery.failure.as_deref()), (OfferDeliveryState::Failed, Some("busy")));
    }

    #[test]
    fn nothing_is_tried_again_after_the_offer_is_over() {
        let mut delivery = waiting();
        let now = Timestamp::from_seconds(0);
        judge(&mut delivery, Outcome::Refused("busy".to_owned()), Timestamp::from_seconds(3), 0, now);
        assert_eq!(delivery.state, OfferDeliveryState::Failed);
    }

    #[test]
    fn what_is_taken_or_hopeless_is_not_tried_again() {
        let over = Timestamp::from_seconds(10_000);
        let now = Timestamp::from_seconds(0);
        let mut delivery = waiting();
        assert_eq!(judge(&mut delivery, Outcome::Taken, over, 0, now), None);
        assert_eq!((delivery.state, delivery.failure), (OfferDeliveryState::Delivered, None));
        let mut delivery = waiting();
        judge(&mut delivery, Outcome::Hopeless("gone".to_owned()), over, 0, now);
        assert_eq!(delivery.state, OfferDeliveryState::Failed);
        let event = WebhookEvent::IndividualOffer;
        assert_eq!(judge(&mut waiting(), Outcome::Announced(event), over, 0, now), Some(event));
    }
}
