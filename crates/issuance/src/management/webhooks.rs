//! Webhooks: where an organisation wants the steps of its exchanges to be sent.

mod deliveries;
mod delivery;
mod message;
mod notice;
mod request;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_model::{Organisation, Timestamp, Webhook, WebhookContentType, WebhookEvent, WebhookId, WebhookSecrets};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use self::request::WebhookRequest;
use super::body::Fault;
use super::page::{Page, Window};
use crate::sealed::Place;
use crate::{Context, Failure};

pub use deliveries::{DeliveryRejection, ReplayRejection, deliveries, delivery, replay, replay_since};
pub(crate) use delivery::deliver;
pub(super) use delivery::pause;
pub use delivery::{Ping, ping};
pub use message::event_type;
pub(crate) use message::{instant, sign};
pub(crate) use notice::tell_of_disabled;
pub(super) use request::read_secret;

/// Webhooks that an organisation may have.
pub const MOST: usize = 20;

/// How long the secret before the current one goes on signing.
pub(super) const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// A webhook and what is known of its deliveries.
#[derive(Debug)]
pub struct Shown {
    /// The webhook.
    pub webhook: Webhook,
    /// Whether the last attempt succeeded; `true` as long as there was none.
    pub is_last_delivery_success: bool,
    /// The secret, when it was made in this very call.
    pub new_secret: Option<Zeroizing<String>>,
}

/// Why no webhook was created or changed.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such webhook.
    NotFound,
    /// The body breaks rules.
    Invalid(Vec<Fault>),
    /// Another webhook of the organisation has this URL.
    UrlTaken,
    /// The organisation has as many as it may have.
    TooMany,
    /// It is not the version that the caller knows.
    Stale,
    /// Somebody else changed it at the same time.
    Concurrent,
}

/// Event types that webhooks may subscribe to.
pub fn event_types() -> impl Iterator<Item = String> {
    WebhookEvent::all().map(event_type)
}

/// Content types of deliveries.
pub const CONTENT_TYPES: [WebhookContentType; 2] = [WebhookContentType::Json, WebhookContentType::Form];

/// Creates a webhook. Without a secret in the body one is made, and shown once.
pub async fn create(
    ctx: &Context,
    organisation: &Organisation,
    body: &Map<String, Value>,
) -> Result<Shown, Failure<Rejection>> {
    let now = ctx.env().now();
    let request = request::read(ctx.outbound(), body).map_err(invalid)?;
    let existing = ctx.store().read(organisation).await?.webhooks().await?;
    if existing.len() >= MOST {
        return Err(Failure::Rejected(Rejection::TooMany));
    }
    let WebhookRequest { url, content_type, events, disabled, secret } = request;
    let made = secret.is_none().then(|| new_secret(ctx));
    let current = secret.or_else(|| made.as_deref().cloned()).unwrap_or_default();
    let id = WebhookId::from(ctx.env().uuid(now));
    let secrets = WebhookSecrets::of(current);
    let webhook = Webhook {
        id,
        url,
        content_type,
        events,
        disabled,
        disabled_reason: None,
        disabled_at: disabled.then_some(now),
        failing_since: None,
        sealed_secrets: ctx.seal(organisation, Place::WebhookSecrets, id.as_uuid(), &secrets)?,
        created_at: now,
        updated_at: now,
    };
    let work = async |tx: &chancery_storage::Transaction| match tx.add_webhook(&webhook).await? {
        true => Ok(()),
        false => Err(Failure::Rejected(Rejection::UrlTaken)),
    };
    ctx.store().write(organisation, work).await?;
    ctx.listeners().forget(organisation).await;
    Ok(Shown { webhook, is_last_delivery_success: true, new_secret: made })
}

