//! Webhooks and deliveries on the wire.

use std::borrow::Cow;

use axum::http::StatusCode;
use chancery_issuance::management::webhooks::{self, Ping, Shown, event_type};
use chancery_model::{DeliveryState, Organisation, WebhookDelivery, WebhookEvent};
use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::list::Pagination;
use crate::moment;

/// What a webhook is to be.
#[derive(ToSchema)]
#[schema(as = WebhookRequest)]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct WebhookBody {
    webhook: WebhookDescription,
}

/// What a webhook is to be.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct WebhookDescription {
    /// Receives the events: an https URL, unique in the organisation.
    #[schema(min_length = 1, max_length = 2048, format = "uri")]
    payload_url: String,
    /// `application/json`, or `application/x-www-form-urlencoded` with the JSON in the member `payload`.
    content_type: ContentTypeSchema,
    subscribed_events: NewSubscribedEvents,
    /// Whether nothing is sent.
    #[schema(default = false)]
    disabled: Option<bool>,
    /// Signs deliveries; `whsec_` and base64 for libraries of Standard Webhooks, or any text.
    #[schema(min_length = 16, max_length = 255)]
    secret_key: Option<String>,
    /// Only `false`: certificates are always verified.
    skip_ssl_verification: Option<bool>,
}

/// Content type of deliveries.
#[derive(ToSchema)]
#[schema(as = WebhookContentType)]
#[expect(dead_code, reason = "only describes the model's content type")]
pub(crate) enum ContentTypeSchema {
    #[schema(rename = "application/json")]
    Json,
    #[schema(rename = "application/x-www-form-urlencoded")]
    Form,
}

/// Event types to subscribe to, by group.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewSubscribedEvents {
    /// There are none.
    #[schema(max_items = 0)]
    consent_management_webhook: Option<Vec<String>>,
    /// Steps of exchanges, as `GET /v2/config/webhooks/event-types` lists them.
    #[schema(value_type = Vec<EventTypeSchema>, min_items = 1, max_items = 64)]
    digital_wallet_webhook: Vec<String>,
    /// There are none.
    #[schema(max_items = 0)]
    data_marketplace_webhook: Option<Vec<String>>,
}

/// Type of an event.
pub(crate) struct EventTypeSchema;

impl PartialSchema for EventTypeSchema {
    fn schema() -> RefOr<Schema> {
        let types = WebhookEvent::all().map(event_type);
        ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(types))
            .description(Some("Type of an event."))
            .into()
    }
}

impl ToSchema for EventTypeSchema {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("WebhookEventType")
    }
}

/// Event types by group.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubscribedEvents {
    /// Always empty.
    consent_management_webhook: Vec<String>,
    /// Steps of exchanges.
    #[schema(example = json!(["openid.credential.credential_acked"]))]
    digital_wallet_webhook: Vec<String>,
    /// Always empty.
    data_marketplace_webhook: Vec<String>,
}

/// A webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Webhook {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// The organisation.
    #[schema(format = Uuid)]
    org_id: String,
    /// Always empty.
    sandbox_org_id: &'static str,
    /// Receives the events.
    #[schema(example = "https://hooks.example/chancery")]
    payload_url: String,
    /// Form of the body.
    #[schema(example = "application/json")]
    content_type: &'static str,
    subscribed_events: SubscribedEvents,
    /// Whether nothing is sent.
    disabled: bool,
    /// Why the server disabled it; empty when it did not.
    disabled_reason: String,
    /// When it was disabled (RFC 3339); empty when it is not.
    disabled_timestamp: String,
    /// Since when every delivery has failed (RFC 3339); empty when the last one did not.
    failing_since_timestamp: String,
    /// The secret, only in the answer to the call that had it made; empty ever after.
    secret_key: String,
    /// Always `false`.
    skip_ssl_verification: bool,
    /// When it was created (RFC 3339).
    timestamp: String,
    /// Whether the last attempt succeeded; `true` as long as there was none.
    #[schema(example = true)]
    is_last_delivery_success: bool,
}

impl Webhook {
    pub(crate) fn new(shown: &Shown, organisation: &Organisation) -> Self {
        let Shown { webhook, is_last_delivery_success, new_secret } = shown;
        Self {
            id: webhook.id.to_string(),
            org_id: organisation.id.to_string(),
            sandbox_org_id: "",
            payload_url: webhook.url.clone(),
            content_type: webhook.content_type.name(),
            subscribed_events: SubscribedEvents {
                consent_management_webhook: Vec::new(),
                digital_wallet_webhook: webhook.events.iter().copied().map(event_type).collect(),
                data_marketplace_webhook: Vec::new(),
            },
            disabled: webhook.disabled,
            disabled_reason: webhook.disabled_reason.clone().unwrap_or_default(),
            disabled_timestamp: webhook.disabled_at.map(moment::text).unwrap_or_default(),
            failing_since_timestamp: webhook.failing_since.map(moment::text).unwrap_or_default(),
            secret_key: new_secret.as_deref().cloned().unwrap_or_default(),
            skip_ssl_verification: false,
            timestamp: moment::text(webhook.created_at),
            is_last_delivery_success: *is_last_delivery_success,
        }
    }
}

/// A webhook.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookAnswer {
    pub(crate) webhook: Webhook,
}

/// One page of webhooks.
#[derive(Serialize, ToSchema)]
pub(crate) struct WebhookList {
    pub(crate) webhooks: Vec<Webhook>,
    pub(crate) pagination: Pagination,
}

