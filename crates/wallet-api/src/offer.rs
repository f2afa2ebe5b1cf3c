//! The credential offer by reference (OpenID4VCI §4.1.3).

use std::sync::Arc;

use axum::Json;
use axum::extract::{Extension, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chancery_issuance::wallet::offer::{self, Rejection};
use chancery_issuance::{Context, wallet};
use chancery_model::Organisation;

use crate::envelope::Envelope;
use crate::{request, schema};

/// Fetch an offer
///
/// The offer can be fetched as often as wanted until it expires; fetching uses nothing up.
///
/// ```sh
/// curl "$ISSUER/credential-offers/17Z9-DMR3M51EXX5lBUT3w"
/// ```
#[utoipa::path(
    get,
    path = "/credential-offers/{offer_id}",
    operation_id = "fetch_offer",
    tag = "Issuance",
    params(("offer_id" = String, Path, description = "Last segment of `credential_offer_uri`")),
    responses(
        (status = 200, description = "The offer", body = schema::CredentialOffer, example = json!({
            "credential_issuer": "https://issuer.example/o/acme",
            "credential_configuration_ids": ["StaffBadge"],
            "grants": {"urn:ietf:params:oauth:grant-type:pre-authorized_code": {
                "pre-authorized_code": "eThcKnxLGJIRXUS4VJ-tIxp9UiYdUOQiCvfgtTmp9Cg",
                "tx_code": {"input_mode": "numeric", "length": 6}
            }}
        })),
        (status = 404, description = "No such organisation or offer", body = schema::Error,
            example = json!({"error": "not_found", "error_description": "there is no such offer"})),
        schema::MethodNotAllowed,
        (status = 410, description = "The offer has expired or was withdrawn", body = schema::Error,
            example = json!({"error": "invalid_request", "error_description": "the offer has expired (support code K7QF-2M9X)"})),
        schema::Failed,
    )
)]
pub(crate) async fn get(
    State(context): State<Context>,
    Extension(organisation): Extension<Arc<Organisation>>,
    Path(offer_id): Path<String>,
    headers: HeaderMap,
) -> Response {
    match wallet::offer::retrieve(&context, &organisation, &offer_id, &request::notes(&headers)).await {
        Ok(offer) => Json(offer).into_response(),
        Err(failure) => {
            Envelope::of(failure, |refusal| refused(&refusal.rejection).support(refusal.support_code)).into_response()
        }
    }
}

fn refused(rejection: &offer::Rejection) -> Envelope {
    match rejection {
        Rejection::Unknown => Envelope::not_found("there is no such offer"),
        Rejection::Expired => Envelope::new(StatusCode::GONE, "invalid_request", "the offer has expired"),
        Rejection::Withdrawn => Envelope::new(StatusCode::GONE, "invalid_request", "the offer was withdrawn"),
    }
}