/// Replaces a webhook. Without a secret in the body it keeps the one it has; another secret replaces it, and both sign for
/// a day. Enabling a webhook begins its record of failures anew. `seen` is when the version was made that the caller knows.
pub async fn update(
    ctx: &Context,
    organisation: &Organisation,
    id: WebhookId,
    seen: Option<Timestamp>,
    body: &Map<String, Value>,
) -> Result<Shown, Failure<Rejection>> {
    let now = ctx.env().now();
    let request = request::read(ctx.outbound(), body).map_err(invalid)?;
    let Some(known) = ctx.store().read(organisation).await?.webhook(id).await? else {
        return Err(Failure::Rejected(Rejection::NotFound));
    };
    if seen.is_some_and(|seen| seen != known.updated_at) {
        return Err(Failure::Rejected(Rejection::Stale));
    }
    let WebhookRequest { url, content_type, events, disabled, secret } = request;
    let mut secrets: WebhookSecrets = open_secrets(ctx, organisation, &known)?;
    if let Some(secret) = secret {
        secrets.replace(secret, now.plus(OVERLAP));
    }
    let stays_disabled = disabled && known.disabled;
    let webhook = Webhook {
        url,
        content_type,
        events,
        disabled,
        disabled_reason: known.disabled_reason.filter(|_| stays_disabled),
        disabled_at: if stays_disabled { known.disabled_at } else { disabled.then_some(now) },
        failing_since: known.failing_since.filter(|_| disabled),
        sealed_secrets: ctx.seal(organisation, Place::WebhookSecrets, id.as_uuid(), &secrets)?,
        // Also tells two changes apart that were made in one millisecond.
        updated_at: now.max(known.updated_at.plus(Duration::from_millis(1))),
        ..known
    };
    let work = async |tx: &chancery_storage::Transaction| match tx.replace_webhook(&webhook, known.updated_at).await? {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::Rejected(Rejection::UrlTaken)),
        None if seen.is_some() => Err(Failure::Rejected(Rejection::Stale)),
        None => Err(Failure::Rejected(Rejection::Concurrent)),
    };
    ctx.store().write(organisation, work).await?;
    ctx.listeners().forget(organisation).await;
    shown(ctx, organisation, webhook).await
}

/// One webhook.
pub async fn read(ctx: &Context, organisation: &Organisation, id: WebhookId) -> Result<Shown, Failure<Rejection>> {
    let Some(webhook) = ctx.store().read(organisation).await?.webhook(id).await? else {
        return Err(Failure::Rejected(Rejection::NotFound));
    };
    shown(ctx, organisation, webhook).await
}

/// Webhooks, newest first.
pub async fn list<R>(ctx: &Context, organisation: &Organisation, window: Window) -> Result<Page<Shown>, Failure<R>> {
    let mut webhooks = ctx.store().read(organisation).await?.webhooks().await?;
    webhooks.reverse();
    let Page { items, pagination } = Page::cut(webhooks, window);
    let mut all = Vec::with_capacity(items.len());
    for webhook in items {
        all.push(shown(ctx, organisation, webhook).await?);
    }
    Ok(Page { items: all, pagination })
}

/// Deletes a webhook and the record of its deliveries. What was on its way is not sent any more. `seen` is when the version
/// was made that the caller knows.
pub async fn delete(
    ctx: &Context,
    organisation: &Organisation,
    id: WebhookId,
    seen: Option<Timestamp>,
) -> Result<(), Failure<Rejection>> {
    let work = async |tx: &chancery_storage::Transaction| match tx.delete_webhook(id, seen).await? {
        true => Ok(()),
        false => Err(Failure::Rejected(Rejection::Stale)),
    };
    let deleted = ctx.store().write(organisation, work).await;
    ctx.listeners().forget(organisation).await;
    if let Err(Failure::Rejected(_)) = &deleted {
        read(ctx, organisation, id).await?;
    }
    deleted
}

async fn shown<R>(ctx: &Context, organisation: &Organisation, webhook: Webhook) -> Result<Shown, Failure<R>> {
    let last = ctx.store().read(organisation).await?.last_attempted_delivery(webhook.id).await?;
    let is_last_delivery_success = last.is_none_or(|last| last.failure.is_none());
    Ok(Shown { webhook, is_last_delivery_success, new_secret: None })
}

fn open_secrets<R>(
    ctx: &Context,
    organisation: &Organisation,
    webhook: &Webhook,
) -> Result<WebhookSecrets, Failure<R>> {
    ctx.open(organisation, Place::WebhookSecrets, webhook.id.as_uuid(), &webhook.sealed_secrets)
}

/// A secret in the form that libraries for Standard Webhooks read: `whsec_` and 32 bytes in base64.
pub(super) fn new_secret(ctx: &Context) -> Zeroizing<String> {
    Zeroizing::new(format!("whsec_{}", STANDARD.encode(ctx.env().random::<32>())))
}

fn invalid(faults: Vec<Fault>) -> Failure<Rejection> {
    Failure::Rejected(Rejection::Invalid(faults))
}

/// The instant that a list of times begins with.
fn never() -> Timestamp {
    Timestamp::from_millis(0)
}