/// What came of a test call.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PingAnswer {
    /// HTTP status of the answer; 0 when there was none.
    response_status_code: u16,
    /// The same in words.
    response_status_str: String,
    /// When the call began (RFC 3339).
    execution_start_timestamp: String,
    /// When it ended (RFC 3339).
    execution_end_timestamp: String,
    /// `completed` or `failed`.
    status: &'static str,
    /// Why it failed; empty when it did not.
    status_description: String,
}

impl From<&Ping> for PingAnswer {
    fn from(ping: &Ping) -> Self {
        Self {
            response_status_code: ping.status.unwrap_or_default(),
            response_status_str: status_text(ping.status),
            execution_start_timestamp: moment::text(ping.started),
            execution_end_timestamp: moment::text(ping.ended),
            status: if ping.failure.is_none() { "completed" } else { "failed" },
            status_description: ping.failure.clone().unwrap_or_default(),
        }
    }
}

/// One event on its way to a webhook, or arrived there.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery {
    /// Id, the same through all attempts: `deliveryID` and `webhook-id` of the call.
    #[schema(format = Uuid)]
    id: String,
    /// The webhook.
    #[schema(format = Uuid)]
    webhook_id: String,
    /// HTTP status of the last answer; 0 when there was none.
    response_status_code: u16,
    /// The same in words.
    response_status_str: String,
    /// When it was last attempted, or made (RFC 3339).
    timestamp: String,
    /// How far it is.
    #[schema(value_type = DeliveryStateSchema)]
    status: DeliveryState,
    /// Why the last attempt failed; empty when it did not.
    status_description: String,
    /// Type of the event.
    event_type: String,
    /// The exchange.
    #[schema(format = Uuid)]
    credential_exchange_id: String,
    /// Attempts so far.
    attempts: u32,
    /// When it will be attempted next (RFC 3339); empty unless it is pending.
    next_attempt_timestamp: String,
    /// How long the last attempt took, in milliseconds.
    duration: u32,
    /// The first characters of the last answer, without what could be a secret.
    response_excerpt: String,
}

impl From<&WebhookDelivery> for Delivery {
    fn from(delivery: &WebhookDelivery) -> Self {
        let last = delivery.last_attempt.as_ref();
        let status = last.and_then(|attempt| attempt.status);
        let is_pending = delivery.state == DeliveryState::Pending;
        Self {
            id: delivery.id.to_string(),
            webhook_id: delivery.webhook_id.to_string(),
            response_status_code: status.unwrap_or_default(),
            response_status_str: status_text(status),
            timestamp: moment::text(last.map_or(delivery.created_at, |attempt| attempt.at)),
            status: delivery.state,
            status_description: delivery.failure.clone().unwrap_or_default(),
            event_type: event_type(delivery.event),
            credential_exchange_id: delivery.exchange_id.to_string(),
            attempts: delivery.attempts,
            next_attempt_timestamp: if is_pending { moment::text(delivery.next_attempt_at) } else { String::new() },
            duration: last.map(|attempt| attempt.duration).unwrap_or_default(),
            response_excerpt: last.and_then(|attempt| attempt.excerpt.clone()).unwrap_or_default(),
        }
    }
}

/// One page of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeliveryList {
    pub(crate) webhook_deliveries: Vec<Delivery>,
    pub(crate) pagination: Pagination,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
pub(crate) struct DeliveryQuery {
    /// How far the delivery is.
    #[param(inline)]
    status: Option<DeliveryStateSchema>,
}

/// `failed` is given up.
#[derive(ToSchema)]
#[schema(as = WebhookDeliveryStatus, rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes the model's state")]
pub(crate) enum DeliveryStateSchema {
    Pending,
    Completed,
    Failed,
}

/// What is to be sent again.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct ReplayBody {
    /// Instant of the earliest event (RFC 3339).
    #[schema(max_length = 64, format = DateTime)]
    since: String,
    /// Leaves out what arrived.
    #[schema(default = false)]
    failed_only: Option<bool>,
}

/// What is sent again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Replayed {
    /// Deliveries that are on their way again.
    pub(crate) replayed: u64,
}

/// Event types by group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventTypes {
    /// Always empty.
    consent_management_webhook_event_types: Vec<String>,
    /// Steps of exchanges.
    digital_wallet_webhook_event_types: Vec<String>,
    /// Always empty.
    data_marketplace_webhook_event_types: Vec<String>,
}

impl EventTypes {
    pub(crate) fn all() -> Self {
        Self {
            consent_management_webhook_event_types: Vec::new(),
            digital_wallet_webhook_event_types: webhooks::event_types().collect(),
            data_marketplace_webhook_event_types: Vec::new(),
        }
    }
}

/// Content types of deliveries.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookContentTypes)]
pub(crate) struct ContentTypes {
    #[serde(rename = "ContentTypes")]
    content_types: Vec<&'static str>,
}

impl ContentTypes {
    pub(crate) fn all() -> Self {
        Self { content_types: webhooks::CONTENT_TYPES.into_iter().map(|content_type| content_type.name()).collect() }
    }
}

/// Such as `200 OK`; empty when there was no answer.
fn status_text(status: Option<u16>) -> String {
    let Some(number) = status else { return String::new() };
    let words = StatusCode::from_u16(number).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    format!("{number} {words}").trim_end().to_owned()
}
