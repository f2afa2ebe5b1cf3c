//! How long an organisation keeps what it knows of exchanges.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::retention::{self, Rejection, Rules};
use chancery_model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{Organisational, never};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::Problem;
use crate::request::Body;
use crate::routes;

/// Set how long things are kept.
///
/// Days count from when the exchange was created; `null`, or a member that is left out, keeps. What is due is erased
/// within the hour, and does not come back when the rules change. An exchange that can still lead to a credential is left
/// alone until it cannot any more.
#[utoipa::path(
    put, path = routes::RETENTION, tag = "Retention", operation_id = "setRetention",
    params(IfMatchHeader),
    request_body(content = RetentionSchema, example = json!({
        "claimsDays": 7, "tokensDays": 90, "transcriptsDays": 30, "exchangesDays": 730
    })),
    responses(
        (status = 200, description = "The rules", body = RetentionAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn set(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let set = retention::set(&ctx, &caller.organisation, seen, &body.members).await;
    let set = set.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            Rejection::Invalid(faults) => Problem::invalid(faults),
            Rejection::Stale => Problem::stale(),
        })
    })?;
    Ok(answer(&set))
}

/// Read how long things are kept.
#[utoipa::path(
    get, path = routes::RETENTION, tag = "Retention", operation_id = "readRetention",
    responses((status = 200, description = "The rules", body = RetentionAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
) -> Result<Response, Problem> {
    let set = retention::read(&ctx, &caller.organisation).await.map_err(never)?;
    Ok(answer(&set))
}

fn answer(rules: &Rules) -> Response {
    tagged(rules.updated_at, Json(RetentionAnswer::from(rules.retention)))
}

/// Days after which things are erased; `null` keeps them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetentionSchema {
    /// Claims that were supplied or that people signed in with.
    #[schema(maximum = 36500)]
    claims_days: Option<u32>,
    /// Signed credentials, key proofs, grants and refresh tokens. Credentials in wallets stay valid.
    #[schema(maximum = 36500)]
    tokens_days: Option<u32>,
    /// Transcripts.
    #[schema(maximum = 36500)]
    transcripts_days: Option<u32>,
    /// Whole exchanges. What status lists say of their credentials stays.
    #[schema(maximum = 36500)]
    exchanges_days: Option<u32>,
}

/// The rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RetentionAnswer {
    retention: RetentionSchema,
}

impl From<chancery_model::Retention> for RetentionAnswer {
    fn from(rules: chancery_model::Retention) -> Self {
        let chancery_model::Retention { claims, tokens, transcripts, exchanges } = rules;
        let retention = RetentionSchema {
            claims_days: claims,
            tokens_days: tokens,
            transcripts_days: transcripts,
            exchanges_days: exchanges,
        };
        Self { retention }
    }
}
