//! What organisations decide about exchanges that run.

use axum::Json;
use axum::extract::State;
use chancery_issuance::management::decisions::{self, Rejection};
use chancery_issuance::management::history::History;
use chancery_issuance::{Context, Failure};
use chancery_model::ExchangeId;
use serde::Serialize;
use utoipa::ToSchema;

use crate::access::Organisational;
use crate::history::CredentialHistory;
use crate::offers::CredentialBody;
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, OptionalBody};
use crate::routes;

/// Supply the claims of a deferred issuance.
///
/// `credential` or `credentials` name their entries by the `id` that the record has, and are checked like those of the
/// issue call. Claims may come for one entry now and for another later; each entry takes them once. The exchange is
/// `ready` when none are missing. An issuance that is not `Deferred` answers 400; one that awaits no claims, 409.
#[utoipa::path(
    put, path = routes::RECORD, tag = "Issuance", operation_id = "issueDeferredCredential",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    request_body(content = SupplyBody, example = json!({
        "credential": { "id": "0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c11", "claims": { "given_name": "Ada" } }
    })),
    responses(
        (status = 200, description = "The claims are kept", body = Decided),
        (status = 409, description = "Problem `exchange-state`"),
    ),
)]
pub(crate) async fn supply(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    body: Body,
) -> Result<Json<Decided>, Problem> {
    answer(decisions::supply(&ctx, &caller.organisation, id, &body.members).await)
}

/// Deny an issuance.
///
/// Only before a credential was issued. The reason is kept on the record, and the wallet may show it to the holder.
#[utoipa::path(
    post, path = routes::DENY, tag = "Issuance", operation_id = "denyIssuance",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    request_body(content = DenyBody, example = json!({ "reason": "The registry has no such member." })),
    responses(
        (status = 200, description = "The issuance is denied", body = Decided),
        (status = 409, description = "Problem `exchange-state`"),
    ),
)]
pub(crate) async fn deny(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    body: Body,
) -> Result<Json<Decided>, Problem> {
    answer(decisions::deny(&ctx, &caller.organisation, id, &body.members).await)
}

/// Cancel an offer.
///
/// Only while nobody has redeemed it; after that, deny the issuance. The offer cannot be fetched or redeemed any more.
/// The status becomes `issuance_denied`.
#[utoipa::path(
    post, path = routes::CANCEL, tag = "Issuance", operation_id = "cancelOffer",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    request_body(content = CancelBody, example = json!({ "reason": "Sent to the wrong person." })),
    responses(
        (status = 200, description = "The offer is withdrawn", body = Decided),
        (status = 409, description = "Problem `exchange-state`"),
    ),
)]
pub(crate) async fn cancel(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Decided>, Problem> {
    answer(decisions::cancel(&ctx, &caller.organisation, id, &body).await)
}

/// Make an offer again.
///
/// Only while nobody has redeemed it, also when it has expired. The link stays the same, and lives as long as that of a
/// new offer.
#[utoipa::path(
    post, path = routes::RESEND, tag = "Issuance", operation_id = "resendOffer",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses(
        (status = 200, description = "The offer lives on", body = Decided),
        (status = 409, description = "Problem `exchange-state`"),
    ),
)]
pub(crate) async fn resend(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Decided>, Problem> {
    answer(decisions::resend(&ctx, &caller.organisation, id, &body).await)
}

fn answer(decided: Result<History, Failure<Rejection>>) -> Result<Json<Decided>, Problem> {
    let history = decided.map_err(|failure| Problem::of(failure, refuse))?;
    Ok(Json(Decided { success: true, credential_history: CredentialHistory::from(&history) }))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("record"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::State(detail) => Problem::new(Kind::ExchangeState, detail),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the record and try again"),
    }
}

/// It is decided.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decided {
    /// Always `true`.
    success: bool,
    credential_history: CredentialHistory,
}

/// Claims of a deferred issuance.
#[derive(ToSchema)]
#[schema(as = SupplyRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct SupplyBody {
    /// One credential, with the `id` of its entry.
    credential: Option<CredentialBody>,
    /// Several credentials, each with the `id` of its entry.
    #[schema(max_items = 50)]
    credentials: Option<Vec<CredentialBody>>,
}

/// Why it is denied.
#[derive(ToSchema)]
#[schema(as = DenyRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct DenyBody {
    /// Words that the holder may see.
    #[schema(min_length = 1, max_length = 255)]
    reason: String,
}

/// Why it is withdrawn.
#[derive(ToSchema)]
#[schema(as = CancelRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct CancelBody {
    /// Words for the record.
    #[schema(max_length = 255)]
    reason: Option<String>,
}
