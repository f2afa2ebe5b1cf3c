//! Issuing from a file.

pub(crate) mod progress;
pub(crate) mod result;
mod schema;

use axum::Json;
use axum::body::Body as Incoming;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::management::bulk::{self, Format, Order, Rejection, Shown, Upload, UploadRejection};
use chancery_issuance::{Context, Failure};
use chancery_model::BulkId;
use futures::StreamExt;
use serde_json::{Map, Value};

use self::schema::{BulkAnswer, BulkList, ConfirmBody, IdempotencyHeader, RowList, UploadQuery};
use crate::access::{Organisational, never};
use crate::file::File;
use crate::list::WindowQuery;
use crate::problem::{Kind, Problem};
use crate::request::{Id, OptionalBody, Parameters, idempotency};
use crate::routes;

/// Upload a file of rows to be issued.
///
/// CSV with a header of claim paths, or JSON Lines with an object `{"claims", "userPin", "reference",
/// "credentialMetadata"}` a line; at most 100,000 rows, 256 MiB, and 1 MiB a row. Every row is checked, nothing is issued:
/// see the rows that break rules under `/rows`, then confirm. The guide on bulk issuance explains the columns.
#[utoipa::path(
    post, path = routes::BULKS, tag = "Bulk issuance", operation_id = "uploadBulk",
    params(UploadQuery, IdempotencyHeader),
    request_body(content((File = "text/csv", example = "given_name,row:reference\nAda,P-1\n"), (File = "application/jsonl", example = "{\"claims\":{\"given_name\":\"Ada\"},\"reference\":\"P-1\"}\n"))),
    responses(
        (status = 201, description = "The bulk, to be confirmed", body = BulkAnswer),
        (status = 409, description = "Problem `no-signing-key`"),
        (status = 415, description = "Problem `unsupported-table`"),
        (status = 422, description = "Problem `idempotency-key-reused`"),
    ),
)]
pub(crate) async fn upload(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
    headers: HeaderMap,
    body: Incoming,
) -> Result<Response, Problem> {
    let order = Order {
        format: format(&headers)?,
        definition: query.text("credentialDefinitionId"),
        entry: query.text("credentialId"),
        generate_pins: query
            .read("userPin", "given or generated is expected", |text| match text {
                "given" => Some(false),
                "generated" => Some(true),
                _ => None,
            })
            .unwrap_or_default(),
        url_scheme: query.text("urlScheme"),
    };
    query.finish()?;
    // Noticed before the file is read.
    idempotency(&headers, routes::BULKS, &[])?;
    let what = format!("{} {order:?}", routes::BULKS);
    let once = |digest: &[u8]| idempotency(&headers, &what, digest).ok().flatten();
    let mut upload = Upload::begin(&ctx, caller.organisation, &order).await.map_err(refused_upload)?;
    let mut body = body.into_data_stream();
    while let Some(bytes) = body.next().await {
        let taken = match bytes {
            Ok(bytes) => upload.take(&bytes).await.map_err(refused_upload),
            Err(_) => Err(Problem::new(Kind::InvalidRequest, "the body broke off")),
        };
        if let Err(problem) = taken {
            upload.abandon().await;
            return Err(problem);
        }
    }
    let render = |shown: &Shown| serde_json::to_vec(&BulkAnswer::from(shown)).unwrap_or_default();
    let answer = match upload.finish(once, render).await {
        Ok(answer) => answer,
        Err(failure) => {
            upload.abandon().await;
            return Err(refused_upload(failure));
        }
    };
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Ok((StatusCode::CREATED, json, answer).into_response())
}

/// List uploads.
#[utoipa::path(
    get, path = routes::BULKS, tag = "Bulk issuance", operation_id = "listBulks",
    params(WindowQuery),
    responses((status = 200, description = "One page of bulks", body = BulkList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<BulkList>, Problem> {
    let window = query.window();
    query.finish()?;
    let page = bulk::list(&ctx, &caller.organisation, window).await.map_err(never)?;
    Ok(Json(BulkList {
        bulks: page.items.iter().map(schema::Bulk::from).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Read how far a bulk has come.
#[utoipa::path(
    get, path = routes::BULK, tag = "Bulk issuance", operation_id = "readBulk",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid)),
    responses((status = 200, description = "The bulk", body = BulkAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
) -> Result<Json<BulkAnswer>, Problem> {
    answer(bulk::read(&ctx, &caller.organisation, id).await)
}

/// List what is wrong with the rows of a bulk.
///
/// The first 1,000 rows that break rules, with at most ten faults each. `row` counts from 1, without the header of a CSV
/// file.
#[utoipa::path(
    get, path = routes::BULK_ROWS, tag = "Bulk issuance", operation_id = "listBulkRows",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid), WindowQuery),
    responses((status = 200, description = "One page of rows that break rules", body = RowList)),
)]
pub(crate) async fn rows(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
    mut query: Parameters,
) -> Result<Json<RowList>, Problem> {
    let window = query.window();
    query.finish()?;
    let page = bulk::faults(&ctx, &caller.organisation, id, window).await.map_err(refused)?;
    let rows = page.items.into_iter().map(schema::FaultyRow::from).collect();
    Ok(Json(RowList { rows, pagination: page.pagination.into() }))
}

/// Confirm a bulk: its rows are issued in the background.
///
/// With rows that break rules it is refused, unless `skipInvalid` says to leave them out. A second confirmation changes
/// nothing.
#[utoipa::path(
    post, path = routes::BULK_CONFIRM, tag = "Bulk issuance", operation_id = "confirmBulk",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid)),
    request_body(content = Option<ConfirmBody>, example = json!({ "skipInvalid": false })),
    responses(
        (status = 200, description = "The bulk, which is being issued", body = BulkAnswer),
        (status = 409, description = "Problem `bulk-state` or `no-signing-key`"),
    ),
)]
pub(crate) async fn confirm(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<BulkAnswer>, Problem> {
    let skip_invalid = skip_invalid(&body)?;
    answer(bulk::confirm(&ctx, &caller.organisation, id, skip_invalid).await)
}

/// Pause a bulk: nothing more is issued until it is resumed.
#[utoipa::path(
    post, path = routes::BULK_PAUSE, tag = "Bulk issuance", operation_id = "pauseBulk",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid)),
    responses(
        (status = 200, description = "The bulk", body = BulkAnswer),
        (status = 409, description = "Problem `bulk-state`"),
    ),
)]
pub(crate) async fn pause(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
) -> Result<Json<BulkAnswer>, Problem> {
    answer(bulk::pause(&ctx, &caller.organisation, id).await)
}

