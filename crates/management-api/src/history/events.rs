//! The steps of exchanges, as they are taken.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::HeaderName;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::watch::{
    self, Cursor, End, Filter, Item, MOST_OF_ORGANISATION, RESUMABLE, Rejection, Reset, Told, Watching,
};
use chancery_issuance::management::webhooks::event_type;
use chancery_model::{DefinitionId, ExchangeStatus, NumberedEvent, WebhookEvent};
use futures::stream;
use serde::Serialize;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::access::Organisational;
use crate::moment;
use crate::problem::{Kind, Problem};
use crate::request::Parameters;
use crate::routes;

/// Where a browser or program says what it has seen (HTML, "Server-sent events").
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Keeps nginx from holding back what is sent.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Name of the query parameter that stands in for the header.
const LAST_EVENT_PARAMETER: &str = "lastEventId";

/// Begins the types of events.
const TYPE_PREFIX: &str = "openid.credential.";

/// How long a client waits before it comes back.
const COME_BACK: Duration = Duration::from_secs(2);

/// Seconds after which a client that was turned away may find a place.
const TURNED_AWAY: u32 = 10;

/// Watch exchanges: server-sent events.
///
/// Every event has an `id`. Send the last one in `Last-Event-ID` (browsers do so by themselves) or in `lastEventId` to go on
/// behind it, at any process of the server, for three days; without it the stream begins now.
///
/// - `exchange`: an exchange took a step. The data are thin: ids, type, status and time, never claims.
/// - `ready`: nothing is missing. Load the list now; what happens after that follows here.
/// - `reset`: the id is too old (`expired`) or not known (`unknown`). The stream begins now; load the list after `ready`.
/// - `end`: the key opens nothing any more (`refused`) or the process stops (`stopping`).
///
/// After 15 quiet seconds a comment is sent, with an `id`. A client that reads nothing for half a minute is dropped.
#[utoipa::path(
    get, path = routes::HISTORY_EVENTS, tag = "Issuance", operation_id = "watchCredentialHistory",
    params(EventsQuery, (
        "Last-Event-ID" = Option<String>, Header, description = "The last `id` that was seen; wins over `lastEventId`",
        pattern = "^([0-9]{1,15}-[0-9]{1,15})?$"
    )),
    responses(
        (status = 200, description = "Events; those named `exchange` hold a Step", content_type = "text/event-stream", body = Step),
        (status = 429, description = "Problem `stream-limit`: the organisation has fifty streams at this process"),
        (status = 503, description = "Problem `unavailable`, also when this process has as many streams as it can"),
    ),
)]
pub(crate) async fn watch(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    headers: HeaderMap,
    mut query: Parameters,
) -> Result<Response, Problem> {
    let statuses = query.list("eventTypes", "types of events with commas between them are expected", status_of_type);
    let definition = query.read("credentialDefinitionId", "the id of a definition is expected", DefinitionId::parse);
    let last = last_seen(&headers, &mut query);
    query.finish()?;
    let watching = watch::watch(&ctx, caller, Filter { statuses, definition }, last).await;
    let watching = watching.map_err(|failure| Problem::of(failure, refused))?;
    let events = stream::unfold(watching, |mut watching: Watching| async {
        let item = watching.next().await?;
        Some((Ok::<_, Infallible>(event(&item)), watching))
    });
    Ok(([(ACCEL_BUFFERING, "no")], Sse::new(events)).into_response())
}

/// The header is newer than the query: a browser that comes back sends both.
fn last_seen(headers: &HeaderMap, query: &mut Parameters) -> Option<Cursor> {
    let expected = "the id of an event of this stream is expected";
    let of_query = query.read(LAST_EVENT_PARAMETER, expected, Cursor::parse);
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next().filter(|value| !value.is_empty()) else { return of_query };
    let cursor = value.to_str().ok().filter(|_| values.next().is_none()).and_then(Cursor::parse);
    if cursor.is_none() {
        query.fault(LAST_EVENT_PARAMETER, "Last-Event-ID: the id of an event of this stream is expected, once");
    }
    cursor
}

fn status_of_type(name: &str) -> Option<ExchangeStatus> {
    name.strip_prefix(TYPE_PREFIX).and_then(ExchangeStatus::parse)
}

fn refused(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::TooMany => {
            let detail = format!("an organisation has at most {MOST_OF_ORGANISATION} streams at one process");
            Problem::new(Kind::StreamLimit, detail).retry_after(TURNED_AWAY)
        }
        Rejection::Full => {
            Problem::new(Kind::Unavailable, "this process has as many streams as it can").retry_after(TURNED_AWAY)
        }
    }
}

fn event(item: &Item) -> Event {
    let event = Event::default().id(item.cursor.to_string());
    let with = |name: &str, data: serde_json::Value| event.clone().event(name).data(data.to_string());
    match &item.told {
        Told::Ready => with("ready", json!({ "resumableSeconds": RESUMABLE.as_secs() })).retry(COME_BACK),
        Told::Step(step) => {
            // Texts and an instant are always written.
            with("exchange", serde_json::to_value(Step::from(step.as_ref())).unwrap_or_default())
        }
        Told::Reset(Reset::Expired) => with("reset", json!({ "reason": "expired" })),
        Told::Reset(Reset::Unknown) => with("reset", json!({ "reason": "unknown" })),
        Told::Quiet => event.comment("quiet"),
        Told::End(End::Refused) => with("end", json!({ "reason": "refused" })),
        Told::End(End::Stopping) => with("end", json!({ "reason": "stopping" })),
    }
}

/// A step of an exchange.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ExchangeStep)]
struct Step {
    /// Type of the event, as for webhooks.
    #[serde(rename = "type")]
    #[schema(example = "openid.credential.credential_issued")]
    kind: String,
    /// Id of the record.
    #[schema(format = Uuid)]
    credential_exchange_id: String,
    /// What is issued.
    #[schema(format = Uuid)]
    credential_definition_id: String,
    /// The status that was reached; empty for what is none.
    #[schema(example = "credential_issued")]
    status: String,
    /// When, in RFC 3339.
    #[schema(format = DateTime)]
    timestamp: String,
}

impl From<&NumberedEvent> for Step {
    fn from(step: &NumberedEvent) -> Self {
        let status = match step.event.event {
            WebhookEvent::Status(status) => status.name(),
            WebhookEvent::IndividualOffer | WebhookEvent::IndividualPin => "",
        };
        Self {
            kind: event_type(step.event.event),
            credential_exchange_id: step.event.exchange_id.to_string(),
            credential_definition_id: step.definition_id.to_string(),
            status: status.to_owned(),
            timestamp: moment::text(step.event.at),
        }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct EventsQuery {
    /// Types of events as for webhooks, with commas between them, such as
    /// `openid.credential.credential_issued,openid.credential.issuance_denied`. All when absent.
    #[param(max_length = 1024)]
    event_types: Option<String>,
    /// Only exchanges of this definition.
    #[param(format = Uuid)]
    credential_definition_id: Option<String>,
    /// For clients that cannot send the header `Last-Event-ID`.
    #[param(pattern = "^([0-9]{1,15}-[0-9]{1,15})?$")]
    last_event_id: Option<String>,
}
