//! How much an organisation may do.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::organisations;
use chancery_issuance::management::quotas::{self, Rejection, Usage, Use};
use chancery_model::{Organisation, OrganisationId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::{OfPlatform, Organisational, never};
use crate::moment;
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::Problem;
use crate::request::{Body, Id};
use crate::routes;

/// Set the quotas of an organisation.
///
/// As a whole: what is left out, or `null`, is no limit. Every process of the server follows within five seconds. What began
/// before goes on.
#[utoipa::path(
    put, path = routes::QUOTAS_OF_ORGANISATION, tag = "Platform", operation_id = "setQuotas",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid), IfMatchHeader),
    request_body(content = QuotasSchema, example = json!({
        "exchangesPerDay": 10000, "liveCredentials": 50000, "requestsPerMinute": 600
    })),
    responses(
        (status = 200, description = "The quotas", body = QuotasAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn set(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let set = quotas::set(&ctx, id, seen, &body.members).await;
    set.map(|it| answer(&it)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            Rejection::NotFound => Problem::not_found("organisation"),
            Rejection::Invalid(faults) => Problem::invalid(faults),
            Rejection::Stale => Problem::stale(),
        })
    })
}

/// Read the quotas of an organisation.
#[utoipa::path(
    get, path = routes::QUOTAS_OF_ORGANISATION, tag = "Platform", operation_id = "readQuotas",
    params(("organisationId" = String, Path, description = "Id of the organisation", format = Uuid)),
    responses((status = 200, description = "The quotas", body = QuotasAnswer)),
)]
pub(crate) async fn read(
    _: OfPlatform,
    State(ctx): State<Context>,
    Id(id): Id<OrganisationId>,
) -> Result<Response, Problem> {
    let found = organisations::read(&ctx, id).await;
    found.map(|it| answer(&it)).map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            organisations::Rejection::NotFound => Problem::not_found("organisation"),
        })
    })
}

/// Quotas are part of the organisation: they have its version.
fn answer(organisation: &Organisation) -> Response {
    tagged(organisation.updated_at, Json(QuotasAnswer::from(organisation.quotas)))
}

/// Read the quotas of the organisation, and what is used of them.
///
/// `null` is no limit, and is not counted.
#[utoipa::path(
    get, path = routes::QUOTAS, tag = "Quotas", operation_id = "readUsage",
    responses((status = 200, description = "The quotas", body = UsageAnswer)),
)]
pub(crate) async fn usage(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
) -> Result<Json<UsageAnswer>, Problem> {
    let usage = quotas::usage(&ctx, &caller.organisation).await.map_err(never)?;
    Ok(Json(UsageAnswer::from(&usage)))
}

/// Limits of an organisation; `null` is none.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Quotas)]
pub(crate) struct QuotasSchema {
    /// Exchanges that begin on one day of UTC.
    #[schema(maximum = 1_000_000_000)]
    exchanges_per_day: Option<u32>,
    /// Credentials that are neither expired nor revoked; those that are suspended count.
    #[schema(maximum = 1_000_000_000)]
    live_credentials: Option<u32>,
    /// Requests with API keys or access tokens of the organisation.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    requests_per_minute: Option<u32>,
}

/// The quotas.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct QuotasAnswer {
    quotas: QuotasSchema,
}

impl From<chancery_model::Quotas> for QuotasAnswer {
    fn from(quotas: chancery_model::Quotas) -> Self {
        let chancery_model::Quotas { exchanges_per_day, live_credentials, requests_per_minute } = quotas;
        Self { quotas: QuotasSchema { exchanges_per_day, live_credentials, requests_per_minute } }
    }
}

/// The quotas, and what is used of them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct UsageAnswer {
    quotas: UsageSchema,
}

/// Each limit with its use; `null` is none.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = QuotaUsage)]
struct UsageSchema {
    /// Exchanges that began today.
    exchanges_per_day: Option<DaySchema>,
    /// Credentials that are neither expired nor revoked.
    live_credentials: Option<UseSchema>,
    /// Requests with API keys or access tokens of the organisation. A sixth of them may come at once, and ten at least.
    requests_per_minute: Option<RateSchema>,
}

/// A limit of a day.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = DayQuota)]
struct DaySchema {
    /// The quota.
    limit: u32,
    /// What counts against it.
    used: u64,
    /// When it is whole again, in RFC 3339.
    #[schema(format = DateTime)]
    resets_at: String,
}

/// A limit of what there is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Quota)]
struct UseSchema {
    /// The quota.
    limit: u32,
    /// What counts against it.
    used: u64,
}

/// A limit of a rate.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RateQuota)]
struct RateSchema {
    /// The quota.
    limit: u32,
}

impl From<&Usage> for UsageAnswer {
    fn from(usage: &Usage) -> Self {
        let resets_at = moment::text(usage.day_ends_at);
        let day = |Use { limit, used }: Use| DaySchema { limit, used, resets_at };
        let quotas = UsageSchema {
            exchanges_per_day: usage.exchanges_per_day.map(day),
            live_credentials: usage.live_credentials.map(|Use { limit, used }| UseSchema { limit, used }),
            requests_per_minute: usage.requests_per_minute.map(|limit| RateSchema { limit }),
        };
        Self { quotas }
    }
}