/// Resume a paused bulk.
#[utoipa::path(
    post, path = routes::BULK_RESUME, tag = "Bulk issuance", operation_id = "resumeBulk",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid)),
    responses(
        (status = 200, description = "The bulk", body = BulkAnswer),
        (status = 409, description = "Problem `bulk-state`"),
    ),
)]
pub(crate) async fn resume(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
) -> Result<Json<BulkAnswer>, Problem> {
    answer(bulk::resume(&ctx, &caller.organisation, id).await)
}

/// Cancel a bulk: nothing more is issued, and the rows that were not issued are erased.
///
/// Offers that were made stay; cancel their records one by one.
#[utoipa::path(
    post, path = routes::BULK_CANCEL, tag = "Bulk issuance", operation_id = "cancelBulk",
    params(("bulkId" = String, Path, description = "Id of the bulk", format = Uuid)),
    responses(
        (status = 200, description = "The bulk", body = BulkAnswer),
        (status = 409, description = "Problem `bulk-state`"),
    ),
)]
pub(crate) async fn cancel(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<BulkId>,
) -> Result<Json<BulkAnswer>, Problem> {
    answer(bulk::cancel(&ctx, &caller.organisation, id).await)
}

fn answer(outcome: Result<Shown, Failure<Rejection>>) -> Result<Json<BulkAnswer>, Problem> {
    outcome.map(|shown| Json(BulkAnswer::from(&shown))).map_err(refused)
}

fn skip_invalid(body: &Map<String, Value>) -> Result<bool, Problem> {
    let mut skip = false;
    for (name, value) in body {
        match (name.as_str(), value) {
            ("skipInvalid", Value::Bool(given)) => skip = *given,
            ("skipInvalid", Value::Null) => {}
            (known, _) => {
                let detail = if known == "skipInvalid" { "a boolean is expected" } else { "there is no such member" };
                let shown: String = known.chars().take(64).collect();
                let fault = chancery_issuance::management::Fault {
                    pointer: format!("/{}", shown.replace('~', "~0").replace('/', "~1")),
                    detail: detail.to_owned(),
                };
                return Err(Problem::invalid(vec![fault]));
            }
        }
    }
    Ok(skip)
}

fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let declared = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match declared.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "text/csv" => Ok(Format::Csv),
        "application/jsonl" | "application/x-ndjson" | "application/jsonlines" => Ok(Format::JsonLines),
        _ => Err(Problem::new(Kind::UnsupportedTable, "send Content-Type: text/csv or application/jsonl")),
    }
}

fn refused_upload(failure: Failure<UploadRejection>) -> Problem {
    Problem::of(failure, |rejection| match rejection {
        UploadRejection::Invalid(faults) => Problem::invalid(faults),
        UploadRejection::TooLarge(limit) => Problem::new(Kind::PayloadTooLarge, limit),
        UploadRejection::NoSigningKey(obstacle) => Problem::no_signing_key(&obstacle),
        UploadRejection::IdempotencyKeyReused => {
            Problem::new(Kind::IdempotencyKeyReused, "choose a new key for each new request")
        }
    })
}

fn refused(failure: Failure<Rejection>) -> Problem {
    Problem::of(failure, |rejection| match rejection {
        Rejection::NotFound => Problem::not_found("bulk"),
        Rejection::State(state) => Problem::new(Kind::BulkState, format!("the bulk is {}", state.name())),
        Rejection::InvalidRows(rows) => Problem::new(
            Kind::BulkState,
            format!("{rows} rows break rules; upload a better file, or confirm with skipInvalid"),
        ),
        Rejection::NothingToIssue => Problem::new(Kind::BulkState, "every row breaks rules; upload a better file"),
        Rejection::NoSigningKey(obstacle) => Problem::no_signing_key(&obstacle),
    })
}
