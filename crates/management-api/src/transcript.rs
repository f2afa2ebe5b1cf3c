//! The transcript of an exchange.

use axum::Json;
use axum::extract::State;
use chancery_issuance::Context;
use chancery_issuance::management::transcript::{self, DatedEvent, DatedRecord, Rejection};
use chancery_issuance::management::{MOST_PER_PAGE, Order, Window};
use chancery_model::{ExchangeId, Level, Record, Timestamp};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::access::{Organisational, may_see_offers};
use crate::list::Pagination;
use crate::moment;
use crate::problem::Problem;
use crate::request::{Id, Parameters};
use crate::routes;

/// Read the transcript of an exchange.
///
/// Events are for people, log records for developers; both are newest first and paged independently. Every
/// error record tells `reason`, `help` and `spec_ref`. Codes, tokens, transaction codes and claim values
/// never appear in clear; JWTs appear decoded, without their signature. Auditors do not see by which id an
/// offer is fetched.
#[utoipa::path(
    get, path = routes::TRANSCRIPT, tag = "Issuance", operation_id = "readTranscript",
    params(
        ("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid),
        TranscriptQuery,
    ),
    responses((status = 200, description = "One page of each chronicle", body = Transcript)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    mut query: Parameters,
) -> Result<Json<Transcript>, Problem> {
    let limit = query.read("limit", "a whole number from 1 to 100 is expected", |text| {
        text.parse().ok().filter(|limit| (1..=MOST_PER_PAGE).contains(limit))
    });
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    let window = |page: u32| Window {
        offset: u64::from(page.saturating_sub(1)) * u64::from(limit),
        limit,
        order: Order::NewestFirst,
    };
    let (events, logs) = (window(query.page("events_page")), window(query.page("logs_page")));
    query.finish()?;
    let read = transcript::read(&ctx, &caller.organisation, id, events, logs).await.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            Rejection::NotFound => Problem::not_found("record"),
        })
    })?;
    let shows_offers = may_see_offers(caller.role);
    let log_record = |dated: DatedRecord| LogRecord::new(dated, shows_offers);
    Ok(Json(Transcript {
        events: read.events.items.into_iter().map(Event::from).collect(),
        events_pagination: read.events.pagination.into(),
        logs: read.logs.items.into_iter().map(log_record).collect(),
        logs_pagination: read.logs.pagination.into(),
    }))
}

/// Members of log records by which an offer can be fetched.
const OFFER_MEMBERS: [&str; 2] = ["offer_id", "credential_offer_uri"];

/// Page length of each chronicle.
const DEFAULT_LIMIT: u32 = 50;

/// What happened in an exchange.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transcript {
    /// Steps of the exchange, newest first.
    events: Vec<Event>,
    events_pagination: Pagination,
    /// Log records, newest first.
    logs: Vec<LogRecord>,
    logs_pagination: Pagination,
}

/// A step of the exchange.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Event {
    /// Such as `offer_created` or `token_exchanged`.
    #[serde(rename = "type")]
    #[schema(example = "token_exchanged")]
    kind: String,
    /// RFC 3339.
    timestamp: String,
    #[schema(value_type = Object)]
    details: Map<String, Value>,
}

impl From<DatedEvent> for Event {
    fn from(dated: DatedEvent) -> Self {
        Self { kind: dated.event.kind, timestamp: moment::text(dated.at), details: dated.event.details }
    }
}

/// A log record.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogRecord {
    /// RFC 3339.
    timestamp: String,
    /// `debug`, `info`, `warning` or `error`.
    #[schema(value_type = String, example = "info")]
    level: Level,
    /// Wallet-facing path, or `management`.
    endpoint: String,
    /// Key from the catalogue of messages.
    #[schema(example = "token.issued")]
    message: String,
    /// Code that the wallet was shown when this request was refused; else empty.
    support_code: String,
    #[schema(value_type = Object)]
    data: Map<String, Value>,
}

impl LogRecord {
    /// Of a refused request, which had no offer.
    pub(crate) fn of_refusal(at: Timestamp, support_code: &str, record: Record) -> Self {
        Self::new(DatedRecord { at, support_code: Some(support_code.to_owned()), record }, false)
    }

    fn new(dated: DatedRecord, shows_offers: bool) -> Self {
        let mut data = dated.record.data;
        if !shows_offers {
            data.retain(|name, _| !OFFER_MEMBERS.contains(&name.as_str()));
        }
        Self {
            timestamp: moment::text(dated.at),
            level: dated.record.level,
            endpoint: dated.record.endpoint,
            message: dated.record.message,
            support_code: dated.support_code.unwrap_or_default(),
            data,
        }
    }
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct TranscriptQuery {
    /// Page of the events, from 1.
    #[param(default = 1, minimum = 1)]
    events_page: Option<u32>,
    /// Page of the log records, from 1.
    #[param(default = 1, minimum = 1)]
    logs_page: Option<u32>,
    /// Page length of both.
    #[param(default = 50, minimum = 1, maximum = 100)]
    limit: Option<u32>,
}
