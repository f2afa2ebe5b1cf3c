//! The issue call.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use chancery_issuance::Context;
use chancery_issuance::management::offers::{self, IssueRejection};
use chancery_issuance::management::quotas::UsedUp;
use chancery_model::IssuedBy;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::access::Organisational;
use crate::history::HistoryAnswer;
use crate::problem::{Kind, Problem};
use crate::request::{Address, Body, idempotency};
use crate::routes;

/// Issue a credential: begin an exchange and make the offer for the wallet.
///
/// `userPin` decides the grant: absent, the offer has an `authorization_code` grant with `issuer_state`;
/// empty, a pre-authorized code; 4 to 12 characters, a pre-authorized code with a transaction code (`numeric`
/// when digits only). `InTime` means that the claims are complete, or fetched when the wallet asks
/// (`claimsEndpoint` of the definition); signing happens then.
/// `Deferred` without claims begins a pending exchange.
#[utoipa::path(
    post, path = routes::ISSUE, tag = "Issuance", operation_id = "issueCredential",
    params(IdempotencyHeader),
    request_body(content = IssueBody, example = json!({
        "issuanceMode": "InTime",
        "userPin": "4711",
        "credentialDefinitionId": "0198f6a1-6a0e-7c50-9f0e-2b6f4d8f0c10",
        "credential": { "vct": "https://issuer.example/staff-badge", "claims": { "given_name": "Ada" } }
    })),
    responses(
        (status = 200, description = "The record with the offer link", body = HistoryAnswer),
        (status = 409, description = "Problem `no-signing-key`"),
        (status = 422, description = "Problem `idempotency-key-reused`"),
        (status = 429, description = "Problem `quota-used-up`, or `too-many-requests`"),
    ),
)]
pub(crate) async fn issue(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Address(address): Address,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let idempotency = idempotency(&headers, routes::ISSUE, &body.bytes)?;
    let render = |history: &_| serde_json::to_vec(&HistoryAnswer::from(history)).unwrap_or_default();
    let by = IssuedBy { actor: caller.issuing(), address };
    let answer = offers::issue(&ctx, &caller.organisation, by, &body.members, idempotency.as_ref(), render).await;
    let answer = answer.map_err(|failure| {
        Problem::of(failure, |rejection| match rejection {
            IssueRejection::Invalid(faults) => Problem::invalid(faults),
            IssueRejection::QuotaUsedUp(UsedUp { limit, retry_after }) => {
                let detail = format!("the organisation may begin {limit} exchanges a day, and has");
                Problem::new(Kind::QuotaUsedUp, detail).retry_after(retry_after)
            }
            IssueRejection::NoSigningKey(obstacle) => Problem::no_signing_key(&obstacle),
            IssueRejection::IdempotencyKeyReused => {
                Problem::new(Kind::IdempotencyKeyReused, "choose a new key for each new request")
            }
        })
    })?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer).into_response())
}

/// What is to be issued.
#[derive(ToSchema)]
#[schema(as = IssueRequest, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct IssueBody {
    /// Whether the claims are complete.
    issuance_mode: IssuanceModeSchema,
    /// Decides the grant; see above.
    #[schema(pattern = r"^([^\x00-\x1f\x7f-\x9f]{4,12})?$")]
    user_pin: Option<String>,
    /// The definition; may be left out when `credential` names a `vct` that only one definition has.
    #[schema(format = Uuid)]
    credential_definition_id: Option<String>,
    /// One credential.
    credential: Option<CredentialBody>,
    /// Several credentials, each with the `id` of its entry.
    #[schema(max_items = 50)]
    credentials: Option<Vec<CredentialBody>>,
    /// Start of the offer link: `openid-credential-offer://`, `haip://` or `haip-vci://`. Default: the last one
    /// under the `haip` profile, the first one otherwise.
    url_scheme: Option<UrlScheme>,
    /// Whether this offer demands a key attestation although the definition does not.
    require_key_attestation: Option<bool>,
    /// `Deferred` only: seconds for which missing claims are awaited; 30 days by default. After that the exchange is
    /// denied.
    #[schema(minimum = 60, maximum = 31_536_000)]
    claims_due_in_seconds: Option<u32>,
    /// Push the offer to this endpoint of a wallet, an https URL: it is called with `credential_offer_uri` (OpenID4VCI
    /// §4.1.3). Goes before the channel of an individual.
    #[schema(max_length = 2048, format = "uri")]
    credential_offer_endpoint: Option<String>,
    /// Make the offer for this individual, and deliver it by the channel of that person. Excludes `mapperId`.
    #[schema(format = Uuid)]
    individual_id: Option<String>,
    /// The same for the individual with this `externalId`.
    #[schema(max_length = 255)]
    mapper_id: Option<String>,
}

/// Start of an offer link.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the protocol's scheme")]
pub(crate) enum UrlScheme {
    #[schema(rename = "openid-credential-offer://")]
    OpenidCredentialOffer,
    #[schema(rename = "haip://")]
    Haip,
    #[schema(rename = "haip-vci://")]
    HaipVci,
}

/// Whether the claims are complete.
#[derive(ToSchema)]
#[schema(as = IssuanceMode)]
#[expect(dead_code, reason = "only describes the model's mode")]
pub(crate) enum IssuanceModeSchema {
    InTime,
    Deferred,
}

/// A credential to be issued. Other members pass by.
#[derive(ToSchema)]
#[schema(as = CredentialToIssue, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct CredentialBody {
    /// The definition's entry; may be left out when the `vct` or the definition leaves no choice.
    #[schema(format = Uuid)]
    id: Option<String>,
    /// Type, equal to the entry's.
    #[schema(max_length = 2048)]
    vct: Option<String>,
    /// Claims as the definition describes them.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    claims: Option<Value>,
    /// Free object, stored and echoed.
    #[schema(value_type = Option<std::collections::BTreeMap<String, Value>>)]
    credential_metadata: Option<Value>,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only describes the header, which `request.rs` reads")]
struct IdempotencyHeader {
    /// Name of this request, chosen by the client, 1 to 255 printable ASCII characters. The same request
    /// under the same key is answered again for 24 hours, and begins no second exchange.
    #[param(rename = "Idempotency-Key", pattern = "^[!-~]([ -~]{0,253}[!-~])?$")]
    idempotency_key: Option<String>,
}
