//! The server stops calling a webhook by itself: the other webhooks of the organisation are told, whatever they subscribe
//! to, so that somebody hears of it.

use std::convert::Infallible;
use std::time::Duration;

use chancery_keys::sha256;
use chancery_model::{Organisation, Timestamp, Webhook, WebhookId, WorkKind};
use chancery_storage::{StoreError, Transaction};
use uuid::Uuid;

use super::delivery::attempt;
use super::{message, open_secrets};
use crate::management::audit::hex;
use crate::work::Next;
use crate::{Context, Failure};

/// How long it is tried to tell somebody.
const NEWS_FOR: Duration = Duration::from_secs(24 * 3600);

/// Time between two attempts.
const PAUSE: Duration = Duration::from_secs(600);

/// Asks for every other webhook to be told that `disabled` was.
pub(super) async fn announce(tx: &Transaction, disabled: WebhookId, now: Timestamp) -> Result<(), StoreError> {
    let others = tx.webhooks().await?.into_iter().filter(|webhook| !webhook.disabled && webhook.id != disabled);
    let others: Vec<Uuid> = others.map(|webhook| webhook.id.as_uuid()).collect();
    tx.enqueue_all(WorkKind::WebhookNotice, &others, now).await
}

/// Tells a webhook which others were disabled in the last day. Repeated under the same id until it is taken, and given up
/// when it is no news any more.
pub(crate) async fn tell_of_disabled(
    ctx: &Context,
    organisation: &Organisation,
    id: WebhookId,
    now: Timestamp,
) -> Result<Next, Failure<Infallible>> {
    let webhooks = ctx.store().read(organisation).await?.webhooks().await?;
    let Some(receiver) = webhooks.iter().find(|webhook| webhook.id == id && !webhook.disabled) else {
        return Ok(Next::Done);
    };
    let is_news = |at: Timestamp| now < at.plus(NEWS_FOR);
    let by_server = webhooks.iter().filter(|webhook| webhook.disabled && webhook.disabled_reason.is_some());
    let news: Vec<&Webhook> = by_server.filter(|webhook| webhook.disabled_at.is_some_and(is_news)).collect();
    let Some(newest) = news.iter().filter_map(|webhook| webhook.disabled_at).max() else { return Ok(Next::Done) };
    let secrets = open_secrets(ctx, organisation, receiver)?;
    let delivery = name(receiver, &news);
    let event = message::disabled(organisation, receiver, &news, &delivery, newest);
    let (_, outcome) = attempt(ctx, receiver, &secrets, event, &delivery, now).await;
    Ok(match outcome {
        Ok(()) => Next::Done,
        Err(reason) => {
            tracing::debug!(webhook = %receiver.id, reason, "a notice was not taken");
            Next::At(now.plus(PAUSE))
        }
    })
}

/// The same for the same news.
fn name(receiver: &Webhook, news: &[&Webhook]) -> String {
    let mut text = receiver.id.to_string();
    for webhook in news {
        text.push_str(&format!(" {} {}", webhook.id, webhook.disabled_at.map(Timestamp::millis).unwrap_or_default()));
    }
    let mut digits = hex(&sha256(text.as_bytes()));
    digits.truncate(32);
    digits
}
