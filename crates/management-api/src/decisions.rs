//! What organisations decide about exchanges that run.

use axum::Json;
use axum::extract::State;
use chancery_issuance::management::decisions::{self, Rejection};
use chancery_issuance::management::history::History;
use chancery_issuance::{Context, Failure};
use chancery_model::ExchangeId;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::access::Organisational;
use crate::history::CredentialHistory;
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, OptionalBody};
use crate::routes;
use crate::text::Words;

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
/// The status becomes `issuance_denied`, and what waits to be delivered is not.
#[utoipa::path(
    post, path = routes::CANCEL, tag = "Issuance", operation_id = "cancelOffer",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    request_body(content = Option<CancelBody>, example = json!({ "reason": "Sent to the wrong person." })),
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
/// new offer. It is delivered once more to the individual or endpoint that it was made for.
#[utoipa::path(
    post, path = routes::RESEND, tag = "Issuance", operation_id = "resendOffer",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses(
        (status = 200, description = "The offer lives on", body = Decided),
        (status = 409, description = "Problem `exchange-state` or `no-signing-key`"),
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

/// Unlock an offer.
///
/// After wrong transaction codes an offer makes the wallet wait, and after too many it is locked. This forgets them: the
/// next transaction code is read at once. Only while nobody has redeemed the offer.
#[utoipa::path(
    post, path = routes::UNLOCK, tag = "Issuance", operation_id = "unlockOffer",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses(
        (status = 200, description = "No wrong transaction code counts any more", body = Decided),
        (status = 409, description = "Problem `exchange-state`"),
    ),
)]
pub(crate) async fn unlock(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Decided>, Problem> {
    answer(decisions::unlock(&ctx, &caller.organisation, id, &body).await)
}

/// Give an offer another transaction code.
///
/// The earlier one is wrong from then on, and wrong ones are forgotten. `userPin` names the new one; left out, as many
/// random digits as the earlier one has characters are drawn, and shown in this answer only. Only while nobody has redeemed
/// the offer, and only when it has a transaction code. It is delivered to the individual by their `pinChannel`. A wallet that has read the offer learns a new length when it reads
/// it again.
#[utoipa::path(
    post, path = routes::NEW_PIN, tag = "Issuance", operation_id = "replaceUserPin",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    request_body(content = Option<NewPinBody>, example = json!({ "userPin": "493027" })),
    responses(
        (status = 200, description = "The transaction code is replaced", body = NewPin),
        (status = 409, description = "Problem `exchange-state`"),
    ),
)]
pub(crate) async fn new_pin(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<NewPin>, Problem> {
    let replaced = decisions::new_pin(&ctx, &caller.organisation, id, &body).await;
    let replaced = replaced.map_err(|failure| Problem::of(failure, refuse))?;
    let credential_history = CredentialHistory::from(&replaced.history);
    Ok(Json(NewPin { success: true, user_pin: replaced.drawn.unwrap_or_default(), credential_history }))
}

/// Offer again under another link.
///
/// The exchange stays; its offer gets another link and another code, which live as long as those of a new offer. The earlier
/// link and code are worthless from then on: use this when they went to the wrong person. The transaction code stays, and
/// wrong ones are forgotten. Only while nobody has redeemed the offer.
#[utoipa::path(
    post, path = routes::REOFFER, tag = "Issuance", operation_id = "reofferCredential",
    params(("credentialExchangeId" = String, Path, description = "Id of the exchange", format = Uuid)),
    responses(
        (status = 200, description = "The record with the new `credentialOffer`", body = Decided),
        (status = 409, description = "Problem `exchange-state` or `no-signing-key`"),
    ),
)]
pub(crate) async fn reoffer(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<ExchangeId>,
    OptionalBody(body): OptionalBody,
) -> Result<Json<Decided>, Problem> {
    answer(decisions::reoffer(&ctx, &caller.organisation, id, &body).await)
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
        Rejection::NoSigningKey(obstacle) => Problem::no_signing_key(&obstacle),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the record and try again"),
    }
}

/// It is decided.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Decided {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    credential_history: CredentialHistory,
}

/// The transaction code is replaced.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPin {
    /// Always `true`.
    #[schema(example = true)]
    success: bool,
    /// The transaction code, when it was drawn: it is shown only here. Empty when the request named one.
    user_pin: String,
    credential_history: CredentialHistory,
}

/// The transaction code that is to be.
#[derive(ToSchema)]
#[schema(as = NewPinRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewPinBody {
    /// 4 to 12 characters, none of them a control character. Left out: random digits.
    #[schema(pattern = r"^[^\x00-\x1f\x7f-\x9f]{4,12}$")]
    user_pin: Option<String>,
}

/// Claims of a deferred issuance.
#[derive(ToSchema)]
#[schema(as = SupplyRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct SupplyBody {
    /// One credential.
    credential: Option<SuppliedCredential>,
    /// Several credentials.
    #[schema(max_items = 50)]
    credentials: Option<Vec<SuppliedCredential>>,
}

/// A credential whose claims are supplied. Other members pass by.
#[derive(ToSchema)]
#[schema(as = CredentialToSupply, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct SuppliedCredential {
    /// The definition's entry, as the record has it under `credential`.
    #[schema(format = Uuid)]
    id: String,
    /// Type, equal to the entry's.
    #[schema(max_length = 2048)]
    vct: Option<String>,
    /// Claims as the definition describes them.
    #[schema(value_type = std::collections::BTreeMap<String, Value>)]
    claims: Value,
    /// Free object, stored and echoed.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    credential_metadata: Option<Value>,
}

/// Why it is denied.
#[derive(ToSchema)]
#[schema(as = DenyRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct DenyBody {
    /// Words that the holder may see, without control characters.
    #[schema(value_type = Words)]
    reason: String,
}

/// Why it is withdrawn.
#[derive(ToSchema)]
#[schema(as = CancelRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct CancelBody {
    /// Words for the record, without control characters; empty counts as left out.
    #[schema(max_length = 255, pattern = r"^([^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*)?$")]
    reason: Option<String>,
}
