//! Webhooks: where an organisation wants the steps of its exchanges to be sent, and what was sent there.

mod schema;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::management::webhooks::{self, DeliveryRejection, Rejection, ReplayRejection, Shown};
use chancery_issuance::{Context, Failure};
use chancery_model::{DeliveryState, Organisation, Timestamp, WebhookDeliveryId, WebhookId};

use self::schema::{
    ContentTypes, Delivery, DeliveryList, DeliveryQuery, EventTypes, PingAnswer, ReplayBody, Replayed, Webhook,
    WebhookAnswer, WebhookBody, WebhookList,
};
use crate::access::{Organisational, never};
use crate::list::{Done, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, Ids, OptionalBody, Parameters};
use crate::routes;

/// Create a webhook.
///
/// It hears of steps that exchanges take from now on; other processes of the server notice it within five seconds. Without
/// `secretKey` a secret is made and shown in this answer only; no other answer shows a secret. The guide on webhooks tells
/// how deliveries are signed, repeated and replayed.
#[utoipa::path(
    post, path = routes::WEBHOOK, tag = "Webhooks", operation_id = "createWebhook",
    request_body(content = WebhookBody, example = json!({ "webhook": {
        "payloadUrl": "https://hooks.example/chancery",
        "contentType": "application/json",
        "subscribedEvents": { "digitalWalletWebhook": ["openid.credential.credential_acked"] }
    } })),
    responses(
        (status = 200, description = "The webhook", body = WebhookAnswer),
        (status = 409, description = "Problem `webhook-url-taken`, or `webhook-limit` with twenty webhooks"),
    ),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Response, Problem> {
    let created = webhooks::create(&ctx, &caller.organisation, &body.members).await.map_err(refused)?;
    Ok(answer(&created, &caller.organisation))
}

/// List webhooks.
#[utoipa::path(
    get, path = routes::WEBHOOKS, tag = "Webhooks", operation_id = "listWebhooks",
    params(WindowQuery),
    responses((status = 200, description = "One page of webhooks", body = WebhookList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<WebhookList>, Problem> {
    let window = query.window();
    query.finish()?;
    let page = webhooks::list(&ctx, &caller.organisation, window).await.map_err(never)?;
    Ok(Json(WebhookList {
        webhooks: page.items.iter().map(|shown| Webhook::new(shown, &caller.organisation)).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Read a webhook.
#[utoipa::path(
    get, path = routes::WEBHOOK_BY_ID, tag = "Webhooks", operation_id = "readWebhook",
    params(("webhookId" = String, Path, description = "Id of the webhook", format = Uuid)),
    responses((status = 200, description = "The webhook", body = WebhookAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<WebhookId>,
) -> Result<Response, Problem> {
    let shown = webhooks::read(&ctx, &caller.organisation, id).await.map_err(refused)?;
    Ok(answer(&shown, &caller.organisation))
}

/// Replace a webhook.
///
/// Everything that is left out takes its default, except `secretKey`: without it the secret stays. With another secret
/// both sign for a day, so that the receiver can change over.
#[utoipa::path(
    put, path = routes::WEBHOOK_BY_ID, tag = "Webhooks", operation_id = "updateWebhook",
    params(("webhookId" = String, Path, description = "Id of the webhook", format = Uuid), IfMatchHeader),
    request_body(content = WebhookBody, example = json!({ "webhook": {
        "payloadUrl": "https://hooks.example/chancery",
        "contentType": "application/json",
        "subscribedEvents": { "digitalWalletWebhook": ["openid.credential.credential_acked"] },
        "disabled": true
    } })),
    responses(
        (status = 200, description = "The webhook as it is now", body = WebhookAnswer),
        (status = 409, description = "Problem `webhook-url-taken` or `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn update(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<WebhookId>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let shown = webhooks::update(&ctx, &caller.organisation, id, seen, &body.members).await.map_err(refused)?;
    Ok(answer(&shown, &caller.organisation))
}

/// Delete a webhook and the record of its deliveries.
#[utoipa::path(
    delete, path = routes::WEBHOOK_BY_ID, tag = "Webhooks", operation_id = "deleteWebhook",
    params(("webhookId" = String, Path, description = "Id of the webhook", format = Uuid), IfMatchHeader),
    responses(
        (status = 200, description = "Nothing is sent there any more", body = Done),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn delete(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<WebhookId>,
    IfMatch(seen): IfMatch<Timestamp>,
) -> Result<Json<Done>, Problem> {
    webhooks::delete(&ctx, &caller.organisation, id, seen).await.map_err(refused)?;
    Ok(Json(Done::DONE))
}

/// Send a test event to a webhook.
///
/// Signed like a delivery, of type `webhook.ping`, and not recorded as one. The answer is 200 also when the call failed.
#[utoipa::path(
    post, path = routes::WEBHOOK_PING, tag = "Webhooks", operation_id = "pingWebhook",
    params(("webhookId" = String, Path, description = "Id of the webhook", format = Uuid)),
    responses((status = 200, description = "What came of it", body = PingAnswer)),
)]
pub(crate) async fn ping(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<WebhookId>,
    _body: OptionalBody,
) -> Result<Json<PingAnswer>, Problem> {
    let ping = webhooks::ping(&ctx, &caller.organisation, id).await.map_err(refused)?;
    Ok(Json(PingAnswer::from(&ping)))
}

/// List the deliveries of a webhook.
#[utoipa::path(
    get, path = routes::DELIVERIES, tag = "Webhooks", operation_id = "listWebhookDeliveries",
    params(("webhookId" = String, Path, description = "Id of the webhook", format = Uuid), WindowQuery, DeliveryQuery),
    responses((status = 200, description = "One page of deliveries", body = DeliveryList)),
)]
pub(crate) async fn deliveries(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<WebhookId>,
    mut query: Parameters,
) -> Result<Json<DeliveryList>, Problem> {
    let state = query.read("status", "pending, completed or failed is expected", |text| match text {
        "pending" => Some(DeliveryState::Pending),
        "completed" => Some(DeliveryState::Completed),
        "failed" => Some(DeliveryState::Failed),
        _ => None,
    });
    let window = query.window();
    query.finish()?;
    let page = webhooks::deliveries(&ctx, &caller.organisation, id, state, window).await.map_err(undelivered)?;
    Ok(Json(DeliveryList {
        webhook_deliveries: page.items.iter().map(Delivery::from).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Read a delivery.
#[utoipa::path(
    get, path = routes::DELIVERY, tag = "Webhooks", operation_id = "readWebhookDelivery",
    params(
        ("webhookId" = String, Path, description = "Id of the webhook", format = Uuid),
        ("deliveryId" = String, Path, description = "Id of the delivery", format = Uuid),
    ),
    responses((status = 200, description = "The delivery", body = Delivery)),
)]
pub(crate) async fn delivery(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Ids(webhook, id): Ids<WebhookId, WebhookDeliveryId>,
) -> Result<Json<Delivery>, Problem> {
    let found = webhooks::delivery(&ctx, &caller.organisation, webhook, id).await.map_err(undelivered)?;
    Ok(Json(Delivery::from(&found)))
}

/// Send a delivery again, whether it arrived or not.
///
/// Under the same id, so that a receiver that has it can tell.
#[utoipa::path(
    post, path = routes::DELIVERY_REPLAY, tag = "Webhooks", operation_id = "replayWebhookDelivery",
    params(
        ("webhookId" = String, Path, description = "Id of the webhook", format = Uuid),
        ("deliveryId" = String, Path, description = "Id of the delivery", format = Uuid),
    ),
    responses(
        (status = 200, description = "The delivery, on its way again", body = Delivery),
        (status = 409, description = "Problem `webhook-disabled`"),
    ),
)]
pub(crate) async fn replay(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Ids(webhook, id): Ids<WebhookId, WebhookDeliveryId>,
    _body: OptionalBody,
) -> Result<Json<Delivery>, Problem> {
    let found = webhooks::replay(&ctx, &caller.organisation, webhook, id).await.map_err(undelivered)?;
    Ok(Json(Delivery::from(&found)))
}

/// Send all deliveries again whose event happened since an instant.
#[utoipa::path(
    post, path = routes::WEBHOOK_REPLAY, tag = "Webhooks", operation_id = "replayWebhook",
    params(("webhookId" = String, Path, description = "Id of the webhook", format = Uuid)),
    request_body(content = ReplayBody, example = json!({ "since": "2026-01-15T12:00:00Z", "failedOnly": true })),
    responses(
        (status = 200, description = "How many are on their way again", body = Replayed),
        (status = 409, description = "Problem `webhook-disabled`"),
    ),
)]
pub(crate) async fn replay_since(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<WebhookId>,
    body: Body,
) -> Result<Json<Replayed>, Problem> {
    let replayed = webhooks::replay_since(&ctx, &caller.organisation, id, &body.members).await;
    let count = replayed.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            ReplayRejection::NotFound => Problem::not_found("webhook"),
            ReplayRejection::Disabled => disabled(),
            ReplayRejection::Invalid(faults) => Problem::invalid(faults),
        })
    })?;
    Ok(Json(Replayed { replayed: count }))
}

