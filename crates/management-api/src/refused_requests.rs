//! Refused requests of wallets that belong to no exchange.

use axum::Json;
use axum::extract::State;
use chancery_issuance::Context;
use chancery_issuance::management::transcript;
use chancery_model::RefusedRequest;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::{Organisational, never};
use crate::list::{Pagination, WindowQuery};
use crate::moment;
use crate::problem::Problem;
use crate::request::Parameters;
use crate::routes;
use crate::transcript::LogRecord;

/// List refused requests of wallets that belong to no exchange.
///
/// A wallet that pushes an authorization request by itself, or shows a code or token that nobody knows, is refused before
/// there is an exchange with a transcript. What the transcript would say is here, under the support code that the wallet was
/// shown. The newest 1000 are kept, and 600 are written down in a minute by each process; `transcriptsDays` of the retention
/// holds for them, too.
#[utoipa::path(
    get, path = routes::REFUSED_REQUESTS, tag = "Issuance", operation_id = "listRefusedRequests",
    params(RefusedRequestQuery, WindowQuery),
    responses((status = 200, description = "One page of requests", body = RefusedRequestList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<RefusedRequestList>, Problem> {
    let code = Some(query.text("supportCode")).filter(|code| !code.is_empty());
    let window = query.window();
    query.finish()?;
    let listed = transcript::refused_requests(&ctx, &caller.organisation, code.as_deref(), window).await;
    let page = listed.map_err(never)?;
    Ok(Json(RefusedRequestList {
        refused_requests: page.items.into_iter().map(Refused::from).collect(),
        pagination: page.pagination.into(),
    }))
}

/// Which requests are looked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which the handler reads")]
struct RefusedRequestQuery {
    /// Support code that the wallet was shown, in any case.
    #[param(example = "K7QF-2M9X")]
    support_code: Option<String>,
}

/// A refused request.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RefusedRequest)]
pub(crate) struct Refused {
    /// Id.
    #[schema(format = Uuid)]
    id: String,
    /// When the request was handled (RFC 3339).
    timestamp: String,
    /// Code that the wallet was shown.
    support_code: String,
    /// Log records, newest first; the refusal is the first one.
    logs: Vec<LogRecord>,
}

/// One page of refused requests.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RefusedRequestList {
    refused_requests: Vec<Refused>,
    pagination: Pagination,
}

impl From<RefusedRequest> for Refused {
    fn from(refused: RefusedRequest) -> Self {
        let RefusedRequest { id, at, support_code, records } = refused;
        let logs = records.into_iter().rev().map(|record| LogRecord::of_refusal(at, &support_code, record)).collect();
        Self { id: id.to_string(), timestamp: moment::text(at), support_code, logs }
    }
}
