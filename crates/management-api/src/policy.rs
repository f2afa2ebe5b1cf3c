//! What an organisation asks of wallets, for its own administrators.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::organisations::{self, UpdateRejection};
use chancery_model::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Organisational;
use crate::organisations::PolicySchema;
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::Problem;
use crate::request::Body;
use crate::routes;

/// Set what wallets must do.
///
/// `profile` is `open`, `mixed` or `haip`, and sets every switch; those beside it win. The policy is replaced as a whole:
/// what is left out takes the value of the profile. The published metadata say what is enforced from then on; tokens that
/// are out already stay as they are.
#[utoipa::path(
    put, path = routes::POLICY, tag = "Policy", operation_id = "setPolicy",
    params(IfMatchHeader),
    request_body(content = PolicySchema, example = json!({ "profile": "mixed", "accessTokenBinding": "dpopRequired" })),
    responses(
        (status = 200, description = "The policy, with every switch", body = PolicyAnswer),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn set(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    IfMatch(seen): IfMatch<Timestamp>,
    body: Body,
) -> Result<Response, Problem> {
    let set = organisations::set_policy(&ctx, &caller.organisation, seen, &body.members).await;
    let set = set.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            UpdateRejection::NotFound => Problem::not_found("organisation"),
            UpdateRejection::Invalid(faults) => Problem::invalid(faults),
            UpdateRejection::Stale => Problem::stale(),
        })
    })?;
    Ok(answer(&ctx, &set).await)
}

/// Read what wallets must do.
#[utoipa::path(
    get, path = routes::POLICY, tag = "Policy", operation_id = "readPolicy",
    responses((status = 200, description = "The policy, with every switch", body = PolicyAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
) -> Result<Response, Problem> {
    Ok(answer(&ctx, &caller.organisation).await)
}

async fn answer(ctx: &Context, organisation: &chancery_model::Organisation) -> Response {
    let warnings = organisations::warnings(ctx, organisation).await;
    tagged(organisation.updated_at, Json(PolicyAnswer { policy: organisation.policy.clone(), warnings }))
}

/// What an organisation asks of wallets.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PolicyAnswer {
    #[schema(value_type = PolicySchema)]
    policy: chancery_model::Policy,
    /// What goes wrong without a change, now or soon: certificates that end within 30 days, trusted ones and the
    /// organisation's own, and under `haip` a signing key without certificates that would do.
    warnings: Vec<String>,
}