/// List the types of events that webhooks may subscribe to.
#[utoipa::path(
    get, path = routes::EVENT_TYPES, tag = "Webhooks", operation_id = "listWebhookEventTypes",
    responses((status = 200, description = "The types, by group", body = EventTypes)),
)]
pub(crate) async fn event_types(Organisational(_caller): Organisational) -> Json<EventTypes> {
    Json(EventTypes::all())
}

/// List the content types of deliveries.
#[utoipa::path(
    get, path = routes::CONTENT_TYPES, tag = "Webhooks", operation_id = "listWebhookContentTypes",
    responses((status = 200, description = "The types", body = ContentTypes)),
)]
pub(crate) async fn content_types(Organisational(_caller): Organisational) -> Json<ContentTypes> {
    Json(ContentTypes::all())
}

fn answer(shown: &Shown, organisation: &Organisation) -> Response {
    tagged(shown.webhook.updated_at, Json(WebhookAnswer { webhook: Webhook::new(shown, organisation) }))
}

fn refused(failure: Failure<Rejection>) -> Problem {
    Problem::of(failure, |rejection| match rejection {
        Rejection::NotFound => Problem::not_found("webhook"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::UrlTaken => Problem::new(Kind::WebhookUrlTaken, "another webhook of the organisation has this URL"),
        Rejection::TooMany => {
            Problem::new(Kind::WebhookLimit, format!("an organisation has at most {} webhooks", webhooks::MOST))
        }
        Rejection::Stale => Problem::stale(),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the webhook again and repeat the change"),
    })
}

fn undelivered(failure: Failure<DeliveryRejection>) -> Problem {
    Problem::of(failure, |rejection| match rejection {
        DeliveryRejection::NoWebhook => Problem::not_found("webhook"),
        DeliveryRejection::NoDelivery => Problem::not_found("delivery"),
        DeliveryRejection::Disabled => disabled(),
    })
}

fn disabled() -> Problem {
    Problem::new(Kind::WebhookDisabled, "enable the webhook first")
}
